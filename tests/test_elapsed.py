"""How much time has passed for certain, whatever the wall clock was set to."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from vault.elapsed import (
    LEAP,
    OFF_IN_ALL,
    SET_AHEAD,
    Leap,
    Tick,
    find_leap,
    off_unvouched_s,
    passed_s,
)

BEGUN = datetime(2026, 3, 1, tzinfo=UTC)
DAY_S = 86_400.0


def tick(n: int, wall: float, boot: str, ran: float, *, vouches: bool = False) -> Tick:
    """Give the clocks of an entry: days on the wall, and days of its boot."""
    return Tick(n=n, at=BEGUN + timedelta(days=wall), boot=boot, mono=ran * DAY_S, vouches=vouches)


def ticks(*clocks: tuple[float, str, float], vouched: tuple[int, ...] = ()) -> list[Tick]:
    return [tick(n, *one, vouches=n in vouched) for n, one in enumerate(clocks)]


def leap(entries: list[Tick]) -> Leap | None:
    return find_leap(entries[:-1], entries[-1])


def passed(entries: list[Tick], *, off_s: float = 0.0) -> float:
    return passed_s(entries[:-1], entries[-1], off_s=off_s) / DAY_S


def test_a_host_that_was_off_for_long_is_asked_about_until_somebody_vouches():
    """Set to 2037 before it was started, or four days without current: both look the same."""
    off = ((0, "a", 1), (1, "a", 2), (9, "b", 0), (9.1, "b", 0.1), (9.2, "b", 0.2))
    assert leap(ticks(*off)) == Leap(n=2, days=8)
    assert leap(ticks(*off, vouched=(3,))) is None
    assert leap(ticks(*off, vouched=(1,))) == Leap(n=2, days=8)
    at_most = LEAP / timedelta(days=1)
    assert leap(ticks((0, "a", 1), (at_most, "b", 0))) is None


def test_a_clock_set_ahead_in_small_steps_has_leapt():
    """Each step was less than any bound; the boot clock knows what they come to."""
    steps = [(0.5 * n, "a", 0.01 * n) for n in range(8)]
    found = leap(ticks(*steps))
    assert found == Leap(n=3, days=1)
    assert leap(ticks(*steps, vouched=(6,))) is None
    assert timedelta(days=1) == SET_AHEAD


def test_a_host_that_is_off_each_day_is_asked_about_once_it_was_off_for_long_in_all():
    """No step is more than a leap; together they would make any point old."""
    off = [(3.9 * n, str(n), 0.01) for n in range(8)]
    assert leap(ticks(*off)) == Leap(n=4, days=15)
    assert leap(ticks(*off[:4])) is None
    assert leap(ticks(*off[:3], (8, "2", 0.2), *off[3:6], vouched=(3,))) is None
    assert timedelta(days=15) == OFF_IN_ALL


def test_a_battery_clock_that_is_slow_is_no_leap():
    """It starts an hour behind and is set right soon after, for forty nights."""
    clocks = [(0.0, "0", 0.0)]
    for night in range(1, 40):
        boot, hour = str(night), 1 / 24
        clocks += [(night - hour, boot, 0.02), (night + 0.02, boot, 0.04), (night + 0.98, boot, 1)]
    assert leap(ticks(*clocks)) is None


def test_what_was_set_back_may_not_all_be_set_ahead_again():
    """A vault founded under a date of 2030 has years that nobody took from it."""
    right = [(0, "a", 0), (-1400, "a", 0.1)]
    assert leap(ticks(*right, (-1397.5, "a", 0.2))) == Leap(n=2, days=1)
    assert leap(ticks(*right, (-1398.9, "a", 0.2))) is None


@pytest.mark.parametrize(
    "clocks",
    [
        pytest.param([(0, "a", 5), (1, "a", 13), (1, "a", 6)], id="it-went-back"),
        pytest.param([(0, "a", 5), (1, "b", 1), (2, "a", 7)], id="a-boot-that-had-ended"),
    ],
)
def test_a_boot_clock_that_does_what_none_does_is_asked_about(clocks):
    """Entries were written under a clock that somebody made; or under two."""
    assert leap(ticks(*clocks)) == Leap(n=2, days=None)
    word, after = (2.1, clocks[-1][1], 7.1), (2.2, clocks[-1][1], 7.2)
    assert leap(ticks(*clocks, word, vouched=(3,))) is None
    assert leap(ticks(*clocks, word, after, vouched=(3,))) is None, "the word settles it"


def test_two_writers_whose_stamps_cross_are_no_leap():
    assert leap(ticks((0, "a", 1), (0, "a", 1 - 0.5 / DAY_S))) is None


def test_idle_days_of_a_host_that_ran_are_no_leap():
    assert leap(ticks((0, "a", 1), (30, "a", 31))) is None


def test_the_leap_since_the_last_entry_is_found_too():
    assert leap(ticks((0, "a", 1), (4000, "b", 0.5))) == Leap(n=1, days=3999)


@pytest.mark.parametrize(
    ("clocks", "vouched", "off_days", "days"),
    [
        pytest.param([(0, "a", 5), (9, "a", 5.5)], (), 0, 0.5, id="the-date-was-set-ahead"),
        pytest.param([(0, "a", 5), (7, "a", 12)], (), 0, 7, id="the-host-ran"),
        pytest.param([(0, "a", 5), (-3, "a", 6), (9, "a", 7)], (), 0, 2, id="back-and-forth"),
        pytest.param([(0, "a", 5), (7, "b", 1)], (), 2, 3, id="off-up-to-a-bound"),
        pytest.param([(0, "a", 5), (7, "b", 1), (8, "b", 2)], (1,), 2, 8, id="off-and-vouched"),
        pytest.param(
            [(0, "a", 5), (7, "b", 1), (8, "b", 2), (20, "c", 1)], (1,), 2, 11, id="off-once-more"
        ),
        pytest.param([(0, "a", 5), (0, "b", 2)], (), 2, 2, id="started-with-the-date-set-back"),
    ],
)  # fmt: skip
def test_only_what_the_boot_clocks_show_has_passed_for_certain(clocks, vouched, off_days, days):
    entries = ticks(*clocks, vouched=vouched)
    assert passed(entries, off_s=off_days * DAY_S) == pytest.approx(days)


def test_the_time_off_since_the_last_word_is_what_a_person_may_vouch_for():
    clocks = ((0, "a", 5), (7, "b", 1), (8, "b", 2), (12, "c", 1))
    for vouched, days in (((), 9), ((1,), 3), ((2,), 3)):
        entries = ticks(*clocks, vouched=vouched)
        assert off_unvouched_s(entries[:-1], entries[-1]) / DAY_S == pytest.approx(days)
