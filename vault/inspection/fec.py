"""FEC: the ledger of a year that tax law asks for, one entry line a line.

Rule 1: debits and credits balance to the cent; a difference is a doubt, since a cut file and a
    wrong ledger look the same.
Rule 2: the habits of the wild are borne: BOM, padded cells, trailing and further columns, CR CR LF.
Source: article A47 A-1 of the Livre des procédures fiscales: eighteen columns, tab or ``|``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from operator import methodcaller

from vault.finding import Finding, Remark, doubt, fault, judged
from vault.inspection.content import Content
from vault.inspection.inspector import LIKELY, NO, SURE
from vault.inspection.periods import Periods

COLUMNS = (
    "journalcode", "journallib", "ecriturenum", "ecrituredate", "comptenum", "comptelib",
    "compauxnum", "compauxlib", "pieceref", "piecedate", "ecriturelib", "debit", "credit",
    "ecriturelet", "datelet", "validdate", "montantdevise", "idevise",
)  # fmt: skip
_HEADER_BYTES = 4096  # eighteen names and some more; what has no lines is not looked at for long
_NAME = re.compile(rb"\d{9,10}fec\d{8}.*\.txt", re.I)
_SHAPED = bytes.maketrans(b"123456789,", b"000000000.")
_PLAIN = re.compile(rb"0{1,20}(?:\.(0{1,6}))?")
_AMOUNT = re.compile(rb"[+-]?\d{1,20}([.,]\d{1,6})?", re.ASCII)


class Fec:
    """Checks the columns of each line and adds up debits and credits."""

    kind = "fec"
    version = "1"

    def recognises(self, head: bytes, name: bytes) -> int:
        """Be sure of the eighteen names, likely of a name of file with most of them."""
        names = _header(head[:_HEADER_BYTES].partition(b"\n")[0])[1]
        if set(COLUMNS) <= set(names):
            return SURE
        known = len(set(names) & set(COLUMNS))
        return LIKELY if known >= 9 and _NAME.fullmatch(name) else NO

    def inspect(self, content: Content) -> Finding:
        """Add up every line."""
        texts = content.texts()
        text, is_whole = next(texts)
        header, _, text = text.partition(b"\n")
        reading = _Reading(*_header(header))
        names = reading.names
        reading.take(text)
        while following := next(texts, None):
            text, is_whole = following
            reading.take(text)
        remarks = reading.remarks(is_ended=is_whole or text.endswith(b"\r"))
        if names[:18] != list(COLUMNS):
            remarks.append(doubt("fec-columns", "its columns are not the eighteen of the law"))
        counts = {"lines": reading.lines}
        return judged(self.kind, remarks, counts=counts, periods=reading.periods.told())


class _Reading:
    """What one pass over a ledger has seen."""

    def __init__(self, separator: bytes, names: list[str]) -> None:
        self.lines = 0
        self.names = names
        self.periods = Periods()
        self._separator = separator
        # By name, since not every program keeps the order; one that is missing is the law's place.
        self._date_at, self._debit_at, self._credit_at = (
            names.index(name) if name in names else COLUMNS.index(name)
            for name in ("ecrituredate", "debit", "credit")
        )
        self._least = max(len(COLUMNS) - 1, self._date_at, self._debit_at, self._credit_at) + 1
        self._balance = Decimal(0)
        self._short = self._unread = 0
        self._is_last_short = False

    def take(self, text: bytes) -> None:
        """Take lines with their ends: by columns when all have as many cells, else one by one."""
        lines = [*filter(None, text.replace(b"\r\n", b"\n").split(b"\n"))]
        if b"\r" in text:
            lines = [line for one in lines if (line := one.rstrip(b"\r"))]
        if not lines:
            return
        parted = set(map(methodcaller("count", self._separator), lines))
        width = parted.pop() + 1
        if parted or width < self._least or not self._take_columns(lines, width):
            for line in lines:
                self._take_line(line)

    def _take_columns(self, lines: Sequence[bytes], width: int) -> bool:
        """Add up lines of one width; False when an amount is not as plain as most are."""
        cells = self._separator.join(lines).split(self._separator)
        debit, credit = (_sum(cells[at::width]) for at in (self._debit_at, self._credit_at))
        if debit is None or credit is None:
            return False
        self.lines += len(lines)
        self._is_last_short = False
        self._balance += debit - credit
        for month in {cell.strip()[:6] for cell in set(cells[self._date_at :: width])}:
            self.periods.add(month.decode("latin-1"))
        return True

    def _take_line(self, text: bytes) -> None:
        self.lines += 1
        cells = text.split(self._separator)
        self._is_last_short = len(cells) < self._least
        if self._is_last_short:
            self._short += 1
            return
        self.periods.add(cells[self._date_at].strip().decode("latin-1")[:6])
        debit, credit = _amount(cells[self._debit_at]), _amount(cells[self._credit_at])
        if debit is None or credit is None:
            self._unread += 1
        else:
            self._balance += debit - credit

    def remarks(self, *, is_ended: bool) -> list[Remark]:
        """Say what is wrong with the ledger."""
        remarks = []
        if self._is_last_short and not is_ended:
            remarks.append(fault("fec-cut", "its last line is not whole: it was cut short"))
        elif self._short:
            remarks.append(fault("fec-short", "{count} lines lack columns", count=self._short))
        if self._unread:
            remarks.append(
                doubt("fec-amount", "{count} lines have no amount to add up", count=self._unread)
            )
        elif self._balance:
            remarks.append(doubt("fec-balance", "debits and credits do not balance"))
        if not self.lines:
            remarks.append(doubt("fec-empty", "it has no lines"))
        return remarks


def _header(line: bytes) -> tuple[bytes, list[str]]:
    text = line.removeprefix(b"\xef\xbb\xbf").strip(b"\r\n ")
    separator = b"\t" if text.count(b"\t") >= text.count(b"|") else b"|"
    return separator, [cell.strip().decode("latin-1").lower() for cell in text.split(separator)]


def _sum(cells: Sequence[bytes]) -> Decimal | None:
    """Add up amounts; None when one is not figures alone, or figures with decimals."""
    text = b"\n".join(cells)
    shapes = [_PLAIN.fullmatch(shape) for shape in set(text.translate(_SHAPED).split(b"\n"))]
    if not all(shapes):
        return None
    if {len(shape.group(1) or b"") for shape in shapes if shape} == {2}:  # as nearly all are
        return Decimal(sum(map(int, text.translate(None, b",.").split(b"\n")))).scaleb(-2)
    return sum(map(Decimal, text.decode("ascii").replace(",", ".").split("\n")), Decimal(0))


def _amount(cell: bytes) -> Decimal | None:
    text = cell.strip().replace(b" ", b"").replace(b"\xa0", b"")
    if not text:
        return Decimal(0)
    if not _AMOUNT.fullmatch(text):
        return None
    try:
        return Decimal(text.replace(b",", b".").decode("ascii"))
    except InvalidOperation:
        return None
