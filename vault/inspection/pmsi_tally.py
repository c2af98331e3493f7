"""Counts the lines of a PMSI file by record, version, FINESS and month, in bounded memory.

Rule 1: several versions in one file are normal, and so are several records.
Rule 2: both ends of line are lawful, and blanks before them are part of the line.
Rule 3: what stands in no table but has the FINESS and the shape of a known record is counted as
    newer than the tables; what has neither, as a stranger.
Source: ``policies/formats/README.md``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import IO

from vault.formats import ANY
from vault.inspection.content import Content, whole_lines
from vault.inspection.pmsi_block import Block, block_of
from vault.inspection.pmsi_reader import Judged, Key, Reader, Readers, Told

_MOST_KEYS = 100_000
_MOST_KINDS = 64  # of FINESS, of lengths, of unknown versions
_SAMPLE = 50


@dataclass(slots=True, kw_only=True)
class RowTally:
    """The lines of one version."""

    reader: Reader
    is_newer: bool = False
    lines: int = 0  # that fit
    misfits: int = 0
    undated: int = 0
    finess: Counter[str] = field(default_factory=Counter)
    months: Counter[str] = field(default_factory=Counter)
    weeks: Counter[str] = field(default_factory=Counter)
    labels: Counter[str] = field(default_factory=Counter)

    def add(self, judged: Judged, count: int) -> None:
        """Add lines that say the same."""
        if not judged.fits:
            self.misfits += count
            return
        self.lines += count
        self.labels[judged.label] += count
        if judged.finess and (judged.finess in self.finess or len(self.finess) < _MOST_KINDS):
            self.finess[judged.finess] += count
        if judged.month:
            self.months[judged.month] += count
        elif self.reader.row.period is not None:
            self.undated += count
        if judged.week:
            self.weeks[judged.week] += count


@dataclass(slots=True, kw_only=True)
class LineTally:
    """What the lines of a file are."""

    rows: list[RowTally] = field(default_factory=list)
    lines: int = 0  # not empty
    strangers: int = 0
    size_bytes: int = 0
    is_unfinished: bool = False  # the last line has no end
    last_is_whole: bool = True  # and is nevertheless as long as it should be

    @property
    def main(self) -> str:
        """Give the record that most lines are of; "" when there is none."""
        counts: Counter[str] = Counter()
        for row in self.rows:
            counts[row.reader.record.name] += row.lines + row.misfits
        return counts.most_common(1)[0][0] if counts else ""


def tally_lines(
    content: Content, readers: Readers, *, record: str = "", pmsi_field: str = ""
) -> LineTally:
    """Count the lines of a content; ``record`` is what an archive's member should hold.

    Raises LongLine for what has no lines, OverBudget past a bound.
    """
    return tally_stream(content.stream(), readers, record=record, pmsi_field=pmsi_field)


def count_lines(content: Content) -> LineTally:
    """Count the lines of a content without looking into them: all are strangers."""
    tally = LineTally()
    for text, is_whole in content.texts():
        tally.size_bytes += len(text)
        block = block_of(text if is_whole else text + b"\n")
        tally.lines += block.count if block else 0
        tally.is_unfinished = not is_whole
    tally.strangers = tally.lines
    tally.last_is_whole = not tally.is_unfinished
    return tally


def tally_stream(
    stream: IO[bytes], readers: Readers, *, record: str = "", pmsi_field: str = ""
) -> LineTally:
    """Count the lines of a stream."""
    counting = _Counting(readers, record, pmsi_field)
    for text, is_whole in whole_lines(stream):
        counting.result.size_bytes += len(text)
        if not is_whole:
            counting.take_last(text)
        elif block := block_of(text):
            counting.take(block)
    return counting.finish()


class _Counting:
    """The counters of one file."""

    def __init__(self, readers: Readers, record: str, pmsi_field: str) -> None:
        self._readers = readers
        self._wanted = record
        self._expected = record
        self._field = pmsi_field
        self._told: dict[Reader, Counter[Told]] = {}
        self._counters: dict[Reader, Counter[Key]] = {}
        self._rows: dict[Reader, RowTally] = {}
        self._newer: dict[tuple[str, str], Reader] = {}
        self._current: Reader | None = None
        self.result = LineTally()

    def take(self, block: Block) -> None:
        """Count lines, all at once when they are all of one version."""
        self._wanted = self._wanted or self._guess(block.lines)
        if self._current is not None and self._tell(self._current, block):
            self.result.lines += block.count
            return
        reader = self._reader_of(block.first)
        if reader is not None and self._may_be_all(reader) and self._tell(reader, block):
            self.result.lines += block.count
            self._current = reader
        else:
            self._take_each(block.lines)

    def take_last(self, line: bytes) -> None:
        """Count a last line that has no end."""
        self.result.is_unfinished = True
        self._wanted = self._wanted or self._guess([line])
        reader = self._reader_of(line)
        self.result.last_is_whole = reader is not None and (
            bool(reader.rules) and reader.judge(reader.key_of(line), pmsi_field=self._field).fits
        )
        self._take_each([line])

    def finish(self) -> LineTally:
        """Judge what was counted."""
        for reader in [*self._told, *self._counters]:
            self._fold(reader)
        self.result.rows = list(self._rows.values())
        return self.result

    def _guess(self, lines: Sequence[bytes]) -> str:
        found = Counter(
            reader.record.name
            for line in lines[:_SAMPLE]
            if (reader := self._readers.of_line(line)) is not None
        )
        return found.most_common(1)[0][0] if found else ""

    def _take_each(self, bodies: Sequence[bytes]) -> None:
        groups: dict[Reader, list[bytes]] = {}
        for body in bodies:
            self.result.lines += 1
            reader = self._quick(body) or self._reader_of(body)
            if reader is None:
                self.result.strangers += 1
            else:
                groups.setdefault(reader, []).append(body)
        for reader, lines in groups.items():
            self._count(reader, lines)
        if groups:
            most = max(groups, key=lambda one: len(groups[one]))
            self._current = most if _has_version(most) else None

    def _may_be_all(self, reader: Reader) -> bool:
        """Whether lines that fit a reader are its own: by a version, or because it is expected."""
        return _has_version(reader) or reader.record.name == self._wanted

    def _quick(self, body: bytes) -> Reader | None:
        """Give the reader of the line before, when its version stands here too."""
        current = self._current
        if (
            current is not None
            and _has_version(current)
            and len(body) >= current.least
            and current.version_of(body) == current.id_bytes
        ):
            return current
        return None

    def _reader_of(self, body: bytes) -> Reader | None:
        reader = self._readers.of_line(body, self._wanted, self._field)
        if reader is not None:
            return reader
        # A version that stands where it should, in a line that was cut short.
        for ids in self._readers.of_record.get(self._wanted, ()):
            if ids.id_bytes and ids.version_of(body) == ids.id_bytes:
                return ids
        found = self._readers.newer(body, self._expected or self._wanted)
        if found is None:
            return None
        if found not in self._newer:
            if len(self._newer) >= _MOST_KINDS:
                return None
            self._newer[found] = self._readers.like_newest(*found)
            self._row(self._newer[found]).is_newer = True
        return self._newer[found]

    def _row(self, reader: Reader) -> RowTally:
        if reader not in self._rows:
            self._rows[reader] = RowTally(reader=reader)
        return self._rows[reader]

    def _tell(self, reader: Reader, block: Block) -> bool:
        """Count a block all at once; False when its lines must be asked one by one."""
        told = reader.tell(block, self._field)
        if told is None:
            return False
        counter = self._told.setdefault(reader, Counter())
        counter.update(told)
        self._bound(reader, len(counter))
        return True

    def _count(self, reader: Reader, lines: Sequence[bytes]) -> None:
        """Count lines that are of a reader."""
        if self._tell(reader, Block(lines)):
            return
        counter = self._counters.setdefault(reader, Counter())
        reader.count([line for line in lines if len(line) >= reader.least], counter)
        for line in lines:
            if len(line) < reader.least:
                self._add(reader, reader.key_of(line), 1)
        self._bound(reader, len(counter))

    def _bound(self, reader: Reader, keys: int) -> None:
        if keys > _MOST_KEYS or len(self._told) + len(self._counters) > _MOST_KINDS:
            self._fold(reader)

    def _fold(self, reader: Reader) -> None:
        row = self._row(reader)
        for told, count in self._told.pop(reader, {}).items():
            row.add(reader.judged(told), count)
        for key, count in self._counters.pop(reader, {}).items():
            self._add(reader, key, count)

    def _add(self, reader: Reader, key: Key, count: int) -> None:
        self._row(reader).add(reader.judge(key, pmsi_field=self._field), count)


def _has_version(reader: Reader) -> bool:
    return bool(reader.id_bytes) and reader.id != ANY
