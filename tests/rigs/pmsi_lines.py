"""PMSI lines made from the tables themselves, and archives of them: smoke, not truth."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable, Sequence
from random import Random

from vault.formats import ANY, LengthRule, RecordType, Tables
from vault.inspection.pmsi_reader import Reader

FINESS = "990000010"


def put(line: bytearray, first: int, text: str) -> None:
    line[first - 1 : first - 1 + len(text)] = text.encode("ascii")


def make_line(
    reader: Reader,
    rule: LengthRule,
    *,
    month: int = 3,
    year: int = 2024,
    week: int = 10,
    finess: str = FINESS,
    numbers: Sequence[int] | None = None,
    dice: Random | None = None,
    filler: bytes = b"X",
    marker: bytes = b"",
) -> bytes:
    """Make a line without its end that follows one rule of one version."""
    dice = dice or Random(1)
    counters = rule.add
    if numbers is None:
        numbers = [dice.randint(0, min(3, 10**counter.at.width - 1)) for counter in counters]
    if rule.separator:
        return rule.separator.join("1" * rule.columns[0]).encode()
    length = rule.expected(numbers)
    if length is None:
        length = rule.least
    line = bytearray(filler * length)
    if marker:
        for at in range(0, length - len(marker), len(marker) + 7):
            line[at : at + len(marker)] = marker
    row = reader.row
    if row.finess_at:
        put(line, row.finess_at.first, finess)
    if row.version_at:
        text = reader.id if reader.id != ANY else "9" * row.version_at.width
        put(line, row.version_at.first, text)
    if row.period:
        if row.period.date:
            put(line, row.period.date.first, f"15{month:02}{year}")
        if row.period.month:
            put(line, row.period.month.first, f"{month:02}")
        if row.period.week:
            put(line, row.period.week.first, f"{week:02}")
        if row.period.year:
            put(line, row.period.year.first, f"{year}")
    for counter, number in zip(counters, numbers, strict=True):
        put(line, counter.at.first, f"{number:0{counter.at.width}}")
    return bytes(line)


def reader_of(tables: Tables, record: str, version: str) -> Reader:
    made: RecordType = tables.records[record]
    row = made.versions[version]
    return Reader(made, row, row.rules, version)


def lines_of(
    tables: Tables, record: str, version: str, months: Iterable[int], **more
) -> list[bytes]:
    """Make a few lines for each month, or for its weeks."""
    reader = reader_of(tables, record, version)
    dice = Random(7)
    return [
        make_line(reader, reader.rules[0], month=month, week=4 * month + 1, dice=dice, **more)
        for month in months
        for _ in range(3)
    ]


def text_of(lines: Iterable[bytes], end: bytes = b"\n") -> bytes:
    return b"".join(line + end for line in lines)


def make_zip(members: dict[str, bytes], *, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


def mco_out(
    tables: Tables,
    period: int = 3,
    *,
    lead: str = f"{FINESS}.2024.",
    months: Iterable[int] = (),
    **more,
) -> dict[str, bytes]:
    """Give the members of an MCO out archive."""
    rsa = lines_of(tables, "rsa", "228", months or range(1, period + 1), **more)
    ano = lines_of(tables, "ano_out", "none", range(1, period + 1))
    count = len(rsa)
    start = f"{lead}{period}."
    return {
        f"{start}rsa": text_of(rsa),
        f"{start}ano": text_of(ano[:1] * count),
        f"{start}sta": b"990000010|0|\n" * count,
        f"{start}tra.txt": b"1;1;1;1;2;3;UID@1#UID\n" * count,
        f"{start}leg": b"",
    }
