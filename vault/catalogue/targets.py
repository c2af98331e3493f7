"""Targets: their pins, their openings, and what they were seen to hold.

Rule 1: an opening is committed before its door moves; once proven shut it is never rewritten.
Rule 2: heads, holds and speed belong to the enrolment in use; a name that was retired and enrolled
    anew begins with none of them.
Rule 3: nothing here says which file a target has: only the target itself is asked that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, Connection, Row, and_, insert, or_, select, true, update
from sqlalchemy.dialects.sqlite import insert as upsert

from vault.catalogue.database import Database
from vault.catalogue.schema import opening as opening_table
from vault.catalogue.schema import target as target_table
from vault.catalogue.schema import target_head, target_hold
from vault.errors import CatalogueError
from vault.records import Hold, OpeningRecord, PublishedHead
from vault.results import (
    Disconnection,
    DoorProof,
    Exposure,
    ShutReport,
    TargetRecord,
)

if TYPE_CHECKING:
    from datetime import datetime


_NOT_SHUT = or_(opening_table.c.proof.is_(None), opening_table.c.proof != DoorProof.SHUT.value)


class Targets(Database):
    """The part of the catalogue that remembers targets."""

    def add_target(self, record: TargetRecord) -> None:
        """Store an enrolled target; CatalogueError while its name is in use."""
        row = {name: getattr(record, name) for name in TargetRecord.__slots__}
        with self._writing() as connection:
            if record.retired_at is None and _in_use(connection, record.name) is not None:
                raise CatalogueError(
                    "target {target} is enrolled already",
                    hint="retire it first?",
                    target=record.name,
                )
            connection.execute(insert(target_table).values(row))

    def target(self, name: str) -> TargetRecord | None:
        """Give the target in use under a name."""
        with self._reading() as connection:
            row = _in_use(connection, name)
        return None if row is None else _record(row)

    def targets(self, *, include_retired: bool = False) -> list[TargetRecord]:
        """Give the targets in the order they were enrolled."""
        wanted = select(target_table).order_by(target_table.c.id)
        if not include_retired:
            wanted = wanted.where(target_table.c.retired_at.is_(None))
        with self._reading() as connection:
            return [_record(row) for row in connection.execute(wanted)]

    def retire_target(self, name: str, at: datetime) -> None:
        """Take a target out of use; its history stays."""
        with self._writing() as connection:
            row = _known(connection, name)
            retire = update(target_table).where(target_table.c.id == row.id)
            connection.execute(retire.values(retired_at=at))

    def measured_rate(self, target: str) -> float | None:
        """Give the speed measured last, in bytes a second."""
        with self._reading() as connection:
            rate: float | None = _known(connection, target).bytes_per_second
            return rate

    def set_measured_rate(self, target: str, bytes_per_second: float) -> None:
        """Keep the speed that was measured."""
        with self._writing() as connection:
            row = _known(connection, target)
            measured = update(target_table).where(target_table.c.id == row.id)
            connection.execute(measured.values(bytes_per_second=bytes_per_second))

    def announce_opening(
        self, target: str, purpose: str, writing: bool, cycle: int | None, opened_at: datetime
    ) -> int:
        """Say that a door is about to open; give the opening's number, one sequence for all."""
        row = {
            "target": target,
            "purpose": purpose,
            "writing": writing,
            "cycle": cycle,
            "opened_at": opened_at,
        }
        with self._writing() as connection:
            return int(connection.execute(insert(opening_table).values(row)).lastrowid)

    def close_opening(self, number: int, exposure: Exposure) -> None:
        """Store how long a door stood open and what proved it shut.

        An opening that was closed unproven may be closed again when it is proven at last.
        """
        values = {
            "seconds": exposure.seconds,
            "proof": exposure.shut.proof.value,
            "disconnection": exposure.shut.disconnection.value,
            "evidence": exposure.shut.evidence,
        }
        closing = update(opening_table).where(and_(opening_table.c.number == number, _NOT_SHUT))
        with self._writing() as connection:
            if connection.execute(closing.values(values)).rowcount != 1:
                raise CatalogueError("opening {opening} is not open", opening=number)

    def openings(
        self, target: str | None = None, since: datetime | None = None
    ) -> list[OpeningRecord]:
        """Give the openings of a target, or of all, oldest first."""
        wanted = select(opening_table).order_by(opening_table.c.number)
        if target is not None:
            wanted = wanted.where(opening_table.c.target == target)
        if since is not None:
            wanted = wanted.where(opening_table.c.opened_at >= since)
        with self._reading() as connection:
            return [opening_record(row) for row in connection.execute(wanted)]

    def unclosed_openings(self) -> list[OpeningRecord]:
        """Give the openings that were announced and not proven shut, oldest first."""
        wanted = select(opening_table).where(_NOT_SHUT).order_by(opening_table.c.number)
        with self._reading() as connection:
            return [opening_record(row) for row in connection.execute(wanted)]

    def record_head(self, target: str, number: int, sha256: str, confirmed: bool) -> None:
        """Keep a signed head: unconfirmed before it is published, confirmed once read back.

        A number keeps its hash: another one under it would hide two histories of one target.
        """
        with self._writing() as connection:
            row = _known(connection, target)
            key = {"target": row.id, "number": number}
            where = and_(target_head.c.target == row.id, target_head.c.number == number)
            known = connection.execute(select(target_head).where(where)).first()
            values = {"sha256": sha256, "confirmed": confirmed}
            if known is None:
                connection.execute(insert(target_head).values(key | values))
            elif known.confirmed and known.sha256 != sha256:
                raise CatalogueError(
                    "target {target} has another head {number}", target=target, number=number
                )
            else:
                values["confirmed"] = confirmed or known.confirmed
                connection.execute(update(target_head).where(where).values(values))

    def newest_head(self, target: str) -> PublishedHead | None:
        """Give the head of the greatest number, whether it is known to be there or only meant."""
        return self._newest_head(target, true())

    def newest_confirmed_head(self, target: str) -> PublishedHead | None:
        """Give the greatest head that was read back from the target."""
        return self._newest_head(target, target_head.c.confirmed.is_(True))

    def head(self, target: str, number: int) -> PublishedHead | None:
        """Give one head, announced or confirmed."""
        return self._newest_head(target, target_head.c.number == number)

    def _newest_head(self, target: str, which: ColumnElement[bool]) -> PublishedHead | None:
        with self._reading() as connection:
            wanted = (
                select(target_head)
                .where(target_head.c.target == _known(connection, target).id, which)
                .order_by(target_head.c.number.desc())
                .limit(1)
            )
            row = connection.execute(wanted).first()
        if row is None:
            return None
        return PublishedHead(number=row.number, sha256=row.sha256, confirmed=row.confirmed)

    def set_holds(self, target: str, cycle: int, complete: bool, at: datetime) -> None:
        """Say whether, at this opening, the target held every file of the list of a cycle."""
        values = {"complete": complete, "at": at}
        with self._writing() as connection:
            row = _known(connection, target)
            wanted = upsert(target_hold).values(target=row.id, cycle=cycle, **values)
            connection.execute(
                wanted.on_conflict_do_update(index_elements=["target", "cycle"], set_=values)
            )

    def holds(self, target: str) -> dict[int, Hold]:
        """Give what is known of each cycle, by cycle."""
        with self._reading() as connection:
            row = _known(connection, target)
            wanted = (
                select(target_hold.c.cycle, target_hold.c.complete, target_hold.c.at)
                .where(target_hold.c.target == row.id)
                .order_by(target_hold.c.cycle)
            )
            return {
                number: Hold(complete=complete, at=at)
                for number, complete, at in connection.execute(wanted)
            }


def _in_use(connection: Connection, name: str) -> Row[Any] | None:
    wanted = select(target_table).where(
        target_table.c.name == name, target_table.c.retired_at.is_(None)
    )
    return connection.execute(wanted).first()


def _known(connection: Connection, name: str) -> Row[Any]:
    row = _in_use(connection, name)
    if row is None:
        raise CatalogueError(
            "target {target} is not enrolled", hint="coffre target list?", target=name
        )
    return row


def _record(row: Row[Any]) -> TargetRecord:
    return TargetRecord(**{name: getattr(row, name) for name in TargetRecord.__slots__})


def opening_record(row: Row[Any]) -> OpeningRecord:
    """Read one row of the openings."""
    exposure = None
    if row.proof is not None:
        exposure = Exposure(
            target=row.target,
            opening=row.number,
            purpose=row.purpose,
            writing=row.writing,
            seconds=row.seconds,
            opened_at=row.opened_at,
            shut=ShutReport(
                proof=DoorProof(row.proof),
                disconnection=Disconnection(row.disconnection),
                evidence=row.evidence,
            ),
        )
    return OpeningRecord(
        number=row.number,
        target=row.target,
        purpose=row.purpose,
        writing=row.writing,
        cycle=row.cycle,
        opened_at=row.opened_at,
        exposure=exposure,
    )
