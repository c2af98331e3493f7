"""What is kept: each rule by itself, on any points whatever."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from vault.elapsed import Leap
from vault.policy import Retention
from vault.retention import (
    FLOOR,
    STOPPING,
    Plan,
    Point,
    Stop,
    find_stops,
    plan_retention,
)

PARIS = ZoneInfo("Europe/Paris")
NOW = datetime(2026, 11, 25, 3, tzinfo=UTC)
GENEROUS = 10_000


@st.composite
def histories(draw: st.DrawFn) -> list[Point]:
    """Draw the points of one source: some nights of the last years, some odd dates."""
    ages = sorted(
        draw(st.lists(st.integers(-40, 2500), min_size=0, max_size=80, unique=True)), reverse=True
    )
    points = []
    for cycle, days in enumerate(ages, start=1):
        is_dated = draw(st.integers(0, 9)) > 0
        points.append(
            Point(
                source="pmsi",
                cycle=cycle,
                snapshot_id=f"{cycle:064x}",
                at=NOW - timedelta(days=days) if is_dated else None,
                proven_at=NOW - timedelta(days=draw(st.integers(0, 400)))
                if draw(st.integers(0, 9)) == 0
                else None,
                is_clean=draw(st.booleans()),
                decembers=("MCO 2024-12",) if draw(st.integers(0, 30)) == 0 else (),
            )
        )
    return points


rules = st.builds(
    Retention,
    nightly_days=st.integers(1, 400),
    monthlies=st.integers(0, 30),
    yearlies=st.integers(0, 8),
    max_forget=st.integers(1, 10),
)


def plan(points: list[Point], rule: Retention, stops: tuple[Stop, ...] = ()) -> Plan:
    return plan_retention(points, {"pmsi": rule}, now=NOW, zone=PARIS, stops=stops)


def of(made: Plan, rule: str) -> list[int]:
    return [k.point.cycle for k in made.kept if rule in [why.rule for why in k.reasons]]


@settings(max_examples=60, deadline=None)
@given(histories(), rules)
def test_each_point_stays_with_reasons_or_goes_and_none_is_both(points, rule):
    made = plan(points, rule)
    stay, go = [k.point.cycle for k in made.kept], [p.cycle for p in made.let_go]
    assert sorted(stay + go) == [p.cycle for p in points]
    assert all(k.reasons for k in made.kept)


@settings(max_examples=60, deadline=None)
@given(histories(), rules)
def test_no_more_than_the_cap_goes_and_the_oldest_first(points, rule):
    capped, free = plan(points, rule), plan(points, replace(rule, max_forget=GENEROUS))
    assert list(capped.let_go) == list(free.let_go)[: rule.max_forget]
    assert of(capped, "held-back") == [p.cycle for p in free.let_go][rule.max_forget :]


@settings(max_examples=60, deadline=None)
@given(histories(), rules)
def test_the_newest_stay_whatever_a_policy_says(points, rule):
    made = plan(points, rule)
    assert of(made, "newest") == [p.cycle for p in points[-FLOOR:]]


@settings(max_examples=60, deadline=None)
@given(histories(), rules)
def test_every_day_of_the_nightly_days_has_the_point_that_was_in_force(points, rule):
    """On any instant of those days, the newest point of then is there."""
    made = plan(points, replace(rule, max_forget=GENEROUS))
    gone = {p.cycle for p in made.let_go}
    dated = [p for p in points if p.at is not None]
    for days in range(rule.nightly_days + 1):
        then = NOW - timedelta(days=days)
        before = [p for p in dated if p.at <= then]
        assert not before or before[-1].cycle not in gone


@settings(max_examples=60, deadline=None)
@given(histories(), rules)
def test_the_last_point_of_as_many_months_and_years_stays(points, rule):
    """Months and years end where the hospital is."""
    made = plan(points, rule)
    dated = [p for p in points if p.at is not None and p.at <= NOW]
    for count, form, name in (
        (rule.monthlies, "%Y-%m", "monthly"),
        (rule.yearlies, "%Y", "yearly"),
    ):
        last = {p.at.astimezone(PARIS).strftime(form): p.cycle for p in dated}
        wanted = [last[period] for period in sorted(last)[-count:]] if count else []
        assert sorted(of(made, name)) == sorted(wanted)


@settings(max_examples=60, deadline=None)
@given(histories(), rules)
def test_what_was_proven_or_clean_last_stays(points, rule):
    made = plan(points, replace(rule, max_forget=GENEROUS))
    gone = {p.cycle for p in made.let_go}
    proven = [p for p in points if p.proven_at is not None]
    if proven:
        assert proven[-1].cycle not in gone
        assert max(p.proven_at for p in proven) in [
            p.proven_at for p in proven if p.cycle not in gone
        ]
    clean = [p for p in points if p.is_clean]
    assert not clean or clean[-1].cycle not in gone


@settings(max_examples=60, deadline=None)
@given(histories(), rules)
def test_what_holds_a_december_or_is_undated_or_dated_ahead_stays(points, rule):
    made = plan(points, replace(rule, max_forget=GENEROUS))
    for gone in made.let_go:
        assert not gone.decembers
        assert gone.at is not None
        assert gone.at <= NOW


@settings(max_examples=30, deadline=None)
@given(histories(), rules)
def test_nothing_goes_while_anything_stops_the_run(points, rule):
    made = plan(points, rule, (Stop(kind="no-copy"),))
    assert made.may_go == ()
    assert plan(points, rule).may_go == plan(points, rule).let_go


@settings(max_examples=30, deadline=None)
@given(histories())
def test_a_source_without_a_policy_keeps_all(points):
    made = plan_retention(points, {}, now=NOW, zone=PARIS)
    assert made.let_go == ()
    assert len(of(made, "no-policy")) == len(points)


@settings(max_examples=30, deadline=None)
@given(histories(), rules)
def test_a_longer_keeping_never_lets_more_go(points, rule):
    """Rules only ever keep."""
    generous = replace(rule, max_forget=GENEROUS)
    longer = replace(
        generous,
        nightly_days=rule.nightly_days,
        monthlies=rule.monthlies + 1,
        yearlies=rule.yearlies + 1,
    )
    less = {p.cycle for p in plan(points, longer).let_go}
    assert less <= {p.cycle for p in plan(points, generous).let_go}


def test_a_month_ends_where_the_hospital_is():
    """The night of 31 May, 23:30 in Paris, is still May; half an hour later it is not."""
    may = Point(source="pmsi", cycle=1, at=datetime(2026, 5, 31, 21, 30, tzinfo=UTC))
    june = Point(source="pmsi", cycle=2, at=datetime(2026, 5, 31, 22, 30, tzinfo=UTC))
    newer = [Point(source="pmsi", cycle=n, at=NOW) for n in range(3, 3 + FLOOR)]
    made = plan([may, june, *newer], Retention(nightly_days=1, monthlies=9, yearlies=0))
    assert of(made, "monthly") == [1, 2, 2 + FLOOR]


def test_the_point_in_force_when_the_nights_began_stays_where_no_other_rule_keeps_it():
    """A change 100 days ago, then none until 30 days ago: it was the state for 70 of the 90."""
    ages = [300, 200, 100, *range(30, 0, -2)]
    points = [
        Point(source="pmsi", cycle=n, at=NOW - timedelta(days=days))
        for n, days in enumerate(ages, start=1)
    ]
    made = plan(points, Retention(nightly_days=90, monthlies=0, yearlies=0))
    assert of(made, "in-force") == [3]
    assert [gone.cycle for gone in made.let_go] == [1, 2]


def test_what_went_today_counts_for_the_cap_of_a_source():
    """However often it is run; another source has its own."""
    points = [Point(source=name, cycle=n, at=NOW - timedelta(days=400 - n))
              for name in ("hr", "pmsi") for n in range(1, 20)]  # fmt: skip
    rule = Retention(nightly_days=1, monthlies=0, yearlies=0, max_forget=3)
    made = plan_retention(
        points, {"hr": rule, "pmsi": rule}, now=NOW, zone=UTC, gone_today={"hr": 2, "pmsi": 5}
    )
    assert [(gone.source, gone.cycle) for gone in made.let_go] == [("hr", 1)]


# -- stops


def stops(**odd: object) -> list[str]:
    usual = {
        "alarms": (),
        "last_verdict": "sound",
        "is_behind": False,
        "leap": None,
        "waiting": (),
        "has_copy": True,
    }
    return [stop.kind for stop in find_stops(**(usual | odd))]


def test_nothing_stops_an_ordinary_vault():
    assert stops() == []
    assert stops(alarms=["media-unseen", "retention-short"], last_verdict="incomplete") == []


def test_every_alarm_stops_the_run():
    for kind in STOPPING:
        assert stops(alarms=[kind]) == ["alarm"]


def test_clock_night_media_and_copies_stop_the_run():
    assert stops(is_behind=True, alarms=["clock-behind"]) == ["clock-behind"]
    assert stops(leap=Leap(n=1, days=9)) == ["clock-leapt"]
    assert stops(leap=Leap(n=1, days=None)) == ["boot-clock-back"]
    assert stops(last_verdict="") == ["no-night"]
    assert stops(last_verdict="corrupt") == ["bad-night"]
    assert stops(waiting=["disk-b", "disk-a"]) == ["medium-waits", "medium-waits"]
    assert stops(has_copy=False) == ["no-copy"]
