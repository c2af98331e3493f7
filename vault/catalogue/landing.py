"""The landing's files: which run made which, and which were there at each cycle.

Rule 1: a file is numbered once for all when it is first seen; the list of a cycle is a set of
    those numbers. So a list costs its difference from all that was ever seen, a few bytes a
    night, and none rests on another one.
Rule 2: batches and lists are read as streams: a million files never stand in memory at once.
Rule 3: a file belongs to the batch that brought it first: what an earlier snapshot needs may never
    move behind it.
"""

from __future__ import annotations

import struct
from itertools import groupby, islice
from typing import TYPE_CHECKING, TypeVar

from sqlalchemy import bindparam, func, insert, select, update

from vault.catalogue.database import Database
from vault.catalogue.packing import Bits, expand, file_to_name, name_to_file, shrink
from vault.catalogue.schema import batch, landing_list, repository_file
from vault.errors import CatalogueError
from vault.results import Batch, RepositoryFile

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from sqlalchemy import Connection

_T = TypeVar("_T")
_CHUNK = 5000
_NAME, _SIZE = repository_file.c.name, repository_file.c.size
_NUMBER, _BATCH = repository_file.c.number, repository_file.c.batch
_Key = tuple[bytes, int]  # the packed name and the size
_PACKED = struct.Struct("<33sQ")


class Landing(Database):
    """The part of the catalogue that remembers the landing repository's files."""

    def add_batch(self, cycle: int, source: str, files: Sequence[RepositoryFile]) -> Batch:
        """Store what one run added; give it with its number.

        A file that an earlier batch holds stays there and is left out of this one.
        """
        keys = sorted({file_key(file) for file in files})
        with self._writing() as connection:
            row = {"cycle": cycle, "source": source}
            number = int(connection.execute(insert(batch).values(row)).lastrowid)
            taken: list[_Key] = []
            first = count_files(connection)
            for chunk in chunks(keys):
                fresh, forgotten = sort_out(connection, chunk)
                number_files(connection, fresh, first=first, batch_number=number)
                first += len(fresh)
                adopt_files(connection, forgotten, number)
                taken += fresh + forgotten
        taken.sort()
        return Batch(
            number=number,
            cycle=cycle,
            source=source,
            files=tuple(name_to_file(name, size) for name, size in taken),
        )

    def batches(self) -> Iterator[Batch]:
        """Give every batch that still has files, in number order, one in memory at a time."""
        wanted = (
            select(_BATCH, batch.c.cycle, batch.c.source, _NAME, _SIZE)
            .join(batch, batch.c.number == _BATCH)
            .where(_BATCH.is_not(None))
            .order_by(_BATCH, _NAME, _SIZE)
            .execution_options(yield_per=_CHUNK)
        )
        with self._reading() as connection:
            rows = connection.execute(wanted)
            for (number, cycle, source), group in groupby(rows, key=lambda row: tuple(row[:3])):
                files = tuple(name_to_file(row.name, row.size) for row in group)
                yield Batch(number=number, cycle=cycle, source=source, files=files)

    def known_paths(self) -> Iterator[RepositoryFile]:
        """Give the files of all batches, sorted by path, as a stream."""
        wanted = (
            select(_NAME, _SIZE)
            .where(_BATCH.is_not(None))
            .order_by(_NAME, _SIZE)
            .execution_options(yield_per=_CHUNK)
        )
        with self._reading() as connection:
            for name, size in connection.execute(wanted):
                yield name_to_file(name, size)

    def put_landing_list(self, cycle: int, files: Iterable[RepositoryFile]) -> None:
        """Keep which files were in the landing at a cycle, sorted by path; once a cycle."""
        with self._writing() as connection:
            bits, unknown = _match(connection, files)
            first = count_files(connection)
            for chunk in chunks(_unpack(unknown)):
                number_files(connection, chunk, first=first, batch_number=None)
                bits.update(range(first, first + len(chunk)))
                first += len(chunk)
            packed = bits.to_bytes()
            count = int.from_bytes(packed, "little").bit_count()
            row = {"cycle": cycle, "files": count, "bits": shrink(packed)}
            connection.execute(insert(landing_list).values(row))

    def landing_list(self, cycle: int) -> Iterator[RepositoryFile]:
        """Give the list of a cycle, sorted by path, as a stream; CatalogueError when none."""
        wanted = select(landing_list.c.bits).where(landing_list.c.cycle == cycle)
        everything = (
            select(_NUMBER, _NAME, _SIZE).order_by(_NAME, _SIZE).execution_options(yield_per=_CHUNK)
        )
        with self._reading() as connection:
            packed = connection.scalar(wanted)
            if packed is None:
                raise CatalogueError("no list is kept of cycle {cycle}", cycle=cycle)
            try:
                bits = Bits(expand(packed))
            except ValueError:
                raise CatalogueError("the list of cycle {cycle} is damaged", cycle=cycle) from None
            for number, name, size in connection.execute(everything):
                if number in bits:
                    yield name_to_file(name, size)

    def listed_cycles(self, *, before: int) -> list[int]:
        """Give the cycles before one whose list is kept, newest first."""
        wanted = select(landing_list.c.cycle).where(landing_list.c.cycle < before)
        with self._reading() as connection:
            return list(connection.scalars(wanted.order_by(landing_list.c.cycle.desc())))

    def first_cycle(self, files: Iterable[RepositoryFile]) -> int:
        """Give the cycle of the first batch that holds one of these files; 0 when none does."""
        found: list[int] = []
        with self._reading() as connection:
            for chunk in chunks(sorted(file_key(file) for file in files)):
                names = [name for name, _ in chunk]
                wanted = select(func.min(batch.c.cycle)).join(
                    repository_file, repository_file.c.batch == batch.c.number
                )
                found += [
                    number
                    for number in connection.scalars(wanted.where(_NAME.in_(names)))
                    if number is not None
                ]
        return min(found, default=0)


def file_key(file: RepositoryFile) -> _Key:
    """Pack a file's path, beside its size; CatalogueError for an unlawful path."""
    try:
        return file_to_name(file), file.size_bytes
    except ValueError as error:
        raise CatalogueError(
            "{path!r} cannot be kept: {reason}", path=file.path, reason=error
        ) from None


def sort_out(connection: Connection, keys: Sequence[_Key]) -> tuple[list[_Key], list[_Key]]:
    """Split what no batch holds into what was never seen and what was forgotten."""
    wanted = select(_NAME, _SIZE, _BATCH).where(_NAME.in_([name for name, _ in keys]))
    seen = {(name, size): held for name, size, held in connection.execute(wanted)}
    fresh = [key for key in keys if key not in seen]
    forgotten = [key for key in keys if key in seen and seen[key] is None]
    return fresh, forgotten


def count_files(connection: Connection) -> int:
    """Give the number that the next file gets: rows are never deleted, so numbers have no gap."""
    return int(connection.scalar(select(func.count()).select_from(repository_file)) or 0)


def number_files(
    connection: Connection, keys: Sequence[_Key], *, first: int, batch_number: int | None
) -> None:
    """Store files that were never seen, under the numbers from ``first`` on."""
    if keys:
        connection.execute(
            insert(repository_file),
            [
                {"name": name, "size": size, "number": number, "batch": batch_number}
                for number, (name, size) in enumerate(keys, start=first)
            ],
        )


def adopt_files(connection: Connection, keys: Sequence[_Key], batch_number: int) -> None:
    """Give forgotten files, which came again, to the batch that brought them back."""
    if keys:
        adopt = update(repository_file).where(bindparam("n") == _NAME, bindparam("s") == _SIZE)
        connection.execute(
            adopt.values(batch=batch_number), [{"n": name, "s": size} for name, size in keys]
        )


def _match(connection: Connection, files: Iterable[RepositoryFile]) -> tuple[Bits, bytearray]:
    """Walk the list and the table side by side: the numbers of the known, the others packed."""
    wanted = select(_NAME, _SIZE, _NUMBER).order_by(_NAME, _SIZE)
    rows = iter(connection.execute(wanted.execution_options(yield_per=_CHUNK)))
    bits, unknown = Bits(), bytearray()
    row = next(rows, None)
    before: _Key = (b"", 0)
    for file in files:
        key = file_key(file)
        if key <= before:
            raise CatalogueError("a landing list is not sorted by path")
        before = key
        while row is not None and (row[0], row[1]) < key:
            row = next(rows, None)
        if row is not None and (row[0], row[1]) == key:
            bits.add(row[2])
        else:
            unknown += _PACKED.pack(*key)
    return bits, unknown


def _unpack(packed: bytearray) -> Iterator[_Key]:
    for name, size in _PACKED.iter_unpack(packed):
        yield (name if name[0] else b"\0"), size


def chunks(things: Iterable[_T]) -> Iterator[list[_T]]:
    """Give things a few thousand at a time."""
    left = iter(things)
    while chunk := list(islice(left, _CHUNK)):
        yield chunk
