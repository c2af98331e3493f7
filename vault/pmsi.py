"""The PMSI calendar: for each establishment, field and period, whether its export is safe.

    exports  ->  attempts by stamp  ->  one cell a period  ->  the calendar, and its block of M12

Rule 1: a cell counts the newest sound attempt that any snapshot of ours holds: an export folder
    that is emptied in January loses no cell.
Rule 2: a cell is sound only when a target holds the whole of it; what is in the landing alone is
    amber, and says so.
Rule 3: only what is expected can be missing: a year from its first period seen on, a field from
    the day it first came, and what the site's configuration names.
Rule 4: a loss that somebody said to be lawful is no loss, and its attempt is what the next ones of
    its period are compared with.
Rule 5: what rests on a rule of confidence C or D, and any other file than that of the stays, is
    amber at worst.
Source: design, sections 1 and 6; arrêté PMSI-MCO of 23 December 2016, article 5-II (five years).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as member
from datetime import date
from functools import cached_property

from vault.finding import Remark, Soundness
from vault.pmsi_cell import (
    Blank,
    Cell,
    CellState,
    December,
    LawfulLoss,
    PmsiCalendar,
    cell_name,
)
from vault.pmsi_counts import Counts, count, empty_months, losses
from vault.timetable import FIELDS, MONTHS, Timetable
from vault.transmission import (
    FITNESS,
    Attempt,
    Export,
    Placed,
    Series,
    choose,
    gather,
)

M12_YEARS = 5  # that the law has kept
_NEWER = "pmsi-newer-on-no-target"
_SHRUNK = ("pmsi-month-shrunk", "pmsi-total-shrunk")


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What the site says of itself: from a year on, which fields an establishment sends."""

    fields: Mapping[str, frozenset[str]] = member(default_factory=dict)  # by FINESS
    since_year: int = 0  # what is named is expected from this year on
    lawful_losses: Mapping[str, LawfulLoss] = member(default_factory=dict)  # by cell


def make_calendar(
    exports: Sequence[Export],
    timetable: Timetable,
    expected: Expected,
    *,
    today: date,
    m12_years: int = M12_YEARS,
) -> PmsiCalendar:
    """Judge every period that came or should have come; ``today`` is the site's."""
    placed = gather(exports)
    named = [Series(finess=f, field=one) for f, some in expected.fields.items() for one in some]
    rows: Placed = {**{series: {} for series in named}, **placed}
    cells: list[Cell] = []
    blanks: list[Blank] = []
    for series in sorted(rows, key=_in_order):
        row = _Row(series, rows[series], timetable, expected, today)
        cells += row.cells()
        blanks += row.blanks()
    seen = {
        id(export)
        for row in placed.values()
        for attempts in row.values()
        for attempt in attempts
        for export in attempt.exports
    }
    archives = [export for export in exports if export.facts.side != "loose"]
    tests = sum(export.facts.period == 0 for export in archives)
    return PmsiCalendar(
        cells=tuple(cells),
        decembers=tuple(_decembers(cells, timetable, today, m12_years)),
        blanks=tuple(blanks),
        tests=tests,
        unplaced=len(archives) - tests - len(seen),
    )


def _in_order(series: Series) -> tuple[str, int, str, str]:
    rank = FIELDS.index(series.field) if series.field in FIELDS else len(FIELDS)
    return series.finess, rank, series.field, series.category


# -- one row


@dataclass(frozen=True)  # without slots: it keeps what it looks up often
class _Row:
    """All that came of one series, and what should have."""

    series: Series
    came: Mapping[tuple[int, int], tuple[Attempt, ...]]
    timetable: Timetable
    expected: Expected
    today: date

    def cells(self) -> Iterator[Cell]:
        """Give the row's cells, the oldest first."""
        years = range(self._first_year(), self.today.year + 1)
        for year in sorted({*self._came_in, *years}):
            yield from self._year(year)

    def blanks(self) -> Iterator[Blank]:
        """Give what is past, never came and is not expected, from the first year that came on."""
        if not self.came or self.series.category:
            return
        last = self.today.year if self._goes_on else max(self._came_in)
        for year in range(min(self._came_in), last + 1):
            wanted = self._expected_periods(year)
            periods = tuple(
                period
                for period in self.timetable.expected_periods(self.series.field, year)
                if (year, period) not in self.came
                and period not in wanted
                and self._due(year, period) < self.today
            )
            if periods:
                yield Blank(series=self.series, year=year, periods=periods)

    def _first_year(self) -> int:
        """Give the first year in which something may be expected without being seen."""
        if self._is_named:
            return min(self.expected.since_year, self.today.year)
        return self._first_came.year - 1 if self.came else self.today.year + 1

    @property
    def _is_named(self) -> bool:
        return self.series.field in self.expected.fields.get(self.series.finess, ())

    @cached_property
    def _came_in(self) -> dict[int, list[int]]:
        """The periods that came, by year."""
        found: dict[int, list[int]] = {}
        for year, period in self.came:
            found.setdefault(year, []).append(period)
        return found

    @cached_property
    def _first_came(self) -> date:
        return min(
            attempt.seen_at.date() for attempts in self.came.values() for attempt in attempts
        )

    def _year(self, year: int) -> Iterator[Cell]:
        wanted = self._expected_periods(year)
        before: tuple[str, Counts] | None = None
        for period in range(1, MONTHS + 1):
            attempts = self.came.get((year, period), ())
            if attempts:
                cell, counts = self._judge(year, period, attempts, before)
                if not cell.state.is_wrong:  # a loss is measured from the last that had none
                    before = f"M{period:02}", counts
                yield cell
            elif period in wanted:
                yield self._absent(year, period)

    def _expected_periods(self, year: int) -> set[int]:
        """Give the periods of a year that should come."""
        sent = self.timetable.expected_periods(self.series.field, year)
        seen = self._came_in.get(year, [])
        found = {period for period in sent if seen and period >= min(seen)}
        if self._is_named and year >= self.expected.since_year:
            found |= set(sent)
        elif self.came and self._goes_on:
            found |= {period for period in sent if self._due(year, period) > self._first_came}
        return found

    @property
    def _goes_on(self) -> bool:
        """Whether new years are expected: not when the site names others of its fields only."""
        named = self.expected.fields.get(self.series.finess)
        return named is None or self.series.field in named

    def _due(self, year: int, period: int) -> date:
        return self.timetable.due_on(self.series.field, year, period)

    def _absent(self, year: int, period: int) -> Cell:
        due = self._due(year, period)
        if self.today <= due:
            return self._cell(year, period, CellState.NOT_DUE)
        remark = Remark(
            code="pmsi-missing",
            template="no export of {period} has come; it was due on {due}",
            values={"period": f"M{period:02}", "due": due.isoformat()},
            soundness=Soundness.MALFORMED,
        )
        later = [one for one in self._came_in.get(year, []) if one > period]
        reasons = [remark]
        if later:
            reasons.append(
                Remark(
                    code="pmsi-covered-later",
                    template="{later} came and is cumulative: it holds the activity of "
                    "{period}, not the export as it was sent",
                    values={"later": f"M{min(later):02}", "period": f"M{period:02}"},
                )
            )
        state = CellState.AMBER if self.series.category else CellState.MISSING
        return self._cell(year, period, state, reasons=tuple(reasons))

    def _cell(
        self,
        year: int,
        period: int,
        state: CellState,
        *,
        reasons: tuple[Remark, ...] = (),
        counted: Attempt | None = None,
        attempts: tuple[Attempt, ...] = (),
        lawful_loss: LawfulLoss | None = None,
    ) -> Cell:
        return Cell(
            series=self.series,
            year=year,
            period=period,
            state=state,
            due_on=self._due(year, period),
            reasons=reasons,
            counted=counted,
            attempts=attempts,
            lawful_loss=lawful_loss,
        )

    def _judge(
        self,
        year: int,
        period: int,
        attempts: tuple[Attempt, ...],
        before: tuple[str, Counts] | None,
    ) -> tuple[Cell, Counts]:
        """Judge a period that came; ``before`` names what it is compared with, and its counts."""
        counted = choose(attempts)
        counts = count(counted, year, self.timetable)
        reasons = list(_of_itself(counted, counts, period))
        said, accepted = self._lawful_loss(year, period, attempts[: attempts.index(counted) + 1])
        if before is not None and accepted is None:
            what, older = before
            reasons += losses(counts, older, what=what, is_same_period=False)
        fullest = accepted or self._fullest_before(counted, attempts, year)
        if fullest is not None and fullest is not counted:
            what = f"M{period:02} ({fullest.day})"
            older = count(fullest, year, self.timetable)
            reasons += losses(counts, older, what=what, is_same_period=True)
        state = _state(counted, reasons, is_main=not self.series.category)
        reasons += _of_others(attempts, counted)
        if state is CellState.SOUND and any(r.code == _NEWER for r in reasons):
            state = CellState.AMBER
        cell = self._cell(
            year,
            period,
            state,
            reasons=_once(reasons),
            counted=counted,
            attempts=attempts,
            lawful_loss=said,
        )
        return cell, counts

    def _lawful_loss(
        self, year: int, period: int, attempts: Sequence[Attempt]
    ) -> tuple[LawfulLoss | None, Attempt | None]:
        """Give what was said of a loss, and its attempt: from then on that one is compared with."""
        said = self.expected.lawful_losses.get(cell_name(self.series, year, period))
        found = (one for one in attempts if said is not None and one.mark == said.attempt)
        attempt = next(found, None)
        return (said, attempt) if attempt else (None, None)

    def _fullest_before(
        self, counted: Attempt, attempts: Sequence[Attempt], year: int
    ) -> Attempt | None:
        """Give the earlier whole attempt with most records: a loss sent twice stays a loss."""
        earlier = [one for one in attempts[: attempts.index(counted)] if one.fitness > 1]
        return max(
            earlier,
            key=lambda one: sum(count(one, year, self.timetable).totals.values()),
            default=None,
        )


def _once(reasons: Sequence[Remark]) -> tuple[Remark, ...]:
    """Leave out what was said before: IN and OUT often have the same to say."""
    return tuple({remark.sentence: remark for remark in reversed(reasons)}.values())[::-1]


def _of_itself(attempt: Attempt, counts: Counts, period: int) -> Iterator[Remark]:
    """Say what an attempt lacks, looked at by itself."""
    if not attempt.is_whole:
        (there,) = attempt.sides or {"?"}
        yield Remark(
            code="pmsi-one-side",
            template="only the archive {side} is there: the other side of the same export is "
            "missing",
            values={"side": there.upper()},
        )
    for export in attempt.exports:
        if not export.facts.complete:
            yield Remark(
                code="pmsi-incomplete",
                template="the archive {side} lacks a file that every transmission has",
                values={"side": export.facts.side.upper()},
            )
        yield from export.remarks
        if export.soundness is not Soundness.SOUND and not export.remarks:
            yield Remark(
                code="pmsi-judged",
                template="archive {side}: {soundness}",
                values={"side": export.facts.side.upper(), "soundness": str(export.soundness)},
                soundness=export.soundness,
            )
    for month in empty_months(counts, period):
        yield Remark(
            code="pmsi-month-empty",
            template="no record falls in {month}",
            values={"month": f"M{month:02}"},
        )
    if not attempt.holders:
        yield Remark(
            code="pmsi-on-no-target",
            template="in the vault host's landing only: on no target yet",
        )


def _of_others(attempts: Sequence[Attempt], counted: Attempt) -> Iterator[Remark]:
    """Say that other attempts are kept; a newer one as good that no target holds is a doubt."""
    for number, attempt in enumerate(attempts):
        if attempt is counted:
            continue
        if number > attempts.index(counted) and attempt.fitness == counted.fitness:
            yield Remark(
                code=_NEWER,
                template="a newer attempt, made on {day}, is on no target yet",
                values={"day": attempt.day},
            )
        else:
            yield Remark(
                code="pmsi-other-attempt",
                template="another attempt is kept, made on {day}: {fitness}",
                values={"day": attempt.day, "fitness": FITNESS[attempt.fitness]},
                soundness=Soundness.SOUND,
            )


def _state(attempt: Attempt, reasons: Sequence[Remark], *, is_main: bool) -> CellState:
    if attempt.soundness is Soundness.MALFORMED:
        return CellState.MALFORMED if is_main else CellState.AMBER
    lost = [r for r in reasons if r.code in _SHRUNK and r.soundness is Soundness.MALFORMED]
    if lost and is_main:
        return CellState.SHRUNK
    doubts = [remark for remark in reasons if remark.soundness is not Soundness.SOUND]
    is_doubtful = doubts or attempt.soundness is not Soundness.SOUND
    return CellState.AMBER if is_doubtful else CellState.SOUND


# -- the Decembers that the law has kept


def _decembers(
    cells: Sequence[Cell], timetable: Timetable, today: date, years: int
) -> Iterator[December]:
    """Give M12 of each of the last years that are over and due, by row."""
    by_name = {(cell.series, cell.year): cell for cell in cells if cell.period == MONTHS}
    rows = sorted({cell.series for cell in cells if not cell.series.category}, key=_in_order)
    for series in rows:
        last = today.year - 1
        cell = by_name.get((series, last))
        is_owed = timetable.due_on(series.field, last, MONTHS) < today
        newest = last if is_owed or (cell and cell.counted) else last - 1
        for year in range(newest - years + 1, newest + 1):
            yield December(
                finess=series.finess,
                field=series.field,
                year=year,
                cell=by_name.get((series, year)),
            )
