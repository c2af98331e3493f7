"""``coffre schedule install|remove``: units for systemd, written and never switched on.

Rule 1: what to type so that systemd waits for the windows is told; no unit is enabled, started or
    stopped from here.
Rule 2: a file that does not bear our mark is neither written over nor removed.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from vault.cli.session import Session
from vault.cli.words import _
from vault.errors import UsageError

FOLDER = "/etc/systemd/system"
_MODE = 0o644


def install_command(session: Session, *, is_printed: bool, as_daemon: bool, to: str) -> int:
    """Print the units, or write them and say how they are switched on."""
    from datetime import UTC, datetime

    from vault.units import make_daemon_unit, make_units
    from vault.wiring.unit_facts import unit_facts

    settings, now = session.settings(), datetime.now(UTC)
    facts = unit_facts(settings)
    units = make_daemon_unit(facts) if as_daemon else make_units(facts, now, settings.time_zone)
    if is_printed:
        for name, text in units.items():
            session.say(f"# {os.path.join(to, name)}")
            session.say(text)
        return session.emit({"folder": to, "units": units, "written": [], "stale": []})
    written = _write(to, units)
    stale = sorted(set(_ours(to)) - set(units))
    for name in written:
        session.say(os.path.join(to, name))
    started = [name for name in units if name.endswith(".timer") or name == "coffre-serve.service"]
    session.say(_("Written, and not switched on. Now:"))
    session.say("  systemctl daemon-reload")
    session.say(f"  systemctl enable --now {' '.join(started)}")
    if stale:
        session.say(_("No more of use: {names}").format(names=", ".join(stale)))
    return session.emit({"folder": to, "units": units, "written": written, "stale": stale})


def remove_command(session: Session, *, to: str) -> int:
    """Remove the units that we wrote; what is switched on is named, and stays."""
    session.settings()
    ours = _ours(to)
    enabled = [name for name in ours if _is_enabled(to, name)]
    if enabled:
        raise UsageError(
            "still switched on: {names}",
            names=", ".join(enabled),
            hint="systemctl disable --now {names}?",
        )
    for name in ours:
        os.unlink(os.path.join(to, name))
        session.say(os.path.join(to, name))
    if ours:
        session.say("  systemctl daemon-reload")
    return session.emit({"folder": to, "removed": ours})


def _write(folder: str, units: Mapping[str, str]) -> list[str]:
    """Write what differs; UsageError, before anything is written, when a file is not ours."""
    from vault.units import is_ours
    from vault.whole_file import write_whole

    differing = []
    for name, text in units.items():
        there = _read(os.path.join(folder, name))
        if there is not None and not is_ours(there):
            raise UsageError(
                "{path} is there and was not written by coffre",
                path=os.path.join(folder, name),
                hint="what of it is to stay? a drop-in beside it, NAME.d/site.conf, keeps it",
            )
        if there != text:
            differing.append(name)
    for name in differing:
        write_whole(os.path.join(folder, name), units[name].encode(), mode=_MODE)
    return differing


def _ours(folder: str) -> list[str]:
    from vault.units import is_ours

    names = sorted(os.listdir(folder)) if os.path.isdir(folder) else []
    wanted = (name for name in names if name.startswith("coffre-"))
    return [name for name in wanted if is_ours(_read(os.path.join(folder, name)) or "")]


def _is_enabled(folder: str, name: str) -> bool:
    """Whether systemd starts a unit by itself: it is linked from what wants it."""
    wanted_by = ("timers.target.wants", "multi-user.target.wants")
    return any(os.path.lexists(os.path.join(folder, one, name)) for one in wanted_by)


def _read(path: str) -> str | None:
    if os.path.isdir(path):
        return None
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except FileNotFoundError:
        return None
