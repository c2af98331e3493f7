"""What inspection found: files by their content, exports by their shape, refusals by source.

Rule 1: a finding is kept once for a content and a name, wherever and how often it lies there.
Rule 2: a source has at most one refused export: the newest; an acceptance is of that one alone.
Rule 3: what is read of many files is read in chunks: a million findings never stand in memory.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

from sqlalchemy import Row, delete, insert, select
from sqlalchemy.dialects.sqlite import insert as upsert

from vault.catalogue.database import Database
from vault.catalogue.findings import pack_finding, pack_shape, unpack_finding, unpack_shape
from vault.catalogue.schema import finding as finding_table
from vault.catalogue.schema import refused_export
from vault.catalogue.schema import shape as shape_table
from vault.errors import CatalogueError
from vault.records import Acceptance, KeptFinding, RefusedExport

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from vault.finding import Finding
    from vault.shape import Shape

_CHUNK = 500


class Inspections(Database):
    """The part of the catalogue that remembers inspections."""

    def put_findings(self, tables: str, found: Mapping[str, Finding]) -> None:
        """Keep findings by subject, over what other tables found of the same."""
        rows = [
            {"subject": subject_bytes(subject), "tables": tables, "data": pack_finding(one)}
            for subject, one in found.items()
        ]
        if not rows:
            return
        wanted = upsert(finding_table)
        fresh = {"tables": wanted.excluded.tables, "data": wanted.excluded.data}
        with self._writing() as connection:
            connection.execute(
                wanted.on_conflict_do_update(index_elements=["subject"], set_=fresh), rows
            )

    def findings(self, subjects: Iterable[str]) -> Iterator[tuple[str, KeptFinding]]:
        """Give what is kept of these subjects, in no order; what was never found is left out."""
        left = iter(subjects)
        while chunk := [subject_bytes(one) for one in islice(left, _CHUNK)]:
            wanted = select(finding_table).where(finding_table.c.subject.in_(chunk))
            with self._reading() as connection:
                rows = connection.execute(wanted).all()
            for subject, tables, data in rows:
                found = read_finding(data)
                if found is not None:  # else it is looked at again
                    yield subject_text(subject), KeptFinding(tables=tables, finding=found)

    def put_shape(self, source: str, cycle: int, shape: Shape) -> None:
        """Keep the shape of what a cycle accepted of a source."""
        row = {"source": source, "cycle": cycle, "data": pack_shape(shape)}
        wanted = upsert(shape_table).values(row)
        keys = ["source", "cycle"]
        with self._writing() as connection:
            connection.execute(
                wanted.on_conflict_do_update(index_elements=keys, set_={"data": row["data"]})
            )

    def shapes(self, source: str, limit: int) -> list[Shape]:
        """Give the newest accepted shapes of a source, oldest first."""
        wanted = (
            select(shape_table.c.data)
            .where(shape_table.c.source == source)
            .order_by(shape_table.c.cycle.desc())
            .limit(limit)
        )
        with self._reading() as connection:
            rows = list(connection.scalars(wanted))
        try:
            return [unpack_shape(data) for data in reversed(rows)]
        except ValueError:
            raise CatalogueError(
                "the shapes of {source} are damaged in the catalogue",
                hint="bring the catalogue back from the landing repository?",
                source=source,
            ) from None

    def put_refused(self, refused: RefusedExport) -> None:
        """Keep what was refused of a source; an acceptance of another export goes with it."""
        row = {
            "source": refused.source,
            "identity": refused.identity,
            "cycle": refused.cycle,
            "at": refused.at,
            "reasons": refused.reasons,
            "attack_at": refused.attack_at,
        }
        with self._writing() as connection:
            where = refused_export.c.source == refused.source
            connection.execute(delete(refused_export).where(where))
            if refused.accepted is not None:
                row |= _accepted(refused.accepted)
            connection.execute(insert(refused_export).values(row))

    def refused(self, source: str) -> RefusedExport | None:
        """Give the refused export of a source, until it was accepted and came, or went away."""
        wanted = select(refused_export).where(refused_export.c.source == source)
        with self._reading() as connection:
            row = connection.execute(wanted).first()
        return None if row is None else _refused(row)

    def all_refused(self) -> list[RefusedExport]:
        """Give the refused exports of all sources, by name."""
        wanted = select(refused_export).order_by(refused_export.c.source)
        with self._reading() as connection:
            return [_refused(row) for row in connection.execute(wanted)]

    def clear_refused(self, source: str) -> None:
        """Forget the refused export of a source; idempotent."""
        with self._writing() as connection:
            connection.execute(delete(refused_export).where(refused_export.c.source == source))


def read_finding(data: bytes | None) -> Finding | None:
    """Give a finding that was kept; None when there is none, it is damaged or too new."""
    try:
        return None if data is None else unpack_finding(data)
    except ValueError:
        return None


def subject_bytes(subject: str) -> bytes:
    """Pack a subject: 32 bytes of the content's hash, 8 of the name's."""
    content, _, name = subject.partition("-")
    return bytes.fromhex(content) + bytes.fromhex(name)


def subject_text(packed: bytes) -> str:
    """Give back what ``subject_bytes`` packed."""
    return f"{packed[:32].hex()}-{packed[32:].hex()}"


def _accepted(accepted: Acceptance) -> dict[str, object]:
    return {
        "accepted_at": accepted.at,
        "accepted_by": accepted.by,
        "accepted_reason": accepted.reason,
        "accepted_login": accepted.login,
    }


def _refused(row: Row[Any]) -> RefusedExport:
    accepted = None
    if row.accepted_at is not None:
        accepted = Acceptance(
            at=row.accepted_at,
            by=row.accepted_by,
            reason=row.accepted_reason,
            login=row.accepted_login,
        )
    return RefusedExport(
        source=row.source,
        identity=row.identity,
        cycle=row.cycle,
        at=row.at,
        reasons=row.reasons,
        attack_at=row.attack_at,
        accepted=accepted,
    )
