"""The ledger's file: append-only, one event a line, each chained to the one before.

Rule 1: an entry is on the disk, synced, before ``append`` returns; a sync that failed is never
    tried again, and nothing is appended after it by this object.
Rule 2: a torn last line is moved whole beside the ledger and said in it, never cut silently.
Rule 3: a chain that is broken elsewhere is named and never written to.
Rule 4: opening and appending read the end of the file only; ``verify`` reads all of it.
Rule 5: bodies hold no secret, no file name of an export and no personal data.
Rule 6: a clock that stepped back is noted and orders nothing: ``n`` does.
Rule 7: every line is a leaf of a Merkle tree (``tree``); what is kept of it beside the file is a
    convenience, never the truth.
Source: ``docs/ledger.md``.
"""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from vault.errors import LedgerError
from vault.ledger.audit import find_problems, read_entries
from vault.ledger.lines import Entry, Problem, Stamp, write_line
from vault.ledger.tail import ChainError, Tail, read_tail
from vault.ledger.torn import list_torn, set_aside
from vault.ledger.tree import Tree, read_tree
from vault.records import LedgerHead

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from datetime import datetime

    from vault.ports import Clock

_LOCK_TRIES, _LOCK_PAUSE_S = 200, 0.05


class Ledger:
    """The ledger of one vault; made when it is not there yet."""

    def __init__(self, path: str | bytes, clock: Clock) -> None:
        self._path = os.fsencode(path)
        self._clock = clock
        self._failed = False
        self._create()
        with self._locked(fcntl.LOCK_EX) as fd:
            tail = self._settle(fd, first=True)
        self._head = tail.head

    def append(self, kind: str, **body: object) -> Entry:
        """Write one event and sync it; give it as it stands in the ledger.

        Notes first, in an entry of its own, that the clock stepped back. Raises LedgerError with
        the file as it was when there is no room.
        """
        with self._locked(fcntl.LOCK_EX) as fd:
            tail = self._settle(fd)
            self._see_nothing_gone(tail)
            events = [*self._clock_events(tail), (kind, body)]
            return self._write(fd, tail, events)

    def entries(self) -> Iterator[Entry]:
        """Give every entry, oldest first; LedgerError at the first that cannot be read."""
        return read_entries(self._path, size=self._whole_size())

    def head(self) -> LedgerHead:
        """Give the newest entry's number and hash, as the file has them now."""
        return self._peek().head

    def last_at(self) -> datetime | None:
        """Give the wall clock of the newest entry, None when there is none."""
        last = self._peek().last
        return None if last is None else last.at

    def tree(self, *, signed: tuple[int, bytes] | None = None) -> Tree:
        """Give the Merkle tree over every entry; LedgerError when it is not what was signed.

        ``signed`` is size and root of the head that was signed last. Reads what is new since.
        """
        return read_tree(self._path, self._whole_size(), signed=signed)

    def verify(self, heads: Iterable[LedgerHead] = ()) -> list[Problem]:
        """Read the whole chain; give what is wrong, the first bad entry first.

        ``heads`` were kept elsewhere (on a target, on paper): without one, an end that was cut
        off cannot be seen.
        """
        return find_problems(self._path, heads=heads, size=self._whole_size())

    def _create(self) -> None:
        flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC
        folder = os.path.dirname(self._path) or b"."
        try:
            os.makedirs(folder, mode=0o700, exist_ok=True)
            os.close(os.open(self._path, flags, 0o600))
        except FileExistsError:
            return
        except OSError as error:
            raise _unwritable(error) from error
        _sync_folder(folder)
        _sync_folder(os.path.join(folder, b".."))  # the folder's own name may be new too

    @contextmanager
    def _locked(self, how: int) -> Iterator[int]:
        """Open the file and hold it against other processes."""
        # Opened anew each time: a ledger that was replaced under our feet is met, not written to.
        flags = os.O_RDWR | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
        try:
            fd = os.open(self._path, flags)
        except OSError as error:
            raise _unwritable(error) from error
        try:
            _lock(fd, how)
            yield fd
        finally:
            os.close(fd)

    def _peek(self) -> Tail:
        with self._locked(fcntl.LOCK_SH) as fd:
            return self._read_tail(fd)

    def _whole_size(self) -> int:
        with self._locked(fcntl.LOCK_SH) as fd:
            return os.fstat(fd).st_size

    def _read_tail(self, fd: int) -> Tail:
        try:
            return read_tail(fd)
        except ChainError as error:
            bad = next(iter(find_problems(self._path)), None)
            raise LedgerError(
                "the ledger is broken at entry {n}: {reason}",
                hint="nothing was appended; compare it with the copy in the landing repository?",
                n="?" if bad is None else bad.n,
                reason=error if bad is None else bad.reason,
            ) from None
        except OSError as error:
            raise _unwritable(error) from error

    def _settle(self, fd: int, *, first: bool = False) -> Tail:
        """Move a torn line beside the ledger and say so in it; give the end as it is then."""
        tail = self._read_tail(fd)
        n = tail.head.n + 1
        if not tail.is_torn and not first:
            return tail
        try:
            if tail.is_torn:
                set_aside(fd, self._path, tail, n=n)
            # Also what an earlier start set aside and died before it said so.
            torn = list_torn(self._path, n=n)
        except OSError as error:
            raise _unwritable(error) from error
        tail = self._read_tail(fd)
        if torn:
            self._write(fd, tail, [("ledger-torn", {"files": torn})])
            tail = self._read_tail(fd)
        return tail

    def _see_nothing_gone(self, tail: Tail) -> None:
        gone = tail.head.n < self._head.n
        if gone or (tail.head.n == self._head.n and tail.head != self._head):
            raise LedgerError(
                "the ledger was cut or replaced: entry {n} is not what was written",
                hint="who else writes to the state folder?",
                n=tail.head.n + 1 if gone else tail.head.n,
            )

    def _clock_events(self, tail: Tail) -> list[tuple[str, Mapping[str, object]]]:
        if tail.last is None:
            return []
        behind_s = (tail.last.at - self._clock.now()).total_seconds()
        return [("clock-stepped-back", {"seconds": behind_s})] if behind_s > 0 else []

    def _write(self, fd: int, tail: Tail, events: list[tuple[str, Mapping[str, object]]]) -> Entry:
        """Write the events after ``tail`` in one write and one sync."""
        if self._failed:
            raise LedgerError("the ledger could not be synced before: nothing more is appended")
        stamp = Stamp(at=self._clock.now(), boot=self._clock.boot_id(), mono=self._clock.boot_s())
        head, lines = tail.head, b""
        for kind, body in events:
            try:
                line, entry = write_line(head, stamp=stamp, kind=kind, body=body)
            except (ValueError, TypeError) as error:
                raise LedgerError(
                    "an event of kind {kind} cannot be written: {reason}", kind=kind, reason=error
                ) from error
            lines += line
            head = LedgerHead(n=entry.n, sha256=entry.sha256)
        _append_or_undo(fd, lines, size=tail.size)
        self._sync(fd)
        self._head = head
        return entry

    def _sync(self, fd: int) -> None:
        try:
            os.fsync(fd)
        except OSError as error:
            # A second sync would say yes and lie: the kernel has dropped the pages by then.
            self._failed = True
            raise _unwritable(error) from error


def _append_or_undo(fd: int, lines: bytes, *, size: int) -> None:
    """Append all of it or nothing: what did not fit is taken back under the same lock."""
    try:
        left = memoryview(lines)
        while left:
            left = left[os.write(fd, left) :]
    except OSError as error:
        # If this fails too, the next opening finds the line torn and sets it aside.
        with suppress(OSError):
            os.ftruncate(fd, size)
        raise _unwritable(error) from error


def _lock(fd: int, how: int) -> None:
    for _ in range(_LOCK_TRIES):
        try:
            fcntl.flock(fd, how | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(_LOCK_PAUSE_S)
        else:
            return
    raise LedgerError(
        "another process has held the ledger for {seconds:.0f} s",
        hint="is another coffre hanging?",
        seconds=_LOCK_TRIES * _LOCK_PAUSE_S,
    )


def _sync_folder(folder: bytes) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _unwritable(error: OSError) -> LedgerError:
    return LedgerError(
        "the ledger cannot be written: {reason}",
        hint="is the disk of the vault host full, or its state folder not ours?",
        reason=error.strerror,
    )
