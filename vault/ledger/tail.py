"""The end of the ledger's file: where its last whole lines are, and what is torn after them.

Rule 1: only the end is read, whatever the length of the file.
Rule 2: nothing here writes.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from vault.ledger.lines import LINE_MAX, NO_HEAD, Entry, is_json, read_line
from vault.records import LedgerHead

_BLOCK = 1 << 16


class ChainError(ValueError):
    """The last whole lines do not chain; the message is the reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tail:
    """What stands at the end: the newest entry, then the bytes of a torn line."""

    last: Entry | None
    torn_at: int  # where the torn bytes begin; the file's size when there are none
    size: int

    @property
    def head(self) -> LedgerHead:
        """The newest whole entry."""
        return NO_HEAD if self.last is None else LedgerHead(n=self.last.n, sha256=self.last.sha256)

    @property
    def is_torn(self) -> bool:
        """Whether something stands after the newest whole entry."""
        return self.torn_at < self.size


def read_tail(fd: int) -> Tail:
    """Read the end of an open ledger; ChainError when its last two entries do not chain."""
    size = os.fstat(fd).st_size
    torn_at = _start_of_line(fd, size)
    if torn_at == size and size and not _is_whole(fd, size):
        torn_at = _start_of_line(fd, size - 1)
    return Tail(last=_last_entry(fd, torn_at), torn_at=torn_at, size=size)


def _is_whole(fd: int, end: int) -> bool:
    start = _start_of_line(fd, end - 1)
    # A line longer than we ever write was not torn by a crash: it stays, and is ChainError below.
    return end - start > LINE_MAX or is_json(os.pread(fd, end - 1 - start, start))


def _last_entry(fd: int, end: int) -> Entry | None:
    """Read the entry that ends at ``end``, and see that it chains to the one before."""
    if end == 0:
        return None
    start = _start_of_line(fd, end - 1)
    last = _entry(fd, start, end)
    if start == 0:
        expected = NO_HEAD
    else:
        before = _entry(fd, _start_of_line(fd, start - 1), start)
        expected = LedgerHead(n=before.n, sha256=before.sha256)
    if last.n != expected.n + 1 or last.prev != expected.sha256:
        raise ChainError("it does not chain to the entry before")
    return last


def _entry(fd: int, start: int, end: int) -> Entry:
    if end - start > LINE_MAX:
        raise ChainError("it is longer than a line may be")
    try:
        return read_line(os.pread(fd, end - 1 - start, start))
    except ValueError as error:
        raise ChainError(str(error)) from None


def _start_of_line(fd: int, end: int) -> int:
    """Give where the line begins whose bytes end before ``end``."""
    while end > 0:
        begin = max(0, end - _BLOCK)
        found = os.pread(fd, end - begin, begin).rfind(b"\n")
        if found >= 0:
            return begin + found + 1
        end = begin
    return 0
