"""Gaps as people read them: the sources that have the same gap share one line.

Rule 1: gaps are joined only when everything but the source is the same.
Rule 2: a command in a mend takes each source with its option, so that it can be typed as it stands.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

_OPTION = "--source "
_JOIN = ", "


def group_gaps(gaps: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Join the gaps, as members of a document, that differ in their source only."""
    groups: dict[str, dict[str, Any]] = {}
    for gap in gaps:
        same = [gap["kind"], gap["values"], gap["since"], gap["target"], gap.get("owner")]
        same += [gap.get("acknowledged"), gap.get("over_since")]
        key = json.dumps([*same, gap["source"] is None], sort_keys=True)
        if key in groups and gap["source"]:
            groups[key]["source"] += f"{_JOIN}{gap['source']}"
        else:
            groups[key] = dict(gap)
    return list(groups.values())


def source_in(template: str, source: str | None) -> str | None:
    """Give what stands for ``{source}`` in a template: names, or options of a command."""
    if source and f"{_OPTION}{{source}}" in template:
        return source.replace(_JOIN, f" {_OPTION}")
    return source
