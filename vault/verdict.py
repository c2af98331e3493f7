"""One verdict for a night, from what its sources, targets and doors came to.

Rule 1: the verdict says whether the copy is good; where the air gap is, is the status.
Rule 2: when several hold, the order of the exit codes decides: 5, 6, 4, 130, 1, 7, 75, 3, 0.
Rule 3: what did not happen is never green: an absent medium, a partial copy, a refusal each have
    a verdict of their own.
Source: design, section 9.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from vault.results import (
    CycleVerdict,
    SourceResult,
    SourceVerdict,
    TargetOutcome,
    TargetResult,
    VaultStatus,
)

PRECEDENCE = (
    CycleVerdict.DEGRADED,
    CycleVerdict.SECURED,
    CycleVerdict.CORRUPT,
    CycleVerdict.INTERRUPTED,
    CycleVerdict.FAILED,
    CycleVerdict.REFUSED,
    CycleVerdict.MEDIA_ABSENT,
    CycleVerdict.PARTIAL,
    CycleVerdict.INCOMPLETE,
    CycleVerdict.SOUND,
)

_REFUSALS = frozenset({TargetOutcome.REFUSED, TargetOutcome.IMPOSTOR})
_FAILURES = frozenset({TargetOutcome.FAILED, TargetOutcome.FULL})


def worst(verdicts: Collection[CycleVerdict]) -> CycleVerdict:
    """Give the one that comes first in the order of the exit codes; sound when there is none."""
    return min(verdicts, key=PRECEDENCE.index, default=CycleVerdict.SOUND)


def judge(
    *,
    status: VaultStatus,
    sources: Sequence[SourceResult],
    targets: Sequence[TargetResult],
    landing_refused: bool = False,
    attack: bool = False,
    interrupted: bool = False,
    secured: bool = False,
    failed: bool = False,
    incomplete: bool = False,
) -> CycleVerdict:
    """Judge a night that went through its steps."""
    found: set[CycleVerdict] = set()
    if status is VaultStatus.DEGRADED:
        found.add(CycleVerdict.DEGRADED)
    if secured or status is VaultStatus.SECURED:
        found.add(CycleVerdict.SECURED)
    if interrupted:
        found.add(CycleVerdict.INTERRUPTED)
    if failed:
        found.add(CycleVerdict.FAILED)
    if incomplete:
        found.add(CycleVerdict.INCOMPLETE)
    if landing_refused or attack:
        found.add(CycleVerdict.REFUSED)
    else:
        # After a refusal of the whole night, what was not snapshotted is its doing.
        found |= _of_sources(sources)
    found |= _of_targets(targets)
    return worst(found)


def _of_sources(sources: Sequence[SourceResult]) -> set[CycleVerdict]:
    due = [source for source in sources if source.verdict is not SourceVerdict.NOT_DUE]
    gaps = [source for source in due if source.verdict.is_gap]
    if not gaps:
        return set()
    if len(gaps) < len(due) or any(gap.verdict is SourceVerdict.PARTIAL for gap in gaps):
        return {CycleVerdict.INCOMPLETE}
    if all(source.verdict is SourceVerdict.REFUSED for source in gaps):
        return {CycleVerdict.REFUSED}
    return {CycleVerdict.FAILED}


def _of_targets(targets: Sequence[TargetResult]) -> set[CycleVerdict]:
    outcomes = [target.outcome for target in targets]
    found: set[CycleVerdict] = set()
    if TargetOutcome.CORRUPT in outcomes:
        found.add(CycleVerdict.CORRUPT)
    if _FAILURES & set(outcomes):
        found.add(CycleVerdict.FAILED)
    if any(t.outcome is TargetOutcome.ADMITTED and t.reasons for t in targets):
        found.add(CycleVerdict.INCOMPLETE)  # it crossed, and something there was not as we left it
    if TargetOutcome.PARTIAL in outcomes:
        found.add(CycleVerdict.PARTIAL)
    if TargetOutcome.NOT_OPENED in outcomes:
        found.add(CycleVerdict.INCOMPLETE)
    refused = sum(outcome in _REFUSALS for outcome in outcomes)
    absent = outcomes.count(TargetOutcome.MEDIA_ABSENT)
    if refused:
        found.add(CycleVerdict.REFUSED if refused == len(outcomes) else CycleVerdict.INCOMPLETE)
    if absent:
        # Another medium of its set in its place, which was not opened, does not make up for it.
        none_here = absent + outcomes.count(TargetOutcome.NOT_OPENED) == len(outcomes)
        found.add(CycleVerdict.MEDIA_ABSENT if none_here else CycleVerdict.INCOMPLETE)
    if refused and absent and refused + absent == len(outcomes):
        found.add(CycleVerdict.REFUSED)
    return found
