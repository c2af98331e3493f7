"""The plan of a carry as a table: every file the target owes us, in the order of the batches.

Rule 1: one row costs 45 bytes, so that a million packs fit beside the interpreter.
Rule 2: the order is the order of safety: batches as they were made; within a batch packs, then
    indexes, then snapshots. A plan that says otherwise is refused whole.
Rule 3: a name that is not lawful in its place never becomes a path: it is kept aside as a refusal.
Source: design, section 2; the format is one line a file, ``BATCH PATH SIZE``.
"""

from __future__ import annotations

import os
import re
from array import array
from collections.abc import Iterable, Iterator, Sequence
from enum import IntEnum

from vault.errors import StoreError
from vault.names import printable
from vault.results import Refusal, RepositoryFile

_PATH = re.compile(
    rb"(data/(?P<shard>[0-9a-f]{2})|index|snapshots|keys)"
    rb"/((?(shard)(?P=shard)[0-9a-f]{62}|[0-9a-f]{64}))"
)
_LINE = re.compile(rb"([0-9]{1,9}) " + _PATH.pattern + rb" ([0-9]{1,18})")
_CONFIG_LINE = re.compile(rb"([0-9]{1,9}) config ([0-9]{1,18})")
_CHUNK_BYTES = 1 << 20
_LONGEST_LINE_BYTES = 8192
_REFUSALS_KEPT = 1000  # of junk, that many names are told; the count is whole


class Kind(IntEnum):
    """The place of a file in a repository; the first three in the order in which they cross."""

    DATA = 0
    INDEX = 1
    SNAPSHOTS = 2
    KEYS = 3
    CONFIG = 4


_KIND = tuple(Kind)
CARRIED = (Kind.DATA, Kind.INDEX, Kind.SNAPSHOTS)  # keys and config belong to the enrolment
_FOLDERS = ("data", "index", "snapshots", "keys", "")
_KINDS = {b"index": Kind.INDEX, b"snapshots": Kind.SNAPSHOTS, b"keys": Kind.KEYS}
_D = ord("d")
_NO_DIGEST = bytes(32)  # stands for the name ``config``


class Plan:
    """Hold the rows of a plan, addressed by their number in it."""

    __slots__ = (
        "_batch",
        "_digests",
        "_kinds",
        "_ordered",
        "_shards",
        "_sizes",
        "refused",
        "refused_files",
    )

    def __init__(self, *, ordered: bool = True) -> None:
        self._ordered = ordered  # a list to ask about has no order to keep
        self._kinds = bytearray()
        self._digests = bytearray()
        self._sizes = array("Q")
        self._shards = tuple(array("I") for _ in range(256))
        self._batch = -1
        self.refused: list[Refusal] = []
        self.refused_files = 0

    def __len__(self) -> int:
        return len(self._kinds)

    @classmethod
    def of(cls, batches: Iterable[Sequence[RepositoryFile]]) -> Plan:
        """Make a plan of batches; each is put into the order of safety."""
        plan = cls()
        for number, batch in enumerate(batches):
            for file in sorted(batch, key=lambda file: file.path):
                plan.add(number, file.path.encode("utf-8", "surrogateescape"), file.size_bytes)
        return plan

    @classmethod
    def of_list(cls, files: Iterable[RepositoryFile]) -> Plan:
        """Make a plan of a list in any order, to ask for presence only."""
        plan = cls(ordered=False)
        for file in files:
            plan.add(0, file.path.encode("utf-8", "surrogateescape"), file.size_bytes)
        return plan

    def add(self, batch: int, path: bytes, size_bytes: int) -> None:
        """Append one file; an unlawful name is refused, an unlawful order is an error."""
        match = _PATH.fullmatch(path)
        if not 0 <= size_bytes < 1 << 63:
            self._refuse(path)
        elif match is not None:
            self._append(batch, match[1], match[3], size_bytes)
        elif path == b"config":
            self._append_row(batch, Kind.CONFIG, _NO_DIGEST, size_bytes)
        else:
            self._refuse(path)

    def add_line(self, line: bytes) -> None:
        """Append one line of a plan file, without its newline."""
        match = _LINE.fullmatch(line)
        if match is not None:
            self._append(int(match[1]), match[2], match[4], int(match[5]))
        elif config := _CONFIG_LINE.fullmatch(line):
            self._append_row(int(config[1]), Kind.CONFIG, _NO_DIGEST, int(config[2]))
        else:
            self._refuse(line.partition(b" ")[2].rpartition(b" ")[0])

    def kind(self, row: int) -> Kind:
        """Give the place of a row's file."""
        return _KIND[self._kinds[row]]

    def size_bytes(self, row: int) -> int:
        """Give the size of a row's file."""
        return self._sizes[row]

    def name(self, row: int) -> str:
        """Give the last component of a row's path."""
        if self._kinds[row] == Kind.CONFIG:
            return "config"
        return self._digests[32 * row : 32 * row + 32].hex()

    def folder(self, row: int) -> str:
        """Give the folder of a row's file inside the repository; empty for ``config``."""
        kind = self._kinds[row]
        return f"data/{self._digests[32 * row]:02x}" if kind == Kind.DATA else _FOLDERS[kind]

    def names(self, rows: Sequence[int]) -> list[str]:
        """Give the names of many rows of one kind."""
        if rows and self._kinds[rows[0]] == Kind.CONFIG:
            return ["config"] * len(rows)
        digests = self._digests
        return [digests[32 * row : 32 * row + 32].hex() for row in rows]

    def path(self, row: int) -> str:
        """Give a row's path inside the repository."""
        return f"{self.folder(row)}/{self.name(row)}".lstrip("/")

    def file(self, row: int) -> RepositoryFile:
        """Give a row as a value."""
        return RepositoryFile(path=self.path(row), size_bytes=self._sizes[row])

    def shard(self, number: int) -> array[int]:
        """Give the rows whose name begins with this byte, in the order of the plan."""
        return self._shards[number]

    def _append(self, batch: int, folder: bytes, name: bytes, size_bytes: int) -> None:
        kind = 0 if folder[0] == _D else _KINDS[folder]
        self._append_row(batch, kind, bytes.fromhex(name.decode()), size_bytes)

    def _append_row(self, batch: int, kind: int, digest: bytes, size_bytes: int) -> None:
        if batch != self._batch:
            if batch < self._batch:
                raise StoreError("the plan is out of order in batch {batch}", batch=batch)
            self._batch = batch
        elif self._ordered and kind < self._kinds[-1] < Kind.KEYS:
            raise StoreError("the plan is out of order in batch {batch}", batch=batch)
        self._shards[digest[0]].append(len(self._kinds))
        self._kinds.append(kind)
        self._digests += digest
        self._sizes.append(size_bytes)

    def _refuse(self, path: bytes) -> None:
        self.refused_files += 1
        if len(self.refused) < _REFUSALS_KEPT:
            self.refused.append(Refusal(name=path, reason="not a lawful name in its lawful place"))


def write_plan(fd: int, batches: Iterable[tuple[int, Iterable[RepositoryFile]]]) -> None:
    """Write numbered batches to a file or memfd, each in the order of safety.

    Numbers must not fall. A name that cannot stand in a line is an error here, before any door.
    """
    with os.fdopen(os.dup(fd), "wb") as out:
        for number, files in batches:
            for file in sorted(files, key=lambda file: file.path):
                path = file.path.encode("utf-8", "surrogateescape")
                if _PATH.fullmatch(path) is None and path != b"config":
                    raise StoreError(
                        "{path} is not a lawful name in its lawful place", path=printable(path)
                    )
                out.write(b"%d %b %d\n" % (number, path, file.size_bytes))


def read_plan(fd: int) -> Plan:
    """Read a plan from a file or memfd, from its start, whatever the position of ``fd``."""
    plan = Plan()
    for line in _lines(fd):
        plan.add_line(line)
    return plan


def _lines(fd: int) -> Iterator[bytes]:
    """Give the lines, in bounded memory; a last line without newline means a torn plan."""
    rest, offset = b"", 0
    while chunk := os.pread(fd, _CHUNK_BYTES, offset):
        offset += len(chunk)
        *lines, rest = (rest + chunk).split(b"\n")
        if len(rest) > _LONGEST_LINE_BYTES:
            break
        yield from lines
    if rest:
        raise StoreError("the plan is torn or is not a plan")
