"""How long the carrying to a target will take, said before its door opens.

Rule: from bytes that are known to lack there and the speed that was measured there; where nothing
    was measured, nothing is guessed. Pure.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """What is to come for one target."""

    target: str
    size_bytes: int  # to be carried
    closes_at: datetime  # the door is shut by then
    takes_s: float | None  # None: this target was never measured
    nights: int | None  # that it takes, this one included; None as above


def foretell(
    target: str,
    size_bytes: int,
    *,
    closes_at: datetime,
    left_s: float,
    window_s: float,
    bytes_per_s: float | None,
) -> Forecast:
    """Judge one carry: ``left_s`` is what is left of this night, ``window_s`` a whole window."""
    takes_s = nights = None
    if bytes_per_s and bytes_per_s > 0:
        takes_s = size_bytes / bytes_per_s
        over_s = max(0.0, takes_s - max(left_s, 0.0))
        nights = 1 + (math.ceil(over_s / window_s) if over_s and window_s > 0 else 0)
    return Forecast(
        target=target,
        size_bytes=size_bytes,
        closes_at=closes_at,
        takes_s=takes_s,
        nights=nights,
    )
