"""How long vault doors stood open: a strip of nights, and what it adds up to.

Rule 1: an opening counts for the night it began in; a night runs from noon to noon, local time.
Rule 2: an opening that was never closed in the records, or not proven shut, is told as unproven;
    its seconds are a bound, and the night is marked.
Rule 3: the share is of the whole time looked at, nights without any opening included.
Source: design, section 3, invariant 10.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo

_NOON = time(12)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stay:
    """One time a vault door was open."""

    target: str
    purpose: str
    opened_at: datetime  # aware
    seconds: float  # a bound when it is not proven
    proven: bool
    in_window: bool  # begun inside a window of its target, or by a recorded --now


@dataclass(frozen=True, slots=True, kw_only=True)
class NightExposure:
    """One night."""

    night: date  # the day on which it began
    seconds: float
    longest_s: float
    openings: int
    unproven: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Strip:
    """A run of nights, each of them, the oldest first."""

    nights: tuple[NightExposure, ...]
    total_s: float
    longest_s: float
    openings: int
    unproven: int
    outside: int  # openings outside every window
    share: float  # of all the seconds from the first noon to the last

    @property
    def worst(self) -> NightExposure | None:
        """The night with the most seconds; None when no door was open at all."""
        found = max(self.nights, key=lambda night: night.seconds, default=None)
        return found if found and found.openings else None


def night_of(at: datetime, zone: tzinfo) -> date:
    """Give the night an instant belongs to: before noon it is the night that began yesterday."""
    local = at.astimezone(zone)
    return local.date() if local.time() >= _NOON else local.date() - timedelta(days=1)


def make_strip(stays: Iterable[Stay], *, first: date, last: date, zone: tzinfo) -> Strip:
    """Lay openings over the nights from ``first`` to ``last``, both included."""
    by_night: dict[date, list[Stay]] = {}
    for stay in stays:
        by_night.setdefault(night_of(stay.opened_at, zone), []).append(stay)
    days = (first + timedelta(days=n) for n in range((last - first).days + 1))
    nights = tuple(_night(day, by_night.get(day, [])) for day in days)
    counted = [stay for night in nights for stay in by_night.get(night.night, [])]
    total_s = sum(night.seconds for night in nights)
    return Strip(
        nights=nights,
        total_s=total_s,
        longest_s=max((stay.seconds for stay in counted), default=0.0),
        openings=len(counted),
        unproven=sum(night.unproven for night in nights),
        outside=sum(not stay.in_window for stay in counted),
        share=total_s / _length_s(first, last, zone),
    )


def _night(day: date, stays: list[Stay]) -> NightExposure:
    return NightExposure(
        night=day,
        seconds=sum(stay.seconds for stay in stays),
        longest_s=max((stay.seconds for stay in stays), default=0.0),
        openings=len(stays),
        unproven=sum(not stay.proven for stay in stays),
    )


def _length_s(first: date, last: date, zone: tzinfo) -> float:
    """Give the real seconds from the first noon to the last: days of 23 and 25 hours are those."""
    begin = datetime.combine(first, _NOON, tzinfo=zone).astimezone(UTC)
    end = datetime.combine(last + timedelta(days=1), _NOON, tzinfo=zone).astimezone(UTC)
    return (end - begin).total_seconds()
