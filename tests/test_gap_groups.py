"""Gaps joined for reading: nothing lost, and what is told to be typed can be typed."""

from __future__ import annotations

from vault.gap_groups import group_gaps, source_in


def gap(source: str | None, kind: str = "missing", **values: object) -> dict[str, object]:
    return {"kind": kind, "values": values, "since": None, "target": None, "source": source}


def test_sources_with_the_same_gap_share_a_line_and_others_do_not():
    """A gap of the vault itself stays alone."""
    found = group_gaps([gap("hr"), gap("pmsi"), gap(None), gap("hr", hours=3)])
    assert [one["source"] for one in found] == ["hr, pmsi", None, "hr"]


def test_a_mend_for_several_sources_can_be_typed():
    """Each with its option; in a sentence, names."""
    command = "coffre run --now --source {source} tries again"
    told = command.format(source=source_in(command, "hr, pmsi"))
    assert told == "coffre run --now --source hr --source pmsi tries again"
    assert source_in("in the policy of {source}", "hr, pmsi") == "hr, pmsi"
    assert source_in(command, None) is None
