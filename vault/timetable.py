"""The PMSI timetable: which periods are expected, until when, and to which month a week belongs.

Rule 1: pure data and arithmetic on calendar days; what a site may change is in
    ``policies/formats/calendar.yaml``.
Rule 2: a period is a month of its year, 1 to 12, and its archive is cumulative since 1 January.
Rule 3: a period that is not expected may come all the same; only what is expected can be missing.
Source: the ATIH's manuals of GENRSA, GENRHA, PAPRICA, PIVOINE and DRUIDES, as the table cites.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from enum import StrEnum

MONTHS = 12
FIELDS = ("MCO", "SMR", "HAD", "PSY")  # in the order people name them


class Rhythm(StrEnum):
    """How often a field is sent."""

    MONTH = "month"
    TWO_MONTHS = "two-months"
    QUARTER = "quarter"

    @property
    def months(self) -> int:
        """How many months one period takes."""
        return {"month": 1, "two-months": 2, "quarter": 3}[self.value]


class WeekRule(StrEnum):
    """To which month a week of SMR belongs."""

    ISO_THURSDAY = "iso-thursday"  # the month of its Thursday
    ANY_DAY = "any-day"  # besides, a year takes every week of which it has a day


@dataclass(frozen=True, slots=True, kw_only=True)
class Cadence:
    """From one month on, how often a field is sent."""

    since: tuple[int, int]  # year, month
    rhythm: Rhythm


@dataclass(frozen=True, slots=True, kw_only=True)
class Timetable:
    """What is expected of each field, and when."""

    cadences: Mapping[str, tuple[Cadence, ...]]  # by field, oldest first
    months_after: Mapping[str, int]  # by field: due at the end of the n-th month after
    weeks: tuple[tuple[int, WeekRule], ...]  # from which year on, oldest first
    exceptions: Mapping[tuple[str, int, int], date] = field(default_factory=dict)

    def expected_periods(self, of_field: str, year: int) -> tuple[int, ...]:
        """Give the periods of a year that a field is sent for; none before its first cadence."""
        return tuple(
            month for month in range(1, MONTHS + 1) if self._is_sent(of_field, (year, month))
        )

    def _is_sent(self, of_field: str, month: tuple[int, int]) -> bool:
        known = [one for one in self.cadences.get(of_field, ()) if one.since <= month]
        return bool(known) and month[1] % known[-1].rhythm.months == 0

    def due_on(self, of_field: str, year: int, period: int) -> date:
        """Give the last day on which a period's export is in time."""
        if (day := self.exceptions.get((of_field, year, period))) is not None:
            return day
        months = year * MONTHS + period - 1 + self.months_after.get(of_field, 1)
        due_year, due_month = divmod(months, MONTHS)
        return date(due_year, due_month + 1, monthrange(due_year, due_month + 1)[1])

    def period_of_week(self, year: int, monday: date) -> int | None:
        """Give the month of ``year`` to which a week belongs; None when it is another year's."""
        thursday = monday + timedelta(days=3)
        if thursday.year == year:
            return thursday.month
        rules = [rule for since, rule in self.weeks if since <= year]
        if not rules or rules[-1] is WeekRule.ISO_THURSDAY:
            return None
        sunday = monday + timedelta(days=6)
        if sunday.year == year:
            return 1
        return MONTHS if monday.year == year else None
