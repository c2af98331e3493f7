"""``coffre status --watch``: the status, drawn anew until somebody ends it.

Rule 1: on a terminal that can, only what changed is redrawn; on any other, and into a pipe, the
    status is printed again when it says something else.
Rule 2: what cannot be read while watching is shown and asked again: it may be the very night that
    one watches for.
Rule 3: it opens no door and writes nothing; a signal ends it with 130 and leaves the last status.
"""

from __future__ import annotations

import sys
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NoReturn
from zoneinfo import ZoneInfo

from vault.cli.session import Session
from vault.cli.shown import colour, is_dumb, wrapped
from vault.cli.standing import read_public, status_lines
from vault.cli.words import _, hint_of, message_of, plural
from vault.errors import CoffreError, ExitCode, Interrupted, UsageError

if TYPE_CHECKING:
    from vault.config import Peek

EVERY_S = 2
_LONGEST_S = 3600


def watch_command(session: Session, every_s: int | None) -> int:
    """Show the status every so many seconds until a signal ends it; UsageError."""
    every_s = EVERY_S if every_s is None else every_s
    if session.as_json:
        raise UsageError("--watch is for a person: it does not go with --json")
    if not 1 <= every_s <= _LONGEST_S:
        raise UsageError(
            "--watch takes 1 to {most} seconds, not {seconds}",
            most=str(_LONGEST_S),
            seconds=str(every_s),
        )
    found = session.peek()
    read_public(found.state)  # what is not there yet is told as status tells it
    shown: list[str] = []
    can_draw = sys.stdout.isatty() and not is_dumb()
    try:
        (_draw if can_draw else _print)(found, every_s, shown)
    except Interrupted:
        if can_draw:
            session.say("\n".join(shown))
        return int(ExitCode.INTERRUPTED)


def _look(found: Peek) -> list[str]:
    try:
        return status_lines(read_public(found.state), found.time_zone)
    except CoffreError as error:
        told = [colour(message_of(error), "bad"), hint_of(error)]
        return [line for text in told if text for line in wrapped(text).split("\n")]


def _print(found: Peek, every_s: int, shown: list[str]) -> NoReturn:
    """Print what is there, and again whenever it says something else."""
    while True:
        lines = _look(found)
        if lines != shown:
            head = f"-- {_now(found)} --"
            sys.stdout.write("\n".join([head, *lines, "", ""]))
            sys.stdout.flush()
            shown[:] = lines
        time.sleep(every_s)


def _draw(found: Peek, every_s: int, shown: list[str]) -> NoReturn:
    """Redraw in place, on a screen of its own that is gone with the last look."""
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    every = plural("every {count} second", "every {count} seconds", every_s)
    with Live(console=Console(highlight=False), screen=True, auto_refresh=False) as live:
        while True:
            shown[:] = _look(found)
            foot = colour(f"{_now(found)}, {every}; {_('Ctrl-C ends')}", "dim")
            room = live.console.height - 2
            live.update(Text.from_ansi("\n".join([*_cut(shown, room), "", foot])), refresh=True)
            time.sleep(every_s)


def _cut(lines: list[str], room: int) -> list[str]:
    """Keep what fits on the screen, and say how much does not."""
    if len(lines) <= room:
        return lines
    left = len(lines) - room + 1
    more = plural("… {count} line more: coffre status", "… {count} lines more: coffre status", left)
    return [*lines[: room - 1], more]


def _now(found: Peek) -> str:
    return datetime.now(UTC).astimezone(ZoneInfo(found.time_zone)).strftime("%H:%M:%S")
