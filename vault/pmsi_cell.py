"""One period of one row of the PMSI calendar: its state, and what the state is about.

Rule 1: the names of the states are a contract.
Rule 2: what somebody said of a loss is kept with the cell, and is of one attempt.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from vault.finding import Remark
from vault.transmission import Attempt, Holder, Proof, Series


class CellState(StrEnum):
    """What a cell is; the names are a contract."""

    SOUND = "sound"
    AMBER = "amber"  # there, with something to look at
    MISSING = "missing"
    MALFORMED = "malformed"
    SHRUNK = "shrunk"
    NOT_DUE = "not-due"

    @property
    def is_wrong(self) -> bool:
        """Whether somebody must act."""
        return self in (CellState.MISSING, CellState.MALFORMED, CellState.SHRUNK)


@dataclass(frozen=True, slots=True, kw_only=True)
class LawfulLoss:
    """A person's word that one attempt rightly holds less than the one before."""

    attempt: str  # its mark
    by: str
    reason: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One period of one row."""

    series: Series
    year: int
    period: int
    state: CellState
    due_on: date
    reasons: tuple[Remark, ...] = ()
    counted: Attempt | None = None  # the attempt that the state is about
    attempts: tuple[Attempt, ...] = ()  # all of them, the oldest first
    lawful_loss: LawfulLoss | None = None  # what somebody said of the loss that it has

    @property
    def name(self) -> str:
        """How a person asks for it: ``990000010/SMR/2024/M11``."""
        return cell_name(self.series, self.year, self.period)

    @property
    def holders(self) -> tuple[Holder, ...]:
        """The targets that hold what counts."""
        return self.counted.holders if self.counted else ()

    @property
    def proof(self) -> Proof | None:
        """The newest restore test of what counts."""
        return self.counted.proof if self.counted else None


def cell_name(series: Series, year: int, period: int) -> str:
    """Name a cell, as a person asks for it."""
    return f"{series.finess}/{series.name}/{year}/M{period:02}"


@dataclass(frozen=True, slots=True, kw_only=True)
class December:
    """One M12 of the years that the law has kept; no cell when nobody expects one here."""

    finess: str
    field: str
    year: int
    cell: Cell | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Blank:
    """Periods of a year that are past, never came and are not expected: from before Coffre."""

    series: Series
    year: int
    periods: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PmsiCalendar:
    """Everything that is known of the PMSI exports."""

    cells: tuple[Cell, ...] = ()
    decembers: tuple[December, ...] = ()
    blanks: tuple[Blank, ...] = ()
    tests: int = 0  # files of period 0
    unplaced: int = 0  # archives that do not say establishment, field or period
