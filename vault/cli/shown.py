"""How numbers, times and tables look; 80 columns, with and without colour.

Rule 1: a colour only repeats what a word says.
Rule 2: ``NO_COLOR``, a dumb terminal and a pipe all mean no colour.
Rule 3: a table is at most as wide as the screen: its words wrap inside their column.
Rule 4: in French a decimal comma, ``o`` for bytes and DD/MM/YYYY; in English ISO dates. A document
    for machines has none of this.
"""

from __future__ import annotations

import os
import re
import sys
import textwrap
from collections.abc import Collection, Sequence
from datetime import date, datetime
from zoneinfo import ZoneInfo

from vault.amount import amount
from vault.cli.words import _, spoken

_COLOURS = {"good": "32", "warn": "33", "bad": "31;1", "dim": "2", "strong": "1"}
_MINUTE_S, _HOUR_S, _DAY_S = 60, 3600, 86400
_WIDTH, _WIDEST = 80, 100
_GAP = "  "
_NUMBER_AND_UNIT = re.compile(r"(\d) (?=(?:s|min|h|o|[kMGT]?[oB]|jours|days|nuits?|nights?)\b)")
_DAY_AND_HOUR = re.compile(r"(\d{4}-\d\d-\d\d|\d\d/\d\d/\d{4}) (?=\d\d:\d\d)")
_TIE = "\x1f"  # stands for a space at which no line may end
_NAME = 16  # of a name that is broken, so much stays on a line
_NARROW, _NARROWEST = 8, 5  # a column of words is not squeezed below this


def colour(text: str, kind: str) -> str:
    """Colour a text when standard output is a terminal that wants it."""
    if "NO_COLOR" in os.environ or not sys.stdout.isatty() or is_dumb():
        return text
    return f"\x1b[{_COLOURS[kind]}m{text}\x1b[0m"


def is_dumb() -> bool:
    """Whether the terminal knows neither colours nor a way back to an earlier line."""
    return os.environ.get("TERM", "") in ("", "dumb", "unknown")


def _number(value: float, decimals: int) -> str:
    text = f"{value:.{decimals}f}"
    return text.replace(".", ",") if spoken() == "fr" else text


def number(value: float) -> str:
    """Give a number as it is, a fraction to three figures; a decimal comma in French."""
    text = str(value) if isinstance(value, int) else f"{value:.3g}"
    return text.replace(".", ",") if spoken() == "fr" else text


def size(count: float) -> str:
    """Give a size: three figures and a unit of a thousand."""
    return amount(count, spoken())


def seconds(value: float) -> str:
    """Give a duration as a person would say it."""
    if value == 0:
        return "0 s"
    if value < 1:
        return f"{_number(value, 2)} s"
    if value < _MINUTE_S:
        return f"{_number(value, 1)} s"
    if value < _HOUR_S:
        return f"{int(value // 60)} min {int(value % 60):02d} s"
    if value < 2 * _DAY_S:
        return f"{int(value // 3600)} h {int(value % 3600 // 60):02d} min"
    return _("{days} days").format(days=int(value // _DAY_S))


def moment(at: datetime, zone: str | ZoneInfo) -> str:
    """Give an instant on the site's clock, to the minute."""
    local = at.astimezone(ZoneInfo(zone) if isinstance(zone, str) else zone)
    return local.strftime("%d/%m/%Y %H:%M" if spoken() == "fr" else "%Y-%m-%d %H:%M")


def day(value: date) -> str:
    """Give a day as people write it."""
    return value.strftime("%d/%m/%Y" if spoken() == "fr" else "%Y-%m-%d")


# -- lines and tables


def width() -> int:
    """Give the width to write for: ``COLUMNS``, or the terminal's up to 100, or 80."""
    columns = os.environ.get("COLUMNS", "")
    if columns.isdigit() and int(columns):
        return int(columns)
    try:
        return min(max(os.get_terminal_size(1).columns, 40), _WIDEST)
    except (OSError, ValueError):
        return _WIDTH


def wrapped(text: str, *, indent: int = 0) -> str:
    """Break a sentence at its spaces; what follows the first line is indented."""
    lines = textwrap.wrap(
        _NUMBER_AND_UNIT.sub(f"\\1{_TIE}", text),
        width() + _invisible(text),  # a colour has no width
        subsequent_indent=" " * indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return "\n".join(lines).replace(_TIE, " ")


def _invisible(text: str) -> int:
    return sum(len(code) for code in re.findall(r"\x1b\[[0-9;]*m", text))


def table(
    heads: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    right: Sequence[int] = (),
    whole: Sequence[int] = (),
) -> str:
    """Lay rows in columns; heads and words wrap where that keeps the table on the screen.

    A name that is too long even so is broken, but in the columns that are ``whole``: they may
    leave the screen, to be copied.
    """
    tied = [[_tied(cell) for cell in row] for row in rows]
    cells: Sequence[Sequence[str]] = tied
    # What fits first: days with their hours on one line, columns not too narrow; then neither.
    for cells, narrowest in ((tied, _NARROW), (tied, _NARROWEST), (rows, _NARROWEST)):
        widths = _widths(heads, cells, fixed={*right, *whole}, right=right, narrowest=narrowest)
        if sum(widths) + len(_GAP) * (len(widths) - 1) <= width():
            break
    lines = [colour(line, "strong") for line in _lay(heads, widths, right)]
    for row in cells:
        lines += _lay(row, widths, right)
    return "\n".join(lines).replace(_TIE, " ")


def _tied(text: str) -> str:
    """Keep a number with its unit, and a day with its hour, on one line."""
    return _DAY_AND_HOUR.sub(f"\\1{_TIE}", _NUMBER_AND_UNIT.sub(f"\\1{_TIE}", text))


def _widths(
    heads: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    fixed: Collection[int],
    right: Sequence[int],
    narrowest: int,
) -> list[int]:
    """Give each column its longest cell; the widest give way when the screen is too narrow."""
    columns = list(zip(heads, *rows, strict=True))
    widths = [max([_longest_word(cells[0]), *map(len, cells[1:])]) for cells in columns]
    least = [
        wide if n in right else max(_longest_word(cell) for cell in cells)
        for n, (wide, cells) in enumerate(zip(widths, columns, strict=True))
    ]
    gaps = len(_GAP) * (len(widths) - 1)
    squeezed = [min(wide, max(few, narrowest)) for wide, few in zip(widths, least, strict=True)]
    over = sum(squeezed) + gaps - width()
    loose = [n for n in range(len(widths)) if n not in fixed]
    longest = max(loose, key=squeezed.__getitem__, default=0)
    if (
        loose and 0 < over <= squeezed[longest] - _NAME
    ):  # a long name is broken when all else gave way
        least[longest] = squeezed[longest] - over
        over = 0
    fits = over <= 0  # else wrapping is no help
    while fits and sum(widths) + gaps > width():
        slack = [(wide, n) for n, wide in enumerate(widths) if wide > max(least[n], narrowest)]
        if not slack:
            break
        widths[max(slack)[1]] -= 1
    # A head takes the room that is left before it wraps.
    for n, head in enumerate(heads):
        room = width() - sum(widths) - gaps
        if len(head) > widths[n] and len(head) - widths[n] <= room:
            widths[n] = len(head)
    return widths


def _longest_word(text: str) -> int:
    return max((len(word) for word in text.split(" ")), default=0)


def _lay(cells: Sequence[str], widths: Sequence[int], right: Sequence[int]) -> list[str]:
    """Lay one row, on as many lines as its longest cell needs."""
    columns = [_wrapped_in(cell, wide) or [""] for cell, wide in zip(cells, widths, strict=True)]
    laid = []
    for number in range(max(len(column) for column in columns)):
        parts = []
        for n, column in enumerate(columns):
            part = column[number] if number < len(column) else ""
            parts.append(part.rjust(widths[n]) if n in right else part.ljust(widths[n]))
        laid.append(_GAP.join(parts).rstrip())
    return laid


def _wrapped_in(cell: str, wide: int) -> list[str]:
    """Wrap a cell at its spaces; one word that is too long, behind its marks where it has some."""
    if " " in cell or len(cell) <= wide:
        return textwrap.wrap(cell, wide, break_on_hyphens=False)
    lines = []
    while len(cell) > wide:
        mark = max(cell.rfind(sign, 0, wide) for sign in "/._-") + 1
        cut = mark if mark > wide // 2 else wide
        lines.append(cell[:cut])
        cell = cell[cut:]
    return [*lines, cell]
