"""A restored SQLite file passes SQLite's own integrity check.

Rule 1: the file is read into the memory of a child that holds no rights and opens nothing.
Source: the SQLite manual, "PRAGMA integrity_check" and "sqlite3_deserialize".
"""

from __future__ import annotations

from collections.abc import Sequence

from vault.applications.child import applied, ask, head_of, path_of
from vault.fiche import Applied
from vault.proof import Outcome
from vault.results import ManifestEntry

_MAGIC = b"SQLite format 3\0"
_LIMIT_BYTES = 1 << 30
_TIMEOUT_S = 1800.0


class SqliteApplication:
    """Checks SQLite files."""

    def test(
        self, restored: bytes, source: str, entries: Sequence[ManifestEntry]
    ) -> Sequence[Applied]:
        """Check every SQLite file; nothing when there is none."""
        del source
        files = [e for e in entries if head_of(path_of(restored, e)).startswith(_MAGIC)]
        fitting = [entry for entry in files if entry.size_bytes <= _LIMIT_BYTES]
        good = tuple(entry.sha256 for entry in fitting if _is_sound(path_of(restored, entry)))
        found = []
        if len(good) < len(fitting):
            found.append(
                applied(
                    "sqlite",
                    Outcome.FAILED,
                    template="{count} of {files} SQLite files fail SQLite's own integrity check",
                    count=len(fitting) - len(good),
                    files=len(fitting),
                )
            )
        elif fitting:
            found.append(
                applied(
                    "sqlite",
                    Outcome.PASSED,
                    template="{files} SQLite files pass SQLite's own integrity check",
                    files=len(fitting),
                    read=good,
                )
            )
        if len(fitting) < len(files):
            found.append(
                applied(
                    "sqlite-large",
                    Outcome.SKIPPED,
                    template="SQLite files of more than 1 GiB: {count}",
                    count=len(files) - len(fitting),
                )
            )
        return found


def _is_sound(file: bytes) -> bool:
    return ask("sqlite_child.py", file, (), timeout_s=_TIMEOUT_S).get("sound") is True
