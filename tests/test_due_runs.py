"""Which night is due: over both changes of the clock, over midnight, after days without a host."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vault.due_runs import LEAST_S, Call, Watch, after_nights, decide, first_opening, missed
from vault.window import ALL_DAYS, Window, closes_at, next_opening

PARIS = ZoneInfo("Europe/Paris")
NIGHT = Window(name="night", start=time(1), for_s=7200)
LONG_AGO = datetime(2019, 1, 1, tzinfo=UTC)


def _paris(*parts: int, fold: int = 0) -> datetime:
    return datetime(*parts, tzinfo=PARIS, fold=fold)


def _watch(window: Window = NIGHT, **more: object) -> Watch:
    return Watch(window=window, **{"since": _paris(2026, 1, 1), **more})


def test_an_open_window_that_no_night_served_is_run_until_its_end():
    """From its first instant on, also late in it."""
    for minute in (0, 59):
        due = decide(_watch(), _paris(2026, 6, 2, 2, minute), PARIS)
        assert (due.call, due.closes_at) == (Call.RUN, _paris(2026, 6, 2, 3))
        assert due.opening.opens_at == _paris(2026, 6, 2, 1)


def test_a_night_that_began_in_the_window_serves_it():
    """One that began before it, or a day ago, does not."""
    now = _paris(2026, 6, 2, 1, 30)
    served = _watch(last_at=_paris(2026, 6, 2, 1))
    assert decide(served, now, PARIS).call is Call.WAIT
    assert decide(served, now, PARIS).opening.opens_at == _paris(2026, 6, 3, 1)
    for earlier in (_paris(2026, 6, 2, 0, 59), _paris(2026, 6, 1, 1)):
        assert decide(_watch(last_at=earlier), now, PARIS).call is Call.RUN


def test_without_leave_a_missed_window_is_missed():
    """Nothing is caught up unless its window lets it; each opening is told once."""
    watch = _watch(last_at=_paris(2026, 6, 1, 1))
    now = _paris(2026, 6, 4, 9)
    assert decide(watch, now, PARIS).call is Call.WAIT
    assert [one.opens_at for one in missed(watch, now, PARIS)] == [
        _paris(2026, 6, day, 1) for day in (2, 3, 4)
    ]


def test_only_the_newest_opening_is_caught_up_and_only_for_a_while():
    """Six hours after its end; shut by then, and never longer than the window."""
    watch = _watch(last_at=_paris(2026, 6, 1, 1), catch_up_s=6 * 3600)
    for hour, shut_by in ((3, 5), (6, 8), (8, 9)):
        due = decide(watch, _paris(2026, 6, 4, hour), PARIS)
        assert (due.call, due.closes_at) == (Call.CATCH_UP, _paris(2026, 6, 4, shut_by))
        assert due.opening.opens_at == _paris(2026, 6, 4, 1)
    assert decide(watch, _paris(2026, 6, 4, 8, 59, 1), PARIS).call is Call.WAIT
    assert decide(watch, _paris(2026, 6, 4, 9), PARIS).call is Call.WAIT


def test_what_is_caught_up_is_over_before_the_window_opens_again():
    """A window of twenty hours leaves four."""
    long = Window(name="long", start=time(1), for_s=20 * 3600)
    watch = _watch(long, last_at=_paris(2026, 6, 3, 1), catch_up_s=86_400)
    due = decide(watch, _paris(2026, 6, 4, 22), PARIS)
    assert (due.call, due.closes_at) == (Call.CATCH_UP, _paris(2026, 6, 5, 1))


def test_a_night_in_between_clears_what_was_missed():
    """It carried what the missed ones should have, also one that caught up."""
    watch = _watch(last_at=_paris(2026, 6, 4, 7), catch_up_s=6 * 3600)
    assert missed(watch, _paris(2026, 6, 4, 8), PARIS) == ()
    assert decide(watch, _paris(2026, 6, 4, 8), PARIS).call is Call.WAIT


def test_a_window_owes_nothing_before_its_target_was_enrolled():
    """The opening in whose midst it was enrolled is not owed; the next one is."""
    watch = _watch(since=_paris(2026, 6, 2, 1, 30))
    assert missed(watch, _paris(2026, 6, 2, 12), PARIS) == ()
    assert len(missed(watch, _paris(2026, 6, 3, 12), PARIS)) == 1


@pytest.mark.parametrize("at", [time(1), time(2, 30), time(23, 30)])
@pytest.mark.parametrize("change", [(2026, 3, 29), (2026, 10, 25)])
def test_the_nights_when_the_clocks_change_have_one_opening_each(at, change):
    """A skipped 02:30 comes at 03:30, a doubled one the first time only; each lasts two hours."""
    window = Window(name="night", start=at, for_s=7200)
    begin = _paris(*change) - timedelta(days=2)
    watch = _watch(window, since=begin, last_at=None)
    lost = missed(watch, begin + timedelta(days=5, hours=1, minutes=45), PARIS)
    assert len(lost) == 5
    assert all(one.closes_at - one.opens_at == timedelta(hours=2) for one in lost)
    days = [one.opens_at.astimezone(PARIS).date() for one in lost]
    assert days == sorted(set(days))


def test_a_clock_that_was_ahead_tells_nothing_missed_and_one_that_is_ahead_only_later():
    """Nights dated ahead hide what they hide; nothing is told that may not have happened."""
    ahead = _watch(last_at=_paris(2026, 6, 9, 1))
    assert missed(ahead, _paris(2026, 6, 4, 12), PARIS) == ()
    assert decide(ahead, _paris(2026, 6, 4, 1, 10), PARIS).call is Call.RUN
    jumped = _watch(last_at=_paris(2026, 6, 4, 1))
    assert len(missed(jumped, _paris(2026, 6, 6, 12), PARIS)) == 2


def test_of_many_missed_openings_the_newest_are_told():
    """Ten years without a night: the thousand newest, in order, whatever the days of the window."""
    now = _paris(2036, 6, 2, 12)
    for days in (ALL_DAYS, frozenset({6}), frozenset({0, 3})):
        window = Window(name="w", start=time(1), for_s=7200, days=days)
        lost = missed(_watch(window, since=LONG_AGO), now, PARIS)
        newest = max(one.opens_at for one in lost)
        assert next_opening(window, newest, PARIS) > now.astimezone(UTC)
        assert [one.opens_at for one in lost] == sorted(one.opens_at for one in lost)
        assert len(lost) == (1000 if len(days) > 1 else 909)


def test_what_follows_the_nights_is_at_the_end_of_the_earliest_window():
    """Once a day; without a window there is nothing to follow."""
    late = Window(name="late", start=time(22), for_s=3600, days=frozenset({6}))
    daily = after_nights([late, NIGHT])
    assert daily is not None
    assert (daily.start, daily.days) == (time(3), ALL_DAYS)
    over_midnight = after_nights([late])
    assert over_midnight is not None
    assert over_midnight.start == time(23)
    assert after_nights([]) is None
    assert first_opening([late, NIGHT], _paris(2026, 6, 2, 12), PARIS) == _paris(2026, 6, 3, 1)
    assert first_opening([], _paris(2026, 6, 2), PARIS) is None


windows = st.builds(
    Window,
    name=st.just("w"),
    start=st.times().map(lambda at: at.replace(second=0, microsecond=0)),
    for_s=st.integers(60, 82_800),
    days=st.frozensets(st.integers(0, 6), min_size=1),
)
# Around both changes of Paris, of the half hour of Lord Howe, and anywhere.
instants = st.one_of(
    st.datetimes(datetime(2026, 3, 25), datetime(2026, 4, 8)),  # noqa: DTZ001
    st.datetimes(datetime(2026, 10, 1), datetime(2026, 10, 29)),  # noqa: DTZ001
    st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1)),  # noqa: DTZ001
).map(lambda at: at.replace(tzinfo=UTC))
zones = st.sampled_from(["Europe/Paris", "UTC", "Australia/Lord_Howe", "Pacific/Noumea"]).map(
    ZoneInfo
)
ages = st.one_of(st.none(), st.timedeltas(timedelta(0), timedelta(days=20)))


def _watched(window: Window, now: datetime, age: timedelta | None, catch_up_s: int) -> Watch:
    last_at = None if age is None else now - age
    since = now - timedelta(days=20)
    return Watch(window=window, since=since, last_at=last_at, catch_up_s=catch_up_s)


@given(windows, instants, zones, ages, st.integers(0, 7 * 86_400))
def test_no_door_is_open_longer_or_later_than_its_window_lets_it(window, now, tz, age, catch_up_s):
    """Inside by its end; caught up by the end of the leave, and before the next opening."""
    watch = _watched(window, now, age, catch_up_s)
    due = decide(watch, now, tz)
    if due.call is Call.RUN:
        assert due.closes_at == closes_at(window, now, tz)
    elif due.call is Call.CATCH_UP:
        assert closes_at(window, now, tz) is None
        assert timedelta(seconds=LEAST_S) <= due.closes_at - now
        assert due.closes_at - now <= timedelta(seconds=window.for_s)
        assert due.closes_at <= due.opening.closes_at + timedelta(seconds=catch_up_s)
        assert due.closes_at <= next_opening(window, now, tz)
        assert due.opening == missed(watch, now, tz)[-1]
    else:
        assert due.opening.opens_at == next_opening(window, now, tz)


@given(windows, instants, zones, ages)
def test_every_opening_is_served_or_missed_and_never_both(window, now, tz, age):
    """From the last night on, the openings that ended are the missed ones, each once, in order."""
    watch = _watched(window, now, age, 0)
    lost = missed(watch, now, tz)
    begin = watch.since if watch.last_at is None else max(watch.since, watch.last_at)
    expected, at = [], next_opening(window, begin - timedelta(microseconds=1), tz)
    if watch.last_at is not None and at == watch.last_at:
        at = next_opening(window, at, tz)  # the last night began on the dot: it served that one
    while at + timedelta(seconds=window.for_s) <= now:
        expected.append(at)
        at = next_opening(window, at, tz)
    assert [one.opens_at for one in lost] == expected


@given(windows, instants, zones, st.integers(1, 7 * 86_400), st.floats(0, 1.5))
def test_a_night_is_never_due_twice(window, instant, tz, catch_up_s, share):
    """Once a night began now and came to its end, nothing is due until the window opens again."""
    now = next_opening(window, instant, tz) + timedelta(seconds=share * window.for_s)
    if closes_at(window, now, tz):
        assert decide(_watched(window, now, None, catch_up_s), now, tz).call is Call.RUN
    done = _watched(window, now, timedelta(0), catch_up_s)
    until = next_opening(window, now, tz)
    ends = closes_at(window, now, tz) or until
    for at in (now, now + (min(ends, until) - now) / 2, until - timedelta(seconds=1)):
        assert decide(done, at, tz).call is Call.WAIT, at
    assert decide(done, until, tz).call is Call.RUN


@given(windows, instants, zones, st.integers(1, 300))
def test_a_host_that_was_off_for_days_misses_as_many_openings_as_there_were(window, now, tz, days):
    """Counted by walking through the days, one by one."""
    begin = now - timedelta(days=days)
    watch = Watch(window=window, since=LONG_AGO, last_at=begin)
    walked, at = 0, begin
    while (at := next_opening(window, at, tz)) + timedelta(seconds=window.for_s) <= now:
        walked += 1
    assert len(missed(watch, now, tz)) == walked
