"""Which PMSI archives the snapshots hold, so that the calendar need not read every manifest.

Rule 1: an archive is told by its subject, as its finding is; no name stands here.
Rule 2: a row says the first and the newest cycle whose snapshot of that source holds the archive;
    it stays when the source lets go of it, since the snapshots and the targets do not.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from sqlalchemy import select
from sqlalchemy.dialects.sqlite import insert as upsert

from vault.catalogue.database import Database
from vault.catalogue.inspections import read_finding, subject_bytes, subject_text
from vault.catalogue.schema import finding, pmsi_export, snapshot
from vault.records import HeldExport

if TYPE_CHECKING:
    from sqlalchemy import Connection


class PmsiExports(Database):
    """The part of the catalogue that remembers PMSI archives."""

    def note_pmsi(self, source: str, cycle: int, subjects: Iterable[str]) -> None:
        """Say that the snapshot of a cycle holds these archives; idempotent."""
        rows = [
            {"source": source, "subject": subject_bytes(subject), "first": cycle, "newest": cycle}
            for subject in sorted(set(subjects))
        ]
        if rows:
            with self._writing() as connection:
                _note(connection, rows)

    def pmsi_exports(self) -> list[HeldExport]:
        """Give every archive that a snapshot of ours ever held, and what it was found to be."""
        taken = (
            select(snapshot.c.taken_at)
            .where(
                snapshot.c.source == pmsi_export.c.source,
                snapshot.c.cycle == pmsi_export.c.first,
            )
            .order_by(snapshot.c.taken_at)
            .limit(1)
            .scalar_subquery()
            .label("at")
        )
        wanted = (
            select(pmsi_export, taken, finding.c.data)
            .outerjoin(finding, finding.c.subject == pmsi_export.c.subject)
            .order_by(pmsi_export.c.source, pmsi_export.c.first, pmsi_export.c.subject)
        )
        with self._reading() as connection:
            return [
                HeldExport(
                    source=source,
                    subject=subject_text(subject),
                    first_cycle=first,
                    newest_cycle=newest,
                    seen_at=at,
                    finding=read_finding(data),
                )
                for source, subject, first, newest, at, data in connection.execute(wanted)
                if at is not None
            ]

    def pmsi_nights(self) -> dict[str, list[tuple[int, int | None]]]:
        """Give the points of each source that ever held an archive, oldest first.

        Of each its cycle, and the last cycle whose list may name it; None: the landing has it.
        """
        sources = select(pmsi_export.c.source).distinct()
        wanted = (
            select(snapshot.c.source, snapshot.c.cycle, snapshot.c.forgotten_after)
            .where(snapshot.c.source.in_(sources))
            .order_by(snapshot.c.source, snapshot.c.cycle, snapshot.c.id)
        )
        found: dict[str, list[tuple[int, int | None]]] = {}
        with self._reading() as connection:
            for source, cycle, last in connection.execute(wanted):
                found.setdefault(source, []).append((cycle, last))
        return found


def _note(connection: Connection, rows: list[dict[str, object]]) -> None:
    wanted = upsert(pmsi_export)
    connection.execute(
        wanted.on_conflict_do_update(
            index_elements=["source", "subject"], set_={"newest": wanted.excluded.newest}
        ),
        rows,
    )
