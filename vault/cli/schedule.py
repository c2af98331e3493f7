"""``coffre schedule``: when nights run, and the look between them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from vault.cli.hooks import publish_all, tell_hooks
from vault.cli.session import Session
from vault.cli.shown import moment, table
from vault.cli.whatever import shutting_whatever
from vault.cli.words import _, plural
from vault.errors import ExitCode, LockHeld
from vault.results import VaultStatus

if TYPE_CHECKING:
    from vault.wiring.wired import Wired

_SYSTEMCTL_S = 20.0


def evaluate_command(session: Session) -> int:
    """Judge, publish and tell, unless a night is running, which does so at its end."""
    with shutting_whatever(session):
        return _evaluate(session, session.wired())


def _evaluate(session: Session, wired: Wired) -> int:
    from vault.timekeeping import require_clock
    from vault.wiring.schedule import note_missed

    wired.require_founded()
    try:
        with wired.locked(is_brief=True):
            wired.airlock.recover()
            try:
                require_clock(wired.catalogue, wired.ledger, wired.clock)
                note_missed(wired)
            finally:
                publish_all(wired)
    except LockHeld:
        session.whisper(_("Another coffre is at work: it judges at its end."))
        return session.emit({"judged": False, "gaps": None})
    tell_hooks(session, wired)
    from vault.wiring.standing import judge_gaps

    count = len(judge_gaps(wired))
    session.whisper(plural("{count} thing is missing.", "{count} things are missing.", count))
    is_degraded = wired.airlock.status is VaultStatus.DEGRADED
    code = ExitCode.DEGRADED if is_degraded else ExitCode.SOUND
    return session.emit({"judged": True, "gaps": count}, code)


def show_command(session: Session) -> int:
    """Show the windows, and who waits for them: the daemon, or systemd's timers."""
    from vault.scheduler import DAEMON_LOCK
    from vault.vault_lock import VaultLock

    wired = session.wired()
    wired.require_founded()
    shown = [window_members(wired, name) for name in wired.settings.windows]
    daemon = VaultLock(wired.path(DAEMON_LOCK)).holder()
    timers = _systemd_timers()
    if session.as_json:
        return session.emit({"windows": shown, "daemon": daemon, "timers": timers})
    zone = wired.settings.site.time_zone
    heads = [_("window"), _("opens"), _("shut by"), _("catch-up"), _("missed")]
    rows = [_row(one, zone) for one in shown]
    session.say(table(heads, rows, right=(4,)))
    session.say()
    if daemon is not None:
        session.say(_("coffre serve is running, process {pid}.").format(pid=daemon))
    else:
        session.say(_("No coffre serve is running on this vault."))
    for line in timers if timers is not None else [_("systemd does not run here.")]:
        session.say(line)
    return session.emit({})


def _systemd_timers() -> list[str] | None:
    """Give what systemd says of our timers, line by line; None where it does not run."""
    from vault.process import run

    if not os.path.isdir("/run/systemd/system"):
        return None
    words = ["systemctl", "list-timers", "--all", "--no-pager", "coffre-*"]
    said = run(words, timeout_s=_SYSTEMCTL_S).stdout.decode("utf-8", "replace")
    return [line for line in said.splitlines() if "coffre-" in line]


def window_members(wired: Wired, name: str) -> dict[str, Any]:
    """Give one window as members of the document."""
    from vault.due_runs import decide, missed
    from vault.duration import format_duration
    from vault.wiring.schedule import watches

    settings, now = wired.settings, wired.clock.now()
    watched = {one.window.name: one for one in watches(settings, wired.catalogue)}
    configured = settings.windows[name]
    members: dict[str, Any] = {
        "window": name,
        "call": None,
        "opens_at": None,
        "closes_at": None,
        "catch_up": format_duration(configured.catch_up),
        "missed": [],
    }
    if (watch := watched.get(name)) is None:
        return members
    due = decide(watch, now, settings.time_zone)
    lost = missed(watch, now, settings.time_zone)
    return {
        **members,
        "call": str(due.call),
        "opens_at": due.opening.opens_at.isoformat(),
        "closes_at": due.closes_at.isoformat(),
        "missed": [one.opens_at.isoformat() for one in lost],
    }


def _row(one: dict[str, Any], zone: str) -> list[str]:
    from datetime import datetime

    if one["call"] is None:
        return [one["window"], _("no enrolled target uses it"), "", "", ""]
    opens, closes = (
        moment(datetime.fromisoformat(one[key]), zone) for key in ("opens_at", "closes_at")
    )
    due = {"run": _("now: {at}"), "catch-up": _("missed, due now: {at}")}.get(one["call"], "{at}")
    catch_up = "–" if one["catch_up"] == "0s" else one["catch_up"]
    return [one["window"], due.format(at=opens), closes, catch_up, str(len(one["missed"]))]
