"""``coffre notify``, and everything that an act tells to people and to monitoring at its end.

Rule 1: a failure to tell is a line on standard error; it changes no exit code of an act.
Rule 2: the vault's lock is held while anything is sent, so that no door opens meanwhile.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from vault.cli.words import _, complain, retell
from vault.errors import CoffreError, ExitCode, Interrupted, LockHeld, NotInitialised, UsageError

if TYPE_CHECKING:
    from vault.alarm import Alarm, Untold
    from vault.cli.session import Session
    from vault.wiring.wired import Wired

# Told in English first, and again in the language spoken with what the system says in it.
_TOLD = {
    "last": "what comes after an act could not be done to its end: {reason}",
    "notice": "a notice could not be written: {reason}",
    "dropped": "that notices went unsent could not be recorded: {reason}",
    "metrics": "the metrics could not be written: {reason}",
    "expected": "the signed expected-next could not be written: {reason}",
}
_JUST_NOW_S = 900.0  # a night that ended so lately has told why its unit failed


# -- at the end of an act


def tell_raised(wired: Wired, due: Sequence[Alarm], untold: Untold) -> Untold:
    """Write at once of alarms that were just raised, and to those who have not been told of some.

    Gives who could not be written to, by alarm. The journal of the host has each once.
    """
    from vault.wiring.events import tell_alarm
    from vault.wiring.notices import note_unsent, spool_alarms

    left, failed = spool_alarms(wired, due, untold)
    _warn_of(failed)
    with warned("dropped"):
        note_unsent(wired)
    for alarm in due:
        if alarm.name not in untold:
            _warn(tell_alarm(wired, alarm))
    return left


def send_what_waits(wired: Wired) -> None:
    """Send what waits in the spool."""
    if not wired.settings.notices.to:
        return
    from vault.wiring.notices import note_unsent, send_waiting

    with warned():
        for warning in send_waiting(wired.settings, wired.state, wired.secret).warnings:
            _warn(warning)
    with warned("dropped"):
        note_unsent(wired)


def tell_night(wired: Wired, night: Mapping[str, Any], status: Mapping[str, Any]) -> None:
    """Tell what a night came to: journal, digest, what nobody acknowledged, the ping."""
    from vault.wiring.events import ping_end, tell_end
    from vault.wiring.notices import spool_escalation, spool_night

    verdict = night.get("verdict") or status["last_cycle"]["verdict"]
    _warn(tell_end(wired, night, status, verdict))
    with warned():
        _warn_of(spool_night(wired, status, verdict))
    with warned():
        spool_escalation(wired)
    send_what_waits(wired)
    with warned():
        _warn(ping_end(wired, night, verdict))


def tell_look(wired: Wired, status: Mapping[str, Any]) -> None:
    """Tell between nights of what is new and cannot wait, and send what waits."""
    from vault.wiring.notices import spool_escalation, spool_look

    with warned():
        _warn_of(spool_look(wired, status))
    with warned():
        spool_escalation(wired)
    send_what_waits(wired)


def write_expected(wired: Wired) -> None:
    """Sign and write until when the next night is expected."""
    from vault.cli.standing import read_public
    from vault.wiring.deadman import publish_expected

    with warned("expected"):
        publish_expected(wired, read_public(wired.settings.state))


def write_metrics(wired: Wired, status: Mapping[str, Any]) -> None:
    """Write the metrics where a text file of them is wanted."""
    if wired.settings.metrics is None:
        return
    from vault.wiring.metrics import publish_metrics

    with warned("metrics"):
        publish_metrics(wired, status)


@contextmanager
def warned(what: str = "notice") -> Iterator[None]:
    """Turn what keeps us from telling into a warning."""
    try:
        yield
    except Interrupted:
        raise
    except OSError as error:
        _warn(_TOLD[what].format(reason=error.strerror or type(error).__name__))
    except CoffreError as error:
        _warn(_TOLD[what].format(reason=error))


def _warn_of(failed: Sequence[Exception]) -> None:
    """Tell the first thing that kept notices from being written; it is the same of the others."""
    for error in failed[:1]:
        with warned():
            raise error


def _warn(warning: str) -> None:
    if warning:
        complain(f"coffre: {retell(warning)}")


# -- coffre notify


def notify_command(session: Session, *, unit: str | None, is_test: bool) -> int:
    """Send what waits; with a unit, write first that it failed."""
    from vault.vault_lock import BRIEF_S
    from vault.wiring.notices import note_unsent, send_waiting, spool_of, spool_test, spool_unit
    from vault.wiring.wired import Wired

    wired = Wired(session.settings())  # neither catalogue nor ledger is needed
    settings = wired.settings
    if not os.access(settings.state, os.R_OK | os.W_OK | os.X_OK):
        wired.require_founded()
        raise NotInitialised(
            "there is no vault in {state} yet", state=settings.state, hint="coffre init?"
        )
    if not settings.notices.to:
        if is_test:
            raise UsageError("vault.yaml names nobody to be told", hint="notices: {{to: …}}?")
        session.say(_("vault.yaml names nobody to be told: there is nothing to send."))
        return session.emit({"sent": 0, "waiting": 0, "warnings": []})
    now = datetime.now(UTC)
    failed: tuple[Exception, ...] = ()
    if unit is not None and not _has_told(settings.state, now):
        failed += spool_unit(settings, unit, now.isoformat())
    if is_test:
        failed += spool_test(settings, now.isoformat())
    _warn_of(failed)
    try:
        with wired.state.lock(for_s=BRIEF_S):
            try:
                came = send_waiting(settings, wired.state, wired.secret)
            finally:
                with warned("dropped"):
                    note_unsent(wired)
    except LockHeld:
        session.say(_("Another coffre is at work; what waits is sent when it has ended."))
        left = len(spool_of(settings).waiting())
        code = ExitCode.FAILED if failed else ExitCode.SOUND
        return session.emit({"sent": 0, "waiting": left, "warnings": []}, code)
    for warning in came.warnings:
        _warn(warning)
    session.say(_("{sent} sent, {waiting} waiting.").format(sent=came.sent, waiting=came.waiting))
    is_failed = failed or (is_test and came.warnings)
    code = ExitCode.FAILED if is_failed else ExitCode.SOUND
    members = {"sent": came.sent, "waiting": came.waiting, "warnings": list(came.warnings)}
    return session.emit(members, code)


def _has_told(state: str, now: datetime) -> bool:
    """Whether a night ended just now, whose digest says more than the name of its unit."""
    from vault.cli.standing import read_public

    try:
        last = read_public(state).get("last_cycle")
    except CoffreError:
        return False
    if not last:
        return False
    age_s = (now - datetime.fromisoformat(last["ended_at"])).total_seconds()
    return 0 <= age_s <= _JUST_NOW_S
