"""One attempt at a PMSI transmission: its IN and OUT archives, what they hold, where they are held.

Rule 1: an attempt is what shares establishment, field, category, year, period and stamp; only a
    whole attempt, IN and OUT or a save that holds both, is sound.
Rule 2: a file that came anew under its old name makes a new attempt; the old one stays.
Rule 3: a torn archive that cannot say its field is lent that of its other side, when only one
    field can be meant.
Source: arrêté PMSI-MCO of 23 December 2016, article 5-II: sources and generated
    files are both kept.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from vault.finding import PmsiFacts, RecordTally, Remark, Soundness, worst
from vault.policy import Level
from vault.results import Disconnection

_BOTH = frozenset({"in", "out"})
_ORDER = (Soundness.MALFORMED, Soundness.OPAQUE, Soundness.DOUBTFUL, Soundness.SOUND)
_MAIN = ("", "SEJOURS")  # a transmission of stays, by its older and its newer name
FITNESS = ("malformed", "one-side", "doubtful", "sound")  # of an attempt, by rank


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """A target that holds an export, and how strongly it is disconnected between nights."""

    target: str
    since: datetime
    disconnection: Disconnection


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """The newest restore test that an export came back from."""

    level: Level
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """One PMSI file that some snapshot of ours holds."""

    source: str
    facts: PmsiFacts
    soundness: Soundness
    remarks: tuple[Remark, ...] = ()
    seen_at: datetime  # when the first snapshot that holds it was taken
    holders: tuple[Holder, ...] = ()
    proof: Proof | None = None


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Series:
    """What a row of the calendar shows: one field of one establishment, stays or another file."""

    finess: str
    field: str
    category: str = ""  # "" for stays, else as the archive's name has it, such as RSFACE

    @property
    def name(self) -> str:
        """The row's name."""
        return f"{self.field}-{self.category}" if self.category else self.field


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """The exports of one stamp."""

    stamp: str
    exports: tuple[Export, ...]

    @property
    def sides(self) -> frozenset[str]:
        """Which of in and out are there; a save of DRUIDES holds both."""
        sides = {export.facts.side for export in self.exports}
        return _BOTH if "save" in sides else frozenset(sides) & _BOTH

    @property
    def is_whole(self) -> bool:
        """Whether both sides are there."""
        return self.sides == _BOTH

    @property
    def soundness(self) -> Soundness:
        """The worst of its exports."""
        return worst(export.soundness for export in self.exports)

    @property
    def fitness(self) -> int:
        """Rank it by what ``FITNESS`` says."""
        if self.soundness is Soundness.MALFORMED:
            return 0
        if not self.is_whole:
            return 1
        complete = all(export.facts.complete for export in self.exports)
        return 3 if self.soundness is Soundness.SOUND and complete else 2

    @property
    def day(self) -> str:
        """When it was made, by its stamp, else when it came: an ISO date."""
        return self.stamp[:10] or self.seen_at.date().isoformat()

    @property
    def seen_at(self) -> datetime:
        """When all of it had come."""
        return max(export.seen_at for export in self.exports)

    @property
    def mark(self) -> str:
        """What tells it from any other attempt at its period: its stamp, and when it came."""
        return f"{self.stamp}@{self.seen_at.astimezone(UTC).isoformat()}"

    @property
    def holders(self) -> tuple[Holder, ...]:
        """The targets that hold the whole of it, each since it does."""
        by_target: dict[str, list[Holder]] = {}
        for export in self.exports:
            for holder in export.holders:
                by_target.setdefault(holder.target, []).append(holder)
        return tuple(
            max(held, key=lambda holder: holder.since)
            for _target, held in sorted(by_target.items())
            if len(held) == len(self.exports)
        )

    @property
    def proof(self) -> Proof | None:
        """The weakest proof of its exports; None when one of them has none."""
        proofs = [export.proof for export in self.exports]
        found = [proof for proof in proofs if proof is not None]
        if len(found) < len(proofs) or not found:
            return None
        return min(found, key=lambda proof: (proof.level, proof.at))

    @property
    def records(self) -> dict[str, int]:
        """Lines by record type."""
        counted: Counter[str] = Counter()
        for tally in self.tallies:
            counted[tally.record] += tally.lines
        return dict(sorted(counted.items()))

    @property
    def versions(self) -> dict[str, tuple[str, ...]]:
        """Versions by record type, the oldest first."""
        found: dict[str, set[str]] = {}
        for tally in self.tallies:
            found.setdefault(tally.record, set()).update(tally.versions)
        return {record: tuple(sorted(some)) for record, some in sorted(found.items()) if some}

    @property
    def tallies(self) -> Iterator[RecordTally]:
        """What was counted, in every export."""
        for export in self.exports:
            yield from export.facts.records


def choose(attempts: Sequence[Attempt]) -> Attempt:
    """Choose what counts: the newest of the fittest; one that a target holds goes before."""
    if len(attempts) == 1:  # as most are
        return attempts[0]
    best = max(attempt.fitness for attempt in attempts)
    fittest = [attempt for attempt in attempts if attempt.fitness == best]
    held = [attempt for attempt in fittest if attempt.holders]
    return (held or fittest)[-1]


# -- which attempt an export belongs to


def series_of(facts: PmsiFacts) -> Series | None:
    """Give the row of an archive; None for a loose file, a test run, or what does not say."""
    if not (facts.field and facts.finess and facts.year and 1 <= facts.period <= 12):
        return None
    if facts.side not in ("in", "out", "save"):
        return None
    field = "SMR" if facts.field == "SSR" else facts.field
    category = "" if facts.category in _MAIN else facts.category
    return Series(finess=facts.finess, field=field, category=category)


Placed = Mapping[Series, Mapping[tuple[int, int], tuple[Attempt, ...]]]


def gather(exports: Sequence[Export]) -> Placed:
    """Give each row's attempts by year and period, the oldest first."""
    known = _known_fields(exports)
    stamped: dict[tuple[Series, int, int], dict[str, list[Export]]] = {}
    for export in exports:
        series = series_of(_with_field(export.facts, known))
        if series is not None:
            key = (series, export.facts.year, export.facts.period)
            stamped.setdefault(key, {}).setdefault(export.facts.stamp, []).append(export)
    placed: dict[Series, dict[tuple[int, int], tuple[Attempt, ...]]] = {}
    for (series, year, period), some in stamped.items():
        attempts = [
            Attempt(stamp=stamp, exports=made)
            for stamp, of_stamp in some.items()
            for made in _generations(of_stamp)
        ]
        attempts.sort(key=lambda attempt: (attempt.stamp, attempt.seen_at))
        placed.setdefault(series, {})[year, period] = tuple(attempts)
    return placed


def _generations(exports: Sequence[Export]) -> list[tuple[Export, ...]]:
    """Give what one stamp was, each time a file of it came anew under the same name.

    A file that was overwritten at the source is still in an older snapshot: what it was then,
    with the other side as it was then, is an attempt of its own.
    """
    nights: dict[datetime, list[Export]] = {}
    for export in sorted(exports, key=_age):
        nights.setdefault(export.seen_at, []).append(export)
    found: list[tuple[Export, ...]] = []
    sides: dict[str, Export] = {}
    for came in nights.values():
        waiting = list(came)
        while waiting:  # in one night a side comes once, but for copies under other folders
            first = {export.facts.side: export for export in reversed(waiting)}
            waiting = [export for export in waiting if export is not first[export.facts.side]]
            sides |= first
            found.append(tuple(sides[side] for side in sorted(sides)))
    return found


def _age(export: Export) -> tuple[datetime, str, int, int]:
    lines = sum(tally.lines for tally in export.facts.records)
    return export.seen_at, export.facts.side, _ORDER.index(export.soundness), lines


_Known = dict[tuple[str, int, int, str], set[str]]


def _known_fields(exports: Sequence[Export]) -> _Known:
    """Give which fields share establishment, period and stamp."""
    known: _Known = {}
    for export in exports:
        if export.facts.field:
            known.setdefault(_pair(export.facts), set()).add(export.facts.field)
    return known


def _with_field(facts: PmsiFacts, known: _Known) -> PmsiFacts:
    """Lend a torn archive the field of its other side, when only one field can be meant.

    Older names do not say the field, and a zip without its end does not list its members.
    """
    fields = known.get(_pair(facts), set())
    if facts.field or len(fields) != 1:
        return facts
    return PmsiFacts(
        field=next(iter(fields)),
        side=facts.side,
        finess=facts.finess,
        year=facts.year,
        period=facts.period,
        stamp=facts.stamp,
        category=facts.category,
    )


def _pair(facts: PmsiFacts) -> tuple[str, int, int, str]:
    return facts.finess, facts.year, facts.period, facts.stamp
