"""What a night is to do, and which medium of a set crosses in it.

Rule 1: a plan is a value that can be printed; making it opens nothing.
Rule 2: one medium of a set crosses in a night: the one whose turn it is; if it is absent, one that
    has waited as long and was attached when the night began.
Rule 3: a medium whose turn it is not is never opened for writing; when it is here instead of the
    expected one, the night says so.
Source: design, section 4; ``docs/decisions/0025``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from vault.errors import CoffreError
from vault.results import Disconnection, TargetOutcome, TargetRecord, TargetResult

if TYPE_CHECKING:
    from vault.airlock import Airlock
    from vault.intake import NightSource


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedTarget:
    """A target that is due, and until when its door may be open."""

    record: TargetRecord
    closes_at: datetime
    closes_at_s: float  # the same on the boot clock
    window_s: float  # how long such a window is
    read_back_old_s: float = 0.0  # time for what crossed in earlier openings
    set_name: str = ""  # the set in which its medium takes turns
    stands_in: bool = False  # it is another's turn: only if that one is absent and this one here

    @property
    def name(self) -> str:
        """The target's name."""
        return self.record.name


@dataclass(frozen=True, slots=True, kw_only=True)
class Resting:
    """A medium whose turn it is not: its door is not opened for writing."""

    name: str
    set_name: str
    expected: str  # whose turn it is; empty: the set owes nothing tonight
    others: int  # of the set, to be written before it is written again; 0: it has waited enough
    asked: bool = False  # named by a person, outside a recorded --now


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a night is to do: a value that can be printed."""

    sources: tuple[NightSource, ...]  # in order of priority
    not_due: tuple[str, ...]
    targets: tuple[PlannedTarget, ...]
    not_enrolled: tuple[str, ...]
    forced: bool  # outside a window: by --now, or to catch up
    closes_at: datetime  # when the last door must be shut
    closes_at_s: float  # the same on the boot clock
    caught_up: tuple[str, ...] = ()  # the windows whose missed opening this night makes up for
    resting: tuple[Resting, ...] = ()
    out_of_turn: tuple[Resting, ...] = ()  # opened all the same: asked for by name, with --now

    @property
    def expected(self) -> tuple[PlannedTarget, ...]:
        """The targets that are due, without those that only stand in for one."""
        return tuple(target for target in self.targets if not target.stands_in)


# -- which medium of a set


def whose_place(
    airlock: Airlock, plan: Plan, results: Sequence[TargetResult], stand_in: PlannedTarget
) -> TargetResult | None:
    """Give the result of the absent medium whose place another takes; None when it takes none."""
    of_set = {one.name for one in plan.targets if one.set_name == stand_in.set_name}
    found = [result for result in results if result.name in of_set]
    is_absent = len(found) == 1 and found[0].outcome is TargetOutcome.MEDIA_ABSENT
    return found[0] if is_absent and _is_here(airlock, stand_in.name) else None


def why_instead(stand_in: str, absent: str) -> str:
    """Say that a medium took the place of another."""
    return f"it was the turn of {absent}: {stand_in} was there in its place"


def wrong_media(
    airlock: Airlock, plan: Plan, results: Sequence[TargetResult]
) -> list[TargetResult]:
    """Tell of the media that are here while another is expected: none of them is opened."""
    absent = {one.name for one in results if one.outcome is TargetOutcome.MEDIA_ABSENT}
    return [
        not_opened(airlock, one.name, reasons=_reasons(one))
        for one in plan.resting
        if one.asked or (one.expected in absent and _is_here(airlock, one.name))
    ]


def unserved(plan: Plan, results: Sequence[TargetResult]) -> Iterator[PlannedTarget]:
    """Give the targets that are due and that nothing was said of."""
    reached = {result.name for result in results}
    served = {one.set_name for one in plan.targets if one.name in reached}
    for target in plan.expected:
        if target.name not in reached and (not target.set_name or target.set_name not in served):
            yield target


def not_opened(airlock: Airlock, name: str, *, reasons: tuple[str, ...] = ()) -> TargetResult:
    """Say of a door that stayed shut what the recovery of this night proved of it."""
    proof = airlock.proofs.get(name)
    kind = proof.disconnection if proof is not None and proof.is_shut else Disconnection.NONE
    return TargetResult(
        name=name, outcome=TargetOutcome.NOT_OPENED, disconnection=kind, reasons=reasons
    )


def _reasons(one: Resting) -> tuple[str, ...]:
    if not one.expected:
        return (f"not its turn: the set {one.set_name} owes nothing tonight",)
    name, expected, others = one.set_name, one.expected, one.others
    if not others:
        return (f"not its turn in the set {name}: {expected} is expected",)
    return (f"not its turn in the set {name}: {expected} is expected, {others} go before it",)


def _is_here(airlock: Airlock, name: str) -> bool:
    """Say whether the medium was attached when this night began; nothing is attached for it."""
    proof = airlock.proofs.get(name)
    if proof is None or proof.disconnection is not Disconnection.NONE:
        kinds = (Disconnection.DETACHED, Disconnection.UNMOUNTED)
        return proof is not None and proof.disconnection in kinds
    try:
        airlock.doors[name].find()  # a folder: nothing moves
    except CoffreError:
        return False
    return True
