"""Whose turn it is: the media of a set, night after night.

Rule 1: in each turn (a night, a week or a month of nights) one medium of a set is written: the one
    that has waited longest; never written comes first, in the order of the set.
Rule 2: a medium is not written again before so many others of its set were. Another one that has
    waited as long may stand in for the expected one.
Rule 3: written means that the medium held the whole list of a night when its door shut: what was
    carried in part goes on where it stopped, the next night.
Rule 4: what was missed moves nothing: the expected medium is expected until it comes.
Source: Amanda's tapecycle, which overwrites no tape before all others were written.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, tzinfo
from enum import StrEnum

from vault.exposure import night_of

_NEVER = datetime.min.replace(tzinfo=UTC)


class Every(StrEnum):
    """How often the turn passes to the next medium of a set."""

    NIGHT = "night"
    WEEK = "week"
    MONTH = "month"

    @property
    def days(self) -> int:
        """The longest such turn, in days."""
        return {Every.NIGHT: 1, Every.WEEK: 7, Every.MONTH: 31}[self]


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaSet:
    """Media that take turns."""

    name: str
    media: tuple[str, ...]  # enrolled, in the order in which they begin
    every: Every
    reuse_after: int  # others of the set written before a medium is written again


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """What a set is to do in one night."""

    set_name: str
    media: tuple[str, ...]  # that may be written, the expected one first; none: nothing is owed
    resting: Mapping[str, int] = field(default_factory=dict)  # medium -> others to be written first

    @property
    def expected(self) -> str | None:
        """The medium to bring, when one is."""
        return self.media[0] if self.media else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """One coming opening of the window of a set."""

    opens_at: datetime
    closes_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """A medium that is expected in one night."""

    night: date  # the one that begins in the evening of this day
    target: str
    set_name: str  # empty for a medium of no set
    opens_at: datetime
    closes_at: datetime


def first_night(every: Every, night: date) -> date:
    """Give the first night of the turn that a night belongs to."""
    match every:
        case Every.NIGHT:
            return night
        case Every.WEEK:
            return night - timedelta(days=night.weekday())
        case Every.MONTH:
            return night.replace(day=1)


def turn_of(one: MediaSet, written: Mapping[str, datetime], now: datetime, zone: tzinfo) -> Turn:
    """Say which media of a set may be written in the night of ``now``.

    ``written`` says when each medium last held a whole night. Who was written in this very night
    stays its medium; after the night in which a medium of this turn was written, nothing is owed.
    """
    night = night_of(now, zone)
    done = {
        name: at
        for name in one.media
        if (at := written.get(name)) is not None
        and first_night(one.every, night_of(at, zone)) == first_night(one.every, night)
    }
    order = sorted(one.media, key=lambda name: written.get(name, _NEVER))
    others = {name: _others_to_write(one, written, name) for name in order}
    if done:
        latest = max(done, key=lambda name: done[name])
        is_tonight = night_of(done[latest], zone) == night
        media: tuple[str, ...] = (latest,) if is_tonight else ()
    else:
        media = tuple(name for name in order if not others[name])
    resting = {name: left for name, left in others.items() if left and name not in media}
    return Turn(set_name=one.name, media=media, resting=resting)


def _others_to_write(one: MediaSet, written: Mapping[str, datetime], name: str) -> int:
    """Count how many others of the set must be written before a medium is written again."""
    last = written.get(name)
    if last is None:
        return 0
    since = sum(other != name and written.get(other, _NEVER) > last for other in one.media)
    return max(0, min(one.reuse_after, len(one.media) - 1) - since)


def foresee(
    one: MediaSet, written: Mapping[str, datetime], openings: Iterable[Opening], zone: tzinfo
) -> Iterator[Due]:
    """Give the media expected at these openings, oldest first, if each is brought in its turn."""
    so_far = dict(written)
    for opening in openings:
        expected = turn_of(one, so_far, opening.opens_at, zone).expected
        if expected is None:
            continue
        yield Due(
            night=night_of(opening.opens_at, zone),
            target=expected,
            set_name=one.name,
            opens_at=opening.opens_at,
            closes_at=opening.closes_at,
        )
        so_far[expected] = opening.opens_at


def always_due(target: str, openings: Sequence[Opening], zone: tzinfo) -> Iterator[Due]:
    """Give the nights of a medium that belongs to no set: every opening of its window."""
    for opening in openings:
        yield Due(
            night=night_of(opening.opens_at, zone),
            target=target,
            set_name="",
            opens_at=opening.opens_at,
            closes_at=opening.closes_at,
        )
