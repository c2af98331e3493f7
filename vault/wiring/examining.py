"""Examines the files of a reception in several processes at once, when there is much of them.

Rule 1: which process examines a file changes nothing in what is found, nor in its order.
Rule 2: each child is given its files before it starts, by a descriptor, answers with one line a
    file, and dies with us; it never sees the catalogue, the landing or a password.
Rule 3: little is examined here: a child takes a quarter of a second to start.
Rule 4: a child that ends before its last file keeps the export out: the file that ended it is not
    tried again in this process.
Source: docs/decisions/0026.
"""

from __future__ import annotations

import base64
import binascii
import heapq
import json
import os
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from vault.catalogue.findings import unpack_finding
from vault.errors import CoffreError, SourceError
from vault.process import run_together

if TYPE_CHECKING:
    from vault.finding import Finding
    from vault.inspection.examiner import FileExaminer
    from vault.results import ManifestEntry

_CHILD = "vault.wiring.examining_child"
_MOST_CHILDREN = 8
_LEAST_S = 0.7  # of work: below this one process is as quick
_A_FILE_TAKES_S, _A_MB_TAKES_S = 0.0004, 0.02  # what it is about on any processor of today
_SHARE_BYTES = 256 * 1024**2  # of a child at a time: what an interruption costs
_A_FILE_S = 660.0  # more than the examiner's own bound


class SharedExaminer:
    """Implements ``vault.ports.Examiner`` with as many children as there are processors."""

    def __init__(
        self, examiner: FileExaminer, *, seed: bytes, policies: str | None, children: int = 0
    ) -> None:
        self._examiner = examiner
        self._request = {
            "seed": seed.hex(),
            "policies": policies,
            "tables": examiner.tables,
        }
        self._children = children or min(len(os.sched_getaffinity(0)), _MOST_CHILDREN)

    @property
    def tables(self) -> str:
        """Give the identity of the format tables and inspectors in use."""
        return self._examiner.tables

    def examine(self, reception: bytes, entry: ManifestEntry) -> Finding:
        """Examine one file in this process."""
        return self._examiner.examine(reception, entry)

    def examine_each(self, reception: bytes, entries: Sequence[ManifestEntry]) -> Iterator[Finding]:
        """Examine files and give what was found in their order; raises SourceError as for one."""
        for some in _batches(entries, self._children * _SHARE_BYTES):
            if self._children < 2 or len(some) < 2 or _work_s(some) < _LEAST_S:
                yield from self._examiner.examine_each(reception, some)
            else:
                yield from self._spread(reception, some)

    def _spread(self, reception: bytes, entries: Sequence[ManifestEntry]) -> list[Finding]:
        shares = shares_of([entry.size_bytes for entry in entries], self._children)
        argv = [sys.executable, "-I", "-m", _CHILD]
        answers: list[int] = []
        try:
            requests = []
            for share in shares:
                answers.append(os.memfd_create("coffre", os.MFD_CLOEXEC))
                requests.append(self._request_for(reception, [entries[n] for n in share]))
            run_together(
                [argv] * len(shares),
                stdins=requests,
                stdouts=answers,
                timeout_s=_A_FILE_S * max(map(len, shares)),
            )
            found: dict[int, Finding] = {}
            for share, answer in zip(shares, answers, strict=True):
                found |= zip(share, _findings(answer, len(share)), strict=True)
        finally:
            for answer in answers:
                os.close(answer)
        return [found[number] for number in range(len(entries))]

    def _request_for(self, reception: bytes, entries: Sequence[ManifestEntry]) -> bytes:
        files = [
            [base64.b64encode(one.path).decode(), one.size_bytes, one.mtime_ns, one.sha256]
            for one in entries
        ]
        folder = base64.b64encode(reception).decode()
        return json.dumps({**self._request, "reception": folder, "files": files}).encode()


def _work_s(entries: Sequence[ManifestEntry]) -> float:
    size = sum(entry.size_bytes for entry in entries)
    return len(entries) * _A_FILE_TAKES_S + size / 1e6 * _A_MB_TAKES_S


def shares_of(sizes: Sequence[int], children: int) -> list[list[int]]:
    """Part numbers of files among children: the largest first, each to who has least."""
    shares: list[tuple[int, int, list[int]]] = [(0, n, []) for n in range(children)]
    for number in sorted(range(len(sizes)), key=lambda n: (-sizes[n], n)):
        size, n, share = heapq.heappop(shares)
        share.append(number)
        heapq.heappush(shares, (size + sizes[number] + 1, n, share))
    return [sorted(share) for _, _, share in sorted(shares, key=lambda one: one[1]) if share]


def _batches(entries: Sequence[ManifestEntry], most: int) -> Iterator[Sequence[ManifestEntry]]:
    """Cut entries into pieces of at most so many bytes, or of one file."""
    start = size = 0
    for end, entry in enumerate(entries):
        if end > start and size + entry.size_bytes > most:
            yield entries[start:end]
            start, size = end, 0
        size += entry.size_bytes
    if start < len(entries):
        yield entries[start:]


def _findings(answer: int, count: int) -> list[Finding]:
    """Read what a child said; SourceError when it said an error, or less than it should."""
    os.lseek(answer, 0, os.SEEK_SET)
    with open(answer, "rb", closefd=False) as file:
        lines = file.read().split(b"\n")[:-1]
    found: list[Finding] = []
    for line in lines:
        if line.startswith(b"{"):
            raise _error(json.loads(line))
        try:
            found.append(unpack_finding(binascii.a2b_base64(line)))
        except ValueError:
            break
    if len(found) != count:
        raise SourceError(
            "an examination ended before its time, after {done} of {count} files",
            hint="is memory short, or does a file end what reads it? try coffre inspect",
            done=len(found),
            count=count,
        )
    return found


def _error(told: dict[str, Any]) -> CoffreError:
    return SourceError(told["template"], hint=told["hint"], **told["values"])
