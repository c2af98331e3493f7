"""``coffre drill run --due``: the tests that policies owe, in the time a night gives.

Rule 1: the worst of the tests gives the exit code; the verdict of a night is never touched.
Rule 2: within how many days everything is proven is printed, from the speed measured here.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import TYPE_CHECKING

from vault.cli.drilling import headline, members_of
from vault.cli.hooks import publish_all, tell_hooks
from vault.cli.media import login_of_caller
from vault.cli.progress import make_progress
from vault.cli.session import Session
from vault.cli.shown import size, wrapped
from vault.cli.words import _, plural
from vault.errors import ExitCode

if TYPE_CHECKING:
    from vault.fiche import DrillRecord
    from vault.wiring.due import DueRun


def due_command(session: Session, *, duration: str | None) -> int:
    """Run the tests that are owed, the oldest proof first, in the time given."""
    from vault.duration import parse_duration
    from vault.wiring.due import run_due

    time_s = None if duration is None else float(parse_duration(duration))
    with make_progress(quiet=session.is_quiet) as progress:
        wired = session.wired(progress)
        with wired.locked():
            wired.airlock.recover()
            try:
                done = run_due(
                    wired,
                    seconds=time_s,
                    new_seed=lambda: secrets.token_hex(8),
                    login=login_of_caller(),
                )
            finally:
                publish_all(wired)
    tell_hooks(session, wired)
    records = [drilled.record for drilled in done.drilled]
    code = _worst(records)
    if session.as_json:
        members = {
            "drills": [members_of(record) for record in records],
            "waiting_files": done.waiting_files,
            "waiting_bytes": done.waiting_bytes,
            "nights": done.nights,
        }
        return session.emit(members, code)
    for record in records:
        session.say(wrapped(headline(record), indent=4))
    session.say(wrapped(_waiting_line(done), indent=4))
    return int(code)


def _worst(records: Sequence[DrillRecord]) -> ExitCode:
    """Give one code for several tests: corrupt before failed before incomplete."""
    codes = {record.verdict.exit_code for record in records if record.verdict}
    order = (ExitCode.CORRUPT, ExitCode.INTERRUPTED, ExitCode.FAILED, ExitCode.INCOMPLETE)
    return next((code for code in order if code in codes), ExitCode.SOUND)


def _waiting_line(done: DueRun) -> str:
    if not done.waiting_files:
        return _("Every file of every point was proven within the cadence of its policy.")
    files = plural("{count} file", "{count} files", done.waiting_files)
    if done.nights is None:
        line = _("{files}, {size}, still wait for a proof; --for 30m each night proves them too.")
        return line.format(files=files, size=size(done.waiting_bytes))
    line = _(
        "{files}, {size}, still wait for a proof: at the speed measured here, with as much time "
        "each night, every file is proven within {days}."
    )
    days = plural("{count} day", "{count} days", done.nights)
    return line.format(files=files, size=size(done.waiting_bytes), days=days)
