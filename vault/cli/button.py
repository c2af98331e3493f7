"""``coffre secure`` and ``coffre release``: the red button."""

from __future__ import annotations

import os
import signal
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from vault.cli.media import login_of_caller
from vault.cli.session import Session
from vault.cli.standing import publish
from vault.cli.whatever import told_briefly
from vault.cli.words import _
from vault.errors import CoffreError, DoorUnproven, ExitCode, LockHeld, UsageError
from vault.person import same_person
from vault.records import Pressed
from vault.state import State

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vault.results import ShutReport
    from vault.statefile import StateFolder

_ORDERLY_S = 10.0  # a running night shuts its doors on a signal; then it is killed


def secure_command(session: Session, *, reason: str, by: str) -> int:
    """Stop what runs, shut every door, and let nothing open until another person releases."""
    from vault.config import state_of
    from vault.statefile import StateFolder

    # What else of this vault is broken (a typo, a secret, the catalogue) must not hold the button.
    state = StateFolder(state_of(session.config))
    if not os.access(state.folder, os.R_OK | os.X_OK):  # not there, or another account's
        session.wired().require_founded()
    pressed = Pressed(by=by, reason=reason, at=datetime.now(UTC), login=login_of_caller())
    unwritten = _press(state, pressed)
    with _lock_at_any_price(state):  # whoever held a door has ended
        reports = _shut_all(session, state, pressed)
    degraded = not all(report.is_shut for report in reports.values())
    if unwritten is not None and not degraded:
        raise unwritten
    if degraded:
        session.say(_("A DOOR IS NOT PROVEN SHUT. Pull the medium's cable now."))
    else:
        session.say(_("Secured: every door is proven shut; nothing opens until it is released."))
    doors = {name: str(report.proof) for name, report in reports.items()}
    code = ExitCode.DEGRADED if degraded else ExitCode.SOUND
    status = "degraded" if degraded else "secured"
    return session.emit({"status": status, "doors": doors}, code)


def _press(state: StateFolder, pressed: Pressed) -> OSError | None:
    """Press the button; a disk that takes no file keeps no door open."""
    try:
        state.press(pressed)
    except PermissionError:
        raise
    except OSError as error:
        return error
    return None


def _shut_all(session: Session, state: StateFolder, pressed: Pressed) -> Mapping[str, ShutReport]:
    """Shut and ask every door; DoorUnproven when the vault cannot even name them."""
    try:
        wired = session.wired()
        wired.require_founded()
        reports = wired.airlock.secure(pressed)
        publish(wired)
    except (CoffreError, OSError) as error:
        session.say(told_briefly(error))
        return _shut_listed(state)
    return reports


def _shut_listed(state: StateFolder) -> Mapping[str, ShutReport]:
    """Go by the list of doors; the ledger is told at the next start that can write to it."""
    from vault.shutting import open_doors
    from vault.wiring.doors import degrade, shut_whatever

    try:
        reports = shut_whatever(state, "red button")
    except DoorUnproven:
        degrade(state, "red button: no door could be named")
        raise
    if not open_doors(reports):
        state.tell_public(State.SECURED)
    return reports


def release_command(session: Session, *, by: str) -> int:
    """Release the red button; another person than who pressed it."""
    from vault.wiring.practice import note_exercised

    wired = session.wired()
    with wired.locked():
        pressed = wired.state.pressed()
        if pressed is None:
            raise UsageError("the red button is not pressed")
        if same_person(pressed.by, by):
            raise UsageError(
                "{by} pressed the red button: another person releases it",
                by=by,
                hint="who has checked that the danger is over?",
            )
        wired.airlock.recover()
        wired.airlock.release(by=by, login=login_of_caller())
        note_exercised(wired, "red-button")
        publish(wired)
    session.say(
        _("Released by {by}. The names are as declared; logins are in the ledger.").format(by=by)
    )
    return session.emit({"status": str(wired.airlock.status), "pressed_by": pressed.by})


class _lock_at_any_price:  # noqa: N801, reads as the verb it is
    """Take the vault's lock; whoever holds it is asked to end, then killed."""

    def __init__(self, state: StateFolder) -> None:
        self._lock = state.lock()

    def __enter__(self) -> None:
        for sign, patience_s in ((signal.SIGTERM, _ORDERLY_S), (signal.SIGKILL, _ORDERLY_S)):
            holder = self._lock.holder()
            if holder:
                self._signal(holder, sign)
            if self._take_within(patience_s):
                return
        self._lock.take()

    def _signal(self, holder: int, sign: signal.Signals) -> None:
        try:
            os.kill(holder, sign)
        except ProcessLookupError:
            return

    def _take_within(self, patience_s: float) -> bool:
        ends = time.monotonic() + patience_s
        while time.monotonic() < ends:
            try:
                self._lock.take()
            except LockHeld:
                time.sleep(0.05)
            except OSError:  # no lock can be made on this disk: enough when nobody has one
                if self._lock.holder() is None:
                    return True
                time.sleep(0.05)
            else:
                return True
        return False

    def __exit__(self, *_: object) -> None:
        self._lock.let_go()
