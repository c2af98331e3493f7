"""What the landing keeps, what a target keeps, and what stops either from letting go of anything.

    stops       the clock, an open alarm, a medium that waits: then nothing goes at all
    reasons     each rule looks at the points of one source and says which it keeps, and why
    plan        every point kept with its reasons; the others go, the oldest first, up to the cap

Rule 1: a point is dated by the ledger, by the entry of the night that made it; a snapshot's own
    date, which whoever writes snapshots chooses, is never looked at.
Rule 2: rules only ever keep. What no rule keeps may go; what one rule keeps stays.
Rule 3: what is not known is kept: a source without a policy, a night the ledger does not date.
Rule 4: a typing error lets go of a few points a day and never of the newest ones: cap and floor
    hold whatever a policy says, and a policy that nobody has reviewed lets go of nothing.
Rule 5: pure: points, rules and now in, a plan out.
Source: design, section 8; ``docs/decisions/0024``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, tzinfo

from vault.alarm import ALARMS
from vault.elapsed import Leap
from vault.policy import Retention

FLOOR = 7  # the newest points of a source stay, whatever its policy says

# Why a point is kept; ``of`` is the month, the year, the number that the rule counts by.
RULES: Mapping[str, str] = {
    "newest": "one of the {of} newest",
    "nightly": "younger than {of} days",
    "in-force": "in force when the {of} days began",
    "monthly": "the last of {of}",
    "yearly": "the last of {of}",
    "december": "holds PMSI {of}",
    "last-proven": "the last that a restore test proved",
    "last-clean": "the last that inspection took without a warning",
    "undated": "the ledger does not date its night",
    "dated-ahead": "dated ahead of now",
    "no-retention": "its target has no retention",
    "no-policy": "no policy names its source any more",
    "held-back": "no more than {of} go in one day",
}

# Gaps under which nothing is let go of: somebody must look first.
STOPPING = ALARMS | {"secured", "clock-behind", "policies-unreviewed", "policy-changed"}

_STOPS: Mapping[str, str] = {
    "alarm": "an alarm is open: {of}",
    "bad-night": "the last night ended “{of}”",
    "no-night": "no night has ended yet",
    "clock-behind": "the clock is behind the last entry of the ledger",
    "clock-leapt": "the clock leapt ahead at entry {of} of the ledger (days: {days}), and nobody "
    "has confirmed it",
    "boot-clock-back": "the boot clock went back at entry {of} of the ledger, which none does, and "
    "nobody has confirmed the time since",
    "medium-waits": "{of} was here in the last night and lacks it",
    "no-copy": "no medium holds what the landing holds",
    "no-retention": "vault.yaml gives {of} no retention: it keeps every view for ever",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Why:
    """One reason to keep a point."""

    rule: str
    of: str = ""

    @property
    def template(self) -> str:
        """The reason in English, ``of`` still to be put in."""
        return RULES[self.rule]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """Why nothing at all is let go of."""

    kind: str
    values: Mapping[str, object] = field(default_factory=dict)

    @property
    def template(self) -> str:
        """The reason in English, its values still to be put in."""
        return _STOPS[self.kind]


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One point of a source in the landing; or, of a target, the view of one cycle."""

    source: str  # a target's views have its name here
    cycle: int
    snapshot_id: str = ""
    at: datetime | None  # by the ledger: when the night began that made it; None: it does not say
    proven_at: datetime | None = None  # when a restore test last proved it, L1 or above
    is_clean: bool = False  # inspection took it without a warning
    decembers: tuple[str, ...] = ()  # PMSI Decembers of which it is the newest holder: FIELD/YEAR


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A point that stays, and every reason why."""

    point: Point
    reasons: tuple[Why, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What stays, what goes, and what stops the run; nothing goes while anything stops it."""

    kept: tuple[Kept, ...]
    let_go: tuple[Point, ...]  # the oldest first
    stops: tuple[Stop, ...] = ()

    @property
    def may_go(self) -> tuple[Point, ...]:
        """What a run lets go of now."""
        return () if self.stops else self.let_go


def plan_retention(
    points: Iterable[Point],
    rules: Mapping[str, Retention],
    *,
    now: datetime,
    zone: tzinfo,
    stops: Sequence[Stop] = (),
    gone_today: Mapping[str, int] | None = None,
) -> Plan:
    """Judge every point by the rules of its source; ``zone`` says where months and years end.

    ``gone_today`` are the points that each source lost in the last day: they count for its cap.
    """
    lost = gone_today or {}
    by_source: dict[str, list[Point]] = {}
    for point in points:
        by_source.setdefault(point.source, []).append(point)
    kept: list[Kept] = []
    let_go: list[Point] = []
    for source, theirs in sorted(by_source.items()):
        ordered = sorted(theirs, key=lambda point: point.cycle)
        rule = rules.get(source)
        if rule is None:
            kept += [Kept(point=one, reasons=(Why(rule="no-policy"),)) for one in ordered]
            continue
        cap = max(0, rule.max_forget - lost.get(source, 0))
        stay, go = _judge(ordered, rule, now=now, zone=zone, cap=cap)
        kept += stay
        let_go += go
    let_go.sort(key=lambda point: (point.cycle, point.source))
    return Plan(kept=tuple(kept), let_go=tuple(let_go), stops=tuple(stops))


def _judge(
    points: Sequence[Point], rule: Retention, *, now: datetime, zone: tzinfo, cap: int
) -> tuple[list[Kept], list[Point]]:
    """Part the points of one source, in the order of their cycles."""
    reasons: dict[int, list[Why]] = {}

    def keep(point: Point, why: Why) -> None:
        reasons.setdefault(point.cycle, []).append(why)

    for point in points[-FLOOR:]:
        keep(point, Why(rule="newest", of=str(FLOOR)))
    for point in points:
        if point.at is None:
            keep(point, Why(rule="undated"))
        elif point.at > now:
            keep(point, Why(rule="dated-ahead"))
        for december in point.decembers:
            keep(point, Why(rule="december", of=december))
    dated = [point for point in points if point.at is not None and point.at <= now]
    _keep_nightly(dated, rule.nightly_days, now, keep)
    _keep_last_of(dated, rule.monthlies, "monthly", lambda at: f"{at.astimezone(zone):%Y-%m}", keep)
    _keep_last_of(dated, rule.yearlies, "yearly", lambda at: f"{at.astimezone(zone):%Y}", keep)
    _keep_last(points, "last-clean", lambda point: point.cycle if point.is_clean else None, keep)
    _keep_last(points, "last-proven", lambda point: point.cycle if point.proven_at else None, keep)
    _keep_last(points, "last-proven", lambda point: point.proven_at, keep)
    free = [point for point in points if point.cycle not in reasons]
    for point in free[cap:]:
        keep(point, Why(rule="held-back", of=str(rule.max_forget)))
    kept = [
        Kept(point=point, reasons=tuple(dict.fromkeys(reasons[point.cycle])))
        for point in points
        if point.cycle in reasons
    ]
    return kept, free[:cap]


_Keep = Callable[[Point, Why], None]


def _keep_nightly(points: Sequence[Point], days: int, now: datetime, keep: _Keep) -> None:
    """Keep the young ones, and the one that was the newest when the days began.

    A night without change makes no point: what stood then stands in the point before.
    """
    begins = now - timedelta(days=days)
    for point in points:
        assert point.at is not None
        if point.at >= begins:
            keep(point, Why(rule="nightly", of=str(days)))
    before = [point for point in points if point.at is not None and point.at < begins]
    if before:
        keep(before[-1], Why(rule="in-force", of=str(days)))


def _keep_last_of(
    points: Sequence[Point], count: int, rule: str, name: Callable[[datetime], str], keep: _Keep
) -> None:
    """Keep the last point of each of the newest ``count`` months or years that have one."""
    last: dict[str, Point] = {}
    for point in points:  # in the order of the cycles: the last one stays
        assert point.at is not None
        last[name(point.at)] = point
    for period in sorted(last)[-count:] if count else ():
        keep(last[period], Why(rule=rule, of=period))


def _keep_last(
    points: Sequence[Point],
    rule: str,
    rank: Callable[[Point], int | datetime | None],
    keep: _Keep,
) -> None:
    ranked = [(rank(point), point.cycle, point) for point in points if rank(point) is not None]
    if ranked:
        best = max(ranked, key=lambda one: one[:2])
        keep(best[2], Why(rule=rule))


# -- what stops a run


def find_stops(
    *,
    alarms: Iterable[str],
    last_verdict: str,
    is_behind: bool,
    leap: Leap | None,
    waiting: Iterable[str],
    has_copy: bool,
) -> tuple[Stop, ...]:
    """Give all that keeps the vault from letting go of anything.

    ``alarms`` are the kinds of the gaps, and of alarms nobody has acknowledged; ``last_verdict`` is
    the last night's, empty before the first; ``waiting`` are targets whose medium was there in the
    last night and lacks it.
    """
    stops = []
    if is_behind:
        stops.append(Stop(kind="clock-behind"))
    if leap is not None:
        stops.append(_of_leap(leap))
    stops += [
        Stop(kind="alarm", values={"of": kind})
        for kind in sorted(set(alarms))
        if kind in STOPPING and not (kind == "clock-behind" and is_behind)
    ]
    if not last_verdict:
        stops.append(Stop(kind="no-night"))
    elif last_verdict not in _GOOD_NIGHTS:
        stops.append(Stop(kind="bad-night", values={"of": last_verdict}))
    stops += [Stop(kind="medium-waits", values={"of": name}) for name in sorted(waiting)]
    if last_verdict and not has_copy:
        stops.append(Stop(kind="no-copy"))
    return tuple(stops)


def _of_leap(leap: Leap) -> Stop:
    if leap.days is None:
        return Stop(kind="boot-clock-back", values={"of": leap.n})
    return Stop(kind="clock-leapt", values={"of": leap.n, "days": leap.days})


_GOOD_NIGHTS = frozenset({"sound", "incomplete", "partial", "media-absent"})
