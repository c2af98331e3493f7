"""``coffre retention``: what is kept, and why; what goes, and who let it."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from vault.cli.hooks import publish_all, tell_hooks
from vault.cli.media import login_of_caller
from vault.cli.progress import make_progress
from vault.cli.session import Session
from vault.cli.shown import colour, moment, size, table, wrapped
from vault.cli.words import _, plural, retell, spoken
from vault.errors import UsageError
from vault.retelling import listed

if TYPE_CHECKING:
    from vault.proposal import Proposal
    from vault.retention import Plan, Point, Why
    from vault.thinning import Thinned
    from vault.wiring.wired import Wired


def plan_command(session: Session, *, target: str | None) -> int:
    """Tell what the landing or a target keeps and what it lets go of; nothing is touched."""
    from vault.wiring.removal import proposals
    from vault.wiring.retention import plan_landing, plan_target

    wired = session.wired()
    wired.require_founded()
    if target is None:
        plan = plan_landing(wired)
        show_plan(session, wired, plan)
        return session.emit({"target": None, **plan_members(plan)})
    _require_target(wired, target)
    plan = plan_target(wired, target)
    show_plan(session, wired, plan)
    proposal = proposals(wired).get(target)
    if proposal is not None:
        _show_proposal(session, wired, proposal)
    told = proposal_members(wired, proposal) if proposal else None
    return session.emit({"target": target, **plan_members(plan), "proposal": told})


def propose_command(session: Session, target: str, *, by: str, reason: str) -> int:
    """Propose what a target may let go of; the hold begins."""
    from vault.wiring.removal import propose
    from vault.wiring.retention import plan_target

    wired = session.wired()
    with wired.locked():
        _require_target(wired, target)
        wired.airlock.recover()
        try:
            login = login_of_caller()
            proposal = propose(wired, target, by=by, login=login, reason=reason)
        finally:
            publish_all(wired)
    _show_proposal(session, wired, proposal)
    told = proposal_members(wired, proposal)
    plan = plan_target(wired, target)
    return session.emit({"target": target, **plan_members(plan), "proposal": told})


def remove_command(session: Session, wanted: str, *, by: str, yes: bool) -> int:
    """Carry a proposal out, as another person than who proposed it."""
    from vault.wiring.removal import remove

    with make_progress(quiet=session.is_quiet) as progress:
        wired = session.wired(progress)
        with wired.locked():
            proposal = _require_proposal(wired, wanted)
            _show_proposal(session, wired, proposal)
            if not yes:
                raise UsageError("nothing was done", hint="add --yes when that is what you want")
            wired.airlock.recover()
            try:
                gone = remove(wired, proposal, by=by, login=login_of_caller())
            finally:
                publish_all(wired)
                tell_hooks(session, wired)
    line = _("{files} files are gone from {target}, {size} came back; kept nights are whole.")
    session.say(
        wrapped(
            line.format(
                files=gone.removed.removed,
                target=proposal.target,
                size=size(gone.removed.removed_bytes),
            ),
            indent=2,
        )
    )
    return session.emit(
        {
            "target": proposal.target,
            "proposal": proposal.id,
            "proposed_by": proposal.by,
            "by": by,
            "proof": "declared",
            "drill": gone.drill,
            "nights": list(gone.nights),
            "removed_files": gone.removed.removed,
            "removed_bytes": gone.removed.removed_bytes,
            "absent_files": gone.removed.absent,
            "refused_files": len(gone.removed.refused),
            "exposure_s": gone.exposure.seconds,
        }
    )


def withdraw_command(session: Session, wanted: str, *, by: str, reason: str) -> int:
    """Take a proposal back: nothing goes by it any more."""
    from vault.wiring.removal import withdraw

    wired = session.wired()
    with wired.locked():
        proposal = _require_proposal(wired, wanted)
        try:
            wired.airlock.recover()  # a removal that died may have left its door open
            withdraw(wired, proposal, by=by, login=login_of_caller(), reason=reason)
        finally:
            publish_all(wired)
    if proposal.has_begun:
        line = _(
            "Proposal {id} for {target} is withdrawn. A removal by it had begun: what is gone "
            "stays gone."
        )
    else:
        line = _("Proposal {id} for {target} is withdrawn; nothing was removed.")
    session.say(wrapped(line.format(id=proposal.id, target=proposal.target), indent=2))
    members = {"target": proposal.target, "proposal": proposal.id, "begun": proposal.has_begun}
    return session.emit({**members, "by": by})


def _require_proposal(wired: Wired, wanted: str) -> Proposal:
    from vault.wiring.removal import proposals

    for proposal in proposals(wired).values():
        if proposal.id == wanted:
            return proposal
    raise UsageError(
        "there is no open proposal {id}",
        id=wanted,
        hint="coffre retention plan --target NAME shows the one of a target",
    )


def persons_command(session: Session, count: str, *, by: str, reason: str) -> int:
    """Say how many persons a removal takes."""
    from vault.wiring.removal import one_asked_until, switch_to_one, switch_to_two

    if count not in ("one", "two"):
        raise UsageError("one or two persons", hint="coffre retention persons two …")
    wired = session.wired()
    with wired.locked():
        login = login_of_caller()
        if count == "two":
            switch_to_two(wired, by=by, login=login, reason=reason)
            suffices = False
            session.say(_("A removal takes two persons."))
        else:
            agreed = switch_to_one(wired, by=by, login=login, reason=reason)
            suffices = agreed is not None
            line = _("From now on one person suffices for a removal; it stands as a gap.")
            if not suffices and (until := one_asked_until(wired)) is not None:
                line = _("Recorded. It holds once another person types the same, by {until}.")
                line = line.format(until=moment(until, wired.settings.time_zone))
            session.say(line)
        publish_all(wired)
    return session.emit({"one_suffices": suffices, "by": by})


def _require_target(wired: Wired, target: str) -> None:
    if target not in wired.settings.targets or wired.catalogue.target(target) is None:
        raise UsageError(
            "{name} is not an enrolled target",
            name=target,
            hint="which ones does coffre target list show?",
        )


def _show_proposal(session: Session, wired: Wired, proposal: Proposal) -> None:
    told = proposal_members(wired, proposal)
    line = _(
        "Proposal {id}: {files} files, {size}, of {nights} nights of {target}, by {by} (declared) "
        "on {day}; it waits until {until}. Another person: coffre retention apply {id} --by NAME "
        "--yes"
    )
    text = line.format(
        id=proposal.id,
        files=proposal.files,
        size=size(proposal.bytes),
        nights=len(proposal.let_go),
        target=proposal.target,
        by=proposal.by,
        day=moment(proposal.at, wired.settings.time_zone),
        until=moment(datetime.fromisoformat(str(told["until"])), wired.settings.time_zone),
    )
    session.say(wrapped(text, indent=2))
    if proposal.has_begun:
        line = _("A removal by it began and was broken off: files of it may be gone.")
        session.say(colour(wrapped(line, indent=2), "warn"))


def proposal_members(wired: Wired, proposal: Proposal) -> dict[str, object]:
    """Give a proposal as the members of a document."""
    from vault.proposal import held_until
    from vault.wiring.removal import passed_since

    settings = wired.settings.targets.get(proposal.target)
    hold_s = settings.retention.hold if settings and settings.retention else 0
    until = held_until(
        proposal,
        hold_s=hold_s,
        now=wired.clock.now(),
        passed_s=passed_since(wired, proposal, hold_s=hold_s),
    )
    return {
        "id": proposal.id,
        "by": proposal.by,
        "reason": proposal.reason,
        "at": proposal.at.isoformat(),
        "until": until.isoformat(),
        "nights": list(proposal.let_go),
        "files": proposal.files,
        "bytes": proposal.bytes,
        "sha256": proposal.sha256,
        "begun": proposal.has_begun,
    }


def apply_command(session: Session, *, by: str, prune: bool, is_timer: bool, yes: bool) -> int:
    """Let the landing go of what the plan lets go of; a timer asks nothing while nothing goes."""
    from vault.thinning import Asked, Thinned
    from vault.wiring.retention import plan_landing

    with make_progress(quiet=session.is_quiet) as progress:
        wired = session.wired(progress)
        with wired.locked():
            wired.airlock.recover()
            plan = plan_landing(wired)
            if is_timer and not plan.let_go and not prune:
                return session.emit(_gone(plan, Thinned()))
            if plan.may_go and not yes:
                _tell_going(session, plan)
                raise UsageError("nothing was done", hint="add --yes when that is what you want")
            try:
                asked = Asked(by=by, login=login_of_caller(), prune=prune)
                thinned = wired.thinner.apply(plan, asked)
            finally:
                publish_all(wired)
    session.say(
        plural(
            "The landing let go of {count} point.",
            "The landing let go of {count} points.",
            thinned.forgotten,
        )
    )
    if thinned.pruned:
        line = _("{files} files are gone, {size} of room came back.")
        session.say(line.format(files=thinned.removed_files, size=size(thinned.removed_bytes)))
    return session.emit(_gone(plan, thinned))


def _gone(plan: Plan, thinned: Thinned) -> dict[str, object]:
    return {
        "target": None,
        "forgotten": [point_members(point) for point in plan.may_go],
        "kept": len(plan.kept),
        "pruned": thinned.pruned,
        "removed_files": thinned.removed_files,
        "removed_bytes": thinned.removed_bytes,
        "written_files": thinned.written_files,
    }


def _tell_going(session: Session, plan: Plan) -> None:
    for point in plan.may_go:
        line = _("goes: {source}, night {cycle}")
        session.say(line.format(source=point.source, cycle=point.cycle))


# -- a plan, shown


def show_plan(session: Session, wired: Wired, plan: Plan) -> None:
    """Show every point with its reasons, and what stops the run."""
    if session.as_json:
        return
    zone = wired.settings.time_zone
    rows = [
        (one.point, _("stays"), listed([why_text(why) for why in one.reasons], spoken()))
        for one in plan.kept
    ]
    rows += [(point, _("goes"), _("no rule keeps it")) for point in plan.let_go]
    rows.sort(key=lambda row: (row[0].source, row[0].cycle))
    heads = [_("source"), _("night"), _("taken"), "", _("why")]
    cells = [
        [point.source, str(point.cycle), moment(point.at, zone) if point.at else "?", word, why]
        for point, word, why in rows
    ]
    session.say(table(heads, cells, right=(1,)))
    line = _("{kept} stay, {go} go.")
    session.say(line.format(kept=len(plan.kept), go=len(plan.let_go)))
    for stop in plan.stops:
        text = _(stop.template).format(**stop.values)
        session.say(colour(wrapped(_("Stopped: {why}").format(why=text), indent=2), "warn"))


def why_text(why: Why) -> str:
    """Say one reason in the language spoken."""
    return _(why.template).format(of=retell(why.of))


def plan_members(plan: Plan) -> dict[str, object]:
    """Give a plan as the members of its document."""
    return {
        "kept": [
            {
                **point_members(one.point),
                "reasons": [{"rule": why.rule, "of": why.of} for why in one.reasons],
            }
            for one in plan.kept
        ],
        "let_go": [point_members(point) for point in plan.let_go],
        "stops": [
            {"kind": stop.kind, "message": stop.template.format(**stop.values)}
            for stop in plan.stops
        ],
    }


def point_members(point: Point) -> dict[str, object]:
    """Give a point as the members of a document."""
    return {
        "source": point.source,
        "cycle": point.cycle,
        "snapshot_id": point.snapshot_id or None,
        "at": point.at.isoformat() if point.at else None,
    }
