"""When a disk is full: the pace of an ordinary night decides, not that of an odd one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from vault.filling import AHEAD, find_filling_gaps, forecast, pace

NOW = datetime(2026, 11, 25, 3, tzinfo=UTC)
GB = 1_000_000_000


def nights(*added: int, apart: float = 1.0) -> list[tuple[datetime, int]]:
    count = len(added)
    return [(NOW - timedelta(days=apart * (count - n)), b) for n, b in enumerate(added, start=1)]


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 10**9), st.integers(8, 80), st.integers(0, 10**15))
def test_a_first_copy_however_large_changes_no_pace(each, count, first):
    assert pace(nights(first, *[each] * count), NOW) == each


@settings(max_examples=40, deadline=None)
@given(st.integers(10**6, 10**9), st.integers(20, 80), st.integers(0, 10**13), st.data())
def test_one_odd_night_at_most_doubles_it(each, count, odd, data):
    """In the middle it lies between half of all pairs: they are told apart by their own slopes."""
    added = [each] * count
    added[data.draw(st.integers(0, count // 5))] = odd
    found = pace(nights(*added), NOW)
    assert found is not None
    assert each * 0.5 <= found <= each * 2


def test_less_than_a_week_of_nights_is_no_pace():
    assert pace(nights(*[GB] * 6), NOW) is None
    assert pace(nights(*[GB] * 20, apart=0.3), NOW) is None
    assert pace([], NOW) is None


def test_nights_older_than_ninety_days_do_not_count():
    old = [(at - timedelta(days=200), added) for at, added in nights(*[50 * GB] * 30)]
    assert pace(old + nights(*[GB] * 30), NOW) == GB


def test_a_disk_that_is_full_in_time_is_told_with_its_day():
    soon = forecast(nights(*[GB] * 30), free_bytes=10 * GB, free_at=NOW, now=NOW)
    assert soon is not None
    assert soon.full_at == NOW + timedelta(days=10)
    assert forecast(nights(*[GB] * 30), free_bytes=31 * GB, free_at=NOW, now=NOW) is None
    assert forecast(nights(*[0] * 30), free_bytes=0, free_at=NOW, now=NOW) is None


def test_a_medium_that_was_away_is_counted_from_when_it_was_open():
    """What was free twenty days ago has twenty days of nights to take since."""
    then = NOW - timedelta(days=20)
    told = forecast(nights(*[GB] * 30), free_bytes=45 * GB, free_at=then, now=NOW)
    assert told is not None
    assert told.full_at == NOW + timedelta(days=25)
    assert told.full_at - NOW < AHEAD


def test_each_disk_that_fills_is_a_gap_of_its_own():
    soon = forecast(nights(*[GB] * 30), free_bytes=10 * GB, free_at=NOW, now=NOW)
    gaps = list(find_filling_gaps(soon, {"disk-a": soon, "disk-b": None}, NOW))
    assert [(gap.kind, gap.target) for gap in gaps] == [
        ("landing-filling", None),
        ("target-filling", "disk-a"),
    ]
    assert gaps[0].values == {"days": 10}
