"""e-PMSI-like archives, made from record layouts.

Rule 1: length, version, FINESS, stay, period and counters stand where the layout says; every
    other column is random.
Rule 2: the months of a year are drawn once each, so the archive of M5 holds what that of M4 held.
Rule 3: records are made a block at a time, column by column.
Source: ATIH record layouts of 2022 to 2024; columns count from 1, as there.
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import date

_GEOGRAPHIC = "990000028"
_BLOCK_LINES = 512
# About four blanks, four figures and one letter in nine, as in a coded record.
_CODED = b" " * 110 + b"0123456789" * 12 + b"ABCDEFGHJKLMNPQRSTUVWXYZAB"
# An anonymised identity is mostly filler.
_FILLER = b"0" * 250 + b"1357BD"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Record:
    """One kind of record, fixed length and the columns that carry meaning."""

    length: int
    marks: Mapping[int, str]  # first column: constant text
    finess_at: int = 0
    geographic_at: int = 0
    stay_at: tuple[int, int] = (0, 0)  # first column, width
    day_at: int = 0  # ddmmyyyy
    month_at: int = 0  # mm
    year_at: int = 0  # yyyy
    week_at: int = 0  # ww, a week of the month
    alphabet: bytes = _CODED


def _identity(length: int, *, finess_at: int, stay_at: tuple[int, int], mark: str = "") -> _Record:
    """Describe an anonymised identity record; the input one carries its version at 17."""
    marks = {17: mark} if mark else {}
    return _Record(
        length=length, marks=marks, finess_at=finess_at, stay_at=stay_at, alphabet=_FILLER
    )


_IDENTITY_IN = _identity(1933, finess_at=78, stay_at=(41, 20), mark="014")

_RECORDS: Mapping[str, _Record] = {
    "rss": _Record(
        length=192,
        marks={10: "122", 25: "022", 134: "0000000"},
        finess_at=16,
        stay_at=(28, 20),
        day_at=103,
    ),
    "rsa": _Record(  # 262 and one unit of 61
        length=323,
        marks={10: "228", 23: "122", 51: "01", 114: "0", 136: "0", 224: "000000000"},
        finess_at=1,
        stay_at=(13, 10),
        month_at=62,
        year_at=64,
    ),
    "rhs": _Record(
        length=187,
        marks={11: "M1C", 175: "0000000"},
        finess_at=14,
        stay_at=(26, 7),
        week_at=117,
        year_at=119,
    ),
    "rha": _Record(
        length=208,
        marks={10: "M64", 178: "0000000"},
        finess_at=1,
        stay_at=(13, 7),
        month_at=137,
        year_at=139,
    ),
    "rpss": _Record(
        length=190,
        marks={1: "H0F", 149: "0000", 180: "000"},
        finess_at=4,
        geographic_at=13,
        stay_at=(42, 20),
        day_at=171,
    ),
    "rapss": _Record(
        length=164,
        marks={10: "H37"},
        finess_at=1,
        geographic_at=13,
        month_at=131,
        year_at=133,
    ),
    "rps": _Record(
        length=154,
        marks={19: "P12", 151: "0000"},
        finess_at=1,
        geographic_at=10,
        stay_at=(60, 20),
        day_at=119,
    ),
    "raa": _Record(
        length=96, marks={19: "P14", 95: "00"}, finess_at=1, geographic_at=10, day_at=70
    ),
    "rpsa": _Record(
        length=183, marks={42: "P41", 180: "0000"}, finess_at=33, month_at=128, year_at=130
    ),
    "r3a": _Record(length=165, marks={42: "P42", 164: "00"}, finess_at=33, day_at=115),
    "identity-in": _IDENTITY_IN,
    "identity-mco": _identity(1103, finess_at=33, stay_at=(50, 10)),
    "identity-smr": _identity(1090, finess_at=33, stay_at=(50, 10)),
    "identity-had": _identity(1062, finess_at=33, stay_at=(50, 10)),
}

# What an archive holds: the extension of each member, and its kind of record; "" is empty, as
# members without an object are.
_MEMBERS: Mapping[tuple[str, str], tuple[tuple[str, str], ...]] = {
    ("MCO", "in"): (("rss.ini.txt", "rss"), ("ano.txt", "identity-in"), ("med.txt", "")),
    ("MCO", "out"): (
        ("rsa", "rsa"),
        ("ano", "identity-mco"),
        ("sta", "sta"),
        ("tra.txt", "tra"),
        ("leg", ""),
    ),
    ("SMR", "in"): (("rhs.ini.txt", "rhs"), ("anoh.txt", "identity-in")),
    ("SMR", "out"): (
        ("rha", "rha"),
        ("ano", "identity-smr"),
        ("sta", "sta"),
        ("tra.txt", "tra"),
    ),
    ("HAD", "in"): (("rpss.ini.txt", "rpss"), ("anohosp.ini.txt", "identity-in")),
    ("HAD", "out"): (("rapss", "rapss"), ("ano", "identity-had"), ("sta", "sta")),
    ("PSY", "in"): (("rps.txt", "rps"), ("raa.txt", "raa"), ("anohosp.txt", "identity-in")),
    ("PSY", "out"): (
        ("rpsa", "rpsa"),
        ("r3a", "r3a"),
        ("ano", "identity-smr"),
        ("sta", "sta"),
        ("tra.txt", "tra"),
    ),
}
_STAYS_A_MONTH = {"MCO": 50, "SMR": 40, "HAD": 40, "PSY": 40}


@dataclass(frozen=True, slots=True, kw_only=True)
class Archive:
    """One side of one transmission: field, period, in or out."""

    field: str
    year: int
    month: int
    side: str
    scale: float

    def name(self, sent: date) -> str:
        """Give the name the grouper of that time gave: the fields changed at different months."""
        iso, french = f"{sent:%Y%m%d}112254", f"{sent:%d%m%Y}112254"
        period = f"{self.year}.{self.month}"
        if self.field == "SMR" and (self.year, self.month) >= (2024, 8):
            stem = f"{self.year}.{self.month:02}.SMR.SEJOURS.SEJOURS.{iso}"
        elif self.field in ("SMR", "HAD"):
            stem = f"{period}.{french}"
        else:
            stem = f"{period}.{iso}"
        return f"990000010.{stem}.{self.side}.zip"


def write_archive(file: BinaryIO, archive: Archive, *, seed: int, finess: str) -> None:
    """Write one archive, a block of records at a time."""
    stays = max(1, round(_STAYS_A_MONTH[archive.field] * archive.scale))
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as into:
        for extension, kind in _MEMBERS[archive.field, archive.side]:
            name = f"{finess}.{archive.year}.{archive.month}.{extension}"
            # Given by name, a member is dated 1980: the clock never enters the bytes.
            with into.open(name, "w", force_zip64=True) as out:
                for block in _blocks(archive, kind, seed=seed, finess=finess, stays=stays):
                    out.write(block)


def _blocks(archive: Archive, kind: str, *, seed: int, finess: str, stays: int) -> Iterator[bytes]:
    """Give the records of months 1 to the archive's, cumulated as e-PMSI wants them."""
    if not kind:
        return
    end = b"\r\n" if archive.side == "in" else b"\n"
    for month in range(1, archive.month + 1):
        key = f"{seed}/{archive.field}/{archive.year}/{kind}/{month}"
        dice = Random(key)  # noqa: S311, reproducible on purpose
        for first in range(0, stays, _BLOCK_LINES):
            count = min(_BLOCK_LINES, stays - first)
            numbers = range((month - 1) * stays + first, (month - 1) * stays + first + count)
            if kind == "sta":
                yield b"".join(b"%s|%08d|\n" % (finess.encode(), n) for n in numbers)
            elif kind == "tra":
                yield b"".join(b"%d;%d;%d;1;2;3;UID@%d#UID\n" % (n, n, n, n) for n in numbers)
            else:
                block = _Block(_RECORDS[kind], dice, numbers, end)
                yield block.fill(finess=finess, year=archive.year, month=month)


class _Block:
    """Some records side by side, written down their columns."""

    def __init__(self, record: _Record, dice: Random, numbers: range, end: bytes) -> None:
        self._record = record
        self._dice = dice
        self._numbers = numbers
        self._width = record.length + len(end)
        drawn = dice.randbytes(self._width * len(numbers)).translate(record.alphabet)
        self._lines = bytearray(drawn)
        self._put_all(record.length + 1, end)

    def fill(self, *, finess: str, year: int, month: int) -> bytes:
        """Put what the layout names into its columns; give the records."""
        record = self._record
        for column, text in record.marks.items():
            self._put_all(column, text.encode("ascii"))
        constants = (
            (record.finess_at, finess),
            (record.geographic_at, _GEOGRAPHIC),
            (record.month_at, f"{month:02}"),
            (record.year_at, f"{year:04}"),
        )
        for column, text in constants:
            if column:
                self._put_all(column, text.encode("ascii"))
        column, width = record.stay_at
        if column:
            self._put_each(column, width, b"".join(b"%0*d" % (width, n) for n in self._numbers))
        if record.day_at:
            self._put_each(record.day_at, 2, self._drawn(1, 28))
            self._put_all(record.day_at + 2, b"%02d%04d" % (month, year))
        if record.week_at:
            week = (30 * month - 12) // 7  # its Thursday falls into the month, the next one's too
            self._put_each(record.week_at, 2, self._drawn(week, week + 1))
        return bytes(self._lines)

    def _drawn(self, lowest: int, highest: int) -> bytes:
        """Draw a two-figure number for each record."""
        span = highest - lowest + 1
        return b"".join(
            b"%02d" % (lowest + byte % span) for byte in self._dice.randbytes(len(self._numbers))
        )

    def _put_all(self, column: int, text: bytes) -> None:
        """Write the same text into one column of every record."""
        for at, byte in enumerate(text, column - 1):
            self._lines[at :: self._width] = bytes((byte,)) * len(self._numbers)

    def _put_each(self, column: int, width: int, texts: bytes) -> None:
        """Write texts of one width, a record each, into one column."""
        for offset in range(width):
            self._lines[column - 1 + offset :: self._width] = texts[offset::width]
