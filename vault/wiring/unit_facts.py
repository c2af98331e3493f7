"""What the units of systemd say of this vault, from its configuration.

Rule: where the program and the configuration are is asked, and written whole: a unit has no folder
    of its own and no search path.
"""

from __future__ import annotations

import os
import shutil
import sys

from vault.config import Settings
from vault.config.settings import secret_refs
from vault.due_runs import after_nights
from vault.errors import UsageError
from vault.units import NightUnit, UnitFacts
from vault.wiring.schedule import used_windows

_ORDERLY_S = 60


def unit_facts(settings: Settings) -> UnitFacts:
    """Give the facts; UsageError when there is nothing to wait for."""
    windows = used_windows(settings)
    daily = after_nights(windows)
    if daily is None:
        raise UsageError(
            "no target has a window that opens: there is nothing to wait for",
            hint="windows: in vault.yaml, and window: at a target?",
        )
    credentials = {ref.credential for ref in secret_refs(settings).values() if ref.credential}
    folders = [target.door.folder for target in settings.targets.values() if target.door.folder]
    if settings.metrics is not None:
        folders.append(os.path.dirname(settings.metrics.textfile))
    return UnitFacts(
        program=_program(),
        config=settings.file,
        state=settings.state,
        zone=settings.site.time_zone,
        nights=tuple(
            NightUnit(window=window, catch_up_s=settings.windows[window.name].catch_up)
            for window in windows
        ),
        drills_s=settings.schedule.drills,
        drills_at=daily.start,
        evaluate_s=settings.schedule.evaluate,
        lets_go=settings.schedule.retention,
        stop_s=_ORDERLY_S * 2 + 2 * settings.hooks.timeout,
        credentials=tuple(sorted(credentials)),
        writable=tuple(sorted(folders)),
        tells=bool(settings.notices.to),
        moves_link=settings.production.door.link is not None,
    )


def _program() -> str:
    """Give the installed ``coffre``: beside this Python, else on the path."""
    beside = os.path.join(os.path.dirname(sys.executable), "coffre")
    found = beside if os.access(beside, os.X_OK) else shutil.which("coffre")
    if found is None:
        raise UsageError("no program coffre is installed beside {python}", python=sys.executable)
    return os.path.abspath(found)
