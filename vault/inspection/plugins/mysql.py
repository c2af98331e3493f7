"""MySQL and MariaDB dumps, as plain SQL.

Rule 1: a dump ends with a line that says it is complete; one that was cut short lacks it.
Rule 2: names of tables and databases are never taken.
Source: mysqldump, mariadb-dump (``-- Dump completed``).
"""

from __future__ import annotations

import re

from vault.finding import Finding, fault, judged
from vault.inspection.content import Content
from vault.inspection.inspector import NO, SURE
from vault.inspection.periods import Periods

_BEGIN = re.compile(rb"(?:/\*M?!.{0,80}?\*/;?\s*)?-- (?:MySQL|MariaDB) dump ", re.DOTALL)
_COMPLETE = re.compile(rb"-- Dump completed(?: on (\d{4}-\d\d-\d\d))?")
_TABLE = b"\nCREATE TABLE "
_TAIL_BYTES = 4096


class MySql:
    """Looks for the line that ends a dump, and counts tables."""

    kind = "mysql-sql"
    version = "1"

    def recognises(self, head: bytes, name: bytes) -> int:
        """Be sure of the comment that begins a dump."""
        return SURE if _BEGIN.match(head[:512]) else NO

    def inspect(self, content: Content) -> Finding:
        """Read to the end; what counts is how it ends."""
        tables, tail = 0, b""
        for block in content.blocks():
            before = tail[-32:]
            tables += (before + block).count(_TABLE) - before.count(_TABLE)
            tail = (tail + block)[-_TAIL_BYTES:]
        periods, remarks = Periods(), []
        found = _COMPLETE.search(tail)
        if found is None:
            remarks.append(
                fault("sql-cut", "it lacks the line that says it is complete: it was cut short")
            )
        elif found.group(1):
            periods.add(found.group(1).decode())
        return judged(self.kind, remarks, counts={"tables": tables}, periods=periods.told())
