"""One file as an inspector sees it: bounded in time and size, and read once.

Rule 1: the first stream is the one pass over the bytes: who hashes and samples is told of each
    block on the way, in order, each byte once, even when the inspector leaves or closes it early.
Rule 2: a format that must be read out of order asks for ``seekable``; it pays with a second
    reading, which the page cache serves.
Rule 3: a member of an archive is a content like any other, one level deeper, with the same budget,
    and is always read to its end, so that its checksum is.
Rule 4: only what is unfolded is booked; the file itself may be as large as it likes.
"""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import IO, Protocol, cast

from vault.finding import OPAQUE, Finding, doubt, worst
from vault.inspection.budget import Budget, LongLine, OverBudget
from vault.inspection.magic import magic_of

HEAD_BYTES = 64 * 1024
BLOCK_BYTES = 1024**2
LONGEST_LINE_BYTES = 1024**2
_LINES_BYTES = 256 * 1024  # of lines at a time: small enough to stay in the cache of a processor
_WRITTEN = frozenset(("text", "xml", "json"))  # words of the first bytes
_LEAST_NULS = 4  # a block of 4 KiB has sixteen when it is encrypted

Judge = Callable[["Content"], Finding]
OnBlock = Callable[[memoryview], None]


class _Readable(Protocol):
    """What a stream needs to give: blocks into a buffer, and an end."""

    def readinto(self, buffer: memoryview, /) -> int | None: ...

    def close(self) -> None: ...


class Content:
    """A file or a member of an archive; ``open_again`` gives a fresh stream of its bytes.

    ``judge`` inspects a member; ``folded_bytes`` is what a member takes up in its archive.
    """

    def __init__(
        self,
        name: bytes,
        size_bytes: int,
        open_again: Callable[[], IO[bytes]],
        *,
        budget: Budget,
        judge: Judge | None = None,
        depth: int = 0,
        folded_bytes: int | None = None,
        on_block: OnBlock | None = None,
        is_seekable: bool = False,
    ) -> None:
        self.name = name  # the last component, as the file system or the archive has it
        self.size_bytes = size_bytes  # -1 when an archive does not say
        self.budget = budget
        self.depth = depth
        self._open_again = open_again
        self._judge = judge
        self._folded_bytes = folded_bytes
        self._on_block = on_block
        self._is_seekable = is_seekable
        self.nul_bytes = 0  # of the one pass, in what begins as text
        self._is_written: bool | None = None  # begins as text; None before its first block
        self._head: bytes | None = None
        self._first: _Pass | None = None
        self._opened: list[IO[bytes]] = []

    @property
    def head(self) -> bytes:
        """Give the first 64 KiB, or all there is."""
        if self._head is None:
            with self._open_again() as file:
                self._head = _read_up_to(file, HEAD_BYTES)
        return self._head

    def stream(self) -> IO[bytes]:
        """Give the bytes in order, with ``readline``; the first stream is the one pass."""
        opened = _Pass(self._open_again(), self) if self._first else self._begin()
        stream = io.BufferedReader(opened, BLOCK_BYTES)
        self._opened.append(stream)
        return stream

    def _begin(self) -> _Pass:
        """Begin the one pass."""
        self._first = _Pass(self._open_again(), self)
        self._first.on_block, self._first.is_kept = self._on_block, True
        return self._first

    def lines(self, longest_bytes: int = LONGEST_LINE_BYTES) -> Iterator[bytes]:
        """Give the lines of a fresh stream with their ends; LongLine past a bound."""
        stream = self.stream()
        while line := stream.readline(longest_bytes + 1):
            if len(line) > longest_bytes:
                raise LongLine
            yield line

    def texts(self, longest_bytes: int = LONGEST_LINE_BYTES) -> Iterator[tuple[bytes, bool]]:
        """Give a fresh stream as ``whole_lines`` does."""
        return whole_lines(self.stream(), longest_bytes)

    def blocks(self) -> Iterator[bytes]:
        """Give the bytes of a fresh stream, a MiB at a time."""
        stream = self.stream()
        while block := stream.read(BLOCK_BYTES):
            yield block

    def seekable(self) -> IO[bytes]:
        """Give the bytes out of order; a member of an archive is laid down in a private file."""
        if self._is_seekable:
            file = cast("IO[bytes]", io.BufferedReader(_Minded(self._open_again(), self.budget)))
            self._opened.append(file)
            return file
        if self.size_bytes > self.budget.limits.spool_bytes:
            raise OverBudget("spool_bytes")
        spool = tempfile.SpooledTemporaryFile(max_size=8 * BLOCK_BYTES)  # noqa: SIM115, closed below
        self._opened.append(cast("IO[bytes]", spool))
        with self._open_again() as file:
            while block := file.read(BLOCK_BYTES):
                self.book(len(block), spool.tell() + len(block))
                if spool.tell() + len(block) > self.budget.limits.spool_bytes:
                    raise OverBudget("spool_bytes")
                spool.write(block)
        spool.seek(0)
        return cast("IO[bytes]", spool)

    def book(self, count: int, so_far: int) -> None:
        """Book bytes that were unfolded; raises OverBudget."""
        if self.depth == 0:
            self.budget.check_time()
            return
        self.budget.unfold(count)
        if self._folded_bytes is not None:
            self.budget.check_ratio(so_far, self._folded_bytes)

    def note_block(self, block: memoryview) -> None:
        """Count the zeros of what begins as text: encrypted blocks have them, text has none."""
        if self._is_written is None:
            self._is_written = magic_of(bytes(block[:512])) in _WRITTEN
        if self._is_written and b"\0" in (data := bytes(block)):  # ten times as quick as counting
            self.nul_bytes += data.count(0)

    def told(self, finding: Finding) -> Finding:
        """Give a finding of this content with what its one pass has seen, when it is finished."""
        if self.nul_bytes < _LEAST_NULS:
            return finding
        pierced = doubt(
            "text-pierced", "it begins as text and holds {count} zero bytes, which no text has",
            count=self.nul_bytes,
        )  # fmt: skip
        soundness = finding.soundness
        if finding.kind != OPAQUE:  # of what nobody knows nothing is claimed
            soundness = worst((soundness, pierced.soundness))
        return replace(finding, remarks=(*finding.remarks, pierced), soundness=soundness)

    def member(
        self,
        name: bytes,
        size_bytes: int,
        open_again: Callable[[], IO[bytes]],
        *,
        folded_bytes: int | None = None,
    ) -> Content:
        """Give what is folded into this file, one level deeper; raises OverBudget."""
        self.budget.enter(self.depth + 1)
        return Content(
            name,
            size_bytes,
            open_again,
            budget=self.budget,
            judge=self._judge,
            depth=self.depth + 1,
            folded_bytes=folded_bytes,
        )

    def judge_member(self, member: Content) -> Finding:
        """Have a member inspected as any file is, and read it to its end.

        Raises OverBudget, and what the archive raises at the member's end for a wrong checksum.
        """
        assert self._judge is not None, "this content was made without a judge"
        try:
            finding = self._judge(member)
        finally:
            member.finish()
        return member.told(finding)

    def finish(self) -> None:
        """Read what the inspector left of the one pass, and close what was opened."""
        try:
            if self._first is None and (self._on_block is not None or self.depth):
                self._begin()
            if self._first is not None:
                self._first.drain(self.size_bytes)
        finally:
            for file in self._opened:
                file.close()
            if self._first is not None:
                self._first.let_go()
            self._opened.clear()


def whole_lines(
    stream: IO[bytes], longest_bytes: int = LONGEST_LINE_BYTES
) -> Iterator[tuple[bytes, bool]]:
    """Give bytes many whole lines at a time, ends included; last, with False, what has no end.

    Raises LongLine at a line past the bound.
    """
    rest = b""
    while piece := stream.read(_LINES_BYTES):
        cut = piece.rfind(b"\n") + 1
        if len(rest) + (piece.find(b"\n") if cut else len(piece)) > longest_bytes:
            raise LongLine
        if cut:
            yield rest + piece[:cut], True
            rest = piece[cut:]
        else:
            rest += piece
    if rest:
        yield rest, False


class _Pass(io.RawIOBase):
    """A raw stream that tells of each block and minds the budget.

    The first one of a content outlives its closing by the inspector: the rest is still to be read.
    """

    def __init__(self, file: IO[bytes], content: Content) -> None:
        self._file = cast("_Readable", file)
        self._content = content
        self._so_far = 0
        self.on_block: OnBlock | None = None
        self.is_kept = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        count = self._file.readinto(buffer) or 0
        if count:
            self._so_far += count
            self._take(memoryview(buffer)[:count])
            # Told first, booked then: a bound that is met leaves no hole in the hash.
            self._content.book(count, self._so_far)
        return count

    def drain(self, size_bytes: int) -> None:
        """Read to the end; a file that is hashed without a bound, a member within its budget."""
        # Most files are small, and a buffer of a MiB takes longer to make than they to read.
        is_small = 0 <= size_bytes < BLOCK_BYTES
        buffer = memoryview(bytearray(size_bytes + 1 if is_small else BLOCK_BYTES))
        while count := self._file.readinto(buffer):
            self._so_far += count
            self._take(buffer[:count])
            if self.on_block is None:
                self._content.book(count, self._so_far)

    def _take(self, block: memoryview) -> None:
        if self.on_block is not None:
            self.on_block(block)
        if self.is_kept:
            self._content.note_block(block)

    def close(self) -> None:
        if not self.is_kept:
            self._file.close()
        super().close()

    def let_go(self) -> None:
        """Close the file below."""
        self._file.close()


class _Minded(io.RawIOBase):
    """A raw stream to seek in that minds the time."""

    name = ""  # pydicom asks what it is called

    def __init__(self, file: IO[bytes], budget: Budget) -> None:
        self._file = file
        self._budget = budget

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0, /) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        self._budget.check_time()
        return cast("_Readable", self._file).readinto(buffer) or 0

    def close(self) -> None:
        self._file.close()
        super().close()


def _read_up_to(file: IO[bytes], count: int) -> bytes:
    pieces, left = [], count
    while left and (piece := file.read(left)):
        pieces.append(piece)
        left -= len(piece)
    return b"".join(pieces)
