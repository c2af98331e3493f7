"""PMSI record layouts and the tables that hold them, as values.

Rule 1: a line is told by the version at its column, then its FINESS, then its length; never by
    the year, and never by the name of the file.
Rule 2: columns count from 1 and are inclusive, as in the tables of ATIH.
Rule 3: what is uncertain stays several readings: a line fits when one of them fits.
Source: ``policies/formats/README.md``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta

ANY = "*"  # a version id that stands for whatever is written there
NO_VERSION = "none"  # the record type carries no version at all
CONFIDENCES = "ABCD"  # the best first
FIELDS = ("MCO", "SMR", "HAD", "PSY")
_ISO_RULE_UNTIL = 2025  # from 2026 on a year holds every week with a day in it


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Span:
    """Columns of a line, first and last, from 1, inclusive."""

    first: int
    last: int

    @property
    def width(self) -> int:
        """Give the number of columns."""
        return self.last - self.first + 1

    def of(self, line: bytes) -> bytes:
        """Cut the columns out of a line."""
        return line[self.first - 1 : self.last]


@dataclass(frozen=True, slots=True, kw_only=True)
class Counter:
    """How many pieces of one size follow, as a number in the line's fixed part."""

    size: int
    at: Span


@dataclass(frozen=True, slots=True, kw_only=True)
class LengthRule:
    """One reading of how long a line is, its end not counted."""

    fixed: int | None = None
    add: tuple[Counter, ...] = ()
    least: int = 0
    most: int | None = None
    separator: str = ""
    columns: tuple[int, ...] = ()  # how many a separator parts
    fields: tuple[str, ...] = ()  # of the PMSI for which it is meant; all when empty
    label: str = ""  # the vector of lengths that it is part of

    def expected(self, numbers: Sequence[int]) -> int | None:
        """Give the length for the numbers in the counters; None when it is not fixed."""
        if self.fixed is None:
            return None
        return self.fixed + sum(
            counter.size * number for counter, number in zip(self.add, numbers, strict=True)
        )

    def fits(self, length: int, numbers: Sequence[int]) -> bool:
        """Whether a line of this length with these numbers in its counters follows the rule."""
        expected = self.expected(numbers)
        if expected is not None:
            return length == expected
        return length >= self.least and (self.most is None or length <= self.most)


@dataclass(frozen=True, slots=True, kw_only=True)
class PeriodAt:
    """Where a line says for when it is: a day, a month or a week, with a year."""

    date: Span | None = None  # ddmmyyyy
    month: Span | None = None
    week: Span | None = None
    year: Span | None = None
    of: str = ""  # what the period is that of, in English

    @property
    def spans(self) -> tuple[Span, ...]:
        """Give month (or week) and year; of a day only its month and year."""
        if self.date is not None:
            at = self.date.first
            return (Span(first=at + 2, last=at + 3), Span(first=at + 4, last=at + 7))
        first = self.week or self.month
        return (first, self.year) if first is not None and self.year is not None else ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LayoutVersion:
    """One version of a record type: where it says so, and how long its lines are."""

    id: str
    version_at: Span | None
    finess_at: Span | None
    stay_key_at: Span | None
    period: PeriodAt | None
    rules: tuple[LengthRule, ...]
    confidence: str
    source: str
    since: int | None = None
    until: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordType:
    """One type of record with all its versions."""

    name: str
    title: str
    fields: tuple[str, ...]
    side: str  # "in", "out", "both"
    is_nominative: bool
    versions: Mapping[str, LayoutVersion]

    @property
    def newest(self) -> LayoutVersion:
        """Give the version that began last; of several the one that stands last."""
        return max(self.versions.values(), key=lambda row: row.since or 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """What a member of an archive is, by what follows FINESS.YYYY.M. in its name."""

    extension: str
    field: str
    side: str
    role: str  # "main", "identity", "statistics", "trace", or a word of no consequence
    record: str = ""  # name of the record type; "" when its lines are only counted
    is_required: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class NamePattern:
    """One way in which archives were named, and when."""

    name: str
    pattern: str  # in the letters of policies/formats/names.yaml
    fields: tuple[str, ...]
    since: str  # "YYYY-MM"
    until: str  # "" when it is still in use
    stamp: str  # "iso", "french" or "either"
    confidence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Tables:
    """All that is known of PMSI formats."""

    records: Mapping[str, RecordType]
    accepted: Mapping[int, Mapping[str, tuple[str, ...]]]  # year -> record -> versions
    names: tuple[NamePattern, ...]
    members: tuple[Member, ...]
    identity: str = field(default="", init=False)

    def __post_init__(self) -> None:
        told = repr((sorted(self.records.items()), self.accepted, self.names, self.members))
        object.__setattr__(self, "identity", hashlib.sha256(told.encode()).hexdigest())

    def expects(self, year: int, record: str, version: str) -> bool:
        """Whether a year's transmissions may hold a version; true when the year says nothing."""
        versions = self.accepted.get(year, {}).get(record)
        return versions is None or version in versions

    def members_of(self, pmsi_field: str, side: str) -> Mapping[str, Member]:
        """Give the members of one side of a transmission, by extension."""
        return {m.extension: m for m in self.members if (m.field, m.side) == (pmsi_field, side)}

    def field_of(self, extensions: Iterable[str], side: str) -> str:
        """Tell the field from an archive's members: the one that knows a main one; "" if none."""
        found = set(extensions)
        best, most = "", 0
        for name in (*FIELDS, "RSFACE"):
            known = self.members_of(name, side)
            score = sum(10 if known[ext].role == "main" else 1 for ext in found & set(known))
            if score > most and any(known[ext].role == "main" for ext in found & set(known)):
                best, most = name, score
        return best


def weakest(confidences: Iterable[str]) -> str:
    """Give the weakest of some marks; A when there is none."""
    return max(confidences, default="A")


def is_uncertain(confidence: str) -> bool:
    """Whether a row is too weak to call a file malformed by."""
    return confidence in "CD"


def month_of_week(year: int, week: int, *, of_year: int | None = None) -> str:
    """Give the month ("2024-11") of an ISO week: that of its Thursday; "" when there is none.

    From 2026 on, in the transmissions ``of_year``, the weeks that only touch the year belong to
    its first or last month.
    """
    try:
        monday = date.fromisocalendar(year, week, 1)
    except ValueError:
        return ""
    thursday = monday + timedelta(days=3)
    if of_year is None or of_year <= _ISO_RULE_UNTIL or thursday.year == of_year:
        return f"{thursday:%Y-%m}"
    sunday = monday + timedelta(days=6)
    for day in (monday, sunday):
        if day.year == of_year:
            return f"{day:%Y-%m}"
    return f"{thursday:%Y-%m}"
