"""Which medium of a set crosses, by what was attached when the night began."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest

from vault.agenda import Plan, PlannedTarget, Resting, unserved, whose_place, wrong_media
from vault.errors import MediaAbsent
from vault.results import (
    CycleVerdict,
    Disconnection,
    DoorProof,
    ShutReport,
    TargetOutcome,
    TargetRecord,
    TargetResult,
    VaultStatus,
)
from vault.verdict import judge

NOW = datetime(2026, 3, 1, tzinfo=UTC)
ABSENT, ADMITTED = TargetOutcome.MEDIA_ABSENT, TargetOutcome.ADMITTED


@dataclass
class Folder:
    """A door whose medium is found by looking."""

    is_there: bool

    def find(self) -> None:
        if not self.is_there:
            raise MediaAbsent("no folder")


@dataclass
class Asked:
    """What the doors answered when the night began: all that is read of the airlock here."""

    proofs: dict[str, ShutReport]
    doors: dict[str, Folder] = field(default_factory=dict)


def asked(**kinds: str) -> Asked:
    """Give the answer of each door by its class of disconnection."""
    return Asked(
        {
            name: ShutReport(proof=DoorProof.SHUT, disconnection=Disconnection(kind))
            for name, kind in kinds.items()
        }
    )


def target(name: str, set_name: str = "s", *, stands_in: bool = False) -> PlannedTarget:
    record = TargetRecord(
        name=name, target_id="0" * 64, uuid="u", fs_type="ext4", size_bytes=1, serial="", door="{}",
        enrolled_at=NOW,
    )  # fmt: skip
    return PlannedTarget(
        record=record, closes_at=NOW, closes_at_s=0, window_s=1, set_name=set_name,
        stands_in=stands_in,
    )  # fmt: skip


def plan(*targets: PlannedTarget, resting: tuple[Resting, ...] = ()) -> Plan:
    return Plan(
        sources=(), not_due=(), targets=targets, not_enrolled=(), forced=False, closes_at=NOW,
        closes_at_s=0, resting=resting,
    )  # fmt: skip


def result(name: str, outcome: TargetOutcome) -> TargetResult:
    return TargetResult(name=name, outcome=outcome)


TURN = plan(target("a"), target("b", stands_in=True), target("other", "t"))
RESTING = Resting(name="c", set_name="s", expected="a", others=1)


@pytest.mark.parametrize(
    ("results", "kind", "takes"),
    [
        ([result("a", ABSENT)], "detached", True),
        ([result("a", ABSENT)], "unmounted", True),
        ([result("a", ABSENT)], "removed", False),  # not here: nothing is attached to look for it
        ([result("a", ABSENT)], "powered-off", False),
        ([result("a", ADMITTED)], "detached", False),
        ([], "detached", False),
        ([result("other", ABSENT)], "detached", False),
        ([result("a", ABSENT), result("b", ADMITTED)], "detached", False),  # one a night
    ],
)
def test_another_takes_the_place_of_the_absent_one_only(results, kind, takes) -> None:
    """It has waited enough, is attached, and none of the set crossed tonight."""
    found = whose_place(asked(b=kind), TURN, results, TURN.targets[1])
    assert found == (results[0] if takes else None)


@pytest.mark.parametrize("there", [True, False])
def test_a_folder_is_here_when_it_can_be_found(there: bool) -> None:
    """Its door proves nothing of where it is."""
    airlock = asked(b="none")
    airlock.doors["b"] = Folder(there)
    found = whose_place(airlock, TURN, [result("a", ABSENT)], TURN.targets[1])
    assert (found is not None) is there


@pytest.mark.parametrize(
    ("one", "results", "kind", "told"),
    [
        (RESTING, [result("a", ABSENT)], "unmounted",
         "not its turn in the set s: a is expected, 1 go before it"),
        (RESTING, [result("a", ADMITTED)], "unmounted", None),  # both in the bay: no harm done
        (RESTING, [result("a", ABSENT)], "removed", None),
        (Resting(name="c", set_name="s", expected="", others=1, asked=True), [], "removed",
         "not its turn: the set s owes nothing tonight"),
        (Resting(name="c", set_name="s", expected="a", others=0, asked=True), [], "removed",
         "not its turn in the set s: a is expected"),
    ],
)  # fmt: skip
def test_a_wrong_medium_is_told_when_it_is_there_instead(one, results, kind, told) -> None:
    """Or when a person named it."""
    found = wrong_media(asked(c=kind), plan(target("a"), resting=(one,)), results)
    assert [r.outcome for r in found] == [TargetOutcome.NOT_OPENED] * (told is not None)
    assert [r.reasons for r in found] == [(told,)] * (told is not None)


def test_absent_with_a_wrong_medium_there_is_absent() -> None:
    """Exit 75: every due medium is absent, whatever else lies in the bay."""
    results = [result("a", ABSENT), result("c", TargetOutcome.NOT_OPENED)]
    verdict = judge(status=VaultStatus.LOCKED, sources=(), targets=results)
    assert verdict is CycleVerdict.MEDIA_ABSENT
    served = judge(
        status=VaultStatus.LOCKED, sources=(), targets=[*results, result("other", ADMITTED)]
    )
    assert served is CycleVerdict.INCOMPLETE


def test_a_set_is_served_by_whoever_stood_in() -> None:
    """What was not reached is told; a set that one medium served is not."""
    assert [one.name for one in unserved(TURN, [])] == ["a", "other"]
    assert [one.name for one in unserved(TURN, [result("b", ADMITTED)])] == ["other"]
