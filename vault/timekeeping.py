"""The host's clock against what was written under it: a night begins under no clock that is behind.

Rule 1: the newest instant known is the ledger's last entry or the latest end of any night.
Rule 2: an error that dated records ahead is lived down by one act: a person says, by name and with
    a reason, that the clock is right now; it is in the ledger, and forgets the newest instant only.
Rule 3: nothing is ordered by the wall clock; numbers order the ledger and the nights.
Source: design, section 7; ``docs/decisions/0013``.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from vault.errors import ClockError, UsageError
from vault.holding import SEEN_FACT
from vault.ports import Clock
from vault.records import CataloguePort, LedgerPort

CONFIRMED_FACT = "clock-confirmed"  # when a person said that it is right, and the night before
NEWEST_FACT = "newest-time"  # the latest instant a night ended at, since the clock was confirmed
_TOLERANCE_S = 300  # a host without a trusted clock drifts; five minutes back is no fraud


def behind_s(catalogue: CataloguePort, ledger: LedgerPort, clock: Clock) -> float:
    """Give how far the clock is behind the newest instant known; 0 within the tolerance."""
    known = [at for at in (ledger.last_at(), _newest_night(catalogue)) if at is not None]
    behind = (max(known) - clock.now()).total_seconds() if known else 0.0
    return behind if behind > _TOLERANCE_S else 0.0


def require_clock(catalogue: CataloguePort, ledger: LedgerPort, clock: Clock) -> None:
    """Refuse to go on with a clock that is behind what was written; ClockError."""
    if behind := behind_s(catalogue, ledger, clock):
        raise ClockError(
            "the clock is {behind} seconds behind the last entry of the ledger",
            behind=round(behind),
            hint="is the host's clock right? if not, set it; if it is, coffre clock confirm",
        )


def keep_newest(catalogue: CataloguePort, at: datetime) -> None:
    """Remember the end of a night when none was later."""
    newest = _newest_night(catalogue)
    if newest is None or at >= newest:
        catalogue.set_fact(NEWEST_FACT, at.isoformat())


def confirm_clock(
    catalogue: CataloguePort,
    ledger: LedgerPort,
    clock: Clock,
    *,
    by: str,
    login: str,
    reason: str,
    needs_word: bool = False,
) -> float:
    """Record that the clock is right and what was dated ahead is not; give by how many seconds.

    UsageError when it is neither behind, nor ``needs_word``: it leapt ahead, or the host was off,
    and nobody has vouched for the clock since. The ledger is written first: what it cannot hold is
    not done.
    """
    behind = behind_s(catalogue, ledger, clock)
    if not (behind or needs_word):
        raise UsageError("the clock is neither behind nor ahead: there is nothing to confirm")
    now = clock.now()
    ledger.append(
        "clock-confirmed",
        by=by,
        login=login,
        reason=reason,
        behind_s=round(behind),
        now=now.isoformat(),
    )
    catalogue.set_fact(NEWEST_FACT, now.isoformat())
    last = catalogue.last_cycle()
    newest = max([last.cycle if last else 0, *catalogue.unfinished_cycles()])
    catalogue.set_fact(CONFIRMED_FACT, f"{now.isoformat()} {newest}")
    for target in catalogue.targets():
        seen = catalogue.fact(SEEN_FACT + target.name)
        if seen and datetime.fromisoformat(seen) > now:
            catalogue.set_fact(SEEN_FACT + target.name, now.isoformat())
    return behind


def true_instant(catalogue: CataloguePort) -> Callable[[int, datetime], datetime]:
    """Give what dates a night's instant anew: one before a clock was confirmed was not after it.

    So what a clock that was ahead has dated ages from that word on, and not only once the day
    comes that it was dated with.
    """
    kept = catalogue.fact(CONFIRMED_FACT)
    if not kept:
        return lambda _cycle, at: at
    text, _, number = kept.partition(" ")
    confirmed_at, newest = datetime.fromisoformat(text), int(number)
    return lambda cycle, at: min(at, confirmed_at) if cycle <= newest else at


def _newest_night(catalogue: CataloguePort) -> datetime | None:
    kept = catalogue.fact(NEWEST_FACT)
    if kept:
        return datetime.fromisoformat(kept)
    last = catalogue.last_cycle()
    return last.ended_at if last else None
