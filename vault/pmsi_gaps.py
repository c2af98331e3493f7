"""What the PMSI calendar makes of gaps: one a row, year and kind, with what to do.

Rule 1: pure; no gap names a file, only FINESS, field and periods.
Rule 2: a December that the law has kept is a gap of its own kind, and of no other.
Rule 3: an amber cell is no gap: it is something to look at, and stands in the calendar.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, time, timedelta, tzinfo

from vault.gap import Gap
from vault.pmsi_cell import Cell, CellState, PmsiCalendar
from vault.timetable import MONTHS


def find_pmsi_gaps(calendar: PmsiCalendar, zone: tzinfo) -> tuple[Gap, ...]:
    """Give the gaps of a calendar, in its order; ``zone`` is the site's."""
    owed = {id(december.cell) for december in calendar.decembers}
    rows: dict[tuple[str, str, int, CellState, bool], list[Cell]] = {}
    for cell in calendar.cells:
        if cell.state.is_wrong:
            is_december = id(cell) in owed and cell.state is CellState.MISSING
            key = (cell.series.finess, cell.series.name, cell.year, cell.state, is_december)
            rows.setdefault(key, []).append(cell)
    found = [_gap(cells, zone, is_december=key[-1]) for key, cells in rows.items()]
    return (*found, *_never_came(calendar))


def _gap(cells: list[Cell], zone: tzinfo, *, is_december: bool) -> Gap:
    first = cells[0]
    values: dict[str, object] = {
        "finess": first.series.finess,
        "field": first.series.name,
        "year": first.year,
        "periods": ", ".join(f"M{cell.period:02}" for cell in cells),
    }
    source = first.counted.exports[0].source if first.counted else None
    if is_december:
        return Gap(
            kind="pmsi-m12-missing",
            since=_since(first, zone),
            values=values,
            template="PMSI {field} {year} M12 of {finess} is missing; a whole year hangs on it, "
            "and the law has it kept for five",
            mend="the DIM exports M12 again, IN and OUT, into the folder of its exports; the next "
            "night takes it",
        )
    if first.state is CellState.MISSING:
        return Gap(
            kind="pmsi-missing",
            since=_since(first, zone),
            values=values,
            template="PMSI {field} {year} of {finess}: {periods} late or missing",
            mend="the DIM exports each period again, IN and OUT, into the folder of its exports; "
            "the next night takes it",
        )
    if first.state is CellState.MALFORMED:
        return Gap(
            kind="pmsi-malformed",
            source=source,
            since=_seen(first),
            values=values,
            template="PMSI {field} {year} of {finess}: {periods} came, but not well formed",
            mend="the DIM exports each period again; coffre pmsi explain tells what is wrong with "
            "what came",
        )
    return Gap(
        kind="pmsi-shrunk",
        source=source,
        since=_seen(first),
        values={**values, "alarm": "pmsi-shrunk/{finess}/{field}/{year}".format_map(values)},
        template="PMSI {field} {year} of {finess}: {periods} holds less than the export before",
        marks=tuple(f"M{cell.period:02} {cell.counted.mark}" for cell in cells if cell.counted),
        mend="the DIM compares both: the fuller one is kept; coffre pmsi explain tells what is "
        "less; a lawful loss passes by coffre ack {alarm} --by NAME --reason R",
    )


def _since(cell: Cell, zone: tzinfo) -> datetime:
    """Give when a period became late: the midnight after the day on which it was due."""
    return datetime.combine(cell.due_on + timedelta(days=1), time(), zone)


def _seen(cell: Cell) -> datetime | None:
    return cell.counted.seen_at if cell.counted else None


def _never_came(calendar: PmsiCalendar) -> Iterator[Gap]:
    """Say which Decembers of the last years were never put here, a row at a time."""
    rows: dict[tuple[str, str], list[int]] = {}
    for december in calendar.decembers:
        if december.cell is None:
            rows.setdefault((december.finess, december.field), []).append(december.year)
    for (finess, field), years in rows.items():
        yield Gap(
            kind="pmsi-m12-never-came",
            values={
                "finess": finess,
                "field": field,
                "years": ", ".join(map(str, years)),
                "month": f"M{MONTHS}",
            },
            template="PMSI {field} of {finess}: {month} of {years} was never put here",
            mend="if the DIM still has these archives, into the folder of its exports with them: "
            "they are to be kept five years",
        )
