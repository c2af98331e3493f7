"""``coffre clock confirm``: a person says that the host's clock is right."""

from __future__ import annotations

from vault.cli.media import login_of_caller
from vault.cli.session import Session
from vault.cli.standing import publish
from vault.cli.words import _


def confirm_command(session: Session, *, reason: str, by: str) -> int:
    """Let nights begin again after records were dated ahead; who said so is in the ledger."""
    from vault.elapsed import SET_AHEAD, find_leap, off_unvouched_s
    from vault.timekeeping import confirm_clock
    from vault.wiring.retention import read_dates

    wired = session.wired()
    with wired.locked(is_brief=True):
        now = wired.clock.now()
        dates = read_dates(wired)
        needs_word = find_leap(dates.ticks, dates.now) is not None or (
            off_unvouched_s(dates.ticks, dates.now) > SET_AHEAD.total_seconds()
        )
        behind = confirm_clock(
            wired.catalogue,
            wired.ledger,
            wired.clock,
            by=by,
            login=login_of_caller(),
            reason=reason,
            needs_word=needs_word,
        )
        publish(wired)
    if behind:
        line = _(
            "The clock is confirmed by {by}. Records were dated ahead by {seconds} s; they stay."
        )
        session.say(line.format(by=by, seconds=round(behind)))
    else:
        session.say(_("The clock is confirmed by {by}.").format(by=by))
    return session.emit({"now": now.isoformat(), "behind_s": round(behind)})
