"""When a vault door may be open: the vault's windows, and the soft deadline inside one.

Rule 1: a window names its start on the wall clock and its length in real seconds: two hours are
    7,200 s in the nights when the clocks change, too.
Rule 2: an opening belongs to the local day on which it starts, also past midnight.
Rule 3: a start that the clocks skip (02:30 in a spring night) comes as much later as they skip
    (03:30); a start that comes twice (02:30 in an autumn night) counts the first time only.
Rule 4: what comes in is aware; what goes out is aware UTC. There is no clock here.
Source: design, section 4; PEP 495 for the two kinds of doubtful local time.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo

from vault.duration import parse_duration

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
ALL_DAYS = frozenset(range(7))
LONGEST_S = 86_400
WITHOUT_S = 12 * 3600  # a target without a window may be open this long, at any run
WAIT_WITHOUT_S = 26 * 3600  # and takes part in every night

SOFT_MARGIN_S = 30.0
ASSUMED_BYTES_PER_S = 20_000_000  # an old USB 2 disk: pessimistic until this target was measured


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A time of the night in which vault doors may open."""

    name: str
    start: time  # on the wall clock, naive
    for_s: int  # real seconds, at most a day
    days: frozenset[int] = ALL_DAYS  # 0 is Monday; the day on which it starts


def closes_at(window: Window, now: datetime, tz: tzinfo) -> datetime | None:
    """Give the end of the opening that ``now`` is inside of, or None when it is in none.

    The start is inside, the end is not. When a window of nearly a day overlaps the next one on a
    day of 23 hours, the later end holds.
    """
    now = _utc(now)
    ends = [
        start + timedelta(seconds=window.for_s)
        for start in _starts(window, now, tz, days=range(-2, 2))
    ]
    length = timedelta(seconds=window.for_s)
    return max((end for end in ends if end - length <= now < end), default=None)


def next_opening(window: Window, now: datetime, tz: tzinfo) -> datetime:
    """Give the first start after ``now``; inside an opening that is the start of the next one."""
    now = _utc(now)
    starts = _starts(window, now, tz, days=range(-1, 10))
    return min(start for start in starts if start > now)


def longest_wait_s(window: Window) -> int:
    """Give the longest time from one start to the end of the next, in real seconds.

    The hour that a day gains when the clocks go back is in it.
    """
    days = sorted(window.days)
    waits = [
        (after - day - 1) % 7 + 1 for day, after in zip(days, [*days[1:], days[0]], strict=True)
    ]
    return max(waits) * 86_400 + 3600 + window.for_s


def soft_deadline(
    closes_at_s: float, *, largest_left_bytes: int, bytes_per_s: float | None
) -> float:
    """Give the instant after which no further file is begun, on the clock of ``closes_at_s``.

    The hard deadline less the larger of 30 s and twice the time that the largest file still to
    be carried takes at the measured speed; without a measurement, at a pessimistic one.
    """
    speed = bytes_per_s if bytes_per_s and bytes_per_s > 0 else ASSUMED_BYTES_PER_S
    return closes_at_s - max(SOFT_MARGIN_S, 2 * largest_left_bytes / speed)


def _utc(now: datetime) -> datetime:
    """Put an instant on the UTC line: two local times of one zone compare without their fold."""
    if now.tzinfo is None:
        raise ValueError("a time without its zone")
    return now.astimezone(UTC)


def _starts(window: Window, now: datetime, tz: tzinfo, *, days: range) -> list[datetime]:
    """Give the starts on the local days around ``now``, as UTC, oldest first."""
    today = now.astimezone(tz).date()
    around = (today + timedelta(days=n) for n in days)
    return [_start_on(window, day, tz) for day in around if day.weekday() in window.days]


def _start_on(window: Window, day: date, tz: tzinfo) -> datetime:
    """Place the start of one local day on the UTC line; fold 0 is rule 3 in both its halves."""
    return datetime.combine(day, window.start.replace(fold=0), tzinfo=tz).astimezone(UTC)


__all__ = [
    "ALL_DAYS",
    "WEEKDAYS",
    "Window",
    "closes_at",
    "longest_wait_s",
    "next_opening",
    "parse_duration",
    "soft_deadline",
]
