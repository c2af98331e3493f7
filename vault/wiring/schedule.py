"""Which windows nights are owed in, from the configuration and the records.

Rule 1: a window is watched from the day its first target was enrolled; a window that no enrolled
    target uses owes nothing.
Rule 2: a target without a window takes part in every night, so every window is its own.
Rule 3: a missed opening is in the ledger once, written by whoever looks first, under the lock.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from vault.catalogue import Catalogue
from vault.config import Settings
from vault.due_runs import Watch, missed
from vault.window import Window, closes_at

if TYPE_CHECKING:
    from vault.wiring.wired import Wired

NOTED_FACT = "missed-noted:"  # with a window's name: the newest opening the ledger names as missed


def watches(settings: Settings, catalogue: Catalogue) -> tuple[Watch, ...]:
    """Give the windows that nights are owed in, with the night each had last."""
    enrolled = {
        record.name: record.enrolled_at
        for record in catalogue.targets()
        if record.name in settings.targets
    }
    nights, nameless = catalogue.newest_nights()
    found = []
    for name, configured in settings.windows.items():
        window = configured.to_window(name)
        users = [one for one in enrolled if settings.targets[one].window in (name, None)]
        if not users:
            continue
        begun = [nights[one] for one in users if one in nights]
        if nameless is not None and closes_at(window, nameless, settings.time_zone):
            begun.append(nameless)
        found.append(
            Watch(
                window=window,
                since=min(enrolled[one] for one in users),
                catch_up_s=configured.catch_up,
                last_at=max(begun, default=None),
            )
        )
    return tuple(found)


def used_windows(settings: Settings) -> tuple[Window, ...]:
    """Give the windows in which a night has something to do, enrolled or not."""
    named = {target.window for target in settings.targets.values()}
    return tuple(
        window.to_window(name)
        for name, window in settings.windows.items()
        if name in named or None in named
    )


def note_missed(wired: Wired) -> int:
    """Write the openings that were missed into the ledger; give how many were new.

    Under the vault's lock, and only once the clock was found right.
    """
    now, count = wired.clock.now(), 0
    for watch in watches(wired.settings, wired.catalogue):
        name = watch.window.name
        noted = wired.catalogue.fact(NOTED_FACT + name)
        newest = datetime.fromisoformat(noted) if noted else None
        for opening in missed(watch, now, wired.settings.time_zone):
            if newest is not None and opening.opens_at <= newest:
                continue
            wired.ledger.append(
                "window-missed",
                window=name,
                opened_at=opening.opens_at.isoformat(),
                closed_at=opening.closes_at.isoformat(),
            )
            wired.catalogue.set_fact(NOTED_FACT + name, opening.opens_at.isoformat())
            count += 1
    return count
