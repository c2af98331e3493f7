"""Which periods are expected, until when, and to which month a week belongs."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vault.config import load_timetable
from vault.timetable import FIELDS, Timetable

TIMETABLE = load_timetable()
MONTHLY = tuple(range(1, 13))


@pytest.mark.parametrize(
    ("field", "year", "periods"),
    [
        ("MCO", 2024, MONTHLY),
        ("HAD", 2024, MONTHLY),
        ("SMR", 2024, MONTHLY),
        ("SMR", 2015, (2, 4, 6, 8, 10, 12)),
        ("SMR", 2016, (2, 4, 5, 6, 7, 8, 9, 10, 11, 12)),  # monthly since May 2016
        ("HAD", 2007, tuple(range(4, 13))),
        ("PSY", 2024, (3, 6, 9, 12)),
        ("PSY", 2006, ()),
        ("RSFACE", 2024, ()),
    ],
)
def test_a_field_is_expected_in_its_rhythm(field, year, periods):
    """As the ATIH's manuals have it, year by year."""
    assert TIMETABLE.expected_periods(field, year) == periods


def test_an_export_is_due_at_the_end_of_the_month_that_follows():
    """Also over the turn of the year, and in February."""
    assert TIMETABLE.due_on("SMR", 2024, 11) == date(2024, 12, 31)
    assert TIMETABLE.due_on("PSY", 2024, 12) == date(2025, 1, 31)
    assert TIMETABLE.due_on("MCO", 2024, 1) == date(2024, 2, 29)


def test_one_period_can_have_a_day_of_its_own():
    """As the spring of 2020 had."""
    day = date(2020, 6, 30)
    ours = Timetable(cadences={}, months_after={}, weeks=(), exceptions={("MCO", 2020, 3): day})
    assert ours.due_on("MCO", 2020, 3) == day
    assert ours.due_on("MCO", 2020, 4) == date(2020, 5, 31)


def test_up_to_2025_a_week_is_that_of_its_thursday():
    """Weeks 1 to 52 make 2022; the week of 29 December 2025 is of no month of 2025."""
    assert TIMETABLE.period_of_week(2022, date.fromisocalendar(2022, 1, 1)) == 1
    assert TIMETABLE.period_of_week(2022, date.fromisocalendar(2022, 52, 1)) == 12
    assert TIMETABLE.period_of_week(2025, date(2025, 12, 29)) is None


def test_from_2026_a_year_takes_every_week_of_which_it_has_a_day():
    """The week from 29 December 2025 to 4 January 2026 is in M1 of 2026, as its Thursday is."""
    assert TIMETABLE.period_of_week(2026, date(2025, 12, 29)) == 1
    # 28 December 2026 to 3 January 2027: its Thursday is in 2026; 2027 takes it too.
    assert TIMETABLE.period_of_week(2026, date(2026, 12, 28)) == 12
    assert TIMETABLE.period_of_week(2027, date(2026, 12, 28)) == 1
    assert TIMETABLE.period_of_week(2027, date(2026, 12, 21)) is None
    # 30 December 2030 to 5 January 2031: its Thursday is in 2031; 2030 takes it too.
    assert TIMETABLE.period_of_week(2030, date(2030, 12, 30)) == 12


@given(st.dates(date(2010, 1, 1), date(2040, 12, 31)))
def test_every_week_belongs_to_one_year_at_least(day):
    """No week of stays falls between two years, whatever the rule."""
    monday = day - timedelta(days=day.weekday())
    months = {year: TIMETABLE.period_of_week(year, monday) for year in (day.year - 1, day.year)}
    months[day.year + 1] = TIMETABLE.period_of_week(day.year + 1, monday)
    assert any(months.values())


@given(st.sampled_from(FIELDS), st.integers(2017, 2050))
def test_later_periods_are_due_later(field, year):
    """Within a year, for every field."""
    due = [TIMETABLE.due_on(field, year, p) for p in TIMETABLE.expected_periods(field, year)]
    assert due == sorted(set(due))
