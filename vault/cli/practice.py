"""``coffre exercise`` and ``coffre config review``: what people did, recorded by their names."""

from __future__ import annotations

from vault.cli.media import login_of_caller
from vault.cli.session import Session
from vault.cli.shown import moment, table
from vault.cli.standing import publish
from vault.cli.words import _
from vault.errors import UsageError


def record_command(session: Session, name: str, *, by: str, note: str) -> int:
    """Record that an exercise was done."""
    from vault.practice import EXERCISES
    from vault.wiring.practice import record_exercise

    if name not in EXERCISES:
        raise UsageError(
            "there is no exercise {name}", name=name, hint="there are: {known}",
            known=", ".join(EXERCISES),
        )  # fmt: skip
    wired = session.wired()
    with wired.locked(is_brief=True):
        at = record_exercise(wired, name, by=by, login=login_of_caller(), note=note)
        publish(wired)
    session.say(_("Recorded: {name}, by {by}.").format(name=name, by=by))
    return session.emit({"exercise": name, "at": at.isoformat(), "by": by})


def list_command(session: Session) -> int:
    """List the exercises: when each was last done, and until when that holds."""
    from datetime import timedelta

    from vault.wiring.practice import practice_facts

    wired = session.wired()
    wired.require_founded()
    facts = practice_facts(wired)
    every = timedelta(seconds=facts.exercise_every_s)
    rows, told = [], []
    for name, at in facts.exercised.items():
        counted = at or facts.founded_at
        due = counted + every if counted else None
        told.append(
            {
                "exercise": name,
                "last": at.isoformat() if at else None,
                "due": due.isoformat() if due else None,
            }
        )
        zone = wired.settings.time_zone
        rows.append([name, moment(at, zone) if at else "-", moment(due, zone) if due else "-"])
    session.say(table([_("exercise"), _("last done"), _("due again")], rows))
    return session.emit({"exercises": told})


def review_command(session: Session, *, by: str) -> int:
    """Record that a person has read the policies in force."""
    from vault.wiring.practice import record_review

    wired = session.wired()
    with wired.locked(is_brief=True):
        review = record_review(wired, by=by, login=login_of_caller())
        publish(wired)
    names = sorted(review.policies)
    session.say(_("Recorded as reviewed by {by}: {names}.").format(by=by, names=", ".join(names)))
    return session.emit({"by": by, "at": review.at.isoformat(), "policies": names})
