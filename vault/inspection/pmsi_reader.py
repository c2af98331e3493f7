"""Reads the telling columns of PMSI lines: one reader for each version of a layout.

Rule 1: lines that are alike are read side by side (``pmsi_block``); of others one ``struct`` each
    is read in C, its columns as whole numbers, which are made and hashed faster than texts. Only
    the distinct answers are judged in Python.
Rule 2: a line belongs to the reader whose version stands at its column; among several, to the one
    whose FINESS and length agree too.
Rule 3: nothing that a reader cuts out leaves as text but a version, a FINESS and a period.
"""

from __future__ import annotations

import re
import struct
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter, methodcaller

from vault.archive_names import FINESS
from vault.formats import (
    ANY,
    LayoutVersion,
    LengthRule,
    RecordType,
    Span,
    Tables,
    month_of_week,
)
from vault.inspection.pmsi_block import Block, numbers, same

Key = tuple[int, tuple[int, ...]]  # length, then the telling columns packed
Told = tuple[str, bytes, bytes]  # label, FINESS, number and year of the period as they stand


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What the telling columns of some lines say."""

    fits: bool
    finess: str  # "" when the column holds none, or there is no such column
    has_finess: bool
    month: str  # "2024-11"; "" when the columns hold none
    week: str  # "2024-W45"; "" when it is not by weeks
    label: str  # the version, or the vectors of lengths that fit


class Reader:
    """The telling columns of one version."""

    def __init__(
        self, record: RecordType, row: LayoutVersion, rules: Sequence[LengthRule], id_: str
    ) -> None:
        self.record = record
        self.row = row
        self.id = id_
        self.rules = tuple(rules)
        self.confidence = row.confidence
        self._period = row.period.spans if row.period else ()
        self._is_week = bool(row.period and row.period.week)
        counters = [counter.at for rule in rules for counter in rule.add]
        wanted = [*([row.finess_at] if row.finess_at else []), *self._period, *counters]
        pieces = _merged(wanted)
        self.least = max((piece.last for piece in pieces), default=0)
        if row.version_at:
            self.least = max(self.least, row.version_at.last)
        self._struct = struct.Struct(_shape(pieces))
        self._separator = next((r.separator for r in rules if r.separator), "").encode("ascii")
        at = row.version_at
        self.version_of = itemgetter(slice(at.first - 1, at.last) if at else slice(0, 0))
        self.id_bytes = id_.encode("ascii") if at else b""

    def tell(self, block: Block, pmsi_field: str = "") -> Mapping[Told, int] | None:
        """Count what lines say, all at once; None when they are to be asked one by one.

        They are when not all have this version, one FINESS and the length that their counters say.
        """
        row = self.row
        if not block.lay(self.least):
            return None
        if row.version_at and self.id != ANY and block.same(row.version_at) != self.id_bytes:
            return None
        finess = block.same(row.finess_at) if row.finess_at else b""
        if finess is None or (row.finess_at and not FINESS.fullmatch(finess)):
            return None
        label = self._label_of(block, pmsi_field)
        if label is None:
            return None
        return {(label, finess, period): count for period, count in self._periods_of(block)}

    def judged(self, told: Told) -> Judged:
        """Say what was told of lines that fit."""
        label, finess, period = told
        month, week = self._read_period(period[:-4], period[-4:]) if period else ("", "")
        return Judged(
            fits=True,
            finess=finess.decode("ascii"),
            has_finess=bool(finess),
            month=month,
            week=week,
            label=label,
        )

    def count(self, lines: Sequence[bytes], into: Counter[Key]) -> None:
        """Count lines, none shorter than ``least``, by length and telling columns."""
        if self._separator:
            into.update(map(self.key_of, lines))
        else:
            into.update(zip(map(len, lines), map(self._struct.unpack_from, lines), strict=True))

    def key_of(self, line: bytes) -> Key:
        """Give what ``count`` counts a line under; of a short line, missing columns are blank."""
        numbers = self._struct.unpack_from(line.ljust(self.least))
        if self._separator:
            numbers += (line.count(self._separator) + 1,)
        return len(line), numbers

    def columns_of(self, key: Key) -> bytes:
        """Give the telling columns of a key in their places in a line, zeros between them."""
        return self._struct.pack(*(key[1][:-1] if self._separator else key[1]))

    def judge(self, key: Key, *, pmsi_field: str = "") -> Judged:
        """Say what a key means."""
        length, columns = key[0], key[1][-1] if self._separator else 0
        line = self.columns_of(key)
        finess = _cut(self.row.finess_at, line)
        has_finess = finess is not None and FINESS.fullmatch(finess) is not None
        month, week = self._read_period(*(span.of(line) for span in self._period))
        labels = [
            rule.label
            for rule in self._rules_for(pmsi_field)
            if self._fits(rule, length, line, columns)
        ]
        fits = bool(labels) or not self.rules
        return Judged(
            fits=fits and (has_finess or self.row.finess_at is None),
            finess=(finess or b"").decode("ascii") if has_finess else "",
            has_finess=has_finess,
            month=month,
            week=week,
            label=self._label(labels),
        )

    def numbers(self, rule: LengthRule, line: bytes) -> list[int] | None:
        """Give the numbers in the counters; blank is 0; None when one is no number."""
        found = []
        for counter in rule.add:
            text = counter.at.of(line).strip()
            if text and not text.isdigit():
                return None
            found.append(int(text or b"0"))
        return found

    def _fits(self, rule: LengthRule, length: int, line: bytes, columns: int) -> bool:
        if rule.separator:
            return columns in rule.columns
        numbers = self.numbers(rule, line)
        return numbers is not None and rule.fits(length, numbers)

    def _label(self, labels: Sequence[str]) -> str:
        return " ".join(labels).strip() or self.id

    def _rules_for(self, pmsi_field: str) -> list[LengthRule]:
        return [
            rule
            for rule in self.rules
            if not (rule.fields and pmsi_field in _REAL and pmsi_field not in rule.fields)
        ]

    def _label_of(self, block: Block, pmsi_field: str) -> str | None:
        """Give the label of the rules that all lines follow; None when that is none, or not clear.

        Of rules without labels one that they follow settles it.
        """
        labels, is_clear = [], True
        is_labelled = any(rule.label for rule in self.rules)
        for rule in self._rules_for(pmsi_field):
            follow = _follow(block, rule)
            if follow and not is_labelled:
                return self.id
            is_clear = is_clear and follow is not None
            labels += [rule.label] if follow else []
        return self._label(labels) if is_clear and (labels or not self.rules) else None

    def _periods_of(self, block: Block) -> Iterable[tuple[bytes, int]]:
        if not self._period:
            return [(b"", block.count)]
        number_at, year_at = self._period
        number, year = block.at(number_at), block.at(year_at)
        said = same(year)
        if said is not None and len(number) == 2 and all(map(bytes.isdigit, number)):
            return [(one + said, count) for one, count in numbers(number)]
        together = Counter(zip(*number, *year, strict=True))
        return [(bytes(columns), count) for columns, count in together.items()]

    def _read_period(self, number: bytes = b"", year: bytes = b"") -> tuple[str, str]:
        if not (number.isdigit() and year.isdigit() and b"1990" <= year < b"2100"):
            return "", ""
        if not self._is_week:
            month = int(number)
            return (f"{int(year)}-{month:02}", "") if 1 <= month <= 12 else ("", "")
        month_text = month_of_week(int(year), int(number))
        return month_text, f"{int(year)}-W{int(number):02}" if month_text else ""


_VERSION = re.compile(rb"[0-9A-Z]+", re.ASCII)
_REAL = ("MCO", "SMR", "HAD", "PSY")
_CODES = ((8, "Q"), (4, "I"), (2, "H"), (1, "B"))  # of struct, by width in bytes


def _follow(block: Block, rule: LengthRule) -> bool | None:
    """Say whether all lines follow a rule, or none; None when it is not clear."""
    if rule.separator:
        count = methodcaller("count", rule.separator.encode("ascii"))
        parted = {count + 1 for count in set(map(count, block.lines))}
        kept = parted & set(rule.columns)
        return kept == parted or (None if kept else False)
    if rule.fixed is not None:
        return block.follows(rule.fixed, rule.add)
    if rule.add:
        return None
    kept = {length for length in block.lengths if rule.fits(length, ())}
    return kept == block.lengths or (None if kept else False)


def _cut(span: Span | None, line: bytes) -> bytes | None:
    return None if span is None else span.of(line)


def _merged(spans: Iterable[Span]) -> list[Span]:
    """Join columns that touch or overlap: fewer pieces are faster to read."""
    merged: list[Span] = []
    for span in sorted(set(spans)):
        if merged and span.first <= merged[-1].last + 1:
            merged[-1] = Span(first=merged[-1].first, last=max(merged[-1].last, span.last))
        else:
            merged.append(span)
    return merged


def _shape(pieces: Sequence[Span]) -> str:
    """Give the struct of some columns: whole numbers for what tells, gaps for the rest."""
    shape, at = "<", 1
    for piece in pieces:
        gap, left = piece.first - at, piece.width
        shape += f"{gap}x" if gap else ""
        for width, code in _CODES:
            shape += code * (left // width)
            left %= width
        at = piece.last + 1
    return shape


@dataclass(frozen=True, slots=True, kw_only=True)
class _Newest:
    """Where the newest version of a record says what, and how its versions are built."""

    version: slice
    finess: slice
    reach: int  # a line has more columns than that
    built: set[tuple[int, int]]  # length and first character of each version


class Readers:
    """All readers of some tables, by what stands at which columns."""

    def __init__(self, tables: Tables) -> None:
        self.tables = tables
        self.at: dict[Span, dict[bytes, list[Reader]]] = {}
        self.of_record: dict[str, list[Reader]] = {}
        for record in tables.records.values():
            for reader in _readers_of(record):
                self.of_record.setdefault(record.name, []).append(reader)
                if reader.row.version_at is not None and reader.id != ANY:
                    ids = self.at.setdefault(reader.row.version_at, {})
                    ids.setdefault(reader.id_bytes, []).append(reader)
        self._newest: dict[str, _Newest] = {}
        for name, readers in self.of_record.items():
            row = tables.records[name].newest
            built = {(len(one.id), ord(one.id[0])) for one in readers if one.id != ANY}
            if row.version_at and row.finess_at and row.version_at.width >= 3 and built:
                self._newest[name] = _Newest(
                    version=slice(row.version_at.first - 1, row.version_at.last),
                    finess=slice(row.finess_at.first - 1, row.finess_at.last),
                    reach=max(row.finess_at.last, row.version_at.last - 1),
                    built=built,
                )

    def candidates(self, line: bytes, wanted: str = "") -> Iterator[Reader]:
        """Give the readers whose version stands in a line; for a wanted record those without."""
        for span, ids in self.at.items():
            yield from ids.get(line[span.first - 1 : span.last], ())
        for reader in self.of_record.get(wanted, ()):
            if reader.row.version_at is None or reader.id == ANY:
                yield reader

    def of_line(self, line: bytes, wanted: str = "", pmsi_field: str = "") -> Reader | None:
        """Give the reader of a line without its end; None when no version, FINESS or length fits.

        ``wanted`` is the record that is expected; it wins over others that fit no better.
        """
        best, best_score = None, 0
        for reader in self.candidates(line, wanted):
            judged = reader.judge(reader.key_of(line), pmsi_field=pmsi_field)
            has_version = reader.row.version_at is not None and reader.id != ANY
            if not judged.fits and not (judged.has_finess and has_version):
                continue
            score = (
                16 * judged.fits + 8 * has_version * (len(reader.id_bytes) > 1)
                + 4 * judged.has_finess + 2 * (reader.record.name == wanted) + 1
            )  # fmt: skip
            if score > best_score:
                best, best_score = reader, score
        return best

    def newer(self, line: bytes, wanted: str = "") -> tuple[str, str] | None:
        """Give record and version of a line that is like a known record, of an unknown version."""
        names = [wanted] if wanted in self.of_record else self._newest
        for name in names:
            if name not in self._newest or len(line) <= self._newest[name].reach:
                continue
            shape = self._newest[name]
            said = line[shape.version]
            if (
                (name == wanted or (len(said), said[0]) in shape.built)
                and FINESS.fullmatch(line[shape.finess])
                and _VERSION.fullmatch(said)
            ):
                return name, said.decode("ascii")
        return None

    def like_newest(self, record: str, version: str) -> Reader:
        """Make a reader for an unknown version: the newest one's columns, any length."""
        made = self.tables.records[record]
        reader = Reader(made, made.newest, (), version)
        reader.confidence = "D"
        return reader


def _readers_of(record: RecordType) -> Iterator[Reader]:
    """Make the readers of a record; invoices are told by the letter, not by a version."""
    by_letter: dict[str, list[LengthRule]] = {}
    for version, row in record.versions.items():
        if row.rules and all(rule.label for rule in row.rules):
            for rule in row.rules:
                by_letter.setdefault(rule.label, []).append(
                    LengthRule(fixed=rule.fixed, label=version)
                )
            continue
        yield Reader(record, row, row.rules, version)
    for letter, rules in by_letter.items():
        rows = list(record.versions.values())
        yield Reader(record, max(rows, key=lambda row: row.confidence), rules, letter)
