"""One night, steps 0 to 11.

    recover           shut what an earlier death left open
    preflight         keys, pins, clock, room: else nothing is touched
    collect           production door open, every due source into its mirror; shut, proven
    inspect           refused exports are set aside; too many of them and no vault door opens
    snapshot          one run, one batch a source; catalogue and ledger with them
    authenticate      pins, whole, checked, re-hashed: else no window tonight
    carry             target by target: open, believe, carry, read back, publish, shut, proven
    tell              the verdict stands; what follows never changes it

Rule 1: everything slow happens with the vault door shut.
Rule 2: each step is committed before its first act.
Rule 3: a step that fails ends the night where the design's table says, never later.
Source: design, section 4.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from vault.agenda import Plan, not_opened, unserved, whose_place, why_instead, wrong_media
from vault.airlock import Airlock
from vault.authentication import Authentication
from vault.carrying import Carrier
from vault.collecting import collect_due
from vault.errors import (
    ClockError,
    CoffreError,
    DoorUnproven,
    Interrupted,
    Secured,
    SpaceError,
)
from vault.gatekeeper import PASSED, Inspected
from vault.holding import Night
from vault.intake import Collected, Intake, NightSource
from vault.moments import Moments
from vault.ports import Clock, LandingRepository, Progress
from vault.records import CataloguePort, LedgerPort
from vault.results import (
    CycleResult,
    CycleVerdict,
    Refusal,
    RepositoryFile,
    SourceResult,
    SourceVerdict,
    TargetOutcome,
    TargetResult,
    VaultStatus,
)
from vault.timekeeping import keep_newest, require_clock
from vault.verdict import judge


@dataclass(slots=True, kw_only=True)
class House:
    """What a night works with; the wiring builds it."""

    airlock: Airlock
    catalogue: CataloguePort
    ledger: LedgerPort
    landing: LandingRepository
    intake: Intake
    carrier: Carrier
    moments: Moments
    clock: Clock
    progress: Progress
    self_source: NightSource  # catalogue, ledger and configuration, as an export of their own
    export_self: Callable[[], None]
    room: Callable[[], Sequence[str]]  # complaints about room on the host
    settle_retention: Callable[[], object]  # finishes the records of a retention that died
    pause: Callable[[float], None]  # for so many seconds
    note_missed: Callable[[], object] = tuple  # writes the windows that passed without a night

    @property
    def authentication(self) -> Authentication:
        """What judges the landing."""
        return Authentication(catalogue=self.catalogue, ledger=self.ledger, landing=self.landing)


@dataclass(slots=True, kw_only=True)
class _Running:
    """A night as it goes."""

    cycle: int
    plan: Plan
    started_at: datetime
    sources: list[SourceResult] = field(default_factory=list)
    targets: list[TargetResult] = field(default_factory=list)
    aliens: tuple[Refusal, ...] = ()
    reasons: list[str] = field(default_factory=list)
    landing_refused: bool = False
    attack: bool = False  # so much was refused that no vault door opens
    interrupted: bool = False
    secured: bool = False
    records_missing: bool = False  # the vault's own, in the landing
    warnings: list[str] = field(default_factory=list)


def run_night(house: House, plan: Plan) -> CycleResult:
    """Run one night; the result is recorded before it is given.

    Raises what kept it from beginning (preflight, Secured); from then on every failure is in
    the result, and both doors were shut and asked.
    """
    _recover(house)
    _begin_or_tell(house, plan)
    started_at = house.clock.now()
    cycle = house.catalogue.begin_cycle(started_at, forced=plan.forced)
    house.ledger.append(
        "cycle-begun",
        cycle=cycle,
        forced=plan.forced,
        closes_at=plan.closes_at.isoformat(),
        sources=[source.name for source in plan.sources],
        targets=[target.name for target in plan.expected],
        **({"caught_up": list(plan.caught_up)} if plan.caught_up else {}),
    )
    for one in plan.out_of_turn:
        house.ledger.append(
            "out-of-turn", cycle=cycle, target=one.name, set=one.set_name, expected=one.expected
        )
    running = _Running(cycle=cycle, plan=plan, started_at=started_at)
    try:
        _walk(house, running)
    except (Interrupted, KeyboardInterrupt):
        running.interrupted = True
        running.reasons.append("interrupted")
    except (DoorUnproven, Secured) as error:
        running.secured = isinstance(error, Secured)
        running.reasons.append(str(error))
    except (CoffreError, OSError) as error:
        running.reasons.append(str(error))
        return _end(house, running, failed=True)
    return _end(house, running, failed=False)


def record_unbegun(
    catalogue: CataloguePort, ledger: LedgerPort, clock: Clock, *, forced: bool, reason: str
) -> None:
    """Record a night that could not even be planned as what it is: failed, nothing touched."""
    now = clock.now()
    cycle = catalogue.begin_cycle(now, forced=forced)
    verdict = CycleVerdict.FAILED
    status = VaultStatus.LOCKED
    ledger.append("cycle-ended", cycle=cycle, verdict=str(verdict), status=str(status))
    catalogue.end_cycle(
        CycleResult(
            cycle=cycle,
            verdict=verdict,
            status=status,
            started_at=now,
            ended_at=now,
            reasons=(reason,),
        )
    )


def recover_cycles(house: House) -> tuple[int, ...]:
    """End the cycles that died, and keep as batches what their backups left."""
    dead = house.catalogue.unfinished_cycles()
    for cycle in dead:
        house.catalogue.close_unfinished(cycle, CycleVerdict.INTERRUPTED, house.clock.now())
        house.ledger.append("cycle-died", cycle=cycle)
    house.landing.unlock_stale()
    house.settle_retention()
    house.intake.settle_dead_run()
    return dead


# -- steps 0 and 1


def _recover(house: House) -> None:
    house.progress.step("recover")
    house.airlock.recover()
    if house.airlock.status is VaultStatus.DEGRADED:
        raise DoorUnproven(
            "a door could not be proven shut: nothing runs",
            hint="what does coffre doctor say of the doors?",
        )


def _begin_or_tell(house: House, plan: Plan) -> None:
    """Look before the night; one that may not begin is a failed night, recorded as such.

    With a wrong clock nothing is recorded: an entry would make the wrong time the newest.
    """
    try:
        # Before the first record of tonight: it would make the wrong time the newest.
        require_clock(house.catalogue, house.ledger, house.clock)
        recover_cycles(house)
        house.note_missed()
        _preflight(house)
    except (ClockError, Secured):
        raise
    except CoffreError as error:
        cycle = house.catalogue.begin_cycle(house.clock.now(), forced=plan.forced)
        running = _Running(cycle=cycle, plan=plan, started_at=house.clock.now())
        running.reasons.append(str(error))
        running.interrupted = isinstance(error, Interrupted)
        _end(house, running, failed=not running.interrupted)
        raise


def _preflight(house: House) -> None:
    """Refuse to begin with the wrong clock, landing or room; nothing is touched."""
    house.progress.step("preflight")
    house.airlock.refuse_pressed()
    if reasons := house.authentication.odd_pins():
        house.ledger.append("landing-not-pinned", reasons=list(reasons))
        raise CoffreError(
            "the landing repository is not the one that was pinned: {reasons}",
            reasons="; ".join(reasons),
            hint="who touched it? docs/sysadmin.md says how to restore it or enrol anew",
        )
    if complaints := house.room():
        raise SpaceError("{complaints}", complaints="; ".join(complaints), hint="can room be made?")


# -- steps 2 to 10


def _walk(house: House, running: _Running) -> None:
    house.moments.fire(
        "before-cycle",
        cycle=running.cycle,
        sources=[source.name for source in running.plan.sources],
        targets=[target.name for target in running.plan.expected],
    )
    collected = collect_due(house, running.plan, cycle=running.cycle)
    if not _may_build(house, running):
        running.sources += [_not_snapshotted(item) for item in collected]
        running.targets += _none_opened(house, running)
        return
    _take_in(house, running, collected)
    if _is_attacked(house, running):
        running.targets += _none_opened(house, running)
        return
    house.catalogue.set_step(running.cycle, 6)
    house.progress.step("authenticate")
    names = [target.name for target in running.plan.targets]
    authenticated = house.authentication.authenticate(running.cycle, names)
    if authenticated.is_refused:
        running.landing_refused = True
        running.reasons += authenticated.reasons
        running.targets += _none_opened(house, running)
        return
    _carry(house, running, authenticated.files)


def _take_in(house: House, running: _Running, collected: Sequence[Collected]) -> None:
    house.catalogue.set_step(running.cycle, 4)
    accepted: list[tuple[Collected, Inspected]] = []
    for item in collected:
        if item.result is not None:
            running.sources.append(item.result)
            continue
        inspected = house.intake.inspect(item, cycle=running.cycle)
        if inspected.verdict is not None:
            name, reasons = item.night_source.name, inspected.reasons
            running.sources.append(
                SourceResult(name=name, verdict=inspected.verdict, reasons=reasons)
            )
        else:
            accepted.append((item, inspected))
    house.catalogue.set_step(running.cycle, 5)
    for item, inspected in accepted:
        running.sources.append(house.intake.snapshot(item, inspected, cycle=running.cycle))
    if any(source.verdict is SourceVerdict.SAVED for source in running.sources):
        _snapshot_self(house, running)


def _is_attacked(house: House, running: _Running) -> bool:
    """Say whether so much was refused that no vault door may open tonight."""
    plan = running.plan
    names = {*(source.name for source in plan.sources), *plan.not_due}
    suspects = house.intake.gatekeeper.suspects(names)
    if not suspects:
        return False
    running.attack = True
    running.reasons.append(
        f"an attack is suspected, no vault door opens, sources refused: {len(suspects)}"
    )
    house.ledger.append(
        "attack-suspected",
        cycle=running.cycle,
        sources=[suspect.source for suspect in suspects],
    )
    return True


def _snapshot_self(house: House, running: _Running) -> None:
    """Take catalogue and ledger into the landing, so that losing the host loses neither."""
    house.export_self()
    item = house.intake.collect(house.self_source, closes_at_s=running.plan.closes_at_s)
    result = item.result or house.intake.snapshot(item, PASSED, cycle=running.cycle)
    if result.verdict.is_gap:
        running.records_missing = True
        running.reasons.append(f"the vault's own records were not saved: {result.reasons}")


def _may_build(house: House, running: _Running) -> bool:
    """Look for what no run of ours made; False when no run of ours may build on the landing."""
    looked = house.authentication.look(running.cycle)
    running.aliens = looked.aliens
    running.reasons += looked.reasons
    running.landing_refused = looked.is_refused
    return not looked.is_refused


def _carry(house: House, running: _Running, files: tuple[RepositoryFile, ...]) -> None:
    plan = running.plan
    for target in plan.targets:
        if target.stands_in:
            absent = whose_place(house.airlock, plan, running.targets, target)
            if absent is None:
                continue
            running.targets.remove(absent)
            running.warnings.append(why_instead(target.name, absent.name))
        house.catalogue.set_step(running.cycle, 7)
        night = Night(
            cycle=running.cycle,
            closes_at_s=target.closes_at_s,
            window_s=target.window_s,
            read_back_old_s=target.read_back_old_s,
            landing=house.landing.folder,
            files=files,
        )
        try:
            running.targets.append(house.carrier.carry(target.record, night))
        finally:
            if house.carrier.broken_off is not None:
                running.targets.append(house.carrier.broken_off)
    running.targets += wrong_media(house.airlock, plan, running.targets)


def _none_opened(house: House, running: _Running) -> list[TargetResult]:
    return [not_opened(house.airlock, target.name) for target in running.plan.expected]


def _not_snapshotted(item: Collected) -> SourceResult:
    return item.result or SourceResult(
        name=item.night_source.name,
        verdict=SourceVerdict.FAILED,
        reasons=("not snapshotted: the landing is not as our runs left it",),
    )


# -- step 11


def _end(house: House, running: _Running, *, failed: bool) -> CycleResult:
    """Judge and record; what comes after never changes the verdict."""
    status = house.airlock.status
    verdict = judge(
        status=status,
        sources=running.sources,
        targets=running.targets,
        landing_refused=running.landing_refused,
        attack=running.attack,
        interrupted=running.interrupted,
        secured=running.secured,
        failed=failed,
        incomplete=bool(running.aliens or running.plan.not_enrolled or running.records_missing),
    )
    not_due = [
        SourceResult(name=name, verdict=SourceVerdict.NOT_DUE) for name in running.plan.not_due
    ]
    unreached = [
        not_opened(house.airlock, target.name) for target in unserved(running.plan, running.targets)
    ]
    strangers = [
        TargetResult(name=name, outcome=TargetOutcome.NOT_OPENED, reasons=("not enrolled yet",))
        for name in running.plan.not_enrolled
    ]
    result = CycleResult(
        cycle=running.cycle,
        verdict=verdict,
        status=status,
        started_at=running.started_at,
        ended_at=house.clock.now(),
        sources=tuple(running.sources + not_due),
        targets=tuple(running.targets + unreached + strangers),
        aliens=running.aliens,
        reasons=tuple(running.reasons),
        warnings=(*house.airlock.warnings, *running.warnings),
        hooks=tuple(house.moments.fired),
    )
    house.ledger.append(
        "cycle-ended",
        cycle=result.cycle,
        verdict=str(verdict),
        status=str(status),
        targets={target.name: str(target.outcome) for target in result.targets},
        sources={source.name: str(source.verdict) for source in result.sources},
    )
    keep_newest(house.catalogue, result.ended_at)
    house.catalogue.end_cycle(result)  # last: a night whose entry failed has not ended well
    return result
