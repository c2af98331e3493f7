"""Learns from a file of the hospital's own whether an uncertain row of the tables is right.

Rule 1: what is told is versions, lengths, counts, months and the FINESS; never a character of a
    line besides.
Rule 2: a row explains a version when, its counters subtracted, every line leaves the same length.
Rule 3: what is learned is proposed as a row for the site's table; nothing is written.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from vault.archive_names import FINESS
from vault.formats import LengthRule
from vault.inspection.pmsi_reader import Judged, Reader, Readers

MOST_LINES = 50_000  # of a file; enough to tell
_MOST_KINDS = 40  # of record and version; more are no structure


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """How well one reading of one row explains the lines of a version."""

    version: str
    confidence: str
    fits: int  # lines that are as long as the row says
    remainders: tuple[int, ...]  # lengths without what the counters count, the most frequent first
    rule: LengthRule

    @property
    def explains(self) -> bool:
        """Whether every line leaves the same length."""
        return len(self.remainders) == 1 and self.rule.fixed is not None


@dataclass(slots=True, kw_only=True)
class Learned:
    """What the lines of one version say."""

    record: str
    version: str
    is_known: bool
    lines: int = 0
    lengths: Counter[int] = field(default_factory=Counter)
    finess_lines: int = 0
    finess: Counter[str] = field(default_factory=Counter)
    months: Counter[str] = field(default_factory=Counter)
    explanations: tuple[Explanation, ...] = ()

    @property
    def own(self) -> tuple[Explanation, ...]:
        """The readings of the row of this very version."""
        return tuple(one for one in self.explanations if one.version == self.version)

    @property
    def verdict(self) -> str:
        """Give ``confirmed``, ``contradicted``, ``explained`` or ``unexplained``."""
        if self.own and max(one.fits for one in self.own) == self.lines:
            return "confirmed"
        if any(one.explains for one in self.explanations):
            return "explained"
        return "contradicted" if self.own else "unexplained"

    @property
    def best(self) -> Explanation | None:
        """Give the reading that fits all, else one that explains, the version's own first."""
        whole = [one for one in self.own if one.fits == self.lines]
        explaining = [one for one in (*self.own, *self.explanations) if one.explains]
        return next(iter((*whole, *explaining)), None)

    @property
    def row(self) -> str:
        """Give the YAML to add to the site's ``records.yaml``; empty when there is none to add."""
        best = self.best
        if best is None or best.rule.fixed is None:
            return ""
        add = [[one.size, one.at.first, one.at.last] for one in best.rule.add]
        counters = f", add: {add}" if add else ""
        fixed = best.remainders[0]
        return (
            f"records:\n  {self.record}:\n    versions:\n"
            f'      "{self.version}": {{fixed: {fixed}{counters}, conf: B, '
            f'source: "{self.lines} lines of ours"}}\n'
        )


@dataclass(slots=True, kw_only=True)
class Lesson:
    """What one file says."""

    versions: list[Learned] = field(default_factory=list)
    lines: int = 0
    strangers: int = 0
    is_cut: bool = False  # only the first lines were read


def learn(lines: Iterable[bytes], readers: Readers) -> Lesson:
    """Read lines with their ends; the first ``MOST_LINES`` of them."""
    lesson = Lesson()
    groups: dict[tuple[str, str], tuple[Learned, list[tuple[Reader, LengthRule]]]] = {}
    remainders: dict[tuple[str, str, int], Counter[int]] = {}
    fits: Counter[tuple[str, str, int]] = Counter()
    for line in lines:
        body = line.removesuffix(b"\n").removesuffix(b"\r")
        if not body:
            continue
        if lesson.lines == MOST_LINES:
            lesson.is_cut = True
            break
        lesson.lines += 1
        reader, key = _place(body, readers)
        if key is None or (key not in groups and len(groups) == _MOST_KINDS):
            lesson.strangers += 1
            continue
        if key not in groups:
            learned = Learned(record=key[0], version=key[1], is_known=reader is not None)
            groups[key] = (learned, list(_readings(readers, key[0])))
        learned, readings = groups[key]
        _look_at(learned, body, reader or readers.like_newest(*key))
        for n, (other, rule) in enumerate(readings):
            numbers = other.numbers(rule, body)
            if numbers is None or rule.fixed is None:
                continue
            rest = len(body) - (rule.expected(numbers) or 0) + rule.fixed
            remainders.setdefault((*key, n), Counter())[rest] += 1
            fits[(*key, n)] += rest == rule.fixed
    for key, (learned, readings) in groups.items():
        learned.explanations = tuple(
            Explanation(
                version=other.id,
                confidence=other.confidence,
                fits=fits[(*key, n)],
                remainders=tuple(rest for rest, _count in counted.most_common(_MOST_KINDS)),
                rule=rule,
            )
            for n, (other, rule) in enumerate(readings)
            if (counted := remainders.get((*key, n))) and counted.total() == learned.lines
        )
        lesson.versions.append(learned)
    return lesson


def _place(body: bytes, readers: Readers) -> tuple[Reader | None, tuple[str, str] | None]:
    """Give record and version of a line, and its reader when the version is in the tables."""
    reader = readers.of_line(body)
    if reader is not None:
        return reader, (reader.record.name, reader.id)
    found = readers.newer(body)
    return None, found


def _readings(readers: Readers, record: str) -> Iterator[tuple[Reader, LengthRule]]:
    for reader in readers.of_record[record]:
        for rule in reader.rules:
            yield reader, rule


def _look_at(learned: Learned, body: bytes, reader: Reader) -> None:
    learned.lines += 1
    if len(learned.lengths) < 10_000 or len(body) in learned.lengths:
        learned.lengths[len(body)] += 1
    judged: Judged = reader.judge(reader.key_of(body))
    if reader.row.finess_at and FINESS.fullmatch(reader.row.finess_at.of(body)):
        learned.finess_lines += 1
        if learned.is_known and judged.fits and len(learned.finess) < _MOST_KINDS:
            learned.finess[judged.finess] += 1
    if judged.month:
        learned.months[judged.month] += 1
