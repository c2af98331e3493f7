"""When a disk will be full, if it goes on filling as it has.

Rule 1: the pace is the median of the slopes between any two nights of the last 90 days
    (Theil and Sen): the first copy, one large export or a night that was missed do not decide it.
Rule 2: no forecast from less than a week of nights: it would be a guess.
Rule 3: pure: what came each night, what is free and now in, a day out.
Source: issue of the year without a person; P. K. Sen, "Estimates of the regression coefficient
    based on Kendall's tau" (1968).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import accumulate, combinations
from statistics import median

from vault.gap import Gap

AHEAD = timedelta(days=30)
LOOKED_BACK = timedelta(days=90)
_LEAST_NIGHTS, _LEAST_SPAN = 7, timedelta(days=7)
_MOST_NIGHTS = 120  # of which any two are compared; more are thinned evenly
_DAY_S = 86_400.0

History = Sequence[tuple[datetime, int]]  # when a night ended, and the bytes that it added


@dataclass(frozen=True, slots=True, kw_only=True)
class Filling:
    """A disk that will be full before long."""

    full_at: datetime
    free_bytes: int
    bytes_per_day: int


def pace(history: History, now: datetime) -> float | None:
    """Give the bytes a day at which a disk fills; None when that is not known yet."""
    nights = sorted(one for one in history if now - LOOKED_BACK <= one[0] <= now)
    if len(nights) < _LEAST_NIGHTS or nights[-1][0] - nights[0][0] < _LEAST_SPAN:
        return None
    totals = list(accumulate(added for _, added in nights))
    points = [
        ((at - nights[0][0]).total_seconds() / _DAY_S, total)
        for (at, _), total in zip(nights, totals, strict=True)
    ]
    step = -(-len(points) // _MOST_NIGHTS)
    points = points[::-step][::-1]
    slopes = [(b[1] - a[1]) / (b[0] - a[0]) for a, b in combinations(points, 2) if b[0] > a[0]]
    return median(slopes) if slopes else None


def forecast(
    history: History, *, free_bytes: int, free_at: datetime, now: datetime
) -> Filling | None:
    """Say when a disk is full at its pace; None when that is more than 30 days ahead, or unknown.

    ``free_bytes`` were free at ``free_at``.
    """
    per_day = pace(history, now)
    if per_day is None or per_day <= 0:
        return None
    days = max(0, free_bytes) / per_day
    if days > (AHEAD + (now - free_at)).total_seconds() / _DAY_S:
        return None
    return Filling(
        full_at=free_at + timedelta(days=days), free_bytes=free_bytes, bytes_per_day=round(per_day)
    )


def find_filling_gaps(
    landing: Filling | None, targets: Mapping[str, Filling | None], now: datetime
) -> Iterator[Gap]:
    """Give a gap for each disk that is full within 30 days, at the pace of the last 90."""
    if landing is not None:
        yield Gap(
            kind="landing-filling",
            template="the disk of the landing is full in {days} days at the pace of the last 90",
            values=_told(landing, now),
            mend="coffre retention plan, then coffre retention apply --by NAME --prune --yes; else "
            "a larger disk",
        )
    for name, filling in targets.items():
        if filling is not None:
            yield Gap(
                kind="target-filling",
                target=name,
                template="the medium is full in {days} days at the pace of the last 90",
                values=_told(filling, now),
                mend="enrol a larger medium, or coffre retention plan --target {target}",
            )


def _told(filling: Filling, now: datetime) -> dict[str, object]:
    return {"days": max(0, (filling.full_at - now).days)}
