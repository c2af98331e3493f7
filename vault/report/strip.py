"""Seconds open, drawn: one bar a night, so that a long or an unproven one stands out at a glance.

Rule 1: the height is the square root of the seconds, so that a night of one second is still seen
    beside one of ten minutes; the axis says so by its marks.
Rule 2: a night without an opening has a dot: nothing open is drawn, not left out.
Rule 3: an unproven night is told by its shape (hatched, taller than all) as well as its colour.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_HEIGHT, _GROUND = 120.0, 4.0
_STEP = 9.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One night, in units of the drawing."""

    x: float
    y: float
    height: float
    kind: str  # quiet, open, worst, unproven
    says: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A line of the axis."""

    y: float
    says: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """What the template draws."""

    width: float
    height: float
    ground: float
    bar: float
    bars: tuple[Bar, ...]
    marks: tuple[Mark, ...]


def draw(
    nights: Sequence[Mapping[str, Any]], says: Sequence[str], marks: Sequence[tuple[float, str]]
) -> Drawing:
    """Lay nights out from left to right; ``says`` has a sentence for each, ``marks`` seconds."""
    most = max((night["seconds"] for night in nights), default=0.0)
    top = max(most, *(at for at, _ in marks[:1]), 1.0)
    bars = tuple(
        _bar(number, night, text, top=top, is_worst=night["seconds"] == most > 0)
        for number, (night, text) in enumerate(zip(nights, says, strict=True))
    )
    return Drawing(
        width=max(1, len(nights)) * _STEP,
        height=_HEIGHT + _GROUND,
        ground=_HEIGHT,
        bar=_STEP - 2,
        bars=bars,
        marks=tuple(
            Mark(y=_HEIGHT - _scaled(at, top), says=text) for at, text in marks if at <= top
        ),
    )


def _bar(number: int, night: Mapping[str, Any], says: str, *, top: float, is_worst: bool) -> Bar:
    height = _HEIGHT if night["unproven"] else _scaled(night["seconds"], top)
    kind = "unproven" if night["unproven"] else "quiet" if not night["openings"] else "open"
    if kind == "open" and is_worst:
        kind = "worst"
    height = max(2.0, height) if kind != "quiet" else 2.0
    return Bar(
        x=round(number * _STEP, 1),
        y=round(_HEIGHT - height, 1),
        height=round(height, 1),
        kind=kind,
        says=says,
    )


def _scaled(seconds: float, top: float) -> float:
    return (_HEIGHT - 10) * math.sqrt(min(seconds, top) / top)
