"""CSV and its like: rows of cells, with the habits of French exports.

Rule 1: the format declares nothing, so nothing here is damage: rows of another width, a quote
    that does not end, a last row without end are doubts.
Rule 2: no cell is kept, the header's neither.
Source: RFC 4180, and what is met: BOM, ``;``, tab, ``|``, UTF-8, UTF-16, Windows-1252.
"""

from __future__ import annotations

import codecs
import csv
import io
from collections import Counter
from collections.abc import Iterator
from itertools import chain, islice
from operator import methodcaller

from vault.finding import Finding, Remark, doubt, judged, note
from vault.inspection.budget import LongLine
from vault.inspection.content import LONGEST_LINE_BYTES, Content
from vault.inspection.inspector import LIKELY, NO, WEAK

_DELIMITERS = ";\t,|"
_SUFFIXES = (b".csv", b".tsv")
_LINES_LOOKED_AT = 20
_TEXT_BYTES = 256 * 1024
_ROWS = 1000  # read at a time
_BLANK = ("\n",)
_MOST_COLUMNS = 10_000  # told apart
_BOMS = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))


class Delimited:
    """Counts rows and columns."""

    kind = "csv"
    version = "1"

    def recognises(self, head: bytes, name: bytes) -> int:
        """Be likely of a table with the suffix, a little of one without."""
        text = _text_of(head)
        if text is None:
            return NO
        is_named = name.lower().endswith(_SUFFIXES)
        delimiter, share = _delimiter_of(text)
        if is_named:
            return LIKELY if delimiter else WEAK
        return WEAK if delimiter and share >= 0.9 and text.count("\n") >= 3 else NO

    def inspect(self, content: Content) -> Finding:
        """Read every row."""
        encoding = _encoding_of(content.head)
        text = _text_of(content.head) or ""
        delimiter = _delimiter_of(text)[0] or ";"
        table = _Table(content, encoding, delimiter)
        remarks: list[Remark] = [
            note("csv-encoding", "encoding {encoding}", encoding=encoding),
        ]
        try:
            table.read()
        except csv.Error:
            remarks.append(doubt("csv-quote", "a cell does not end: a quote may be missing"))
        rows = table.rows
        width = rows.most_common(1)[0][0] if rows else 0
        odd = rows.total() - rows[width]
        if table.last != width and not table.is_ended:
            remarks.append(doubt("csv-cut", "its last row is not whole: it may be cut short"))
        elif odd:
            remarks.append(doubt("csv-width", "{count} rows are of another width", count=odd))
        if table.replaced:
            remarks.append(
                doubt("csv-bytes", "{count} lines do not fit its encoding", count=table.replaced)
            )
        counts = {"rows": rows.total(), "columns": width}
        return judged(self.kind, remarks, counts=counts)


class _Table:
    """The rows of a table, read once: by the number of delimiters until a quote comes."""

    def __init__(self, content: Content, encoding: str, delimiter: str) -> None:
        self._content = content
        self._decoder = io.IncrementalNewlineDecoder(
            codecs.getincrementaldecoder(encoding)("replace"), translate=True
        )
        self._delimiter = delimiter
        self.rows: Counter[int] = Counter()  # width -> rows that are not empty
        self.last = 0  # width of the last row
        self.is_ended = True
        self.replaced = 0
        self._has_quote = False

    def read(self) -> None:
        """Read all rows; csv.Error at a cell that does not end, LongLine past the bound."""
        batches = self._batches()
        delimiters = methodcaller("count", self._delimiter)
        for lines in batches:
            if self._has_quote or max(map(len, lines)) > csv.field_size_limit():
                rest = chain(lines, chain.from_iterable(batches))
                self._read_quoted(chain((line + "\n" for line in rest), _BLANK))
                return
            if rows := [*filter(None, lines)]:
                self._count(Counter(map(delimiters, rows)), 1)
                self.last = rows[-1].count(self._delimiter) + 1

    def _read_quoted(self, lines: Iterator[str]) -> None:
        """Read rows whose last is blank, unless a cell that does not end takes it in."""
        reader = csv.reader(lines, delimiter=self._delimiter)
        width, is_more = 0, True
        while is_more:
            widths: list[int] = []
            try:
                widths.extend(map(len, islice(reader, _ROWS)))
            finally:  # rows before an error count
                is_more = bool(widths)
                width = widths[-1] if widths else width
                self._count(Counter(filter(None, widths)))
                self.last = next(filter(None, reversed(widths)), self.last)
        if width:
            raise csv.Error

    def _count(self, widths: Counter[int], more: int = 0) -> None:
        for width, count in widths.items():
            self.rows[min(width + more, _MOST_COLUMNS)] += count

    def _batches(self) -> Iterator[list[str]]:
        """Give the lines without their ends, many at a time."""
        rest, is_last = "", False
        stream = self._content.stream()
        while not is_last:
            block = stream.read(_TEXT_BYTES)
            is_last = not block
            text = self._decoder.decode(block, final=is_last)
            self.replaced += "\ufffd" in text and sum("\ufffd" in one for one in text.split("\n"))
            self._has_quote = self._has_quote or '"' in text
            *lines, rest = (rest + text).split("\n")
            if len(rest) >= LONGEST_LINE_BYTES or (lines and len(lines[0]) >= LONGEST_LINE_BYTES):
                raise LongLine
            if is_last and rest:
                lines.append(rest)
                self.is_ended = False
            if lines:
                yield lines


def _encoding_of(head: bytes) -> str:
    for mark, encoding in _BOMS:
        if head.startswith(mark):
            return encoding
    try:
        # The head may end within a character.
        head[: max(0, len(head) - 3) if len(head) > 1000 else len(head)].decode("utf-8")
    except UnicodeDecodeError as error:
        return "utf-8" if error.end >= len(head) - 4 and len(head) > 1000 else "cp1252"
    return "utf-8"


def _text_of(head: bytes) -> str | None:
    """Give a head as text, or None when it is none."""
    if b"\0" in head and not head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return None
    encoding = _encoding_of(head)
    text = head.decode(encoding, "replace").replace("\r\n", "\n").replace("\r", "\n")
    first = text[:4096]
    plain = first.replace("\n", "").replace("\t", "")
    odd = 0 if plain.isprintable() else sum(not char.isprintable() for char in plain)
    return text if text.strip() and odd * 20 <= len(first) else None


def _delimiter_of(text: str) -> tuple[str, float]:
    """Give the delimiter that most of the first lines have as often as the first, and its share."""
    lines = [line for line in text.split("\n")[:_LINES_LOOKED_AT] if line.strip()]
    if not lines:
        return "", 0.0
    best, share = "", 0.0
    for delimiter in _DELIMITERS:
        times = lines[0].count(delimiter)
        alike = sum(line.count(delimiter) == times for line in lines) / len(lines)
        if times and alike > share:
            best, share = delimiter, alike
    return (best, share) if share >= 0.5 else ("", 0.0)
