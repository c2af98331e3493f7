"""What the landing and the targets have let go of, and what retention is judged by.

Rule 1: a snapshot that was forgotten keeps its row: media hold it still, and lists name it.
Rule 2: a file that is gone from the landing keeps its number, and belongs to no batch.
Rule 3: after a prune every snapshot stands behind the index that the prune wrote: what a snapshot
    needs never comes after it, on a medium that is filled anew too.
Source: ``docs/decisions/0024``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import delete, func, insert, select, update

from vault.catalogue.landing import (
    Landing,
    adopt_files,
    chunks,
    count_files,
    file_key,
    number_files,
    sort_out,
)
from vault.catalogue.packing import Bits, expand, file_to_name, name_to_file
from vault.catalogue.schema import (
    batch,
    cycle,
    cycle_source,
    cycle_target,
    drill,
    landing_list,
    repository_file,
    snapshot,
    target,
    target_hold,
)
from vault.errors import CatalogueError
from vault.policy import Level
from vault.results import RepositoryFile, SourceVerdict, TargetOutcome

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence
    from datetime import datetime

OWN_BATCH = "retention"  # the name under which a prune's own files stand
_SNAPSHOTS = b"\x04"  # the kind of a packed name; nothing sorts behind it
_NAME, _SIZE = repository_file.c.name, repository_file.c.size
_BATCH, _NUMBER = repository_file.c.batch, repository_file.c.number
_CHUNK = 5000


class Forgetting(Landing):
    """The part of the catalogue that remembers what was let go of."""

    def mark_forgotten(self, snapshot_ids: Collection[str], *, at: datetime) -> None:
        """Say that the landing forgot these snapshots; idempotent.

        The lists of nights up to the newest may name them, later ones do not.
        """
        with self._writing() as connection:
            newest = connection.scalar(select(func.max(landing_list.c.cycle))) or 0
            for some in chunks(sorted(snapshot_ids)):
                fresh = update(snapshot).where(
                    snapshot.c.snapshot_id.in_(some), snapshot.c.forgotten_at.is_(None)
                )
                connection.execute(fresh.values(forgotten_at=at, forgotten_after=newest))
                names = [
                    file_to_name(RepositoryFile(path=f"snapshots/{one}", size_bytes=0))
                    for one in some
                ]
                gone = update(repository_file).where(_NAME.in_(names))
                connection.execute(gone.values(batch=None))

    def settle_prune(
        self, number: int, *, gone: Iterable[RepositoryFile], new: Sequence[RepositoryFile]
    ) -> None:
        """Keep what a prune took away and what it wrote, after the night ``number``; idempotent.

        What it wrote is a batch of its own, and every snapshot moves into it.
        """
        keys = sorted({file_key(file) for file in new})
        with self._writing() as connection:
            for some in chunks(sorted({file_key(file)[0] for file in gone})):
                left = update(repository_file).where(_NAME.in_(some))
                connection.execute(left.values(batch=None))
            fresh, forgotten = sort_out(connection, keys)
            if not (fresh or forgotten):
                return
            row = {"cycle": number, "source": OWN_BATCH}
            made = int(connection.execute(insert(batch).values(row)).lastrowid)
            number_files(connection, fresh, first=count_files(connection), batch_number=made)
            adopt_files(connection, forgotten, made)
            moved = update(repository_file).where(_NAME >= _SNAPSHOTS, _BATCH.is_not(None))
            connection.execute(moved.values(batch=made))

    # -- what retention is judged by

    def proven_points(self) -> dict[str, datetime]:
        """Give when each snapshot was last given back, every byte of it right, by its id."""
        wanted = (
            select(drill.c.snapshot_id, func.max(drill.c.ended_at))
            .where(drill.c.snapshot_id.is_not(None), drill.c.level_reached >= str(Level.L1))
            .where(drill.c.files == drill.c.of_files)  # a sample proves no point
            .group_by(drill.c.snapshot_id)
        )
        with self._reading() as connection:
            return {row[0]: row[1] for row in connection.execute(wanted)}

    def clean_nights(self) -> set[tuple[str, int]]:
        """Give source and cycle of every point that inspection took without a warning."""
        wanted = select(cycle_source.c.name, cycle_source.c.cycle).where(
            cycle_source.c.verdict == SourceVerdict.SAVED.value, cycle_source.c.reasons == ()
        )
        with self._reading() as connection:
            return {(row[0], row[1]) for row in connection.execute(wanted)}

    # -- what a target may let go of

    def in_no_list(self, kept: Collection[int]) -> list[RepositoryFile]:
        """Give the files that left the landing and stand in none of these nights' lists.

        CatalogueError when there is no such list: nothing may be let go of by a list that lacks.
        """
        with self._reading() as connection:
            bits = bytearray()
            for number in sorted(kept):
                wanted = select(landing_list.c.bits).where(landing_list.c.cycle == number)
                packed = connection.scalar(wanted)
                if packed is None:
                    raise CatalogueError("no list is kept of cycle {cycle}", cycle=number)
                _merge(bits, _expanded(packed, number))
            named = Bits(bytes(bits))
            gone = select(_NUMBER, _NAME, _SIZE).where(_BATCH.is_(None)).order_by(_NAME, _SIZE)
            rows = connection.execute(gone.execution_options(yield_per=_CHUNK))
            files = (name_to_file(r.name, r.size) for r in rows if r.number not in named)
            return [one for one in files if one.path.startswith(("data/", "index/", "snapshots/"))]

    def drop_holds(self, name: str, cycles: Collection[int]) -> None:
        """Say of a target in use that it holds these nights no more; the ledger says why."""
        with self._writing() as connection:
            known = select(target.c.id).where(target.c.name == name, target.c.retired_at.is_(None))
            gone = delete(target_hold).where(
                target_hold.c.target.in_(known), target_hold.c.cycle.in_(sorted(cycles))
            )
            connection.execute(gone)

    # -- how fast they fill

    def landing_growth(self, since: datetime) -> list[tuple[datetime, int]]:
        """Give when each night ended that added to the landing, and how much of it is there yet."""
        wanted = (
            select(cycle.c.ended_at, func.sum(_SIZE))
            .join(batch, batch.c.cycle == cycle.c.number)
            .join(repository_file, batch.c.number == _BATCH)
            .where(cycle.c.ended_at >= since)
            .group_by(cycle.c.number)
            .order_by(cycle.c.number)
        )
        with self._reading() as connection:
            return [(row[0], int(row[1])) for row in connection.execute(wanted)]

    def target_growth(self, name: str, since: datetime) -> list[tuple[datetime, int]]:
        """Give when each night ended that carried to a target, and how many bytes it carried."""
        wanted = (
            select(cycle.c.ended_at, cycle_target.c.admitted_bytes)
            .join(cycle_target, cycle_target.c.cycle == cycle.c.number)
            .where(
                cycle_target.c.name == name,
                cycle_target.c.outcome.in_(_CARRIED),
                cycle.c.ended_at >= since,
            )
            .order_by(cycle.c.number)
        )
        with self._reading() as connection:
            return [(row[0], int(row[1])) for row in connection.execute(wanted)]


_CARRIED = (
    TargetOutcome.ADMITTED.value,
    TargetOutcome.PARTIAL.value,
    TargetOutcome.NOTHING_NEW.value,
)


def _merge(bits: bytearray, more: bytes) -> None:
    """Put a set of numbers into another."""
    wide = max(len(bits), len(more))
    merged = int.from_bytes(bits, "little") | int.from_bytes(more, "little")
    bits[:] = merged.to_bytes(wide, "little")


def _expanded(packed: bytes, number: int) -> bytes:
    try:
        return expand(packed)
    except ValueError:
        raise CatalogueError("the list of cycle {cycle} is damaged", cycle=number) from None
