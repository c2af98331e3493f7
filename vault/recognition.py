"""Level 2: the restored files open as what they claim to be, judged beside the source's findings.

Rule 1: a restored file passes when it is as sound as it was found at the source; without such a
    finding it must not be malformed.
Rule 2: a file that no inspector knows proves nothing at this level, and is counted as not tested.
Rule 3: findings hold counts and words; nothing here names a file.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from vault.errors import SourceError
from vault.finding import Finding, Soundness
from vault.policy import Level
from vault.ports import Examiner
from vault.proof import Check, DrillVerdict, Outcome
from vault.results import ManifestEntry

Kept = Mapping[bytes, Soundness]  # by path: how sound the source's own file was found
_RANK = (Soundness.OPAQUE, Soundness.SOUND, Soundness.DOUBTFUL, Soundness.MALFORMED)


def judge_findings(
    examiner: Examiner, restored: bytes, entries: Sequence[ManifestEntry], kept: Kept
) -> tuple[list[Check], list[str]]:
    """Examine restored files; give the checks, and the contents that opened."""
    counted: Counter[str] = Counter()
    opened: list[str] = []
    for entry in entries:
        finding = _examined(examiner, restored, entry)
        state = _state(finding, kept.get(entry.path))
        counted[state] += 1
        if state in ("as-good", "poor-at-source"):
            opened.append(entry.sha256)
    return _checks(counted, len(entries)), opened


def _examined(examiner: Examiner, restored: bytes, entry: ManifestEntry) -> Finding | None:
    try:
        return examiner.examine(restored, entry)
    except SourceError:  # its bytes are not those of the manifest: compared before, changed since
        return None


def _state(finding: Finding | None, kept: Soundness | None) -> str:
    if finding is None:
        return "worse"
    if finding.soundness is Soundness.OPAQUE:
        return "worse" if kept not in (None, Soundness.OPAQUE) else "opaque"
    allowed = max(Soundness.DOUBTFUL, kept or Soundness.DOUBTFUL, key=_RANK.index)
    if _RANK.index(finding.soundness) > _RANK.index(allowed):
        return "worse"
    return "poor-at-source" if finding.soundness is Soundness.MALFORMED else "as-good"


def _checks(counted: Counter[str], files: int) -> list[Check]:
    checks = []
    opened = counted["as-good"] + counted["poor-at-source"]
    if counted["worse"]:
        checks.append(
            Check(
                level=Level.L2,
                name="formats",
                outcome=Outcome.FAILED,
                template="{count} of {files} restored files do not open as what they claim to be",
                values={"count": counted["worse"], "files": files},
                verdict=DrillVerdict.FAILED,
            )
        )
    elif opened:
        checks.append(
            Check(
                level=Level.L2,
                name="formats",
                outcome=Outcome.WARNED if counted["poor-at-source"] else Outcome.PASSED,
                template="{count} of {files} files open as what they claim to be; "
                "{poor} are malformed as they were at the source",
                values={"count": opened, "files": files, "poor": counted["poor-at-source"]},
            )
        )
    if counted["opaque"]:
        checks.append(
            Check(
                level=Level.L2,
                name="unknown-formats",
                outcome=Outcome.SKIPPED,
                template="{count} of {files} files have a format that no inspector knows",
                values={"count": counted["opaque"], "files": files},
            )
        )
    return checks
