"""Removals from targets: proposals out of the ledger, the trial, the two persons and their rule.

Rule 1: the ledger first: what it cannot hold is not done.
"""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from vault.errors import RetentionRefused, UsageError
from vault.fiche import DrillOrder, People
from vault.person import same_person
from vault.policy import Level
from vault.proposal import (
    Proposal,
    open_proposals,
    require_held,
    require_not_kept,
    require_same,
    require_second,
)
from vault.removal import Gone, Remover
from vault.wiring.drills import make_driller
from vault.wiring.practice import ONE_FACT
from vault.wiring.retention import plan_target, read_dates
from vault.wiring.wired import Wired

REMOVAL = "removal"  # why the restore test before it was made
ASKED_FACT = "one-person-asked"  # JSON: who asked for it and when, until another confirms
_ASKED_FOR = timedelta(days=7)  # then it is asked anew


def make_remover(wired: Wired) -> Remover:
    """Put together what takes files off a target."""
    restorer = wired.restorer
    return Remover(
        airlock=wired.airlock,
        catalogue=restorer.catalogue,
        book=wired.catalogue,
        ledger=restorer.ledger,
        signer=wired.signer,
        believer=wired.believer,
        moments=wired.moments,
        unsound=wired.thinner.unsound,
        try_restore=lambda target: _try_restore(wired, target),
        clock=wired.clock,
        progress=wired.progress,
    )


def _try_restore(wired: Wired, target: str) -> int:
    """Test a restore from a target, of a source and a point chosen at random; give its number."""
    newest = wired.catalogue.newest_complete().get(target, 0)
    sources = sorted(set(wired.catalogue.newest_points(up_to=newest)) & set(wired.settings.sources))
    if not sources:
        raise RetentionRefused("{target} holds no whole night to be tried on", target=target)
    order = DrillOrder(
        source=secrets.choice(sources),
        level=Level.L1,
        origin=target,
        seed=secrets.token_hex(8),
        reason=REMOVAL,
        people=People(),
    )
    record = make_driller(wired).run(order).record
    if record.verdict is None or not record.verdict.is_good:
        raise RetentionRefused(
            "restore test {drill} from {target} ended “{verdict}”: nothing is removed",
            drill=record.number,
            target=target,
            verdict=str(record.verdict),
            hint="coffre drill show {drill} says why",
        )
    return record.number


def proposals(wired: Wired) -> dict[str, Proposal]:
    """Give the open proposal of each target, out of the ledger."""
    return open_proposals((entry.kind, entry.at, entry.body) for entry in wired.ledger.entries())


def propose(wired: Wired, target: str, *, by: str, login: str, reason: str) -> Proposal:
    """Propose what a target may let go of."""
    _require_words(by, reason)
    plan = plan_target(wired, target)
    return make_remover(wired).propose(target, plan, by=by, login=login, reason=reason)


def remove(wired: Wired, proposal: Proposal, *, by: str, login: str) -> Gone:
    """Carry a proposal out; refused by persons, hold, list, or whatever stops a retention."""
    target = proposal.target
    settings = wired.settings.targets.get(target)
    if settings is None or settings.retention is None:
        raise UsageError("vault.yaml gives {target} no retention", target=target)
    require_second(proposal, by, one_suffices=one_suffices(wired) is not None)
    plan = plan_target(wired, target)
    if plan.stops:
        raise RetentionRefused(
            "nothing is let go of: {reasons}",
            reasons="; ".join(stop.template.format(**stop.values) for stop in plan.stops),
            hint="coffre gaps names the mend of each; then coffre retention plan",
        )
    require_not_kept(proposal, (kept.point.cycle for kept in plan.kept))
    hold_s = settings.retention.hold
    passed_s = passed_since(wired, proposal, hold_s=hold_s)
    require_held(proposal, hold_s=hold_s, now=wired.clock.now(), passed_s=passed_s)
    remover = make_remover(wired)
    files = remover.files_of(proposal.kept, newest=proposal.newest, target=target)
    require_same(proposal, files)
    return remover.remove(proposal, files, by=by, login=login)


def passed_since(wired: Wired, proposal: Proposal, *, hold_s: int) -> float:
    """Give the seconds since a proposal that passed for certain: half of the hold with it off."""
    dates = read_dates(wired)
    return dates.passed_s(dates.proposed[proposal.id], off_s=hold_s / 2)


def withdraw(wired: Wired, proposal: Proposal, *, by: str, login: str, reason: str) -> None:
    """Take a proposal back; one person may, at any time, whoever proposed it."""
    _require_words(by, reason)
    wired.ledger.append(
        "removal-withdrawn",
        id=proposal.id,
        target=proposal.target,
        begun=proposal.has_begun,
        by=by,
        login=login,
        reason=reason,
    )


# -- the rule of two persons


@dataclass(frozen=True, slots=True, kw_only=True)
class OneSuffices:
    """Two persons agreed that one suffices from then on."""

    by: str
    seconded_by: str
    since: datetime


def one_suffices(wired: Wired) -> OneSuffices | None:
    """Give who agreed that one person suffices; None while two are needed."""
    kept = wired.catalogue.fact(ONE_FACT)
    if not kept:
        return None
    told = json.loads(kept)
    since = datetime.fromisoformat(told["since"])
    return OneSuffices(by=told["by"], seconded_by=told["seconded_by"], since=since)


def switch_to_one(wired: Wired, *, by: str, login: str, reason: str) -> OneSuffices | None:
    """Ask that one person suffice, or confirm what another asked; None: another must confirm."""
    _require_words(by, reason)
    if (agreed := one_suffices(wired)) is not None:
        wired.catalogue.set_fact(ASKED_FACT, "")  # a death may have left it
        return agreed
    asked, now = json.loads(wired.catalogue.fact(ASKED_FACT) or "{}"), wired.clock.now()
    until = one_asked_until(wired)
    if until is None or now > until or same_person(asked["by"], by):
        wired.ledger.append("one-person-asked", by=by, login=login, reason=reason)
        kept = {"by": by, "login": login, "at": now.isoformat()}
        wired.catalogue.set_fact(ASKED_FACT, json.dumps(kept))
        return None
    agreed = OneSuffices(by=asked["by"], seconded_by=by, since=wired.clock.now())
    wired.ledger.append(
        "one-person-agreed",
        by=agreed.by,
        seconded_by=by,
        login=login,
        same_login=login == asked["login"],
        reason=reason,
    )
    kept = {"by": agreed.by, "seconded_by": by, "since": agreed.since.isoformat()}
    wired.catalogue.set_fact(ONE_FACT, json.dumps(kept))
    wired.catalogue.set_fact(ASKED_FACT, "")
    return agreed


def one_asked_until(wired: Wired) -> datetime | None:
    """Give until when another person may confirm that one suffices; None when nobody asked."""
    asked = json.loads(wired.catalogue.fact(ASKED_FACT) or "{}")
    return datetime.fromisoformat(asked["at"]) + _ASKED_FOR if asked else None


def switch_to_two(wired: Wired, *, by: str, login: str, reason: str) -> None:
    """Say that two persons are needed again; one person may say so at any time."""
    _require_words(by, reason)
    wired.ledger.append("two-persons-again", by=by, login=login, reason=reason)
    wired.catalogue.set_fact(ONE_FACT, "")
    wired.catalogue.set_fact(ASKED_FACT, "")


def _require_words(by: str, reason: str) -> None:
    if not by.strip() or not reason.strip():
        raise UsageError("--reason and --by must say something: both are kept in the ledger")
