"""The days, months and years that a file is about, gathered while it is read.

Rule 1: what is no date is dropped, and counted.
Rule 2: a finding stays short: past ``MOST`` days months are told, past as many months, years.
"""

from __future__ import annotations

import re
from datetime import date

MOST = 36
_MOST_SEEN = 4096
_DATE = re.compile(r"(\d{4})-?(\d\d)?-?(\d\d)?", re.ASCII)
_YEARS = range(1900, 2101)


class Periods:
    """A set of periods that grows."""

    def __init__(self) -> None:
        self._told: set[str] = set()
        self._seen: set[str] = set()  # texts that were dates: most lines of a file say the same
        self.refused = 0  # texts that were no date

    def add(self, text: str) -> bool:
        """Add ``YYYY``, ``YYYYMM``, ``YYYYMMDD`` or the same with dashes; what follows is left."""
        text = text[:10]
        if text in self._seen:
            return True
        told = _normal(text)
        if told is None:
            self.refused += 1
            return False
        if len(self._seen) < _MOST_SEEN:
            self._seen.add(text)
        self._told.add(told)
        # A bound on memory: a file with more days than this is told by months anyway.
        if len(self._told) > 64 * MOST:
            self._told = set(self.told())
        return True

    def told(self) -> tuple[str, ...]:
        """Give the periods, sorted, no more of them than a person reads."""
        told = self._told
        for length in (len("2024-11"), len("2024")):
            if len(told) > MOST:
                told = {text[:length] for text in told}
        return tuple(sorted(told)[:MOST])


def _normal(text: str) -> str | None:
    found = _DATE.match(text)
    if found is None:
        return None
    year, month, day = found.groups()
    if int(year) not in _YEARS:
        return None
    try:
        date(int(year), int(month or 1), int(day or 1))
    except ValueError:
        return None
    return "-".join(part for part in (year, month, day) if part)
