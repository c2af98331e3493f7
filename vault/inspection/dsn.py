"""DSN: the monthly declaration of a payroll, one rubric a line.

Rule 1: the last lines count the lines, themselves included: what is missing is found, whichever.
Rule 2: rubrics that name people are counted as lines and never looked into.
Rule 3: a norm newer than those we know is read all the same.
Source: NEODeS; S90.G00.90.001 number of rubrics, .002 number of declarations; S20.G00.05.005 main
    month, 01MMYYYY.
"""

from __future__ import annotations

import re
from collections import Counter
from operator import itemgetter

from vault.finding import Finding, Remark, doubt, fault, judged, note
from vault.inspection.content import Content
from vault.inspection.inspector import NO, SURE
from vault.inspection.periods import Periods

_FIRST = b"S10.G00.00.001,'"
_LINE = re.compile(rb"S\d\d\.G\d\d\.\d\d\.\d{3},'.*'", re.ASCII)
_NORM, _MONTH = b"S10.G00.00.006,", b"S20.G00.05.005,"
_A_NORM = re.compile(r"P\d\dV\d\d", re.ASCII)
_LINES, _DECLARATIONS = b"S90.G00.90.001,", b"S90.G00.90.002,"
_DECLARATION = b"S20.G00.05.001,"
_TOLD = (_NORM, _MONTH, _LINES, _DECLARATIONS)
_RUBRIC = re.compile(rb"S\d\d\.G\d\d\.\d\d\.\d{3},'", re.ASCII)
_RUBRIC_BYTES = 16
_QUOTE = b"'"[0]
_head_of, _end_of = itemgetter(slice(0, _RUBRIC_BYTES)), itemgetter(-1)


class Dsn:
    """Reads the rubrics and compares their number with the one the file declares."""

    kind = "dsn"
    version = "1"

    def recognises(self, head: bytes, name: bytes) -> int:
        """Be sure of what begins with a rubric 001, whatever its name."""
        return SURE if head.startswith(_FIRST) else NO

    def inspect(self, content: Content) -> Finding:
        """Count lines and declarations; a difference from the declared counts is damage."""
        reading = _Reading()
        for text, _ in content.texts():
            reading.take(text)
        return reading.finding(self.kind)


class _Reading:
    """What one pass over a DSN has seen."""

    def __init__(self) -> None:
        self.lines = self.declarations = self.unlawful = 0
        self.declared: int | None = None
        self.declared_declarations: int | None = None
        self.norms: set[str] = set()
        self.periods = Periods()
        self.last = b""

    def take(self, text: bytes) -> None:
        """Take lines with their ends; when all are rubrics, only those that tell are looked at."""
        if b"\r" in text:
            text = text.replace(b"\r\n", b"\n")
        lines = [*filter(None, text.split(b"\n"))]
        if b"\r" in text:
            lines = [line for one in lines if (line := one.rstrip(b"\r"))]
        if not lines:
            return
        self.lines += len(lines)
        self.last = lines[-1][:_RUBRIC_BYTES]
        heads = Counter(map(_head_of, lines))
        if (
            not all(map(_RUBRIC.fullmatch, heads))
            or set(map(_end_of, lines)) != {_QUOTE}
            or min(map(len, lines)) <= _RUBRIC_BYTES
        ):
            for line in lines:
                self._take_line(line)
            return
        self.declarations += sum(
            count for head, count in heads.items() if head.startswith(_DECLARATION)
        )
        if any(head.startswith(_TOLD) for head in heads):
            for line in lines:
                if line.startswith(_TOLD):
                    self._take_line(line)

    def _take_line(self, line: bytes) -> None:
        if not _LINE.fullmatch(line):
            self.unlawful += 1
        elif line.startswith(_NORM):
            # A name could stand where a norm should: only what looks like one is told.
            if _A_NORM.fullmatch(norm := _value(line)) and len(self.norms) < 3:
                self.norms.add(norm)
        elif line.startswith(_MONTH):
            value = _value(line)
            self.periods.add(value[4:8] + value[2:4] if value[:2] == "01" else "")
        elif line.startswith(_DECLARATION):
            self.declarations += 1
        elif line.startswith(_LINES):
            self.declared = _count(line)
        elif line.startswith(_DECLARATIONS):
            self.declared_declarations = _count(line)

    def finding(self, kind: str) -> Finding:
        """Compare what was counted with what was declared."""
        counts = {"lines": self.lines, "declarations": self.declarations}
        return judged(kind, self._remarks(), counts=counts, periods=self.periods.told())

    def _remarks(self) -> list[Remark]:
        remarks = [note("dsn-norm", "norm {norm}", norm=norm) for norm in sorted(self.norms)]
        if not self.last.startswith((_LINES, _DECLARATIONS)) or self.declared is None:
            remarks.append(fault("dsn-cut", "it does not end with its own count: it was cut short"))
        elif self.declared != self.lines:
            remarks.append(
                fault(
                    "dsn-lines",
                    "it declares {declared} lines and holds {held}",
                    declared=self.declared,
                    held=self.lines,
                )
            )
        declared = self.declared_declarations
        if declared is not None and self.declarations and declared != self.declarations:
            remarks.append(
                fault(
                    "dsn-declarations",
                    "it declares {declared} declarations and holds {held}",
                    declared=declared,
                    held=self.declarations,
                )
            )
        if self.unlawful:
            remarks.append(fault("dsn-line", "{count} lines are not rubrics", count=self.unlawful))
        if self.periods.refused or not self.periods.told():
            remarks.append(doubt("dsn-month", "its main month is missing or no month"))
        return remarks


def _value(line: bytes) -> str:
    return line.partition(b",")[2].strip(b"'").decode("latin-1")


def _count(line: bytes) -> int:
    """Give a declared count; -1, which no count is, when it is no number."""
    value = _value(line)
    return int(value) if value.isascii() and value.isdigit() and len(value) < 10 else -1
