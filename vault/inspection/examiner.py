"""Examines one file of a reception: one pass that hashes, samples and inspects.

Rule 1: the file is opened once, without following anything, and every reading is of that
    descriptor: what was hashed is what was inspected.
Rule 2: the pass always reaches the end of the file, whatever the inspector did or met; a content
    that is not the manifest's raises SourceError.
Rule 3: a disk that cannot be read is an error, never a malformed file.
Source: design, section 4, step 4; openat(2), pread(2).
"""

from __future__ import annotations

import dataclasses
import hashlib
import io
import os
import stat
from collections.abc import Callable, Iterator, Sequence
from typing import IO, TypeVar, cast

from vault.descriptors import open_file, open_root
from vault.errors import SourceError
from vault.finding import Finding
from vault.inspection.budget import Budget, Limits
from vault.inspection.content import Content, OnBlock
from vault.inspection.registry import Registry
from vault.inspection.signs import Sampler
from vault.results import ManifestEntry

_DATA = b"data"
_SLOW_S, _SLOW_BYTES_PER_S = 5.0, 256 * 1024  # a hundredth of what the slowest reader does
_MOST_SLOW_S = 1800.0  # of one export: what one that is hostile may take from the night
T = TypeVar("T")


class FileExaminer:
    """Opens the files of receptions and says what they are.

    ``seed`` decides which bytes are sampled; a vault keeps its own to itself.
    """

    def __init__(
        self,
        registry: Registry,
        *,
        seed: bytes,
        limits: Limits | None = None,
        clock_s: Callable[[], float],
    ) -> None:
        self._registry = registry
        self._seed = seed
        self._limits = limits or Limits()
        self._clock_s = clock_s

    @property
    def tables(self) -> str:
        """Give the identity of the format tables and inspectors in use."""
        return self._registry.tables

    def examine(self, reception: bytes, entry: ManifestEntry) -> Finding:
        """Examine one file under ``data/``; SourceError when it is not the manifest's."""
        try:
            data = open_root(os.path.join(reception, _DATA))
            try:
                fd = open_file(data, entry.path)
            finally:
                os.close(data)
            try:
                finding, sha256 = self.examine_open(fd, entry.path.rpartition(b"/")[2])
            finally:
                os.close(fd)
        except OSError as error:
            raise SourceError(
                "a file of the reception cannot be read: {reason}",
                hint="is the disk of the vault host failing?",
                reason=error.strerror or type(error).__name__,
            ) from None
        if sha256 != entry.sha256:
            raise SourceError(
                "a file of the reception is not what the manifest says",
                hint="does another program write in the reception? it belongs to coffre alone?",
            )
        return finding

    def examine_each(self, reception: bytes, entries: Sequence[ManifestEntry]) -> Iterator[Finding]:
        """Examine files one after the other; SourceError when small ones keep it busy too long.

        Files that unfold without end each stay within their own bound: many of them would take the
        night from all other sources.
        """
        slow_s = 0.0
        for entry in entries:
            began_s = self._clock_s()
            yield self.examine(reception, entry)
            took_s = self._clock_s() - began_s
            if took_s > _SLOW_S and entry.size_bytes < took_s * _SLOW_BYTES_PER_S:
                slow_s += took_s
            if slow_s > _MOST_SLOW_S:
                raise SourceError(
                    "small files take too long to inspect: {seconds} s so far",
                    hint="are there archives that unfold without end? see coffre inspect PATH",
                    seconds=round(slow_s),
                )

    def examine_open(self, fd: int, name: bytes) -> tuple[Finding, str]:
        """Examine an open regular file; give the finding and the SHA-256 of its bytes.

        Raises OSError when it cannot be read, or is not a regular file.
        """
        facts = os.fstat(fd)
        if not stat.S_ISREG(facts.st_mode):
            raise OSError(0, "not a regular file")
        digest = hashlib.sha256()
        sampler = Sampler(facts.st_size, self._seed)

        def on_block(block: memoryview) -> None:
            digest.update(block)
            sampler.take(block)

        failures: list[OSError] = []
        content = self._content(fd, name, failures, on_block)
        try:
            finding = self._registry.judge(content)
        finally:
            content.finish()
        # A parser may have taken the disk's failure for the file's.
        if failures:
            raise failures[0]
        return dataclasses.replace(content.told(finding), signs=sampler.signs()), digest.hexdigest()

    def read_open(self, fd: int, name: bytes, read: Callable[[Content], T]) -> T:
        """Have something read from an open file that no finding keeps; raises what it raises."""
        content = self._content(fd, name, [], None)
        try:
            return read(content)
        finally:
            content.finish()

    def _content(
        self, fd: int, name: bytes, failures: list[OSError], on_block: OnBlock | None
    ) -> Content:
        return Content(
            name,
            os.fstat(fd).st_size,
            lambda: cast("IO[bytes]", _Positioned(fd, failures)),
            budget=Budget(limits=self._limits, clock=self._clock_s),
            judge=self._registry.judge,
            on_block=on_block,
            is_seekable=True,
        )


class _Positioned(io.RawIOBase):
    """A stream over a shared descriptor that has a position of its own."""

    def __init__(self, fd: int, failures: list[OSError]) -> None:
        self._fd = fd
        self._failures = failures
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        base = (0, self._at, os.fstat(self._fd).st_size)[whence]
        if base + offset < 0:
            raise ValueError("before the beginning")
        self._at = base + offset
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        try:
            count = os.preadv(self._fd, [buffer], self._at)
        except OSError as error:
            self._failures.append(error)
            raise
        self._at += count
        return count
