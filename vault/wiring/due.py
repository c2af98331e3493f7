"""Which restore tests are owed, from the records; and the night's share of them, in time.

Rule 1: what is owed is judged by policy and by what was reached; a test that failed reached what
    it reached, and no more.
Rule 2: with a time given, the oldest proof goes first and the next night goes on where it ended,
    so that every content of every point is proven within a number of days that is told.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from vault.errors import CatalogueError
from vault.fiche import DUE, Drilled, DrillOrder, DrillRecord, People
from vault.policy import Level, Policy
from vault.proof import AUTOMATIC, DrillFacts, Owed, nights_to_prove, owed_levels
from vault.results import SnapshotRecord
from vault.wiring.wired import Wired

_SLOWEST = 1e6  # bytes a second; before anything was measured here
_GUESSED = 20e6
_EACH_S = 2.0  # what a test costs besides its bytes
_LAST = 20  # tests that a speed is measured from


def drill_facts(
    policy: Policy,
    source: str,
    *,
    since: datetime | None,
    reached: Mapping[Level, datetime],
    newest: DrillRecord | None,
) -> DrillFacts:
    """Give what gaps say of a source's restore tests; ``since`` is its first point."""
    if since is None:
        return DrillFacts()
    owed = tuple(owed_levels(source, policy, reached, since))
    if newest is None or newest.verdict is None:
        return DrillFacts(owed=owed)
    is_bad = not newest.verdict.is_good
    projected_s = newest.projected_s
    is_slow = projected_s is not None and projected_s > policy.dmia_s
    return DrillFacts(
        owed=owed,
        bad_verdict=str(newest.verdict) if is_bad else "",
        bad_at=newest.ended_at if is_bad else None,
        bad_drill=newest.number,
        slow_s=int(projected_s or 0) if is_slow else 0,
        slow_at=newest.ended_at if is_slow else None,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """Contents of a source that no test has proven within the cadence of its policy."""

    source: str
    point: SnapshotRecord  # the newest point that has the one whose proof is the oldest
    files: int
    bytes: int
    oldest: datetime | None  # when the oldest proof was; None is never


@dataclass(slots=True, kw_only=True)
class DueRun:
    """What one ``drill run --due`` did, and what it leaves."""

    drilled: list[Drilled] = field(default_factory=list)
    waiting_files: int = 0
    waiting_bytes: int = 0
    nights: int | None = None  # until everything is proven, at this speed and so much time a night


def run_due(
    wired: Wired, *, seconds: float | None, new_seed: Callable[[], str], login: str
) -> DueRun:
    """Run what is owed, the oldest proof first, while the time lasts. Under the vault's lock."""
    from vault.recovery import LANDING
    from vault.wiring.drills import make_driller

    driller = make_driller(wired)
    driller.settle()
    done = DueRun()
    began_s = wired.clock.boot_s()

    def left_s() -> float | None:
        return None if seconds is None else seconds - (wired.clock.boot_s() - began_s)

    def run(source: str, level: Level, point: SnapshotRecord | None) -> Drilled:
        left = left_s()
        order = DrillOrder(
            source=source,
            level=level,
            origin=LANDING,
            seed=new_seed(),
            reason=DUE,
            limit_bytes=None if left is None else max(1.0, left - _EACH_S) * speed(wired),
            snapshot_id=point.snapshot_id if point else None,
            people=People(login=login),
        )
        drilled = driller.run(order)
        done.drilled.append(drilled)
        return drilled

    for source, level in _owed_now(wired):
        left = left_s()
        if left is not None and left < _EACH_S:
            break
        run(source, level, None)
    if seconds is not None:
        _go_round(wired, run, left_s)
    waiting = list(_waiting(wired))
    done.waiting_files = sum(one.files for one in waiting)
    done.waiting_bytes = sum(one.bytes for one in waiting)
    if seconds is not None:
        done.nights = nights_to_prove(
            done.waiting_bytes, bytes_per_second=speed(wired), seconds_each=seconds
        )
    return done


def _go_round(
    wired: Wired,
    run: Callable[[str, Level, SnapshotRecord | None], Drilled],
    left_s: Callable[[], float | None],
) -> None:
    """Go on with what was proven the longest ago, until the time is over or nothing waits."""
    failed: set[str] = set()
    while (left_s() or 0.0) >= _EACH_S:
        waiting = [one for one in _waiting(wired) if one.source not in failed]
        if not waiting:
            return
        first = min(waiting, key=lambda one: (one.oldest is not None, one.oldest or 0))
        drilled = run(first.source, Level.L1, first.point)
        verdict = drilled.record.verdict
        if verdict is None or not verdict.is_good:
            failed.add(first.source)  # it is told; the others go on


def _owed_now(wired: Wired) -> Iterator[tuple[str, Level]]:
    """Give the sources that owe a test a machine can make, with the highest such level."""
    now = wired.clock.now()
    due: dict[str, Owed] = {}
    for source in wired.settings.sources:
        points = wired.catalogue.snapshots(source)
        if not points:
            continue
        policy = wired.settings.policy_of(source)
        reached = wired.catalogue.reached(source)
        for owed in owed_levels(source, policy, reached, points[0].taken_at):
            # What was never reached is owed at once, so that it is known before it is overdue.
            is_now = owed.due_at <= now or owed.last_at is None
            if is_now and owed.level in AUTOMATIC:
                due[source] = owed  # levels come in their order: the highest stays
    ordered = sorted(due.values(), key=lambda owed: (owed.last_at is not None, owed.due_at))
    yield from ((owed.source, owed.level) for owed in ordered)


def _waiting(wired: Wired) -> Iterator[Waiting]:
    """Give for each source what waits for a proof: every content of every point of it."""
    now = wired.clock.now()
    for source in wired.settings.sources:
        every_s = wired.settings.policy_of(source).drills.l1_s
        if every_s is None:
            continue
        proven = wired.catalogue.proven_at(source, Level.L1)
        waiting: dict[str, int] = {}
        oldest: tuple[float, str] | None = None
        place: dict[str, SnapshotRecord] = {}
        for point in reversed(wired.catalogue.snapshots(source)):
            if point.forgotten_at is not None:
                continue  # it is tested from a medium that holds it
            for entry in _entries(wired, point):
                at = proven.get(entry[0])
                age = (now - at).total_seconds() if at else float("inf")
                if age < every_s or entry[0] in waiting:
                    continue
                waiting[entry[0]] = entry[1]
                place[entry[0]] = point
                oldest = max(oldest or (age, entry[0]), (age, entry[0]))
        if oldest is not None:
            yield Waiting(
                source=source,
                point=place[oldest[1]],
                files=len(waiting),
                bytes=sum(waiting.values()),
                oldest=proven.get(oldest[1]),
            )


def _entries(wired: Wired, point: SnapshotRecord) -> list[tuple[str, int]]:
    """Give the contents of a point with their size; none when its evidence is damaged."""
    try:
        return [
            (entry.sha256, entry.size_bytes) for entry in wired.catalogue.manifest(point.manifest)
        ]
    except CatalogueError:
        return []  # a test of that point says so


def speed(wired: Wired) -> float:
    """Give the bytes a second at which tests restored here lately."""
    measured = [one for one in wired.catalogue.drills(limit=_LAST) if _is_measured(one)]
    seconds = sum(one.duration_s for one in measured)
    if not seconds:
        return _GUESSED
    return max(_SLOWEST, sum(one.bytes for one in measured) / seconds)


def _is_measured(record: DrillRecord) -> bool:
    return record.bytes > 0 and record.duration_s > 0
