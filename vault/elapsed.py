"""How much time has passed: the ledger's wall clock held against the clock of each boot.

    within a boot     the boot clock says how much passed; whatever the wall clock gained beyond it
                      was set by somebody
    between two boots only the wall clock knows how long the host was off, and nothing can show it
    a word            a person, or a cosigner's clock, vouches: all before it is settled

Rule 1: time that the host ran is counted by the boot clock; the wall clock cannot lengthen it.
Rule 2: time that the host was off counts in full once somebody has vouched for the clock after it,
    and up to a bound before that.
Rule 3: pure: entries' clocks in, seconds out. A vouching entry is believed for what came before it.
Source: design, section 8; ``docs/decisions/0031``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

LEAP = timedelta(days=4)  # a host that was off for longer is asked about
OFF_IN_ALL = timedelta(days=15)  # and one that was off for longer in all, in however many nights
SET_AHEAD = timedelta(days=1)  # a clock that was set ahead by more, in all, while the host ran
_BACK_S = 1.0  # the boot clock never goes back; no two writers' stamps are so far apart


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """The clocks of one entry of the ledger; or of now, numbered one after the last."""

    n: int
    at: datetime  # the wall clock
    boot: str
    mono: float  # seconds of the boot clock
    vouches: bool = False  # a person, or a cosigner's clock, vouched for the wall clock here


@dataclass(frozen=True, slots=True, kw_only=True)
class Leap:
    """The clock leapt ahead between two entries of the ledger, or what counts time went back."""

    n: int  # of the entry after it
    days: int | None  # None: the clock of a boot went back, or a boot that had ended came again


def find_leap(ticks: Iterable[Tick], now: Tick) -> Leap | None:
    """Give the first leap of the clock that nothing vouched for afterwards; None without one.

    It is a host that was off for more than ``LEAP`` at once or ``OFF_IN_ALL`` together, a wall
    clock that gained more than ``SET_AHEAD`` on the boot clocks in however many steps, or a boot
    clock that did what none does. What the wall clock lost is given back to it, up to as much: a
    host whose battery clock is slow starts behind and is set right every time.
    """
    found: Leap | None = None
    before: Tick | None = None
    gained, off = timedelta(), timedelta()
    ended: set[str] = set()  # boots that came before the one of ``before``
    for tick in (*ticks, now):
        if tick.vouches:
            found, gained, off = None, timedelta(), timedelta()
        elif before is not None and found is None:
            step = tick.at - before.at - timedelta(seconds=_ran_s(before, tick))
            if tick.boot == before.boot:
                gained = max(gained + step, -SET_AHEAD)
            else:
                gained = max(gained + min(step, timedelta()), -SET_AHEAD)
                off += max(step, timedelta())
            is_over = tick.boot != before.boot and tick.boot in ended
            if is_over or _goes_back(before, tick):
                found = Leap(n=tick.n, days=None)
            elif gained > SET_AHEAD:
                found = Leap(n=tick.n, days=gained.days)
            elif tick.boot != before.boot and (step > LEAP or off > OFF_IN_ALL):
                found = Leap(n=tick.n, days=(step if step > LEAP else off).days)
        if before is not None and tick.boot != before.boot:
            ended.add(before.boot)
        before = tick
    return found


def _goes_back(before: Tick, after: Tick) -> bool:
    return after.boot == before.boot and after.mono < before.mono - _BACK_S


def passed_s(ticks: Sequence[Tick], now: Tick, *, off_s: float) -> float:
    """Give the seconds from the first tick to ``now`` that passed for certain.

    Of the time that the host was off and nobody vouched for afterwards, no more than ``off_s``.
    """
    ran = settled = off = 0.0
    for before, tick in zip(ticks, [*ticks[1:], now], strict=True):
        running = _ran_s(before, tick)
        ran += running
        if tick.boot != before.boot:
            off += max(0.0, (tick.at - before.at).total_seconds() - running)
        if tick.vouches:
            settled, off = settled + off, 0.0
    return ran + settled + min(off, off_s)


def off_unvouched_s(ticks: Iterable[Tick], now: Tick) -> float:
    """Give the seconds that the host was off since somebody last vouched for the clock."""
    off = 0.0
    before: Tick | None = None
    for tick in (*ticks, now):
        if tick.vouches:
            off = 0.0
        elif before is not None and tick.boot != before.boot:
            off += max(0.0, (tick.at - before.at).total_seconds() - _ran_s(before, tick))
        before = tick
    return off


def _ran_s(before: Tick, after: Tick) -> float:
    """Give the seconds between two ticks that the host ran for certain."""
    return max(0.0, after.mono - before.mono) if after.boot == before.boot else after.mono
