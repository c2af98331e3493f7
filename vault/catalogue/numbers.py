"""The newest numbers of nights and of restore tests, for a shell that completes a word.

Rule: read without the database layer and without a lock, from the file alone; whoever asks can do
    without the answer.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

_NEWEST = 30
_ASKED = {
    "cycle": "SELECT number FROM cycle ORDER BY number DESC LIMIT ?",
    "drill": "SELECT number FROM drill ORDER BY number DESC LIMIT ?",
}


def newest_numbers(path: str, table: str) -> list[int]:
    """Give the newest 30 numbers of ``cycle`` or ``drill``, the newest first.

    Raises sqlite3.Error or OSError when the file cannot be read.
    """
    uri = Path(path).absolute().as_uri() + "?mode=ro"
    with closing(sqlite3.connect(uri, uri=True, timeout=0.2)) as connection:
        return [number for (number,) in connection.execute(_ASKED[table], (_NEWEST,))]
