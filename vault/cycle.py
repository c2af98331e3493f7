"""One night, steps 0 to 11.

    recover           shut what an earlier death left open
    preflight         keys, pins, clock, room: else nothing is touched
    collect           production door open, every due source into its mirror; shut, proven
    inspect           refused exports are set aside
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

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from vault.admission import LandingJudgement, Pins, compare_pins, is_carried, judge_landing
from vault.airlock import Airlock
from vault.carrying import Carrier, Night, lacking
from vault.errors import (
    ClockError,
    CoffreError,
    DoorUnproven,
    Interrupted,
    NotInitialised,
    Secured,
    SpaceError,
)
from vault.intake import ALIENS_FACT, Collected, Intake, NightSource
from vault.names import printable
from vault.ports import Clock, LandingRepository, Progress
from vault.records import CataloguePort, LedgerPort
from vault.results import (
    CycleResult,
    CycleVerdict,
    Disconnection,
    Refusal,
    RepositoryFile,
    SourceResult,
    SourceVerdict,
    TargetOutcome,
    TargetRecord,
    TargetResult,
    VaultStatus,
)
from vault.verdict import judge

# An unknown index lends its packs to later snapshots; a pipe in these places holds restic for ever.
_READ_BY_RESTIC = (b"index/", b"snapshots/", b"keys/")
_LISTED = 100  # aliens named in a result
_CLOCK_TOLERANCE_S = 300  # a host without a trusted clock drifts; five minutes back is no fraud


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedTarget:
    """A target that is due, and until when its door may be open."""

    record: TargetRecord
    closes_at: datetime
    closes_at_s: float  # the same on the boot clock
    window_s: float  # how long such a window is

    @property
    def name(self) -> str:
        """The target's name."""
        return self.record.name


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a night is to do: a value that can be printed."""

    sources: tuple[NightSource, ...]  # in order of priority
    not_due: tuple[str, ...]
    targets: tuple[PlannedTarget, ...]
    not_enrolled: tuple[str, ...]
    forced: bool

    @property
    def closes_at(self) -> datetime:
        """When the last door must be shut."""
        return max(target.closes_at for target in self.targets)

    @property
    def closes_at_s(self) -> float:
        """The same on the boot clock."""
        return max(target.closes_at_s for target in self.targets)


@dataclass(slots=True, kw_only=True)
class House:
    """What a night works with; the wiring builds it."""

    airlock: Airlock
    catalogue: CataloguePort
    ledger: LedgerPort
    landing: LandingRepository
    intake: Intake
    carrier: Carrier
    clock: Clock
    progress: Progress
    self_source: NightSource  # catalogue, ledger and configuration, as an export of their own
    export_self: Callable[[], None]
    room: Callable[[], Sequence[str]]  # complaints about room on the host


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
    interrupted: bool = False
    secured: bool = False
    records_missing: bool = False  # the vault's own, in the landing


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
        targets=[target.name for target in plan.targets],
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
        recover_cycles(house)
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
    pressed = house.airlock.store.pressed()
    if pressed is not None:
        raise Secured(
            "the red button is pressed since {since}, by {by}: nothing runs",
            since=pressed.at.isoformat(timespec="minutes"),
            by=pressed.by,
            hint="has another person checked, and typed coffre release --by NAME?",
        )
    ended = house.catalogue.last_cycle()
    known = [at for at in (house.ledger.last_at(), ended.ended_at if ended else None) if at]
    behind = (max(known) - house.clock.now()).total_seconds() if known else 0
    if behind > _CLOCK_TOLERANCE_S:
        raise ClockError(
            "the clock is {behind} seconds behind the last entry of the ledger",
            behind=round(behind),
            hint="is the host's clock right? set it, then run again",
        )
    if reasons := compare_pins(landing_pins(house.catalogue), house.landing.read_pins()):
        house.ledger.append("landing-not-pinned", reasons=list(reasons))
        raise CoffreError(
            "the landing repository is not the one that was pinned: {reasons}",
            reasons="; ".join(reasons),
            hint="who touched it? docs/sysadmin.md says how to restore it or enrol anew",
        )
    if complaints := house.room():
        raise SpaceError("{complaints}", complaints="; ".join(complaints), hint="can room be made?")


def landing_pins(catalogue: CataloguePort) -> Pins:
    """Give the pins of the landing, as the vault was founded; NotInitialised."""
    values = [catalogue.fact(name) for name in ("repository_id", "config_sha256", "keys")]
    if not all(values):
        raise NotInitialised("the vault has no pinned landing yet", hint="did coffre init end?")
    repository_id, config_sha256, keys = (value or "" for value in values)
    return Pins(
        repository_id=repository_id, config_sha256=config_sha256, keys=frozenset(keys.split())
    )


# -- steps 2 to 10


def _walk(house: House, running: _Running) -> None:
    collected = _collect(house, running)
    if not _landing_is_ours(house, running):
        running.sources += [_not_snapshotted(item) for item in collected]
        running.targets += [_not_opened(house, target) for target in running.plan.targets]
        return
    _take_in(house, running, collected)
    files = _authenticate(house, running)
    if files is None:
        running.targets += [_not_opened(house, target) for target in running.plan.targets]
        return
    _carry(house, running, files)


def _collect(house: House, running: _Running) -> list[Collected]:
    house.catalogue.set_step(running.cycle, 2)
    if not running.plan.sources:
        return []
    with house.airlock.production_open(cycle=running.cycle):
        collected = [
            house.intake.collect(source, closes_at_s=running.plan.closes_at_s)
            for source in running.plan.sources
        ]
        house.catalogue.set_step(running.cycle, 3)
    return collected


def _take_in(house: House, running: _Running, collected: Sequence[Collected]) -> None:
    house.catalogue.set_step(running.cycle, 4)
    accepted: list[tuple[Collected, tuple[str, ...]]] = []
    for item in collected:
        if item.result is not None:
            running.sources.append(item.result)
            continue
        verdict, reasons = house.intake.inspect(item)
        if verdict is not None:
            running.sources.append(
                SourceResult(name=item.night_source.name, verdict=verdict, reasons=reasons)
            )
        else:
            accepted.append((item, reasons))
    house.catalogue.set_step(running.cycle, 5)
    for item, reasons in accepted:
        running.sources.append(house.intake.snapshot(item, cycle=running.cycle, reasons=reasons))
    if any(source.verdict is SourceVerdict.SAVED for source in running.sources):
        _snapshot_self(house, running)


def _snapshot_self(house: House, running: _Running) -> None:
    """Take catalogue and ledger into the landing, so that losing the host loses neither."""
    house.export_self()
    item = house.intake.collect(house.self_source, closes_at_s=running.plan.closes_at_s)
    result = item.result or house.intake.snapshot(item, cycle=running.cycle, reasons=())
    if result.verdict.is_gap:
        running.records_missing = True
        running.reasons.append(f"the vault's own records were not saved: {result.reasons}")


def _landing_is_ours(house: House, running: _Running) -> bool:
    """Look for what no run of ours made, before a new run could build on it."""
    judgement = judge_landing(_carried(house.landing.list_files()), house.catalogue.known_paths())
    odd, odd_count, odd_misleads = _first(house.landing.list_aliens())
    running.aliens = (judgement.aliens + odd)[:_LISTED]
    _remember_aliens(house, judgement)
    count = judgement.alien_count + odd_count
    if count:
        running.reasons.append(f"{count} thing(s) in the landing that no run of ours made")
        house.ledger.append(
            "aliens",
            cycle=running.cycle,
            count=count,
            # A lawful name is a hash; any other may be that of a patient's file.
            first=[printable(alien.name) for alien in judgement.aliens[:10]],
        )
    misleads = bool(judgement.alien_indexes) or odd_misleads
    if misleads:
        running.reasons.append("restic would read one of them: no run of ours may build on it")
    if not judgement.is_whole:
        gone = judgement.lost_count + len(judgement.resized)
        running.reasons.append(f"{gone} file(s) of the landing are gone or have another size")
        house.ledger.append(
            "landing-not-whole",
            cycle=running.cycle,
            count=gone,
            first=[*judgement.lost, *judgement.resized][:10],
        )
    running.landing_refused = misleads or not judgement.is_whole
    return not running.landing_refused


def _remember_aliens(house: House, judgement: LandingJudgement) -> None:
    """Keep the names of what no run of ours made, so that a run which dies cannot inherit it."""
    aliens: Iterator[RepositoryFile] = iter(())
    if judgement.alien_count:
        found = _carried(house.landing.list_files())
        aliens = lacking(found, house.catalogue.known_paths())
    elif not house.catalogue.fact(ALIENS_FACT):
        return
    house.catalogue.set_fact(ALIENS_FACT, "\n".join(file.path for file in aliens))


def _authenticate(house: House, running: _Running) -> tuple[RepositoryFile, ...] | None:
    """Check the landing, hash what is to cross, give its whole list; None when refused."""
    house.catalogue.set_step(running.cycle, 6)
    house.progress.step("authenticate")
    odd = list(compare_pins(landing_pins(house.catalogue), house.landing.read_pins()))
    odd += house.landing.check()
    known = tuple(house.catalogue.known_paths())
    provisioned = tuple(file for file in house.landing.list_files() if not _is_of_a_run(file))
    files = tuple(sorted(provisioned + known, key=lambda file: file.path))
    to_cross = _to_cross(house, running, known)
    damaged = house.landing.damaged(to_cross)
    reasons = [f"{printable(item.name)}: {item.reason}" for item in damaged] + odd
    if reasons:
        running.landing_refused = True
        running.reasons.append(
            "the landing was altered: nothing crosses tonight, what the targets hold is untouched"
        )
        running.reasons += reasons[:20]
        house.ledger.append("landing-refused", cycle=running.cycle, reasons=reasons[:20])
        return None
    house.catalogue.put_landing_list(running.cycle, files)
    house.landing.settle()
    return files


def _to_cross(
    house: House, running: _Running, known: Sequence[RepositoryFile]
) -> list[RepositoryFile]:
    """Give what some target of tonight lacks, as far as the records know."""
    wanted: dict[str, RepositoryFile] = {}
    for target in running.plan.targets:
        holds = house.catalogue.holds(target.name)
        complete = max((cycle for cycle, hold in holds.items() if hold.complete), default=None)
        held = house.catalogue.landing_list(complete) if complete else iter(())
        wanted |= {file.path: file for file in lacking(known, held)}
    return list(wanted.values())


def _carry(house: House, running: _Running, files: tuple[RepositoryFile, ...]) -> None:
    for target in running.plan.targets:
        house.catalogue.set_step(running.cycle, 7)
        night = Night(
            cycle=running.cycle,
            closes_at_s=target.closes_at_s,
            window_s=target.window_s,
            landing=house.landing.folder,
            files=files,
        )
        try:
            running.targets.append(house.carrier.carry(target.record, night))
        finally:
            if house.carrier.broken_off is not None:
                running.targets.append(house.carrier.broken_off)


def _first(aliens: Iterator[tuple[bytes, str]]) -> tuple[tuple[Refusal, ...], int, bool]:
    """Keep the first few, count all, say whether restic would read any: there may be 200,000."""
    kept: list[Refusal] = []
    count, misleads = 0, False
    for name, reason in aliens:
        count += 1
        misleads |= name.startswith(_READ_BY_RESTIC)
        if len(kept) < _LISTED:
            kept.append(Refusal(name=name, reason=reason))
    return tuple(kept), count, misleads


def _is_of_a_run(file: RepositoryFile) -> bool:
    return is_carried(file.path)


def _carried(files: Iterator[RepositoryFile]) -> Iterator[RepositoryFile]:
    return (file for file in files if _is_of_a_run(file))


def _not_snapshotted(item: Collected) -> SourceResult:
    return item.result or SourceResult(
        name=item.night_source.name,
        verdict=SourceVerdict.FAILED,
        reasons=("not snapshotted: the landing is not as our runs left it",),
    )


def _not_opened(house: House, target: PlannedTarget) -> TargetResult:
    """Say of a door that stayed shut what the recovery of this night proved of it."""
    proof = house.airlock.proofs.get(target.name)
    kind = proof.disconnection if proof is not None and proof.is_shut else Disconnection.NONE
    return TargetResult(name=target.name, outcome=TargetOutcome.NOT_OPENED, disconnection=kind)


# -- step 11


def _end(house: House, running: _Running, *, failed: bool) -> CycleResult:
    """Judge and record; what comes after never changes the verdict."""
    status = house.airlock.status
    verdict = judge(
        status=status,
        sources=running.sources,
        targets=running.targets,
        landing_refused=running.landing_refused,
        interrupted=running.interrupted,
        secured=running.secured,
        failed=failed,
        incomplete=bool(running.aliens or running.plan.not_enrolled or running.records_missing),
    )
    not_due = [
        SourceResult(name=name, verdict=SourceVerdict.NOT_DUE) for name in running.plan.not_due
    ]
    reached = {target.name for target in running.targets}
    unreached = [
        _not_opened(house, target) for target in running.plan.targets if target.name not in reached
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
        warnings=tuple(house.airlock.warnings),
    )
    house.ledger.append(
        "cycle-ended",
        cycle=result.cycle,
        verdict=str(verdict),
        status=str(status),
        targets={target.name: str(target.outcome) for target in result.targets},
        sources={source.name: str(source.verdict) for source in result.sources},
    )
    house.catalogue.end_cycle(result)  # last: a night whose entry failed has not ended well
    return result
