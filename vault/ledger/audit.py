"""Reading the whole ledger: every entry in order, and every one that is not what it must be.

Rule 1: reading needs no key, no clock and no right to write, and never changes the file.
Rule 2: the first problem named is the first entry that was touched, not where it was noticed.
Rule 3: a chain alone cannot see that its end was cut off or written anew: that takes a head which
    was kept elsewhere (on a target, on paper, with a second person), given as ``heads``.
Source: ``docs/ledger.md``.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from vault.errors import LedgerError
from vault.ledger.lines import LINE_MAX, NO_HEAD, Entry, Problem, hash_of, read_line
from vault.records import LedgerHead

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import IO


def read_entries(path: bytes, *, size: int | None = None) -> Iterator[Entry]:
    """Give every entry, oldest first; LedgerError at the first line that is none.

    ``size`` bounds what is read, so that a line being appended meanwhile is not met half-written.
    """
    for position, line in enumerate(read_lines(path, size)):
        try:
            if not line.endswith(b"\n"):
                raise ValueError("it is torn")
            yield read_line(line[:-1])
        except ValueError as error:
            raise LedgerError(
                "entry {n} of the ledger cannot be read: {reason}", n=position, reason=error
            ) from None


def find_problems(
    path: bytes, *, heads: Iterable[LedgerHead] = (), size: int | None = None
) -> list[Problem]:
    """Give what is wrong, first entry first; nothing when the whole chain holds.

    ``heads`` are older heads that were kept elsewhere: each must be an entry of this ledger.
    """
    wanted: dict[int, set[str]] = {}
    for head in heads:
        if head.n >= 0:  # the head of an empty ledger says nothing
            wanted.setdefault(head.n, set()).add(head.sha256)
    problems: list[Problem] = []
    before = NO_HEAD
    for position, line in enumerate(read_lines(path, size)):
        problem, before = _judge(line, before, position)
        if problem is not None:
            problems.append(problem)
        kept = wanted.pop(before.n, set())
        if kept - {before.sha256}:
            problems.append(Problem(n=before.n, reason="it differs from a head kept elsewhere"))
    problems += [
        Problem(n=n, reason="it is gone, and a head kept elsewhere names it")
        for n in sorted(wanted)
    ]
    return sorted(problems, key=lambda problem: problem.n)


def _judge(line: bytes, before: LedgerHead, position: int) -> tuple[Problem | None, LedgerHead]:
    """Judge one line against the one before; go on from what it claims to be.

    A line that claims an earlier number must not lend it to what follows: that is named by where
    it stands.
    """
    n = before.n + 1
    if not line.endswith(b"\n"):
        return Problem(n=n, reason="it is torn"), LedgerHead(n=n, sha256=hash_of(line))
    here = LedgerHead(n=n, sha256=hash_of(line[:-1]))
    try:
        entry = read_line(line[:-1])
    except ValueError as error:
        return Problem(n=n, reason=str(error)), here
    here = LedgerHead(n=entry.n, sha256=entry.sha256)
    if entry.n != n:
        place = max(n, position)
        return Problem(n=place, reason=f"entry {entry.n} stands in its place"), here
    if entry.prev != before.sha256:
        if n == 0:
            return Problem(n=0, reason="it claims an entry before it"), here
        return Problem(n=n - 1, reason=f"it is not the entry that {n} was chained to"), here
    return None, here


def read_lines(path: bytes, size: int | None = None, *, start: int = 0) -> Iterator[bytes]:
    """Give the lines, each with its newline, from byte ``start`` up to ``size``; LedgerError."""
    try:
        with open(path, "rb") as file:
            file.seek(start)
            end = os.fstat(file.fileno()).st_size if size is None else size
            yield from _bounded(file, end - start)
    except OSError as error:
        raise LedgerError(
            "the ledger cannot be read: {reason}",
            hint="was it made by coffre init?",
            reason=error.strerror,
        ) from error


def _bounded(file: IO[bytes], left: int) -> Iterator[bytes]:
    while left > 0:
        # A line longer than any we write comes in pieces, each of which is a problem.
        line = file.readline(min(left, LINE_MAX + 1))
        if not line:
            return
        left -= len(line)
        yield line
