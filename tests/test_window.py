"""Windows: real seconds inside, the clock on the wall outside."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vault.duration import format_duration, parse_duration
from vault.errors import UsageError
from vault.window import ALL_DAYS, Window, closes_at, longest_wait_s, next_opening, soft_deadline

PARIS = ZoneInfo("Europe/Paris")
NIGHT = Window(name="night", start=time(1), for_s=7200)
SECOND = timedelta(seconds=1)


def _paris(*parts: int, fold: int = 0) -> datetime:
    return datetime(*parts, fold=fold, tzinfo=PARIS)


def test_a_window_closes_two_hours_after_it_opened():
    """The start is inside, the end is not."""
    start = _paris(2026, 11, 22, 1)
    end = datetime(2026, 11, 22, 2, tzinfo=UTC)
    assert closes_at(NIGHT, start - SECOND, PARIS) is None
    assert closes_at(NIGHT, start, PARIS) == end
    assert closes_at(NIGHT, end - SECOND, PARIS) == end
    assert closes_at(NIGHT, end, PARIS) is None


def test_a_window_over_midnight_belongs_to_the_day_it_started():
    """From Saturday 23:00 for three hours: open on Sunday at 01:00, not on Saturday at 01:00."""
    saturday = Window(name="w", start=time(23), for_s=3 * 3600, days=frozenset({5}))
    assert closes_at(saturday, _paris(2026, 11, 22, 1), PARIS) == _paris(2026, 11, 22, 2)
    assert closes_at(saturday, _paris(2026, 11, 21, 1), PARIS) is None


@pytest.mark.parametrize(
    ("day", "wall_end"),
    [((2026, 3, 29), _paris(2026, 3, 29, 4)), ((2026, 10, 25), _paris(2026, 10, 25, 2, fold=1))],
)
def test_fault_70_a_window_lasts_7200_real_seconds_when_the_clocks_change(day, wall_end):
    """In spring it ends at 04:00 by the clock, in autumn at 02:00 for the second time."""
    start = _paris(*day, 1).astimezone(UTC)
    end = closes_at(NIGHT, start, PARIS)
    assert end - start == timedelta(seconds=7200)
    assert end == wall_end.astimezone(UTC)
    assert closes_at(NIGHT, end, PARIS) is None


def test_fault_70_a_start_that_the_clocks_skip_comes_an_hour_later():
    """02:30 does not exist in the spring night: the window opens at 03:30, once."""
    window = Window(name="w", start=time(2, 30), for_s=3600)
    opening = next_opening(window, _paris(2026, 3, 29, 0), PARIS)
    assert opening == _paris(2026, 3, 29, 3, 30)
    assert closes_at(window, opening - SECOND, PARIS) is None
    assert next_opening(window, opening, PARIS) == _paris(2026, 3, 30, 2, 30)


def test_fault_70_a_start_that_comes_twice_counts_once():
    """02:30 comes twice in the autumn night: the window opens at the first, not at the second."""
    window = Window(name="w", start=time(2, 30), for_s=600)
    first, second = _paris(2026, 10, 25, 2, 30), _paris(2026, 10, 25, 2, 30, fold=1)
    assert second.astimezone(UTC) - first.astimezone(UTC) == timedelta(hours=1)
    assert next_opening(window, _paris(2026, 10, 25, 0), PARIS) == first.astimezone(UTC)
    assert closes_at(window, second, PARIS) is None
    assert next_opening(window, first, PARIS) == _paris(2026, 10, 26, 2, 30)


def test_the_next_opening_is_on_a_day_of_the_window():
    """From a Sunday, a Wednesday window opens three days later."""
    window = Window(name="w", start=time(1), for_s=60, days=frozenset({2}))
    assert next_opening(window, _paris(2026, 11, 22, 12), PARIS) == _paris(2026, 11, 25, 1)
    assert next_opening(window, _paris(2026, 11, 25, 1), PARIS) == _paris(2026, 12, 2, 1)


@pytest.mark.parametrize(
    ("days", "longest_d"), [(ALL_DAYS, 1), ({5}, 7), ({0, 1, 4}, 3), ({0, 6}, 6)]
)
def test_the_longest_wait_is_from_one_start_to_the_end_of_the_next(days, longest_d):
    """Over the weekend too; with the hour that the clocks may give."""
    window = Window(name="w", start=time(1), for_s=7200, days=frozenset(days))
    assert longest_wait_s(window) == longest_d * 86_400 + 3600 + 7200


def test_a_window_of_a_whole_day_never_closes_early():
    """On the day of 23 hours two openings overlap; the later end holds."""
    window = Window(name="w", start=time(0), for_s=86_400)
    now = _paris(2026, 3, 30, 0, 30).astimezone(UTC)
    assert closes_at(window, now, PARIS) == _paris(2026, 3, 31, 0).astimezone(UTC)


def test_a_time_without_its_zone_is_refused():
    """A naive time would be taken for the host's zone."""
    with pytest.raises(ValueError, match="without its zone"):
        closes_at(NIGHT, datetime(2026, 1, 1), PARIS)  # noqa: DTZ001


windows = st.builds(
    Window,
    name=st.just("w"),
    start=st.times().map(lambda at: at.replace(second=0, microsecond=0)),
    for_s=st.integers(60, 86_400),
    days=st.frozensets(st.integers(0, 6), min_size=1),
)
instants = st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1)).map(  # noqa: DTZ001
    lambda at: at.replace(tzinfo=UTC)
)
zones = st.sampled_from(
    ["Europe/Paris", "UTC", "America/Guadeloupe", "Australia/Lord_Howe", "Pacific/Noumea"]
).map(ZoneInfo)


@given(windows, instants, zones)
def test_no_opening_lasts_longer_than_its_window(window, now, tz):
    """The end is never more than the window's length away, and always ahead."""
    end = closes_at(window, now, tz)
    assert end is None or now < end <= now + timedelta(seconds=window.for_s)


@given(windows, instants, zones)
def test_the_next_opening_opens(window, now, tz):
    """It is ahead, within eight days, inside the window and for its whole length."""
    opening = next_opening(window, now, tz)
    assert now < opening <= now + timedelta(days=8, hours=2)
    assert closes_at(window, opening, tz) == opening + timedelta(seconds=window.for_s)


def test_the_soft_deadline_leaves_twice_the_time_of_the_largest_file():
    """The margin is the larger of 30 s and twice the largest remaining file's time."""
    assert soft_deadline(1000.0, largest_left_bytes=10, bytes_per_s=1e8) == 970.0
    assert soft_deadline(1000.0, largest_left_bytes=10**10, bytes_per_s=1e8) == 800.0


@pytest.mark.parametrize("speed", [None, 0.0, -1.0])
def test_an_unmeasured_target_is_taken_for_a_slow_one(speed):
    """Without a measured speed the margin is that of an old disk."""
    assert soft_deadline(1000.0, largest_left_bytes=10**9, bytes_per_s=speed) == 900.0


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("20m", 1200), ("2h", 7200), ("12h", 43_200), ("90d", 7_776_000), ("1h30m", 5400), ("0s", 0)],
)
def test_a_duration_is_read_with_its_units(text, seconds):
    """Days, hours, minutes, seconds, in this order."""
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "20", "m", "-2h", "1m1h", "2 h", "1.5h", "2h\n", "٢h", "9" * 99 + "d", "99999999d"]
)
def test_what_is_no_duration_is_refused_with_the_mend(text):
    """A bare number is nobody's guess to make."""
    with pytest.raises(UsageError) as caught:
        parse_duration(text)
    assert "like 20m, 2h, 1h30m or 90d" in caught.value.hint
    assert "\n" not in str(caught.value)


@given(st.integers(0, 10**9))
def test_a_duration_comes_back_as_it_was_written(seconds):
    """Writing and reading are each other's opposite."""
    assert parse_duration(format_duration(seconds)) == seconds


def test_windows_and_policies_import_the_standard_library_only():
    """What every command needs must start at once."""
    code = (
        "import sys; import vault.window, vault.policy; "
        "print([m for m in ('pydantic', 'yaml', 'typer', 'rich') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        check=True,
        text=True,
        cwd=Path(__file__).parent.parent,
    )
    assert done.stdout.strip() == "[]"
