"""PMSI exports as values, small and told apart by what a test changes.

Rule 1: an export holds ``each`` records in every month up to its period, and nothing is wrong
    with it but what the test says.
"""

from __future__ import annotations

from datetime import UTC, date, datetime

from vault.config import load_timetable
from vault.finding import PmsiFacts, RecordTally, Soundness
from vault.pmsi import Expected, make_calendar
from vault.pmsi_cell import PmsiCalendar
from vault.results import Disconnection
from vault.transmission import Export, Holder

TIMETABLE = load_timetable()
FINESS = "990000010"
SEEN = datetime(2025, 3, 1, 1, tzinfo=UTC)
TODAY = date(2025, 3, 10)
HELD = (Holder(target="disk-a", since=SEEN, disconnection=Disconnection.DETACHED),)
MAIN = {
    "MCO": ("rss", "rsa"),
    "SMR": ("rhs", "rha"),
    "HAD": ("rpss", "rapss"),
    "PSY": ("rps", "rpsa"),
}


def tally(record: str, months: dict[str, int], *, version: str = "228", **more) -> RecordTally:
    lines = sum(months.values())
    return RecordTally(record=record, lines=lines, months=months, versions={version: lines}, **more)


def export(
    field: str = "SMR",
    year: int = 2024,
    period: int = 1,
    side: str = "in",
    *,
    stamp: str = "",
    each: int = 100,
    months: dict[int, int] | None = None,
    version: str = "228",
    confidence: str = "A",
    category: str = "",
    complete: bool = True,
    **more,
) -> Export:
    """Make one archive that holds every month up to its period."""
    held = {f"{year}-{m:02}": each for m in range(1, period + 1)}
    held |= {f"{year}-{m:02}": lines for m, lines in (months or {}).items()}
    record = MAIN.get(field, MAIN["MCO"])[side == "out"]
    facts = PmsiFacts(
        field=field,
        side=side,
        finess=FINESS,
        year=year,
        period=period,
        stamp=stamp or f"{year}-{period:02}-28T11:22:54",
        category=category,
        records=(tally(record, held, version=version, confidence=confidence),),
        complete=complete,
    )
    defaults = {"source": "pmsi", "soundness": Soundness.SOUND, "seen_at": SEEN, "holders": HELD}
    return Export(facts=facts, **(defaults | more))


def pair(*args, **more) -> list[Export]:
    return [export(*args, side=side, **more) for side in ("in", "out")]


def pairs(field: str, year: int, periods) -> list[Export]:
    return [one for period in periods for one in pair(field, year, period)]


def calendar(exports, *, expected: Expected | None = None, today: date = TODAY) -> PmsiCalendar:
    return make_calendar(exports, TIMETABLE, expected or Expected(), today=today)
