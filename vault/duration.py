"""Durations as people write them: ``20m``, ``2h``, ``1h30m``, ``90d``.

Rule 1: inside, a duration is whole seconds; a day is 86,400 of them.
Rule 2: a bare number is refused, zero aside: nobody can tell whether 20 means minutes.
"""

from __future__ import annotations

import re

from vault.errors import UsageError
from vault.names import printable

PATTERN = r"^(?=.)(\d+d)?(\d+h)?(\d+m)?(\d+s)?$|^0$"
LONGEST_S = 100 * 366 * 86_400

_UNITS = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}
_SHAPE = re.compile(PATTERN, re.ASCII)
_PART = re.compile(r"(\d+)([dhms])", re.ASCII)


def parse_duration(text: str) -> int:
    """Read days, hours, minutes, seconds, in this order and each at most once, as seconds."""
    if len(text) > 32 or "\n" in text or not _SHAPE.match(text):
        raise _not_one(text)
    duration_s = sum(int(count) * _UNITS[unit] for count, unit in _PART.findall(text))
    if duration_s > LONGEST_S:
        raise _not_one(text)
    return duration_s


def format_duration(duration_s: int) -> str:
    """Write seconds so that ``parse_duration`` reads the same back: 5400 gives ``1h30m``."""
    left, shown = duration_s, ""
    for unit, unit_s in _UNITS.items():
        count, left = divmod(left, unit_s)
        shown += f"{count}{unit}" if count else ""
    return shown or "0s"


def _not_one(text: str) -> UsageError:
    shown = printable(text[:32].encode("utf-8", "surrogateescape"))
    return UsageError(
        "{text} is not a duration",
        hint="write it like 20m, 2h, 1h30m or 90d, at most a hundred years?",
        text=shown or "an empty text",
    )
