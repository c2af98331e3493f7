"""How numbers, times and tables look; 80 columns, with and without colour.

Rule 1: a colour only repeats what a word says.
Rule 2: ``NO_COLOR`` and a pipe both mean no colour.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from vault.cli.words import _

_UNITS = ("B", "kB", "MB", "GB", "TB")
_STEP = 1000
_COLOURS = {"good": "32", "warn": "33", "bad": "31;1", "dim": "2", "strong": "1"}
_MINUTE_S, _HOUR_S, _DAY_S = 60, 3600, 86400


def colour(text: str, kind: str) -> str:
    """Colour a text when standard output is a terminal that wants it."""
    if "NO_COLOR" in os.environ or not sys.stdout.isatty():
        return text
    return f"\x1b[{_COLOURS[kind]}m{text}\x1b[0m"


def size(count: float) -> str:
    """Give a size: three figures and a unit of a thousand."""
    value = float(count)
    for unit in _UNITS:
        if value < _STEP or unit == _UNITS[-1]:
            number = f"{value:.0f}" if unit == "B" or value >= 100 else f"{value:.1f}"
            return f"{number} {_(unit)}"
        value /= _STEP
    raise AssertionError


def seconds(value: float) -> str:
    """Give a duration as a person would say it."""
    if value < 1:
        return f"{value:.2f} s"
    if value < _MINUTE_S:
        return f"{value:.1f} s"
    if value < _HOUR_S:
        return f"{int(value // 60)} min {int(value % 60):02d} s"
    if value < 2 * _DAY_S:
        return f"{int(value // 3600)} h {int(value % 3600 // 60):02d} min"
    return _("{days} days").format(days=int(value // _DAY_S))


def moment(at: datetime, zone: str | ZoneInfo) -> str:
    """Give an instant on the site's clock, to the minute."""
    local = at.astimezone(ZoneInfo(zone) if isinstance(zone, str) else zone)
    return local.strftime("%Y-%m-%d %H:%M")


def table(heads: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[int] = ()) -> str:
    """Lay rows in columns as wide as their longest cell; ``right`` columns align right."""
    lines = [list(heads), *[list(row) for row in rows]]
    widths = [max(len(line[n]) for line in lines) for n in range(len(heads))]

    def lay(cells: Sequence[str]) -> str:
        laid = [
            cell.rjust(width) if n in right else cell.ljust(width)
            for n, (cell, width) in enumerate(zip(cells, widths, strict=True))
        ]
        return "  ".join(laid).rstrip()

    return "\n".join([colour(lay(heads), "strong"), *[lay(row) for row in rows]])
