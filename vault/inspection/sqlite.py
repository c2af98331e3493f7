"""SQLite databases: the size that the header tells, and the engine's own check of the pages.

Rule 1: the engine reads a private copy, read-only and immutable, so that a hostile or a hot file
    neither writes nor waits; its schema is not trusted.
Rule 2: of what it says, whether it is ``ok``: the words of a fault name tables.
Source: sqlite.org/fileformat2.html (header), PRAGMA quick_check; decision 0017.
"""

from __future__ import annotations

import sqlite3
import tempfile
from typing import IO

from vault.finding import Finding, Remark, doubt, fault, judged, note
from vault.inspection.budget import Budget, OverBudget
from vault.inspection.content import BLOCK_BYTES, Content
from vault.inspection.inspector import NO, SURE

_MAGIC = b"SQLite format 3\0"
_WAL = 2
_STEPS = 10_000  # of the engine between two looks at the clock


class Sqlite:
    """Compares the size with the header, then has the engine look at every page."""

    kind = "sqlite"
    version = "1"

    def recognises(self, head: bytes, name: bytes) -> int:
        """Be sure of the mark."""
        return SURE if head.startswith(_MAGIC) else NO

    def inspect(self, content: Content) -> Finding:
        """Look at the header; at the pages when the size is right."""
        file = content.seekable()
        head = file.read(100)
        if len(head) < 100:
            return judged(self.kind, [_wrong_size()])
        page_bytes = int.from_bytes(head[16:18], "big")
        page_bytes = 65536 if page_bytes == 1 else page_bytes
        pages = int.from_bytes(head[28:32], "big")
        is_told = pages and head[24:28] == head[92:96]  # older engines leave the count stale
        size = file.seek(0, 2)
        if not page_bytes or size % page_bytes or (is_told and size != pages * page_bytes):
            return judged(self.kind, [_wrong_size()], counts={"pages": pages})
        remarks: list[Remark] = []
        if head[18] == _WAL:
            remarks.append(note("sqlite-wal", "its last changes may lie in a -wal file beside it"))
        tables = 0
        if size > content.budget.limits.spool_bytes:
            remarks.append(doubt("sqlite-large", "too large for its pages to be looked at"))
        else:
            is_sound, tables = _check(file, content.budget)
            if not is_sound:
                remarks.append(fault("sqlite-pages", "its pages are damaged"))
        counts = {"pages": size // page_bytes, "tables": tables}
        return judged(self.kind, remarks, counts=counts)


def _wrong_size() -> Remark:
    return fault("sqlite-size", "its size is not the one that its header tells: it was cut short")


def _check(file: IO[bytes], budget: Budget) -> tuple[bool, int]:
    """Have the engine check a private copy; give whether it is sound, and how many tables."""
    with tempfile.NamedTemporaryFile(suffix=".db") as copy:
        file.seek(0)
        while block := file.read(BLOCK_BYTES):
            budget.check_time()
            copy.write(block)
        copy.flush()
        over: list[OverBudget] = []

        def look_at_the_clock() -> int:
            try:
                budget.check_time()
            except OverBudget as bound:
                over.append(bound)
                return 1
            return 0

        base = sqlite3.connect(f"file:{copy.name}?mode=ro&immutable=1", uri=True)
        try:
            base.set_progress_handler(look_at_the_clock, _STEPS)
            base.execute("PRAGMA trusted_schema=OFF")
            base.execute("PRAGMA cell_size_check=ON")
            told = base.execute("PRAGMA quick_check(1)").fetchone()
            (tables,) = base.execute(
                "SELECT count(*) FROM sqlite_schema WHERE type = 'table'"
            ).fetchone()
        except sqlite3.DatabaseError:
            if over:
                raise over[0] from None
            return False, 0
        finally:
            base.close()
        return told == ("ok",), int(tables)
