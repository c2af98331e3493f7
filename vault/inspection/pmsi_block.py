"""PMSI lines laid side by side, so that a column of all of them is one slice.

Rule 1: a column is cut, compared and added up in C for all lines at once; where all lines are of
    one length, none of them becomes an object.
Rule 2: what is not alike in all lines is not said here: the answer is None, and each line is asked.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator, Sequence
from functools import lru_cache

from vault.formats import Counter, Span

_LAID = 128  # lines that are laid side by side in one go
_MOST = 0xFFFF  # what a lane holds
_FIGURES = bytes(max(0, byte - 48) if byte < 58 else 0 for byte in range(256))
_TENS = bytes(10 * figure for figure in _FIGURES)

Columns = list[bytes]  # of each a byte a line


class Block:
    """Some lines, at least one and none of them empty; their ends count nowhere.

    They are given as objects, all with the end ``end`` or without one; or as a text in which all
    of them take ``stride`` bytes.
    """

    def __init__(
        self, lines: Sequence[bytes] = (), *, text: bytes = b"", stride: int = 0, end: bytes = b""
    ) -> None:
        self._lines = lines
        self._text = text
        self._stride = stride
        self._end = len(end)
        self._lengths = [*map(len, lines)] or [stride]  # with their ends
        self.lengths = {length - self._end for length in set(self._lengths)}
        self.count = len(lines) or len(text) // stride

    @property
    def lines(self) -> Sequence[bytes]:
        """Give each line as an object, without its end."""
        if self._lines:
            return [line[: -self._end] for line in self._lines] if self._end else self._lines
        length = self._stride - self._end
        return [self._text[at : at + length] for at in range(0, len(self._text), self._stride)]

    @property
    def first(self) -> bytes:
        """Give the first line."""
        return (self._lines or [self._text])[0][: self._lengths[0] - self._end]

    def lay(self, width: int) -> bool:
        """Lay the lines side by side up to a column; False when one does not reach it."""
        if min(self.lengths) < width:
            return False
        if self._lines and self._stride < width:
            self._text, self._stride = _laid(self._lines, width), width
        return True

    def at(self, span: Span) -> Columns:
        """Give the columns of a span, up to which the lines were laid."""
        return [self._text[at :: self._stride] for at in range(span.first - 1, span.last)]

    def same(self, span: Span) -> bytes | None:
        """Give what stands there in all lines; None when they differ."""
        return same(self.at(span))

    def follows(self, fixed: int, counters: Sequence[Counter]) -> bool | None:
        """Say whether all lines are as long as their counters say; None when that is not clear."""
        varying: list[tuple[bytes, int]] = []
        for counter in counters:
            columns = self.at(counter.at)
            if (text := same(columns)) is not None:
                if not (text := text.strip() or b"0").isdigit():
                    return False
                fixed += counter.size * int(text)
                continue
            if not all(map(bytes.isdigit, columns)):
                return None
            weight = counter.size
            for column in reversed(columns):
                if (figure := same([column])) is not None:
                    fixed += weight * int(figure)
                else:
                    varying.append((column, weight))
                weight *= 10
        if not varying:
            return self.lengths == {fixed} or (None if fixed in self.lengths else False)
        most = fixed + self._end + 9 * sum(weight for _, weight in varying)
        if max(most, self._end + max(self.lengths)) > _MOST:
            return None
        wanted = (fixed + self._end) * _lanes(b"\1" * self.count)
        for column, weight in varying:
            wanted += weight * _lanes(column.translate(_FIGURES))
        return wanted == self._length_lanes() or None

    def _length_lanes(self) -> int:
        if len(self._lengths) == 1:
            return self._lengths[0] * _lanes(b"\1" * self.count)
        return int.from_bytes(struct.pack(f"<{self.count}H", *self._lengths), "little")


def block_of(text: bytes) -> Block | None:
    """Make a block of whole lines with their ends, LF or CR LF; None when all are empty."""
    stride = text.find(b"\n") + 1
    count, odd = divmod(len(text), stride)
    if not odd and text.count(b"\n") == count and text[stride - 1 :: stride] == b"\n" * count:
        returns = text[stride - 2 :: stride].count(b"\r") if stride > 1 else 0
        if returns in (0, count):
            end = b"\r\n" if returns else b"\n"
            return Block(text=text, stride=stride, end=end) if stride > len(end) else None
    if b"\r" in text:
        text = text.replace(b"\r\n", b"\n")
    block = Block(io.BytesIO(text).readlines(), end=b"\n")
    if 0 not in block.lengths:
        return block
    lines = [*filter(None, block.lines)]
    return Block(lines) if lines else None


def same(columns: Columns) -> bytes | None:
    """Give what stands in columns in all lines; None when they differ."""
    for column in columns:
        if column != column[:1] * len(column):
            return None
    return b"".join(column[:1] for column in columns)


def numbers(columns: Columns) -> Iterator[tuple[bytes, int]]:
    """Give each number that stands in two columns of figures, and in how many lines."""
    tens, units = columns
    lanes = int.from_bytes(tens.translate(_TENS), "little")
    lanes += int.from_bytes(units.translate(_FIGURES), "little")
    codes = lanes.to_bytes(len(tens), "little")
    for code in set(codes):
        yield b"%02d" % code, codes.count(code)


def _lanes(column: bytes) -> int:
    """Give a column as one large number, two bytes a line, so that all are added up at once."""
    wide = bytearray(2 * len(column))
    wide[::2] = column
    return int.from_bytes(wide, "little")


def _laid(lines: Sequence[bytes], width: int) -> bytes:
    shape = _shape(width)
    padded = [*lines, *[b""] * (-len(lines) % _LAID)]
    text = b"".join([shape.pack(*padded[at : at + _LAID]) for at in range(0, len(padded), _LAID)])
    return text[: width * len(lines)]


@lru_cache(64)
def _shape(width: int) -> struct.Struct:
    return struct.Struct(f"{width}s" * _LAID)
