"""Looks over all sources or targets at once: one statement each, however many years there are.

Rule 1: a look reads an index, once; it builds no row of the history but those it gives.
Rule 2: nothing is kept here: a look is as fresh as the reading it is made in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, func, select

from vault.catalogue.columns import Instant
from vault.catalogue.database import Database
from vault.catalogue.drills import drill_record
from vault.catalogue.schema import cycle as cycle_table
from vault.catalogue.schema import (
    cycle_source,
    cycle_target,
    drill,
    opening,
    snapshot,
    target,
    target_hold,
)
from vault.catalogue.targets import opening_record
from vault.policy import Level
from vault.proof import DrillVerdict
from vault.results import CycleVerdict, SnapshotRecord, SourceVerdict, TargetOutcome

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence
    from datetime import datetime

    from sqlalchemy import ColumnElement, Connection, FromClause, Select, Table

    from vault.fiche import DrillRecord, Signature
    from vault.records import OpeningRecord

_SEEN = (SourceVerdict.SAVED.value, SourceVerdict.UNCHANGED.value)
_AWAY = (TargetOutcome.NOT_OPENED, TargetOutcome.MEDIA_ABSENT)


def _newest_of(table: Table, column: str, words: Iterable[str]) -> Select[Any]:
    """Give the newest cycle in which a name had each word: one seek of the index a word."""
    word, is_named = table.c[column], table.c.name == bindparam("name")
    numbers = [
        select(func.max(table.c.cycle)).where(is_named, word == one).scalar_subquery().label(one)
        for one in words
    ]
    return select(*numbers)


def _names(column: ColumnElement[str]) -> FromClause:
    """Give each value that stands first in an index, as ``name``: one seek of it a value.

    A DISTINCT reads the whole index, ten years of all sources.
    """
    found = select(func.min(column).label("name")).cte("named", recursive=True)
    following = select(func.min(column)).where(column > found.c.name).scalar_subquery()
    found = found.union_all(select(following).where(found.c.name.is_not(None)))
    return select(found.c.name).where(found.c.name.is_not(None)).subquery()


def _each(
    *order: ColumnElement[Any], among: Sequence[ColumnElement[bool]] = ()
) -> Select[tuple[Any, ...]]:
    """Give the first snapshot of each source, in an order, of those among which it is to be."""
    named = _names(snapshot.c.source)
    first = (
        select(snapshot.c.id)
        .where(snapshot.c.source == named.c.name, *among)
        .order_by(*order)
        .limit(1)
        .correlate(named)
        .scalar_subquery()
    )
    return select(snapshot).where(snapshot.c.id.in_(select(first).select_from(named)))


_NEWEST_VERDICT = _newest_of(
    cycle_source,
    "verdict",
    [one.value for one in SourceVerdict if one is not SourceVerdict.NOT_DUE],
)
_NEWEST_OUTCOME = _newest_of(
    cycle_target, "outcome", [one.value for one in TargetOutcome if one not in _AWAY]
)
_ENDED = select(cycle_table.c.ended_at).where(cycle_table.c.number == bindparam("number"))


class Glances(Database):
    """The part of the catalogue that answers for many things at once."""

    def newest_complete(self) -> dict[str, int]:
        """Give, for each target in use that holds one whole, the newest cycle it holds."""
        wanted = (
            select(target.c.name, func.max(target_hold.c.cycle))
            .join(target_hold, target_hold.c.target == target.c.id)
            .where(target.c.retired_at.is_(None), target_hold.c.complete.is_(True))
            .group_by(target.c.name)
        )
        with self._reading() as connection:
            return _pairs(connection, wanted)

    def last_whole(self) -> dict[str, datetime]:
        """Give, for each target in use, when it last held a whole night as its door shut."""
        wanted = (
            select(target.c.name, func.max(target_hold.c.at, type_=Instant()))
            .join(target_hold, target_hold.c.target == target.c.id)
            .where(target.c.retired_at.is_(None), target_hold.c.complete.is_(True))
            .group_by(target.c.name)
        )
        with self._reading() as connection:
            return _pairs(connection, wanted)

    def newest_points(self, *, up_to: int | None = None) -> dict[str, SnapshotRecord]:
        """Give each source's newest snapshot, or its newest of the cycles up to one."""
        return self._last_points(*([] if up_to is None else [snapshot.c.cycle <= up_to]))

    def first_taken(self) -> dict[str, datetime]:
        """Give when each source's first snapshot was taken."""
        with self._reading() as connection:
            rows = connection.execute(_each(snapshot.c.cycle, snapshot.c.id))
            return {row.source: row.taken_at for row in rows}

    def clean_points(self) -> dict[str, SnapshotRecord]:
        """Give each source's newest snapshot that inspection took without a warning."""
        return self._last_points(snapshot.c.warned.is_(False))

    def _last_points(self, *among: ColumnElement[bool]) -> dict[str, SnapshotRecord]:
        """Give each source's newest snapshot among those, walked back to from its newest.

        A walk ends at the first that fits; a maximum of groups reads ten years of all sources.
        """
        wanted = _each(snapshot.c.cycle.desc(), snapshot.c.id.desc(), among=among)
        with self._reading() as connection:
            return {row.source: _point(row) for row in connection.execute(wanted)}

    def first_taken_after(self, cycles: Collection[int]) -> dict[int, datetime]:
        """Give when the oldest snapshot after each of these cycles was taken; 0 is before all.

        A cycle that no snapshot came after is left out.
        """
        if not cycles:
            return {}
        named = _names(snapshot.c.source)
        firsts = [
            func.min(
                select(snapshot.c.taken_at)
                .where(snapshot.c.source == named.c.name, snapshot.c.cycle > number)
                .order_by(snapshot.c.cycle, snapshot.c.id)
                .limit(1)
                .correlate(named)
                .scalar_subquery(),
                type_=Instant(),
            )
            for number in cycles
        ]
        with self._reading() as connection:
            row = connection.execute(select(*firsts).select_from(named)).one()
        return {number: at for number, at in zip(cycles, row, strict=True) if at is not None}

    def all_last_seen(self) -> dict[str, tuple[int, datetime]]:
        """Give the newest ended cycle that saved each source or found it unchanged, and its end."""
        named = _names(cycle_source.c.name)
        newest = [  # written when a cycle ends, never before; one seek of the index a verdict
            select(func.max(cycle_source.c.cycle))
            .where(cycle_source.c.name == named.c.name, cycle_source.c.verdict == verdict)
            .correlate(named)
            .scalar_subquery()
            for verdict in _SEEN
        ]
        with self._reading() as connection:
            rows = connection.execute(select(named.c.name, *newest).select_from(named))
            found = {name: max(n or 0 for n in numbers) for name, *numbers in rows}
            ended = select(cycle_table.c.number, cycle_table.c.ended_at)
            ends = _pairs(connection, ended.where(cycle_table.c.number.in_(set(found.values()))))
        return {name: (number, ends[number]) for name, number in found.items() if number in ends}

    def newest_verdicts(self, names: Collection[str]) -> dict[str, tuple[SourceVerdict, datetime]]:
        """Give what each of these sources came to when it was due last, and when that night ended.

        A night that was for other sources says nothing of it, nor does one that broke off before.
        """
        told = self._newest(_NEWEST_VERDICT, names)
        return {name: (SourceVerdict(word), at) for name, (word, at) in told.items()}

    def newest_outcomes(self, names: Collection[str]) -> dict[str, tuple[TargetOutcome, datetime]]:
        """Give what became of each of these targets when its medium was met last, and when.

        A door that stayed shut and a medium that was away say nothing new of it.
        """
        told = self._newest(_NEWEST_OUTCOME, names)
        return {name: (TargetOutcome(word), at) for name, (word, at) in told.items()}

    def _newest(
        self, wanted: Select[Any], names: Collection[str]
    ) -> dict[str, tuple[str, datetime]]:
        """Give the newest word of each name, and when its night ended."""
        found: dict[str, tuple[str, datetime]] = {}
        with self._reading() as connection:
            for name in names:
                numbers = connection.execute(wanted, {"name": name}).mappings().one()
                told = {word: number for word, number in numbers.items() if number is not None}
                if told:
                    word = max(told, key=lambda one: told[one])
                    at = connection.execute(_ENDED, {"number": told[word]}).scalar_one()
                    found[name] = (word, at)
        return found

    def all_reached(self) -> dict[str, dict[Level, datetime]]:
        """Give when each source that was ever tested last reached each level, that level itself."""
        tested = select(drill.c.source, drill.c.level_reached, func.max(drill.c.ended_at)).where(
            drill.c.level_reached.is_not(None)
        )
        signed = select(drill.c.source, func.max(drill.c.signed_at)).where(
            drill.c.signed_at.is_not(None)
        )
        found: dict[str, dict[Level, datetime]] = {}
        with self._reading() as connection:
            rows = connection.execute(tested.group_by(drill.c.source, drill.c.level_reached))
            for name, level, at in rows:
                found.setdefault(name, {})[Level(level)] = at
            for name, at in connection.execute(signed.group_by(drill.c.source)):
                found.setdefault(name, {})[Level.L4] = at
        return found

    def newest_signatures(self) -> dict[str, Signature]:
        """Give the newest signature under a test of each source that has one."""
        wanted = select(drill).where(drill.c.signed_at.is_not(None)).order_by(drill.c.signed_at)
        with self._reading() as connection:
            found = {row.source: drill_record(row).signature for row in connection.execute(wanted)}
        return {source: one for source, one in found.items() if one is not None}

    def newest_tests(self) -> dict[str, DrillRecord]:
        """Give each source's newest restore test that ended and was not interrupted, unchecked.

        The checks of a test are left out: ``drill`` gives one whole.
        """
        newest = (
            select(func.max(drill.c.number))
            .where(drill.c.verdict.is_not(None), drill.c.verdict != DrillVerdict.INTERRUPTED.value)
            .group_by(drill.c.source)
        )
        with self._reading() as connection:
            rows = connection.execute(select(drill).where(drill.c.number.in_(newest)))
            return {row.source: drill_record(row) for row in rows}

    def newest_nights(self) -> tuple[dict[str, datetime], datetime | None]:
        """Give when the newest night of each target began that came to its end.

        And when the newest began that ended before it could name any target.
        """
        ended = cycle_table.c.ended_at.is_not(None) & (
            cycle_table.c.verdict != CycleVerdict.INTERRUPTED.value
        )
        newest = select(cycle_target.c.name, func.max(cycle_target.c.cycle)).where(
            cycle_target.c.cycle.in_(select(cycle_table.c.number).where(ended))
        )
        begun = newest.group_by(cycle_target.c.name).subquery()
        wanted = select(begun.c.name, cycle_table.c.started_at).join(
            begun, begun.c[1] == cycle_table.c.number
        )
        nameless = (
            select(cycle_table.c.started_at)
            .where(ended, cycle_table.c.number.not_in(select(cycle_target.c.cycle)))
            .order_by(cycle_table.c.number.desc())
            .limit(1)
        )
        with self._reading() as connection:
            return _pairs(connection, wanted), connection.scalar(nameless)

    def last_openings(self, name: str) -> tuple[OpeningRecord | None, OpeningRecord | None]:
        """Give a target's newest opening, and its newest that was closed in the records."""
        newest = select(opening).where(opening.c.target == name).order_by(opening.c.number.desc())
        closed = newest.where(opening.c.proof.is_not(None))
        with self._reading() as connection:
            rows = [connection.execute(one.limit(1)).first() for one in (newest, closed)]
        last, last_closed = (None if row is None else opening_record(row) for row in rows)
        return last, last_closed


def _pairs(connection: Connection, wanted: Select[Any]) -> dict[Any, Any]:
    return {row[0]: row[1] for row in connection.execute(wanted)}


def _point(row: Any) -> SnapshotRecord:  # noqa: ANN401, a row of SQLAlchemy
    return SnapshotRecord(**{name: getattr(row, name) for name in SnapshotRecord.__slots__})
