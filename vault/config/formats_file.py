"""What the files of ``policies/formats/`` may say, as frozen models that yield the domain's tables.

Rule 1: a site's file adds rows and replaces rows of the same name; what it leaves out stays.
Rule 2: a row of a site's file that only corrects one version need not tell its record again.
Source: ``policies/formats/README.md``.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StrictBool, StrictInt, StrictStr, model_validator

from vault.config.fields import Line, Model, Unlawful

Column = Annotated[StrictInt, Field(ge=1, le=20_000)]
Length = Annotated[StrictInt, Field(ge=1, le=100_000)]
Year = Annotated[StrictInt, Field(ge=2000, le=2099)]
Id = Annotated[StrictStr, Field(pattern=r"^[A-Za-z0-9 /*_-]{1,24}$")]
FieldName = Literal["MCO", "SMR", "HAD", "PSY"]
Confidence = Literal["A", "B", "C", "D"]
SpanFile = Annotated[tuple[Column, ...], Field(min_length=2, max_length=2)]
CounterFile = Annotated[tuple[StrictInt, ...], Field(min_length=3, max_length=3)]


def _check_spans(model: Model, names: tuple[str, ...]) -> None:
    for name in names:
        span = getattr(model, name)
        if span is not None and span[1] < span[0]:
            raise Unlawful("{name}: the first column stands after the last", name=name)


class PeriodFile(Model):
    """Where a line says for when it is."""

    date_at: SpanFile | None = Field(default=None, description="a day, ddmmyyyy")
    month_at: SpanFile | None = Field(default=None, description="a month, mm")
    week_at: SpanFile | None = Field(default=None, description="an ISO week, ww")
    year_at: SpanFile | None = Field(default=None, description="its year, yyyy")
    of: Line | None = Field(default=None, description="what the period is that of")

    @model_validator(mode="after")
    def _is_whole(self) -> PeriodFile:
        _check_spans(self, ("date_at", "month_at", "week_at", "year_at"))
        said = [self.date_at, self.month_at, self.week_at]
        if sum(one is not None for one in said) != 1:
            raise Unlawful("say exactly one of date_at, month_at, week_at")
        if (self.year_at is None) != (self.date_at is not None):
            raise Unlawful("year_at goes with month_at and week_at, and with nothing else")
        if self.date_at is not None and self.date_at[1] - self.date_at[0] != 7:
            raise Unlawful("date_at must be eight columns, ddmmyyyy")
        return self


class VersionFile(Model):
    """One version of a record type."""

    fixed: Length | None = Field(default=None, description="length of the fixed part")
    alt_fixed: tuple[Length, ...] = Field(default=(), description="other readings of it")
    add: tuple[CounterFile, ...] = Field(default=(), description="[size, first, last] of counters")
    alt_add: tuple[CounterFile, ...] = Field(default=(), description="counters of other readings")
    min_length: Length | None = Field(default=None, description="when only a least is known")
    length_range: SpanFile | None = Field(default=None, description="least and most")
    lengths: dict[FieldName, Length | tuple[Length, ...]] = Field(
        default_factory=dict, description="by field"
    )
    letters: dict[Annotated[StrictStr, Field(pattern="^[A-Z]$")], Length] = Field(
        default_factory=dict, description="by the letter of the line: one vector"
    )
    separator: Annotated[StrictStr, Field(pattern="^[;|\t]$")] | None = Field(
        default=None, description="what parts the columns of a line that is not fixed"
    )
    columns: tuple[Column, ...] = Field(default=(), description="how many it may part")
    version_at: SpanFile | None = Field(default=None, description="unlike the record's")
    finess_at: SpanFile | None = Field(default=None, description="unlike the record's")
    stay_key_at: SpanFile | None = Field(default=None, description="unlike the record's")
    period: PeriodFile | None = Field(default=None, description="unlike the record's")
    since: Year | None = Field(default=None, description="first year of use")
    until: Year | None = Field(default=None, description="last year of use")
    conf: Confidence = Field(description="how well the row is known, A to D")
    source: Line = Field(description="where the row is from")

    @model_validator(mode="after")
    def _says_a_length(self) -> VersionFile:
        _check_spans(self, ("version_at", "finess_at", "stay_key_at", "length_range"))
        said = (self.fixed, self.min_length, self.length_range, self.separator)
        ways = sum(one is not None for one in said) + bool(self.lengths) + bool(self.letters)
        if ways != 1:
            raise Unlawful(
                "say exactly one of fixed, min_length, length_range, lengths, letters, separator"
            )
        if (self.separator is None) != (not self.columns):
            raise Unlawful("separator and columns go together")
        if self.fixed is None and (self.add or self.alt_add):
            raise Unlawful("counters need a fixed part")
        for size, first, last in (*self.add, *self.alt_add):
            if not (0 < size <= 10_000 and 0 < first <= last <= first + 8 <= 20_000):
                raise Unlawful("a counter is [size, first column, last column]")
            if last > max((self.fixed or 0), *self.alt_fixed, 0):
                raise Unlawful("a counter stands in the fixed part")
        return self


class RecordFile(Model):
    """One type of record."""

    title: Line | None = Field(default=None, description="what it holds")
    fields: tuple[FieldName, ...] | None = Field(default=None, description="of the PMSI")
    side: Literal["in", "out", "both"] | None = Field(default=None, description="of an archive")
    version_at: SpanFile | None = Field(default=None, description="columns of the version")
    finess_at: SpanFile | None = Field(default=None, description="columns of the FINESS")
    finess_geo_at: SpanFile | None = Field(default=None, description="of the geographic FINESS")
    stay_key_at: SpanFile | None = Field(default=None, description="columns of the stay")
    nda_at: SpanFile | None = Field(default=None, description="columns of the file number")
    ipp_at: SpanFile | None = Field(default=None, description="columns of the patient number")
    period: PeriodFile | None = Field(default=None, description="columns of the period")
    nominative: StrictBool = Field(default=False, description="whether its lines name people")
    versions: dict[Id, VersionFile] = Field(description="its versions by their id")

    @model_validator(mode="after")
    def _spans(self) -> RecordFile:
        names = ("version_at", "finess_at", "finess_geo_at", "stay_key_at", "nda_at", "ipp_at")
        _check_spans(self, names)
        return self


class RecordsFile(Model):
    """The whole of ``records.yaml``."""

    records: dict[Id, RecordFile] = Field(description="layouts by the record's name")


class YearsFile(Model):
    """The whole of ``years.yaml``."""

    years: dict[Annotated[StrictStr, Field(pattern=r"^20\d\d$")], dict[Id, tuple[Id, ...]]] = Field(
        description="versions that a year's transmissions may hold, by record"
    )


class NameFile(Model):
    """One naming of archives."""

    pattern: Line = Field(description="in the letters of README.md")
    fields: tuple[FieldName, ...] = Field(description="of the PMSI")
    since: Annotated[StrictStr, Field(pattern=r"^20\d\d-[01]\d$")] = Field(
        description="first month"
    )
    until: Annotated[StrictStr, Field(pattern=r"^20\d\d-[01]\d$")] | None = Field(
        default=None, description="last month"
    )
    stamp: Literal["iso", "french", "either"] = Field(description="order of the time stamp")
    conf: Confidence = Field(description="how well the row is known, A to D")
    source: Line = Field(description="where the row is from")


class NamesFile(Model):
    """The whole of ``names.yaml``."""

    names: dict[Id, NameFile] = Field(description="namings of archives")


class MemberFile(Model):
    """One member of an archive."""

    record: Id | None = Field(default=None, description="type of its records")
    role: Annotated[StrictStr, Field(pattern=r"^[a-z]{2,16}$")] = Field(
        description="main, identity, statistics, trace, or another word"
    )
    required: StrictBool = Field(default=False, description="whether its role must be filled")


class SidesFile(Model):
    """The members of both sides."""

    in_: dict[StrictStr, MemberFile] = Field(
        default_factory=dict, alias="in", description="of the sources"
    )
    out: dict[StrictStr, MemberFile] = Field(
        default_factory=dict, description="of what is transmitted"
    )


class MembersFile(Model):
    """The whole of ``members.yaml``."""

    members: dict[Literal["MCO", "SMR", "HAD", "PSY", "RSFACE"], SidesFile] = Field(
        description="members by field"
    )
