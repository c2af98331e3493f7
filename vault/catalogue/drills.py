"""Restore tests: begun, ended, signed, and what content each of them proved.

Rule 1: a test that began stays; its end is kept once and never rewritten.
Rule 2: what a test proved is kept with its end, in one transaction.
Rule 3: proof belongs to a content: the newest instant at each level, by source.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Row, func, insert, or_, select, update
from sqlalchemy.dialects.sqlite import insert as upsert

from vault.catalogue.database import Database
from vault.catalogue.schema import drill as drill_table
from vault.catalogue.schema import drill_check, proof
from vault.errors import CatalogueError
from vault.fiche import DrillRecord, People, Signature
from vault.policy import Level
from vault.proof import Check, DrillVerdict, Outcome

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from vault.fiche import DrillOrder, Proven

_CHUNK = 500
_ENDED = (
    "ended_at", "snapshot_id", "cycle", "point_at", "files", "bytes", "of_files", "of_bytes",
    "mismatches", "duration_s", "total_s", "age_s", "dmia_s", "pdma_s", "bound", "opening",
    "exposure_s", "disconnection", "not_tested",
)  # fmt: skip


class Drills(Database):
    """The part of the catalogue that remembers restore tests."""

    def begin_drill(self, order: DrillOrder, at: datetime) -> int:
        """Begin a test; give its number: 1, 2, 3… never given twice."""
        row = {
            "source": order.source,
            "level_asked": str(order.level),
            "origin": order.origin,
            "seed": order.seed,
            "reason": order.reason,
            "asked_by": order.people.asked_by,
            "operated_by": order.people.by,
            "validated_by": order.people.validated_by,
            "login": order.people.login,
            "begun_at": at,
        }
        with self._writing() as connection:
            return int(connection.execute(insert(drill_table).values(row)).lastrowid)

    def end_drill(self, record: DrillRecord, proven: Proven) -> None:
        """Keep how a test ended and what it proved; CatalogueError when it has ended already."""
        number = record.number
        row = {name: getattr(record, name) for name in _ENDED}
        row["verdict"] = str(record.verdict)
        row["level_reached"] = str(record.level_reached) if record.level_reached else None
        running = update(drill_table).where(
            drill_table.c.number == number, drill_table.c.ended_at.is_(None)
        )
        with self._writing() as connection:
            if connection.execute(running.values(row)).rowcount != 1:
                raise CatalogueError("restore test {drill} is not running", drill=number)
            checks = [_check_row(number, n, check) for n, check in enumerate(record.checks)]
            if checks:
                connection.execute(insert(drill_check), checks)
            for level, contents in proven.by_level.items():
                _prove(connection, record, level, contents)

    def note_drill(self, number: int, *, ledger_n: int, ledger_sha256: str) -> None:
        """Keep where in the ledger the end of a test stands."""
        wanted = update(drill_table).where(drill_table.c.number == number)
        with self._writing() as connection:
            connection.execute(wanted.values(ledger_n=ledger_n, ledger_sha256=ledger_sha256))

    def sign_drill(self, number: int, signature: Signature) -> None:
        """Keep the referent's signature, once; what the test proved is proven at L4 by it."""
        unsigned = update(drill_table).where(
            drill_table.c.number == number,
            drill_table.c.signed_at.is_(None),
            drill_table.c.ended_at.is_not(None),
        )
        row = {
            "signed_by": signature.by,
            "signed_login": signature.login,
            "signed_at": signature.at,
            "signed_proof": signature.proof,
        }
        with self._writing() as connection:
            if connection.execute(unsigned.values(row)).rowcount != 1:
                raise CatalogueError("restore test {drill} cannot be signed", drill=number)
            connection.execute(
                proof.insert().prefix_with("OR REPLACE").from_select(
                    ["source", "content", "level", "at", "drill"],
                    select(
                        proof.c.source, proof.c.content, _text(Level.L4), _at(signature.at),
                        proof.c.drill,
                    ).where(proof.c.drill == number, proof.c.level == str(Level.L1)),
                )
            )  # fmt: skip

    # -- looking back

    def drill(self, number: int) -> DrillRecord | None:
        """Give one test, None when there was none of this number."""
        with self._reading() as connection:
            wanted = select(drill_table).where(drill_table.c.number == number)
            row = connection.execute(wanted).first()
            return None if row is None else _record(connection, row)

    def drills(self, source: str | None = None, *, limit: int = 100) -> list[DrillRecord]:
        """Give the newest tests, newest first."""
        wanted = select(drill_table).order_by(drill_table.c.number.desc()).limit(limit)
        if source is not None:
            wanted = wanted.where(drill_table.c.source == source)
        with self._reading() as connection:
            return [_record(connection, row) for row in connection.execute(wanted).all()]

    def unsettled_drills(self) -> list[DrillRecord]:
        """Give the tests that did not end, or whose end the ledger does not have; oldest first."""
        wanted = select(drill_table).where(
            or_(drill_table.c.ended_at.is_(None), drill_table.c.ledger_n.is_(None))
        )
        with self._reading() as connection:
            rows = connection.execute(wanted.order_by(drill_table.c.number)).all()
            return [_record(connection, row) for row in rows]

    def reached(self, source: str) -> dict[Level, datetime]:
        """Give when a source last reached each level, that level itself."""
        reached = select(drill_table.c.level_reached, func.max(drill_table.c.ended_at)).where(
            drill_table.c.source == source, drill_table.c.level_reached.is_not(None)
        )
        signed = select(func.max(drill_table.c.signed_at)).where(drill_table.c.source == source)
        with self._reading() as connection:
            rows = connection.execute(reached.group_by(drill_table.c.level_reached)).all()
            found = {Level(row[0]): row[1] for row in rows}
            if (at := connection.scalar(signed)) is not None:
                found[Level.L4] = at
        return found

    def origins_proven(self) -> dict[str, datetime]:
        """Give when each place last gave a point back, every byte of it right: L1 or above."""
        wanted = (
            select(drill_table.c.origin, func.max(drill_table.c.ended_at))
            .where(drill_table.c.level_reached >= str(Level.L1))
            .group_by(drill_table.c.origin)
        )
        with self._reading() as connection:
            return {row[0]: row[1] for row in connection.execute(wanted)}

    def proven_at(self, source: str, least: Level) -> dict[str, datetime]:
        """Give when each content of a source was last proven, at a level or above."""
        wanted = (
            select(proof.c.content, func.max(proof.c.at))
            .where(proof.c.source == source, proof.c.level >= str(least))
            .group_by(proof.c.content)
        )
        with self._reading() as connection:
            return {row[0]: row[1] for row in connection.execute(wanted)}

    def proof_of(self, contents: Iterable[str]) -> Mapping[str, tuple[Level, datetime]]:
        """Give the highest level at which contents were proven, and when last at that level.

        ``contents`` are SHA-256 of files; those never proven are left out.
        """
        wanted = sorted(set(contents))
        found: dict[str, tuple[Level, datetime]] = {}
        with self._reading() as connection:
            for start in range(0, len(wanted), _CHUNK):
                some = select(proof.c.content, proof.c.level, proof.c.at).where(
                    proof.c.content.in_(wanted[start : start + _CHUNK])
                )
                for row in connection.execute(some):
                    mine = (Level(row.level), row.at)
                    found[row.content] = max(found.get(row.content, mine), mine)
        return found


def _text(level: Level) -> Any:  # noqa: ANN401 -- SQLAlchemy's column expressions
    from sqlalchemy import literal

    return literal(str(level))


def _at(at: datetime) -> Any:  # noqa: ANN401 -- SQLAlchemy's column expressions
    from sqlalchemy import literal

    from vault.catalogue.columns import Instant

    return literal(at, Instant)


def _prove(
    connection: Connection, record: DrillRecord, level: Level, contents: Sequence[str]
) -> None:
    """Keep that contents were proven; a later proof replaces an earlier one at its level."""
    fixed = {
        "source": record.source,
        "level": str(level),
        "at": record.ended_at,
        "drill": record.number,
    }
    rows = [{"content": content, **fixed} for content in dict.fromkeys(contents)]
    newer = upsert(proof)
    newer = newer.on_conflict_do_update(
        index_elements=["source", "content", "level"],
        set_={"at": newer.excluded.at, "drill": newer.excluded.drill},
    )
    for start in range(0, len(rows), _CHUNK):
        connection.execute(newer, rows[start : start + _CHUNK])


def _check_row(number: int, position: int, check: Check) -> dict[str, object]:
    return {
        "drill": number,
        "position": position,
        "level": str(check.level),
        "name": check.name,
        "outcome": str(check.outcome),
        "template": check.template,
        "details": json.dumps(dict(check.values), sort_keys=True),
        "verdict": str(check.verdict) if check.verdict else None,
    }


def _record(connection: Connection, row: Row[Any]) -> DrillRecord:
    return drill_record(row, checks=_checks(connection, row.number))


def drill_record(row: Row[Any], *, checks: tuple[Check, ...] = ()) -> DrillRecord:
    """Read one row of the tests; its checks are rows of their own."""
    begun = DrillRecord(
        number=row.number,
        source=row.source,
        level_asked=Level(row.level_asked),
        origin=row.origin,
        seed=row.seed,
        reason=row.reason,
        people=People(
            asked_by=row.asked_by,
            by=row.operated_by,
            validated_by=row.validated_by,
            login=row.login,
        ),
        begun_at=row.begun_at,
        ledger_n=row.ledger_n,
        ledger_sha256=row.ledger_sha256,
    )
    if row.ended_at is None:
        return begun
    ended = {name: getattr(row, name) for name in _ENDED}
    return replace(
        begun,
        **ended,
        verdict=DrillVerdict(row.verdict),
        level_reached=Level(row.level_reached) if row.level_reached else None,
        checks=checks,
        signature=_signature(row),
    )


def _checks(connection: Connection, number: int) -> tuple[Check, ...]:
    wanted = select(drill_check).where(drill_check.c.drill == number)
    return tuple(
        Check(
            level=Level(row.level),
            name=row.name,
            outcome=Outcome(row.outcome),
            template=row.template,
            values=json.loads(row.details),
            verdict=DrillVerdict(row.verdict) if row.verdict else None,
        )
        for row in connection.execute(wanted.order_by(drill_check.c.position))
    )


def _signature(row: Row[Any]) -> Signature | None:
    if row.signed_at is None:
        return None
    return Signature(
        by=row.signed_by, login=row.signed_login, at=row.signed_at, proof=row.signed_proof
    )
