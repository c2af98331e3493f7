"""How many bytes, as a person reads it: three figures and a unit of a thousand.

Rule: a sentence that is kept holds the English; ``said_again`` puts it into another language.
"""

from __future__ import annotations

import re
from typing import Self

_STEP = 1000
_TWO_FIGURES = 100
_TO_THE_BYTE = 12  # decimals of the largest unit
_SIGNS = {
    "en": ("B", "kB", "MB", "GB", "TB"),
    "fr": ("o", "ko", "Mo", "Go", "To"),
}
_KEPT = re.compile(r"(\d+(?:\.\d+)?) (B|kB|MB|GB|TB)", re.ASCII)


class Amount(int):
    """Bytes inside a message; ``decimals`` more than its three figures have."""

    decimals: int

    def __new__(cls, count: int, *, decimals: int = 0) -> Self:
        """Keep a count of bytes."""
        made = super().__new__(cls, count)
        made.decimals = decimals
        return made

    def __format__(self, spec: str) -> str:
        """Say it in English."""
        return amount(self, decimals=self.decimals)


def told_apart(one: int, other: int) -> tuple[Amount, Amount]:
    """Give two amounts of one sentence with as many figures as it takes to see which is more."""
    decimals = 0
    while (
        one != other
        and amount(one, decimals=decimals) == amount(other, decimals=decimals)
        and decimals < _TO_THE_BYTE
    ):
        decimals += 1
    return Amount(one, decimals=decimals), Amount(other, decimals=decimals)


def amount(count: float, language: str = "en", *, decimals: int = 0) -> str:
    """Say how many bytes; in French with a decimal comma."""
    value, step, units = float(count), 0, _SIGNS[language]
    text = _rounded(value, step, decimals)
    while float(text) >= _STEP and step < len(units) - 1:
        value, step = value / _STEP, step + 1
        text = _rounded(value, step, decimals)
    return f"{_figure(text, language)} {units[step]}"


def _rounded(value: float, step: int, decimals: int) -> str:
    if not step:
        return f"{value:.0f}"
    return f"{value:.{decimals + (round(value, 1) < _TWO_FIGURES)}f}"


def said_again(text: str, language: str) -> str | None:
    """Give an amount that was said in English in another language; None when it is none."""
    found = _KEPT.fullmatch(text)
    if found is None:
        return None
    unit = _SIGNS[language][_SIGNS["en"].index(found[2])]
    return f"{_figure(found[1], language)} {unit}"


def _figure(text: str, language: str) -> str:
    return text.replace(".", ",") if language == "fr" else text
