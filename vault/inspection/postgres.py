"""PostgreSQL dumps: plain SQL, and the custom format of ``pg_dump -Fc``.

Rule 1: a plain dump ends with a line that says it is complete; one that was cut short lacks it.
Rule 2: of a custom dump the list of contents is read, and the last block of data walked to its
    end; a version of the format newer than those known is a doubt.
Rule 3: names of tables and databases are never taken.
Source: pg_dump; ``pg_backup_archiver.c`` and ``pg_backup_custom.c`` of PostgreSQL 12 to 17;
    decision 0017.
"""

from __future__ import annotations

import os
import re
from typing import IO

from vault.finding import Finding, doubt, fault, judged, note
from vault.inspection.content import Content
from vault.inspection.inspector import NO, SURE
from vault.inspection.periods import Periods

_TAIL_BYTES = 4096
_PLAIN = re.compile(rb"-- PostgreSQL database (?:cluster )?dump\r?\n")
_COMPLETE = re.compile(rb"-- PostgreSQL database (?:cluster )?dump complete")
_VERSION = re.compile(rb"-- Dumped from database version (\d{1,2}(?:\.\d{1,2})?)")
_SERVER = re.compile(rb"\d{1,2}(?:\.\d{1,2}){0,2}(?= |$)")
_CUSTOM = b"PGDMP"
_NEWEST_KNOWN = (1, 16)
_MOST_ENTRIES = 5_000_000
_LONGEST_TEXT_BYTES = 64 * 1024**2


class PostgresPlain:
    """Looks for the line that ends a dump, and counts tables and copies."""

    kind = "postgres-sql"
    version = "1"

    def recognises(self, head: bytes, name: bytes) -> int:
        """Be sure of the comment that begins a dump."""
        return SURE if _PLAIN.search(head[:1024]) else NO

    def inspect(self, content: Content) -> Finding:
        """Read to the end; what counts is how it ends."""
        counts = {"tables": 0, "copies": 0}
        tail = b""
        for block in content.blocks():
            both = tail[-32:] + block
            counts["tables"] += _count(both, b"\nCREATE TABLE ", len(tail[-32:]))
            counts["copies"] += _count(both, b"\nCOPY ", len(tail[-32:]))
            tail = (tail + block)[-_TAIL_BYTES:]
        remarks = []
        if found := _VERSION.search(content.head):
            remarks.append(
                note("sql-version", "from version {version}", version=found.group(1).decode())
            )
        if not _COMPLETE.search(tail):
            remarks.append(
                fault("sql-cut", "it lacks the line that says it is complete: it was cut short")
            )
        return judged(self.kind, remarks, counts=counts)


def _count(text: bytes, mark: bytes, overlap: int) -> int:
    """Count a mark; what lies wholly in the overlap was counted before."""
    return text.count(mark) - text[:overlap].count(mark)


class PostgresCustom:
    """Reads the list of contents, and walks the last block of data to its end."""

    kind = "postgres-custom"
    version = "1"

    def recognises(self, head: bytes, name: bytes) -> int:
        """Be sure of the mark."""
        return SURE if head.startswith(_CUSTOM) else NO

    def inspect(self, content: Content) -> Finding:
        """Read the list, then the end."""
        listing = _Listing(content.seekable())
        if listing.version > _NEWEST_KNOWN or listing.format != 1:
            return judged(
                self.kind,
                [
                    doubt(
                        "pg-newer",
                        "its format {version} is not one that is known: its end was not looked at",
                        version=f"{listing.version[0]}.{listing.version[1]}-{listing.format}",
                    )
                ],
            )
        try:
            listing.read()
            is_whole = listing.is_whole()
        except EOFError:
            is_whole = False
        remarks = (
            []
            if is_whole
            else [
                fault(
                    "pg-cut", "it ends before its list or its last block of data: it was cut short"
                )
            ]
        )
        if listing.server:
            remarks.insert(0, note("sql-version", "from version {version}", version=listing.server))
        counts = {"entries": listing.entries, "tables": listing.tables, "copies": listing.blocks}
        return judged(self.kind, remarks, counts=counts, periods=listing.periods.told())


class _Listing:
    """The list of contents of a custom dump, as ``ReadToc`` reads it."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._size = file.seek(0, os.SEEK_END)
        file.seek(len(_CUSTOM))
        major, minor, _revision = self._bytes(3)
        self.version = (major, minor)
        self._int_bytes, self._offset_bytes, self.format = self._bytes(3)
        if self._int_bytes != 4 or self._offset_bytes not in (4, 8):
            raise ValueError("sizes")
        self.entries = self.tables = self.blocks = 0
        self.server = ""
        self.periods = Periods()
        self._last_at = 0

    def read(self) -> None:
        """Read head and entries; EOFError when the file ends in them."""
        if self.version >= (1, 15):
            self._bytes(1)
        else:
            self._int()
        *_clock, day, month, year, _summer = (self._int() for _ in range(7))
        self.periods.add(f"{1900 + year:04}-{month + 1:02}-{day:02}")
        self._text()
        # A name could stand where a version should: only what looks like one is told.
        version = _SERVER.match(self._text() or b"")
        self.server = version.group().decode() if version else ""
        self._text()
        count = self._int()
        if not 0 <= count <= _MOST_ENTRIES:
            raise ValueError("entries")
        for _ in range(count):
            self._entry()

    def _entry(self) -> None:
        self.entries += 1
        self._int()
        self._int()
        self._text()
        self._text()
        self._text()
        kind = self._text()
        self.tables += kind == b"TABLE"
        self._int()
        for _ in range(5):  # definition, drop, copy, schema, tablespace
            self._text()
        if self.version >= (1, 14):
            self._text()
        if self.version >= (1, 16):
            self._int()
        self._text()
        self._text()
        while self._text() is not None:
            pass
        state = self._bytes(1)[0]
        at = int.from_bytes(self._bytes(self._offset_bytes), "little")
        if state == 2:  # the place of its data is known
            self.blocks += 1
            self._last_at = max(self._last_at, at)

    def is_whole(self) -> bool:
        """Walk the last block of data to the length 0 that ends it; EOFError when it does not."""
        if not self._last_at:
            return True
        self._file.seek(self._last_at)
        self._bytes(1)
        self._int()
        while length := self._int():
            if length < 0 or self._file.seek(length, os.SEEK_CUR) > self._size:
                return False
        return True

    def _bytes(self, count: int) -> bytes:
        found = self._file.read(count)
        if len(found) < count:
            raise EOFError
        return found

    def _int(self) -> int:
        sign, *value = self._bytes(1 + self._int_bytes)
        number = int.from_bytes(bytes(value), "little")
        return -number if sign else number

    def _text(self) -> bytes | None:
        length = self._int()
        if length < 0:
            return None
        if length > _LONGEST_TEXT_BYTES:
            raise ValueError("text")
        return self._bytes(length)
