"""A restored PostgreSQL dump loads into a scratch server, and a query answers.

Rule 1: the server is started by the test, listens on a private socket only, and is gone with it.
Rule 2: a server that is not installed, or is older than the dump, tests nothing, and that is said.
Source: the PostgreSQL manual, "pg_restore" and "Starting the Database Server".
"""

from __future__ import annotations

import glob
import os
import secrets
from collections.abc import Sequence

from vault.applications.child import applied, ask, head_of, path_of
from vault.fiche import Applied
from vault.proof import Outcome
from vault.results import ManifestEntry
from vault.scratch import wipe

_CUSTOM, _PLAIN = b"PGDMP", b"PostgreSQL database dump"
_PLACES = "/usr/lib/postgresql/*/bin"
_TIMEOUT_S = 2 * 3600.0


class PostgresApplication:
    """Loads PostgreSQL dumps."""

    def __init__(self, places: str = _PLACES) -> None:
        self._places = places

    def test(
        self, restored: bytes, source: str, entries: Sequence[ManifestEntry]
    ) -> Sequence[Applied]:
        """Load every dump; nothing when there is none."""
        del source
        found = []
        for entry in entries:
            head = head_of(path_of(restored, entry))
            kind = "custom" if head.startswith(_CUSTOM) else "plain" if _PLAIN in head else ""
            if kind:
                found.append(self._load(restored, entry, kind))
        return found

    def _load(self, restored: bytes, entry: ManifestEntry, kind: str) -> Applied:
        programs = _newest(self._places)
        if programs is None:
            return applied(
                "postgresql",
                Outcome.SKIPPED,
                template="a PostgreSQL dump was not loaded: no PostgreSQL is installed here",
            )
        folder = os.path.join(restored, b"postgresql-" + secrets.token_hex(4).encode())
        os.mkdir(folder, 0o700)
        try:
            words = (programs, os.fsdecode(folder), kind)
            answer = ask("postgres_child.py", path_of(restored, entry), words, timeout_s=_TIMEOUT_S)
        finally:
            wipe(folder)
        return _told(answer, entry)


def _told(answer: dict[str, object] | object, entry: ManifestEntry) -> Applied:
    said = answer if isinstance(answer, dict) else {}
    step, tables, rows = said.get("step"), said.get("tables"), said.get("rows")
    if step == "done" and isinstance(tables, int) and isinstance(rows, int) and tables > 0:
        return applied(
            "postgresql",
            Outcome.PASSED,
            template="a PostgreSQL dump loads, and a query counts {rows} rows in {tables} tables",
            rows=rows,
            tables=tables,
            read=(entry.sha256,),
        )
    if step in ("isolate", "initdb", "server", "version"):
        return applied(
            "postgresql",
            Outcome.SKIPPED,
            template="a PostgreSQL dump was not loaded: no scratch server was to be had: {step}",
            step=str(step),
        )
    return applied(
        "postgresql",
        Outcome.FAILED,
        template="a PostgreSQL dump does not load, or holds no table: {step}",
        step=str(step or "no answer"),
    )


def _newest(places: str) -> str | None:
    """Give the folder of the newest server's programs."""

    def version(place: str) -> int:
        number = os.path.basename(os.path.dirname(place))
        return int(number) if number.isdigit() else 0

    found = [one for one in glob.glob(places) if os.access(os.path.join(one, "postgres"), os.X_OK)]
    return max(found, key=version, default=None)
