"""``coffre inspect accept``: a person's word that a refused export may pass, once.

Rule 1: the word is for the export that was refused, by the identity of its manifest; another one
    does not pass by it.
Rule 2: nothing is pulled and no door moves: the next run does the rest.
"""

from __future__ import annotations

from dataclasses import replace

from vault.cli.media import login_of_caller
from vault.cli.session import Session
from vault.cli.shown import moment, wrapped
from vault.cli.standing import publish
from vault.cli.words import _, retell
from vault.errors import UsageError
from vault.gap import Acknowledgement
from vault.records import Acceptance


def accept_command(session: Session, source: str, *, reason: str, by: str) -> int:
    """Let the refused export of a source pass at the next run."""
    from vault.wiring.alarms import acknowledge_if_raised

    wired = session.wired()
    wired.require_founded()
    if source not in wired.settings.sources:
        raise UsageError(
            "vault.yaml names no {kind} {name}",
            kind="source",
            name=source,
            hint="there is: {known}",
            known=", ".join(wired.settings.sources) or "none",
        )
    if not reason.strip() or not by.strip():
        raise UsageError("--reason and --by must say something: both are kept in the ledger")
    with wired.locked(is_brief=True):
        refused = wired.catalogue.refused(source)
        if refused is None:
            raise UsageError(
                "nothing of {source} is refused",
                source=source,
                hint="coffre gaps tells what is",
            )
        word = Acceptance(by=by, reason=reason, at=wired.clock.now(), login=login_of_caller())
        # The ledger first: an acceptance that nobody can read afterwards must not exist.
        wired.ledger.append(
            "export-accepted",
            source=source,
            export=refused.identity,
            cycle=refused.cycle,
            by=by,
            reason=reason,
            login=word.login,
        )
        wired.catalogue.put_refused(replace(refused, accepted=word))
        acknowledge_if_raised(
            wired,
            f"source-refused/{source}",
            Acknowledgement(by=by, reason=reason, at=word.at, login=word.login),
        )
        publish(wired)
    at = moment(refused.at, wired.settings.site.time_zone)
    line = _("The export of {source}, refused in night {cycle} ({at}), may pass once. It said:")
    session.say(line.format(source=source, cycle=refused.cycle, at=at))
    for said in refused.reasons:
        session.say(wrapped("  " + retell(said), indent=4))
    line = _("Now: coffre run --now --source {source}, before another export comes.")
    session.say(line.format(source=source))
    return session.emit(
        {
            "source": source,
            "cycle": refused.cycle,
            "export": refused.identity,
            "reasons": list(refused.reasons),
            "by": by,
        }
    )
