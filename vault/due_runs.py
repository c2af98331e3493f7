"""Which night is due now: the openings of a window, the night that came last, and the clock.

Rule 1: an opening is served by a night that began in it and came to its end; one that died, or was
    interrupted, serves nothing.
Rule 2: a missed opening is caught up once, the newest one only, if its window allows it: begun
    before ``catch_up`` has passed since its end, shut by then, and before the window opens again.
Rule 3: a night dated ahead of the clock hides what it hides: with a wrong clock nothing is told
    missed that may not be.
Rule 4: pure: there is no clock here, and what is aware comes out as aware UTC.
Source: ``vault.window`` for what an opening is; ``docs/decisions/0023``.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo
from enum import StrEnum

from vault.window import ALL_DAYS, Window, closes_at, next_opening

LEAST_S = 60  # what is shorter is not worth a door
_MOST_OPENINGS = 1000  # told: nearly three years of nights


class Call(StrEnum):
    """What is to be done about a window now."""

    RUN = "run"  # it is open and no night has served it
    CATCH_UP = "catch-up"  # it was missed and may be caught up
    WAIT = "wait"


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """One time a window is open."""

    window: str
    opens_at: datetime
    closes_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """A window that nights are owed in."""

    window: Window
    since: datetime  # owed from here on: its first target was enrolled
    catch_up_s: int = 0  # how long after its end a missed opening may be caught up
    last_at: datetime | None = None  # when the newest night began that came to its end


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """What is due for one window."""

    call: Call
    opening: Opening  # the one to run in, the one to catch up, or the next one
    closes_at: datetime  # by then every vault door is shut


def missed(watch: Watch, now: datetime, tz: tzinfo) -> tuple[Opening, ...]:
    """Give the openings that ended since the last night without one, oldest first.

    A later night clears them: it carried what they should have. The newest thousand are given.
    """
    longest_ago = timedelta(weeks=_MOST_OPENINGS // len(watch.window.days) + 2)
    after = max(watch.since - timedelta(microseconds=1), now - longest_ago)
    if watch.last_at is not None:
        after = max(after, watch.last_at)
    ended = (one for one in _openings(watch.window, after, tz, until=now) if one.closes_at <= now)
    return tuple(deque(ended, maxlen=_MOST_OPENINGS))


def decide(watch: Watch, now: datetime, tz: tzinfo) -> Due:
    """Say whether a night is due now, in its window or to catch up, and until when."""
    ends_at = closes_at(watch.window, now, tz)
    if ends_at is not None:
        opens_at = ends_at - timedelta(seconds=watch.window.for_s)
        if watch.last_at is None or not opens_at <= watch.last_at < ends_at:
            return Due(
                call=Call.RUN,
                opening=Opening(window=watch.window.name, opens_at=opens_at, closes_at=ends_at),
                closes_at=ends_at,
            )
    elif due := _catch_up(watch, now, tz):
        return due
    following = _opening(watch.window, next_opening(watch.window, now, tz))
    return Due(call=Call.WAIT, opening=following, closes_at=following.closes_at)


def first_opening(windows: Iterable[Window], now: datetime, tz: tzinfo) -> datetime | None:
    """Give when the first of several windows opens next; None without any."""
    return min((next_opening(window, now, tz) for window in windows), default=None)


def after_nights(windows: Iterable[Window]) -> Window | None:
    """Give a daily minute for what follows the nights: the end of the earliest window, by the wall.

    In the nights when the clocks change it is an hour off, which harms nothing; on all others it is
    right, whichever the day that asks.
    """
    midnight = date(2000, 1, 1)
    starts = [(datetime.combine(midnight, one.start), one.for_s) for one in windows]
    ends = [(start + timedelta(seconds=for_s)).time() for start, for_s in starts]
    if not ends:
        return None
    start = min(ends).replace(second=0, microsecond=0)
    return Window(name="after-nights", start=start, for_s=LEAST_S, days=ALL_DAYS)


def _catch_up(watch: Watch, now: datetime, tz: tzinfo) -> Due | None:
    if not watch.catch_up_s:
        return None
    lost = missed(watch, now, tz)
    if not lost:
        return None
    newest = lost[-1]
    shut_by = min(
        now + timedelta(seconds=watch.window.for_s),
        newest.closes_at + timedelta(seconds=watch.catch_up_s),
        next_opening(watch.window, now, tz),
    )
    if shut_by - now < timedelta(seconds=LEAST_S):
        return None
    return Due(call=Call.CATCH_UP, opening=newest, closes_at=shut_by)


def _openings(window: Window, after: datetime, tz: tzinfo, *, until: datetime) -> Iterator[Opening]:
    """Give the openings that begin after one instant and not after another."""
    opens_at = next_opening(window, after, tz)
    while opens_at <= until:
        yield _opening(window, opens_at)
        opens_at = next_opening(window, opens_at, tz)


def _opening(window: Window, opens_at: datetime) -> Opening:
    closes = opens_at + timedelta(seconds=window.for_s)
    return Opening(window=window.name, opens_at=opens_at, closes_at=closes)
