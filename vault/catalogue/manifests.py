"""Snapshots of the landing and the manifests they were taken from.

Rule 1: a manifest is kept once, under its identity, as the difference from the newest one of its
    source; it is kept in full again before the differences outweigh a full one.
Rule 2: what is read back is proven to be what was put, whole.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from sqlalchemy import Connection, Row, insert, select

from vault.catalogue.database import Database
from vault.catalogue.packing import (
    apply_deltas,
    digest,
    expand,
    pack_delta,
    pack_entries,
    shrink,
    unpack_entries,
)
from vault.catalogue.schema import manifest, snapshot
from vault.errors import CatalogueError
from vault.results import SnapshotRecord

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from vault.results import ManifestEntry

LINKS_MAX = 100  # bounds the time of reading one: 30 ms for 10,000 files


class Manifests(Database):
    """The part of the catalogue that remembers snapshots and manifests."""

    def record_snapshot(self, record: SnapshotRecord) -> None:
        """Store one snapshot; CatalogueError when its id is there already."""
        row = {name: getattr(record, name) for name in SnapshotRecord.__slots__}
        with self._writing() as connection:
            connection.execute(insert(snapshot).values(row))

    def newest_snapshot(self, source: str) -> SnapshotRecord | None:
        """Give the newest of a source: by cycle, then by the order they were stored in."""
        wanted = (
            select(snapshot)
            .where(snapshot.c.source == source)
            .order_by(snapshot.c.cycle.desc(), snapshot.c.id.desc())
            .limit(1)
        )
        with self._reading() as connection:
            row = connection.execute(wanted).first()
        return None if row is None else _record(row)

    def snapshots(self, source: str | None = None) -> list[SnapshotRecord]:
        """Give the snapshots of a source, or all of them, oldest first."""
        wanted = select(snapshot).order_by(snapshot.c.cycle, snapshot.c.id)
        if source is not None:
            wanted = wanted.where(snapshot.c.source == source)
        with self._reading() as connection:
            return [_record(row) for row in connection.execute(wanted)]

    def put_manifest(self, source: str, identity: str, entries: Sequence[ManifestEntry]) -> None:
        """Keep a manifest, sorted by path; nothing is done when its identity is there."""
        if any(a.path >= b.path for a, b in pairwise(entries)):
            raise CatalogueError("a manifest is not sorted by path")
        with self._writing() as connection:
            if _row(connection, identity) is None:
                try:
                    row = _new_row(connection, source, entries)
                except ValueError as error:
                    raise CatalogueError(
                        "a manifest cannot be kept: {reason}", reason=error
                    ) from error
                connection.execute(insert(manifest).values(row | {"identity": identity}))

    def has_manifest(self, identity: str) -> bool:
        """Whether a manifest is kept under this identity."""
        with self._reading() as connection:
            return _row(connection, identity) is not None

    def manifest(self, identity: str) -> tuple[ManifestEntry, ...]:
        """Give a manifest, sorted by path; CatalogueError when it is not kept, or damaged."""
        with self._reading() as connection:
            row = _row(connection, identity)
            if row is None:
                raise CatalogueError("no manifest is kept as {identity}", identity=identity)
            return _read(connection, row)


def _row(connection: Connection, identity: str) -> Row[Any] | None:
    return connection.execute(select(manifest).where(manifest.c.identity == identity)).first()


def _new_row(
    connection: Connection, source: str, entries: Sequence[ManifestEntry]
) -> dict[str, Any]:
    """Choose between the difference from the source's newest manifest and the whole."""
    packed = pack_entries(entries)
    row: dict[str, Any] = {"source": source, "packed_sha256": digest(packed)}
    wanted = select(manifest).where(manifest.c.source == source)
    newest = connection.execute(wanted.order_by(manifest.c.id.desc()).limit(1)).first()
    if newest is not None and newest.links < LINKS_MAX:
        data = shrink(pack_delta(_read(connection, newest), entries))
        chain = newest.chain_bytes + len(data)
        if chain <= newest.full_bytes:
            place = {"base": newest.id, "links": newest.links + 1}
            size = {"chain_bytes": chain, "full_bytes": newest.full_bytes}
            return row | place | size | {"data": data}
    data = shrink(packed)
    size = {"chain_bytes": 0, "full_bytes": len(data)}
    return row | {"base": None, "links": 0} | size | {"data": data}


def _read(connection: Connection, row: Row[Any]) -> tuple[ManifestEntry, ...]:
    """Unpack the full manifest under a row, then each difference up to it; prove the result."""
    chain = [row]
    while chain[-1].base is not None:
        below = select(manifest).where(manifest.c.id == chain[-1].base)
        chain.append(connection.execute(below).one())
    try:
        full, *links = (expand(link.data) for link in reversed(chain))
        entries = apply_deltas(unpack_entries(full), links)
        sound = digest(pack_entries(entries)) == row.packed_sha256
    except ValueError:
        sound = False
    if not sound:
        raise CatalogueError(
            "the manifest {identity} is damaged in the catalogue",
            hint="bring the catalogue back from the landing repository?",
            identity=row.identity,
        )
    return entries


def _record(row: Row[Any]) -> SnapshotRecord:
    return SnapshotRecord(**{name: getattr(row, name) for name in SnapshotRecord.__slots__})
