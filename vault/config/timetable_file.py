"""What ``policies/formats/calendar.yaml`` may say, as frozen models that yield the timetable.

Rule 1: a site's file replaces the package's whole; nothing is merged.
Rule 2: every row says how sure it is and where it is from; a row without is refused.
Source: policies/formats/calendar.yaml; docs/configuration.md.
"""

from __future__ import annotations

import os
import re
from datetime import date
from itertools import pairwise
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, StrictInt, WithJsonSchema, model_validator

from vault.config.faults import validate
from vault.config.fields import Line, Model, Unlawful
from vault.config.nodes import read_document
from vault.config.safety import POLICY, read_safely
from vault.config.settings import PmsiField
from vault.config.shipping import shipped
from vault.timetable import FIELDS, MONTHS, Cadence, Rhythm, Timetable, WeekRule

Year = Annotated[StrictInt, Field(ge=1990, le=2200)]
PLACE = os.path.join("formats", "calendar.yaml")  # below a folder of policies


def _month(value: object) -> tuple[int, int]:
    found = re.fullmatch(r"(\d{4})-(0[1-9]|1[0-2])", value) if isinstance(value, str) else None
    if found is None:
        raise Unlawful("must be a month like 2016-05")
    return int(found[1]), int(found[2])


def _day(value: object) -> date:
    try:
        return date.fromisoformat(value) if isinstance(value, str) else _no_day()
    except ValueError:
        return _no_day()


def _no_day() -> date:
    raise Unlawful("must be a day like 2020-06-30") from None


Month = Annotated[tuple[int, int], BeforeValidator(_month), WithJsonSchema({"type": "string"})]
Day = Annotated[date, BeforeValidator(_day), WithJsonSchema({"type": "string"})]


class _Row(Model):
    """What every row says of itself."""

    confidence: Literal["A", "B", "C", "D"] = Field(description="how sure it is, A to D")
    source: Line = Field(description="where it is from")


class CadenceRow(_Row):
    """From one month on, how often a field is sent."""

    since: Month = Field(alias="from", description="the first month")
    each: Rhythm = Field(description="month, two-months or quarter")


class DueRow(_Row):
    """Until when a period's export is in time."""

    months_after: Annotated[StrictInt, Field(ge=0, le=12)] = Field(
        description="until the end of the n-th month after the period"
    )


class ExceptionRow(_Row):
    """The due day of one period."""

    field: PmsiField = Field(description="MCO, SMR, HAD or PSY")
    year: Year = Field(description="the period's year")
    period: Annotated[StrictInt, Field(ge=1, le=MONTHS)] = Field(description="its month, 1 to 12")
    day: Day = Field(description="the last day in time")


class WeekRow(_Row):
    """From one year on, to which month a week belongs."""

    since: Year = Field(alias="from", description="the first year")
    rule: WeekRule = Field(description="iso-thursday or any-day")


class TimetableFile(Model):
    """The whole of calendar.yaml."""

    periods: dict[PmsiField, tuple[CadenceRow, ...]] = Field(description="how often, by field")
    due: dict[PmsiField, DueRow] = Field(description="until when, by field")
    exceptions: tuple[ExceptionRow, ...] = Field(
        default=(), description="periods with a day of their own"
    )
    weeks: Annotated[tuple[WeekRow, ...], Field(min_length=1)] = Field(
        description="to which month a week of SMR belongs"
    )

    @model_validator(mode="after")
    def _whole(self) -> TimetableFile:
        for name, said in (("periods", {*self.periods}), ("due", {*self.due})):
            if missing := [one for one in FIELDS if one not in said]:
                raise Unlawful(
                    "{table}: nothing is said of {fields}", table=name, fields=", ".join(missing)
                )
        orders: dict[str, list[tuple[int, int]]] = {
            f"periods.{one}": [row.since for row in rows] for one, rows in self.periods.items()
        }
        orders["weeks"] = [(row.since, 1) for row in self.weeks]
        for name, since in orders.items():
            if any(a >= b for a, b in pairwise(since)):
                raise Unlawful("{table}: the rows must stand in order of time", table=name)
        return self

    def to_timetable(self) -> Timetable:
        """Give the domain's timetable."""
        return Timetable(
            cadences={
                one: tuple(Cadence(since=row.since, rhythm=row.each) for row in rows)
                for one, rows in self.periods.items()
            },
            months_after={one: row.months_after for one, row in self.due.items()},
            weeks=tuple((row.since, row.rule) for row in self.weeks),
            exceptions={(row.field, row.year, row.period): row.day for row in self.exceptions},
        )


def load_timetable(policies: str | None = None) -> Timetable:
    """Read a site's timetable in its folder of policies, else the package's; ConfigProblems."""
    if policies is not None and os.path.lexists(site := os.path.join(policies, PLACE)):
        content, path = read_safely(site, POLICY), site
    else:
        path = shipped(os.path.join("policies", PLACE))
        with open(path, "rb") as file:
            content = file.read()
    document = read_document(content, path)
    return validate(TimetableFile, document, folder=os.path.dirname(path)).to_timetable()
