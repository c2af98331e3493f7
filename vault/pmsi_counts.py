"""How much a PMSI attempt holds by record and month, and how much less than an older one.

Rule 1: counts are compared record by record, month by month, never the sum of different things.
Rule 2: what was counted under a rule of confidence C or D makes a doubt and no more.
Rule 3: pure; a remark holds counts, versions and periods, as ``vault.finding`` demands.
Source: policies/formats: archives are cumulative since 1 January, so no month and no total falls.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from dataclasses import field as member
from datetime import date
from functools import lru_cache

from vault.finding import Remark, Soundness
from vault.timetable import Timetable
from vault.transmission import Attempt

MONTH_PERCENT = 98  # of the records of a month: merged stays take one or two in a hundred
_SPARED = 1  # in a small unit one merged stay is more than two in a hundred
_UNSURE = frozenset({"C", "D"})
_MONTH = re.compile(r"(\d{4})-(\d\d)")
_WEEK = re.compile(r"(\d{4})-W(\d\d)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """What an attempt holds, as far as counts can be compared."""

    months: Mapping[str, Mapping[int, int]]  # record -> month -> lines
    totals: Mapping[str, int]  # of the records that have months
    newest: Mapping[str, str]  # record -> newest version
    unsure: frozenset[str] = member(default_factory=frozenset)  # records of confidence C or D


def count(attempt: Attempt, year: int, timetable: Timetable) -> Counts:
    """Count an attempt by record and month of its year; weeks go to their months."""
    months: dict[str, Counter[int]] = {}
    totals: Counter[str] = Counter()
    newest: dict[str, str] = {}
    unsure = set()
    for tally in attempt.tallies:
        if tally.versions:
            newest[tally.record] = max(newest.get(tally.record, ""), *tally.versions)
        if tally.confidence in _UNSURE:
            unsure.add(tally.record)
        if not tally.months:
            continue
        totals[tally.record] += tally.lines
        counted = months.setdefault(tally.record, Counter())
        for text, lines in tally.months.items():
            of_year, month, monday = _read_period(text)
            if monday is not None:
                month = timetable.period_of_week(year, monday)
            elif of_year != year:
                month = None
            if month is not None:
                counted[month] += lines
    return Counts(months=months, totals=totals, newest=newest, unsure=frozenset(unsure))


@lru_cache(4096)
def _read_period(text: str) -> tuple[int, int | None, date | None]:
    """Read a month as its year and number, a week as its year and Monday; else neither."""
    if found := _MONTH.fullmatch(text):
        return int(found[1]), int(found[2]), None
    if found := _WEEK.fullmatch(text):
        year, week = int(found[1]), int(found[2])
        try:
            return year, None, date.fromisocalendar(year, week, 1)
        except ValueError:
            pass
    return 0, None, None


def losses(now: Counts, before: Counts, *, what: str, is_same_period: bool) -> Iterator[Remark]:
    """Say what is less than it was; ``what`` names the older archive, such as M04.

    Between two periods the whole may not fall at all; between two attempts at one period a
    correction may take as much as it may from a month. A loss that rests on sure counts weighs
    as much as a malformed file, any other is a doubt.
    """
    for record, months in before.months.items():
        if record not in now.months:
            continue  # the other side is missing, or newer than our tables: told as such
        weight = Soundness.DOUBTFUL if record in now.unsure | before.unsure else Soundness.MALFORMED
        lost = [
            (month, had, now.months[record].get(month, 0))
            for month, had in sorted(months.items())
            if _is_less(now.months[record].get(month, 0), had)
        ]
        for month, had, has in lost:
            yield Remark(
                code="pmsi-month-shrunk",
                template="{month}: {now} records {record}, {before} in the archive {what}",
                values={
                    "month": f"M{month:02}", "now": has, "before": had,
                    "record": record.upper(), "what": what,
                },
                soundness=weight,
            )  # fmt: skip
        had, has = before.totals[record], now.totals[record]
        if not lost and (_is_less(has, had) if is_same_period else has < had):
            yield Remark(
                code="pmsi-total-shrunk",
                template="{now} records {record} in all, {before} in the archive {what}",
                values={"now": has, "before": had, "record": record.upper(), "what": what},
                soundness=weight,
            )
    yield from _older_versions(now, before, what)


def _is_less(now: int, before: int) -> bool:
    return now * 100 < before * MONTH_PERCENT and before - now > _SPARED


def _older_versions(now: Counts, before: Counts, what: str) -> Iterator[Remark]:
    for record, version in before.newest.items():
        if record in now.newest and now.newest[record] < version:
            yield Remark(
                code="pmsi-version-older",
                template="records {record} of version {now}, {before} in the archive {what}",
                values={
                    "record": record.upper(), "now": now.newest[record],
                    "before": version, "what": what,
                },
            )  # fmt: skip


def empty_months(counts: Counts, period: int) -> tuple[int, ...]:
    """Give the months up to the period in which no record falls; none when none is dated."""
    filled = {
        month for months in counts.months.values() for month, lines in months.items() if lines
    }
    return tuple(month for month in range(1, period + 1) if month not in filled) if filled else ()
