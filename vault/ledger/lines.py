"""One line of the ledger: how it is written, read, and chained to the one before.

Rule 1: the hash of a line is that of its bytes without the newline; the next line carries it.
Rule 2: a body holds no secret, no file name of an export and no personal data; whoever appends
    sees to it, for a reader cannot tell.
Rule 3: there is no I/O here.
Source: ``docs/ledger.md``.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vault.ledger.canonical import from_json, instant_from_text, instant_to_text, to_json
from vault.records import LedgerHead

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

NO_HASH = "0" * 64
LINE_MAX = 1 << 20  # bounds what a reader must hold; an ordinary line has 300 bytes
_KEYS = {"n", "prev", "at", "boot", "mono", "kind", "body"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One event, as it stands in the ledger."""

    n: int
    prev: str  # the hash of the line before
    at: datetime
    boot: str
    mono: float  # seconds of the boot clock
    kind: str
    body: Mapping[str, object]
    sha256: str  # of this line


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One entry that is not what it must be; ``n`` is its number, counted from 0."""

    n: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamp:
    """When an entry is written, on all three clocks."""

    at: datetime
    boot: str
    mono: float


NO_HEAD = LedgerHead(n=-1, sha256=NO_HASH)  # of an empty ledger


def hash_of(line: bytes) -> str:
    """Give the hash that the next line carries; ``line`` has no newline."""
    return hashlib.sha256(line).hexdigest()


def write_line(
    head: LedgerHead, *, stamp: Stamp, kind: str, body: Mapping[str, object]
) -> tuple[bytes, Entry]:
    """Give the line that follows ``head``, with its newline, and the same as a value.

    Raises ValueError or TypeError when JSON cannot hold the body or the line is too long.
    """
    members = {
        "n": head.n + 1,
        "prev": head.sha256,
        "at": instant_to_text(stamp.at),
        "boot": stamp.boot,
        "mono": round(stamp.mono, 6),
        "kind": kind,
        "body": dict(body),
    }
    line = to_json(members)
    if len(line) >= LINE_MAX:
        raise ValueError("longer than a line may be")
    return line + b"\n", read_line(line)


def read_line(line: bytes) -> Entry:
    """Read a line without its newline; ValueError with the reason when it is no entry."""
    members = from_json(line)
    if not isinstance(members, dict) or set(members) != _KEYS:
        raise ValueError("it has not the members of an entry")
    n, mono, body = members["n"], members["mono"], members["body"]
    if type(n) is not int or n < 0 or type(mono) not in (int, float):
        raise ValueError("a number is not a number")
    if not isinstance(body, dict):
        raise ValueError("its body is not an object")
    prev, boot, kind = members["prev"], members["boot"], members["kind"]
    if not (isinstance(prev, str) and isinstance(boot, str) and isinstance(kind, str)):
        raise ValueError("a text is not a text")
    return Entry(
        n=n,
        prev=prev,
        at=instant_from_text(members["at"]),
        boot=boot,
        mono=float(mono),
        kind=kind,
        body=body,
        sha256=hash_of(line),
    )


def is_json(line: bytes) -> bool:
    """Tell a line that was written whole from one that a power cut left half there."""
    try:
        from_json(line)
    except ValueError:
        return False
    return True
