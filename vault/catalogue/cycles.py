"""Facts and cycles: what each night was about, how far it came, how it ended.

Rule 1: a step is committed before its act; a cycle that ended is never rewritten.
Rule 2: a cycle without an end is the trace of a death: it is closed as what it was, never resumed.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, Connection, Row, Table, insert, select, update
from sqlalchemy.dialects.sqlite import insert as upsert

from vault.catalogue.database import Database
from vault.catalogue.schema import alien, cycle_source, cycle_target, fact
from vault.catalogue.schema import cycle as cycle_table
from vault.errors import CatalogueError
from vault.results import (
    CycleResult,
    CycleVerdict,
    Disconnection,
    Refusal,
    SourceResult,
    SourceVerdict,
    TargetOutcome,
    TargetResult,
    VaultStatus,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

_STATUS_OF = {
    CycleVerdict.DEGRADED: VaultStatus.DEGRADED,
    CycleVerdict.SECURED: VaultStatus.SECURED,
}


class Cycles(Database):
    """The part of the catalogue that remembers facts and cycles."""

    def fact(self, name: str) -> str | None:
        """Give what was set last under a name, None when nothing was."""
        with self._reading() as connection:
            value: str | None = connection.scalar(select(fact.c.value).where(fact.c.name == name))
            return value

    def set_fact(self, name: str, value: str) -> None:
        """Set a fact, over what stood there."""
        wanted = upsert(fact).values(name=name, value=value)
        with self._writing() as connection:
            connection.execute(
                wanted.on_conflict_do_update(index_elements=["name"], set_={"value": value})
            )

    def begin_cycle(self, started_at: datetime, *, forced: bool) -> int:
        """Begin a cycle; give its number: 1, 2, 3… never given twice."""
        row = {"started_at": started_at, "forced": forced, "step": 0}
        with self._writing() as connection:
            return int(connection.execute(insert(cycle_table).values(row)).lastrowid)

    def set_step(self, cycle: int, step: int) -> None:
        """Say which step begins, before it does."""
        with self._writing() as connection:
            _change(connection, cycle, {"step": step})

    def step(self, cycle: int) -> int:
        """Give the last step that was announced."""
        with self._reading() as connection:
            found = connection.scalar(
                select(cycle_table.c.step).where(cycle_table.c.number == cycle)
            )
        if found is None:
            raise CatalogueError("there is no cycle {cycle}", cycle=cycle)
        return int(found)

    def end_cycle(self, result: CycleResult) -> None:
        """Store how a cycle ended, once; its beginning stays as it was begun."""
        ended = {
            "ended_at": result.ended_at,
            "verdict": result.verdict.value,
            "status": result.status.value,
            "reasons": result.reasons,
            "warnings": result.warnings,
        }
        number = result.cycle
        with self._writing() as connection:
            _change(connection, number, ended)
            _store(connection, cycle_source, number, [asdict(one) for one in result.sources])
            _store(connection, cycle_target, number, [_kept(one) for one in result.targets])
            _store(connection, alien, number, [asdict(one) for one in result.aliens])

    def unfinished_cycles(self) -> tuple[int, ...]:
        """Give the cycles that began and did not end, oldest first."""
        running = select(cycle_table.c.number).where(cycle_table.c.ended_at.is_(None))
        with self._reading() as connection:
            return tuple(connection.scalars(running.order_by(cycle_table.c.number)))

    def close_unfinished(self, cycle: int, verdict: CycleVerdict, ended_at: datetime) -> None:
        """Close a cycle that a death left; its sources and targets stay unknown."""
        ended = {
            "ended_at": ended_at,
            "verdict": verdict.value,
            "status": _STATUS_OF.get(verdict, VaultStatus.LOCKED).value,
            "reasons": (),
            "warnings": (),
        }
        with self._writing() as connection:
            _change(connection, cycle, ended)

    def cycle(self, number: int) -> CycleResult | None:
        """Give one ended cycle, None when it never began or has not ended."""
        found = self._ended(cycle_table.c.number == number, limit=1)
        return found[0] if found else None

    def last_cycle(self) -> CycleResult | None:
        """Give the newest ended cycle."""
        found = self.cycles(1)
        return found[0] if found else None

    def cycles(self, limit: int) -> list[CycleResult]:
        """Give the newest ended cycles, newest first."""
        return self._ended(cycle_table.c.ended_at.is_not(None), limit=limit)

    def last_seen(self, source: str) -> datetime | None:
        """Give when the newest ended cycle ended that saved this source or found it unchanged."""
        wanted = (
            select(cycle_table.c.ended_at)
            .join(cycle_source, cycle_source.c.cycle == cycle_table.c.number)
            .where(cycle_source.c.name == source, cycle_source.c.verdict.in_(_SEEN))
            .where(cycle_table.c.ended_at.is_not(None))
            .order_by(cycle_table.c.number.desc())
            .limit(1)
        )
        with self._reading() as connection:
            seen: datetime | None = connection.scalar(wanted)
            return seen

    def _ended(self, which: ColumnElement[bool], *, limit: int) -> list[CycleResult]:
        wanted = (
            select(cycle_table)
            .where(which, cycle_table.c.ended_at.is_not(None))
            .order_by(cycle_table.c.number.desc())
            .limit(limit)
        )
        with self._reading() as connection:
            return [_result(connection, row) for row in connection.execute(wanted).all()]


_SEEN = (SourceVerdict.SAVED.value, SourceVerdict.UNCHANGED.value)


def _change(connection: Connection, number: int, values: Mapping[str, object]) -> None:
    """Change a cycle that has not ended; CatalogueError when there is none."""
    running = update(cycle_table).where(
        cycle_table.c.number == number, cycle_table.c.ended_at.is_(None)
    )
    if connection.execute(running.values(**values)).rowcount != 1:
        raise CatalogueError("cycle {cycle} is not running", cycle=number)


def _store(connection: Connection, table: Table, number: int, rows: list[dict[str, Any]]) -> None:
    if rows:
        placed = [{**row, "cycle": number, "position": i} for i, row in enumerate(rows)]
        connection.execute(insert(table), placed)


def _result(connection: Connection, row: Row[Any]) -> CycleResult:
    return CycleResult(
        cycle=row.number,
        verdict=CycleVerdict(row.verdict),
        status=VaultStatus(row.status),
        started_at=row.started_at,
        ended_at=row.ended_at,
        sources=tuple(_source(one) for one in _parts(connection, cycle_source, row.number)),
        targets=tuple(_target(one) for one in _parts(connection, cycle_target, row.number)),
        aliens=tuple(Refusal(**one) for one in _parts(connection, alien, row.number)),
        reasons=row.reasons,
        warnings=row.warnings,
    )


def _source(members: dict[str, Any]) -> SourceResult:
    return SourceResult(**members | {"verdict": SourceVerdict(members["verdict"])})


def _kept(target: TargetResult) -> dict[str, Any]:
    """Give what is stored of a target's result; the ledger has what was read back of old files."""
    members = asdict(target)
    return {name: value for name, value in members.items() if not name.startswith("old_")}


def _target(members: dict[str, Any]) -> TargetResult:
    outcome = TargetOutcome(members["outcome"])
    disconnection = Disconnection(members["disconnection"])
    return TargetResult(**members | {"outcome": outcome, "disconnection": disconnection})


def _parts(connection: Connection, table: Table, number: int) -> list[dict[str, Any]]:
    """Give the rows of one cycle in their order, without the columns that only place them."""
    wanted = select(table).where(table.c.cycle == number).order_by(table.c.position)
    found = connection.execute(wanted).mappings()
    return [{k: v for k, v in row.items() if k not in ("cycle", "position")} for row in found]
