"""One verdict for a night: the order of the exit codes decides."""

from __future__ import annotations

import itertools

import pytest

from vault.results import (
    CycleVerdict,
    SourceResult,
    SourceVerdict,
    TargetOutcome,
    TargetResult,
    VaultStatus,
)
from vault.verdict import PRECEDENCE, judge, worst

SAVED = SourceResult(name="a", verdict=SourceVerdict.SAVED)


def of(sources: list[SourceVerdict], targets: list[TargetOutcome], **more: bool) -> CycleVerdict:
    return judge(
        status=VaultStatus.LOCKED,
        sources=[SourceResult(name=str(n), verdict=v) for n, v in enumerate(sources)],
        targets=[TargetResult(name=str(n), outcome=o) for n, o in enumerate(targets)],
        **more,
    )


def test_precedence_is_that_of_the_exit_codes() -> None:
    """5, 6, 4, 130, 1, 7, 75, 3, 0."""
    codes = [int(verdict.exit_code) for verdict in PRECEDENCE]
    assert list(dict.fromkeys(codes)) == [5, 6, 4, 130, 1, 7, 75, 3, 0]
    assert set(PRECEDENCE) == set(CycleVerdict)


@pytest.mark.parametrize(
    ("sources", "targets", "verdict"),
    [
        ([SourceVerdict.SAVED], [TargetOutcome.ADMITTED], CycleVerdict.SOUND),
        ([SourceVerdict.UNCHANGED], [TargetOutcome.NOTHING_NEW], CycleVerdict.SOUND),
        ([SourceVerdict.SAVED], [TargetOutcome.PARTIAL], CycleVerdict.PARTIAL),
        ([SourceVerdict.SAVED], [TargetOutcome.CORRUPT], CycleVerdict.CORRUPT),
        ([SourceVerdict.SAVED], [TargetOutcome.FULL], CycleVerdict.FAILED),
        ([SourceVerdict.SAVED], [TargetOutcome.MEDIA_ABSENT], CycleVerdict.MEDIA_ABSENT),
        ([SourceVerdict.SAVED], [TargetOutcome.IMPOSTOR], CycleVerdict.REFUSED),
        (
            [SourceVerdict.SAVED],
            [TargetOutcome.ADMITTED, TargetOutcome.MEDIA_ABSENT],
            CycleVerdict.INCOMPLETE,
        ),
        (
            [SourceVerdict.SAVED],
            [TargetOutcome.ADMITTED, TargetOutcome.IMPOSTOR],
            CycleVerdict.INCOMPLETE,
        ),
        (
            [SourceVerdict.SAVED, SourceVerdict.MISSING],
            [TargetOutcome.ADMITTED],
            CycleVerdict.INCOMPLETE,
        ),
        ([SourceVerdict.EMPTY], [TargetOutcome.NOTHING_NEW], CycleVerdict.FAILED),
        ([SourceVerdict.REFUSED], [TargetOutcome.NOTHING_NEW], CycleVerdict.REFUSED),
    ],
)
def test_verdict_of_sources_and_targets(
    sources: list[SourceVerdict], targets: list[TargetOutcome], verdict: CycleVerdict
) -> None:
    """Each row of the table of exit codes."""
    assert of(sources, targets) is verdict


def test_nothing_but_good_parts_is_sound() -> None:
    """Every source that is a gap and every target that lacks something costs the green."""
    good_targets = {TargetOutcome.ADMITTED, TargetOutcome.NOTHING_NEW}
    for source, target in itertools.product(SourceVerdict, TargetOutcome):
        if target is TargetOutcome.NOT_OPENED:
            continue  # said by a refused landing or a target that is not enrolled
        sound = of([source], [target]) is CycleVerdict.SOUND
        assert sound == (not source.is_gap and target in good_targets)


@pytest.mark.parametrize("flag", ["landing_refused", "interrupted", "failed", "incomplete"])
def test_a_flag_costs_the_green(flag: str) -> None:
    """What the whole night came to weighs besides its parts."""
    assert of([SourceVerdict.SAVED], [TargetOutcome.ADMITTED], **{flag: True}).exit_code != 0


def test_degraded_outweighs_everything() -> None:
    """An open door is the loudest alarm."""
    verdict = judge(
        status=VaultStatus.DEGRADED,
        sources=[SAVED],
        targets=[TargetResult(name="t", outcome=TargetOutcome.CORRUPT)],
        interrupted=True,
    )
    assert verdict is CycleVerdict.DEGRADED
    assert worst([]) is CycleVerdict.SOUND


def test_night_that_the_red_button_ended_is_secured_and_never_sound() -> None:
    """Pressed between two doors it raises nothing else: all sources saved, no target opened."""
    found = of([SourceVerdict.SAVED], [TargetOutcome.NOT_OPENED], secured=True)
    assert found is CycleVerdict.SECURED


def test_target_that_was_due_and_not_opened_is_never_green() -> None:
    """Invariant 7."""
    assert of([SourceVerdict.SAVED], [TargetOutcome.NOT_OPENED]) is CycleVerdict.INCOMPLETE
