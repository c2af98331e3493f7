"""How many bytes, as a person reads it: three figures and a unit of a thousand.

Rule: a sentence that is kept holds the English; ``said_again`` puts it into another language.
"""

from __future__ import annotations

import re

_STEP = 1000
_SIGNS = {
    "en": ("B", "kB", "MB", "GB", "TB"),
    "fr": ("o", "ko", "Mo", "Go", "To"),
}
_KEPT = re.compile(r"(\d+(?:\.\d)?) (B|kB|MB|GB|TB)", re.ASCII)


class Amount(int):
    """Bytes inside a message."""

    def __format__(self, spec: str) -> str:
        """Say it in English."""
        return amount(self)


def amount(count: float, language: str = "en") -> str:
    """Say how many bytes; in French with a decimal comma."""
    value, units = float(count), _SIGNS[language]
    step = 0
    while value >= _STEP and step < len(units) - 1:
        value, step = value / _STEP, step + 1
    text = f"{value:.0f}" if not step or value >= _STEP / 10 else f"{value:.1f}"
    return f"{_figure(text, language)} {units[step]}"


def said_again(text: str, language: str) -> str | None:
    """Give an amount that was said in English in another language; None when it is none."""
    found = _KEPT.fullmatch(text)
    if found is None:
        return None
    unit = _SIGNS[language][_SIGNS["en"].index(found[2])]
    return f"{_figure(found[1], language)} {unit}"


def _figure(text: str, language: str) -> str:
    return text.replace(".", ",") if language == "fr" else text
