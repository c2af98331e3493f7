"""Seconds open, night by night, and what they add up to."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from vault.exposure import Stay, make_strip, night_of

PARIS = ZoneInfo("Europe/Paris")
BEGIN, END = datetime(2026, 1, 1), datetime(2026, 12, 31)  # noqa: DTZ001, hypothesis adds the zone


def stay(at: datetime, seconds: float = 10.0, *, proven: bool = True, window: bool = True) -> Stay:
    return Stay(
        target="disk-a",
        purpose="carry",
        opened_at=at,
        seconds=seconds,
        proven=proven,
        in_window=window,
    )


def test_an_opening_after_midnight_belongs_to_the_night_that_began_before():
    """Noon parts the nights, on the site's clock."""
    assert night_of(datetime(2026, 3, 2, 0, 30, tzinfo=UTC), PARIS) == date(2026, 3, 1)
    assert night_of(datetime(2026, 3, 2, 10, 59, tzinfo=UTC), PARIS) == date(2026, 3, 1)
    assert night_of(datetime(2026, 3, 2, 11, 0, tzinfo=UTC), PARIS) == date(2026, 3, 2)


def test_nights_without_an_opening_stand_in_the_strip():
    """A strip has no holes: nothing open is a fact of its own."""
    strip = make_strip([], first=date(2026, 3, 1), last=date(2026, 3, 3), zone=PARIS)
    assert [night.openings for night in strip.nights] == [0, 0, 0]
    assert (strip.total_s, strip.share, strip.worst) == (0, 0, None)


def test_what_is_unproven_or_outside_a_window_is_counted_apart():
    """Both are to be zero; neither hides in the seconds."""
    at = datetime(2026, 3, 2, 1, tzinfo=UTC)
    strip = make_strip(
        [stay(at), stay(at, 50, proven=False), stay(at, 5, window=False)],
        first=date(2026, 3, 1),
        last=date(2026, 3, 1),
        zone=PARIS,
    )
    assert (strip.openings, strip.unproven, strip.outside) == (3, 1, 1)
    assert (strip.total_s, strip.longest_s) == (65, 50)


def test_the_share_is_of_real_seconds_when_the_clocks_change():
    """The night of 28 March 2026 has 23 hours."""
    at = datetime(2026, 3, 28, 23, tzinfo=UTC)
    day = date(2026, 3, 28)
    strip = make_strip([stay(at, 828)], first=day, last=day, zone=PARIS)
    assert strip.share == 828 / (23 * 3600)


@given(
    st.lists(
        st.tuples(st.datetimes(BEGIN, END), st.floats(0, 7200)),
        max_size=30,
    )
)
def test_nothing_is_lost_between_the_nights(openings):
    """Whatever the instants: the nights hold every opening once, and all their seconds."""
    stays = [stay(at.replace(tzinfo=UTC), seconds) for at, seconds in openings]
    first, last = date(2025, 12, 30), date(2027, 1, 2)
    strip = make_strip(stays, first=first, last=last, zone=PARIS)
    assert sum(night.openings for night in strip.nights) == len(stays) == strip.openings
    assert abs(strip.total_s - sum(one.seconds for one in stays)) < 1e-6
    assert len(strip.nights) == (last - first) // timedelta(days=1) + 1
