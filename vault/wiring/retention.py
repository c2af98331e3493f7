"""What retention is judged by, gathered from ledger, catalogue and settings.

Rule 1: a night is dated by its entry in the ledger; the catalogue is not asked when it was.
Rule 2: what stops the landing stops a target too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from vault.elapsed import SET_AHEAD, Tick, find_leap, passed_s
from vault.holding import lacking
from vault.policy import Retention
from vault.records import HeldExport
from vault.results import TargetOutcome
from vault.retention import Kept, Plan, Point, Stop, Why, find_stops, plan_retention
from vault.timekeeping import behind_s
from vault.wiring.sources import SELF
from vault.wiring.standing import judge_gaps
from vault.wiring.wired import Wired

_DECEMBER = 12
_A_DAY_S = 20 * 3600.0  # what runs daily, at about the same hour, has its whole cap each time
_Cell = tuple[str, str, str, str, str, str]  # source, FINESS, field, year, side, category
_LACKING = frozenset(
    {TargetOutcome.PARTIAL, TargetOutcome.FULL, TargetOutcome.REFUSED, TargetOutcome.CORRUPT,
     TargetOutcome.FAILED}
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Dates:
    """What the ledger says of time: when each night began, and each entry's clocks."""

    nights: Mapping[int, datetime]
    ticks: Sequence[Tick]
    now: Tick
    proposed: Mapping[str, int]  # the entry of each proposal, by its id
    forgotten: Sequence[tuple[int, Sequence[str]]]  # entry, and the source of each point that went

    def passed_s(self, n: int, *, off_s: float) -> float:
        """Give the seconds that passed for certain since an entry; ``vault.elapsed.passed_s``."""
        return passed_s(self.ticks[n:], self.now, off_s=off_s)

    def gone_today(self) -> Counter[str]:
        """Count the points that each source lost in the last day."""
        gone: Counter[str] = Counter()
        for n, sources in reversed(self.forgotten):
            if self.passed_s(n, off_s=_A_DAY_S / 2) > _A_DAY_S:
                break
            gone.update(sources)
        return gone


def read_dates(wired: Wired) -> Dates:
    """Read the ledger once; LedgerError at the first entry that cannot be read."""
    nights: dict[int, datetime] = {}
    ticks: list[Tick] = []
    proposed: dict[str, int] = {}
    forgotten: list[tuple[int, list[str]]] = []
    for entry in wired.ledger.entries():
        cycle = entry.body.get("cycle")
        if entry.kind == "cycle-begun" and isinstance(cycle, int):
            nights[cycle] = entry.at
        elif entry.kind == "removal-proposed":
            proposed[str(entry.body.get("id"))] = entry.n
        elif entry.kind == "retention-begun":
            forgotten.append((entry.n, list(_sources(entry.body.get("let_go")))))
        ticks.append(
            Tick(
                n=entry.n,
                at=entry.at,
                boot=entry.boot,
                mono=entry.mono,
                vouches=vouches(entry.kind, entry.body, entry.at),
            )
        )
    clock = wired.clock
    now = Tick(n=len(ticks), at=clock.now(), boot=clock.boot_id(), mono=clock.boot_s())
    return Dates(nights=nights, ticks=ticks, now=now, proposed=proposed, forgotten=forgotten)


def _sources(let_go: object) -> Iterator[str]:
    for point in let_go if isinstance(let_go, list) else ():
        yield str(point["source"])


def vouches(kind: str, body: Mapping[str, object], at: datetime) -> bool:
    """Say whether a person, or a cosigner's clock, vouched for the host's time in an entry.

    A cosigner whose clock is further off than a host's may be set ahead vouches for nothing.
    """
    if kind == "clock-confirmed":
        return True
    told = body.get("at")
    if kind != "head-cosigned" or not isinstance(told, str):
        return False
    return abs(at - datetime.fromisoformat(told)) <= SET_AHEAD


def plan_landing(wired: Wired) -> Plan:
    """Judge every point of the landing."""
    dates = read_dates(wired)
    return plan_retention(
        _points(wired, dates),
        landing_rules(wired),
        now=wired.clock.now(),
        zone=wired.settings.time_zone,
        stops=_stops(wired, dates),
        gone_today=dates.gone_today(),
    )


def plan_target(wired: Wired, name: str) -> Plan:
    """Judge every view of a target: one point a night that it holds, whole or in part."""
    dates = read_dates(wired)
    stops = list(_stops(wired, dates))
    rule = wired.settings.targets[name].retention
    points = [
        Point(source=name, cycle=night, at=dates.nights.get(night))
        for night in sorted(wired.catalogue.holds(name))
    ]
    if rule is None:
        why = (Why(rule="no-retention"),)
        stops.append(Stop(kind="no-retention", values={"of": name}))
        kept = tuple(Kept(point=point, reasons=why) for point in points)
        return Plan(kept=kept, let_go=(), stops=tuple(stops))
    return plan_retention(
        points,
        {name: rule.to_retention()},
        now=wired.clock.now(),
        zone=wired.settings.time_zone,
        stops=stops,
    )


def landing_rules(wired: Wired) -> dict[str, Retention]:
    """Give the rules of each source, the vault's own among them: as the first carried has them."""
    settings = wired.settings
    rules = {name: settings.policy_of(name).retention for name in settings.sources}
    if settings.loaded_policies:
        first = min(settings.loaded_policies.values(), key=lambda policy: policy.priority)
        rules[SELF] = first.retention
    return rules


def _points(wired: Wired, dates: Dates) -> Iterator[Point]:
    proven, clean = wired.catalogue.proven_points(), wired.catalogue.clean_nights()
    decembers = _decembers(wired)
    for record in wired.catalogue.snapshots():
        if record.forgotten_at is not None:
            continue
        key = (record.source, record.cycle)
        yield Point(
            source=record.source,
            cycle=record.cycle,
            snapshot_id=record.snapshot_id,
            at=dates.nights.get(record.cycle),
            proven_at=proven.get(record.snapshot_id),
            is_clean=key in clean,
            decembers=tuple(sorted(decembers.get(key, ()))),
        )


def _decembers(wired: Wired) -> dict[tuple[str, int], set[str]]:
    """Give, by source and cycle, the PMSI Decembers of which that point is the newest holder."""
    years = {
        name: policy.retention.keep_m12_years
        for name in wired.settings.sources
        if (policy := wired.settings.policy_of(name)).retention.keep_m12_years
    }
    if not years:
        return {}
    this_year = wired.clock.now().astimezone(wired.settings.time_zone).year
    exports = [one for one in wired.catalogue.pmsi_exports() if one.source in years]
    newest: dict[_Cell, HeldExport] = {}
    names: dict[_Cell, str] = {}
    for one in exports:
        facts = one.finding.pmsi if one.finding else None
        if facts is None or facts.period != _DECEMBER:
            continue
        if facts.year < this_year - years[one.source]:
            continue
        cell: _Cell = (
            one.source,
            facts.finess,
            facts.field,
            str(facts.year),
            facts.side,
            facts.category,
        )
        before = newest.get(cell)
        if before is None or _age(before) < _age(one):
            newest[cell] = one
            names[cell] = f"{facts.finess} {facts.field} {facts.year}-12".strip()
    there: dict[str, list[int]] = {}
    for record in wired.catalogue.snapshots():
        if record.forgotten_at is None:
            there.setdefault(record.source, []).append(record.cycle)
    found: dict[tuple[str, int], set[str]] = {}
    for name, one in newest.items():
        cycles = [
            cycle
            for cycle in there.get(one.source, ())
            if one.first_cycle <= cycle <= one.newest_cycle
        ]
        if cycles:
            found.setdefault((one.source, max(cycles)), set()).add(names[name])
    return found


def _age(export: HeldExport) -> tuple[int, int]:
    return export.newest_cycle, export.first_cycle


# -- what stops a run


def _stops(wired: Wired, dates: Dates) -> tuple[Stop, ...]:
    last = wired.catalogue.last_cycle()
    waiting = [
        result.name
        for result in (last.targets if last else ())
        if result.outcome in _LACKING and wired.catalogue.target(result.name) is not None
    ]
    return find_stops(
        alarms=[gap.kind for gap in judge_gaps(wired)],
        last_verdict=str(last.verdict) if last else "",
        is_behind=bool(behind_s(wired.catalogue, wired.ledger, wired.clock)),
        leap=find_leap(dates.ticks, dates.now),
        waiting=waiting,
        has_copy=_has_copy(wired),
    )


def _has_copy(wired: Wired) -> bool:
    """Say whether some target holds every file of the landing, as its last complete night says."""
    for name, cycle in wired.catalogue.newest_complete().items():
        if name not in wired.settings.targets:
            continue
        held = wired.catalogue.landing_list(cycle)
        if next(lacking(wired.catalogue.known_paths(), held), None) is None:
            return True
    return False
