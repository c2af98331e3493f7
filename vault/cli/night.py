"""``coffre run``: plan, run one night, tell what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from vault.cli.progress import make_progress
from vault.cli.session import Session
from vault.cli.shown import colour, moment, seconds, size, table, wrapped
from vault.cli.standing import publish
from vault.cli.words import _, called, hint_of, message_of, plural, retell
from vault.errors import CoffreError, DoorUnproven, NeedsRoot, OutsideWindow, Secured
from vault.results import CycleResult, SourceResult, TargetResult, VaultStatus

if TYPE_CHECKING:
    from vault.cycle import Plan
    from vault.wiring.night import Order
    from vault.wiring.wired import Wired

_KINDS = {
    "saved": "good",
    "unchanged": "good",
    "not-due": "dim",
    "admitted": "good",
    "nothing-new": "good",
    "sound": "good",
    "partial": "warn",
    "incomplete": "warn",
    "media-absent": "warn",
}


def run_command(
    session: Session,
    *,
    dry_run: bool,
    now: bool,
    duration: str | None,
    sources: Sequence[str],
    targets: Sequence[str],
) -> int:
    """Run one night, or print its plan."""
    from vault.cycle import run_night
    from vault.duration import parse_duration
    from vault.wiring.night import Order, plan_night

    with make_progress(quiet=session.is_quiet or dry_run) as progress:
        wired = session.wired(progress)
        order = Order(
            now=now,
            for_s=parse_duration(duration) if duration else None,
            sources=sources,
            targets=targets,
        )
        wired.require_founded()
        if dry_run:
            plan = plan_night(wired.settings, wired.catalogue, wired.sources, wired.clock, order)
            return _show_plan(session, wired, plan)
        _require_root(wired)
        with wired.locked():
            try:
                plan = _plan(wired, order)
                result = run_night(wired.house, plan)
            except (DoorUnproven, Secured) as error:
                return _not_begun(session, wired, error)
            finally:
                publish(wired)
    return _show_result(session, wired, result)


def _plan(wired: Wired, order: Order) -> Plan:
    """Plan the night; what keeps it from beginning keeps no door from being shut and asked."""
    from vault.cycle import record_unbegun
    from vault.wiring.night import plan_night

    try:
        plan = plan_night(wired.settings, wired.catalogue, wired.sources, wired.clock, order)
        assert wired.house  # restic, the landing's password, the pins
    except CoffreError as error:
        wired.airlock.recover()
        if wired.airlock.status is VaultStatus.DEGRADED:
            raise DoorUnproven(
                "a door could not be proven shut: nothing runs",
                hint="what does coffre doctor say of the doors?",
            ) from None
        asked_amiss = bool(order.sources or order.targets or order.for_s)
        if not (isinstance(error, OutsideWindow) or asked_amiss):
            record_unbegun(
                wired.catalogue,
                wired.ledger,
                wired.clock,
                forced=order.now,
                reason=str(error),
            )
        raise
    return plan


def _require_root(wired: Wired) -> None:
    """Refuse before anything moves when a door of the configuration needs root."""
    from vault.cli.session import is_root

    needs = [name for name, target in wired.settings.targets.items() if target.door.disk]
    if needs and not is_root():
        raise NeedsRoot(
            "the disk door of {names} needs root",
            names=", ".join(needs),
            hint="sudo coffre run? without root there is only the door folder, for trying out",
        )


def _not_begun(session: Session, wired: Wired, error: CoffreError) -> int:
    code = session.fail(error) if not session.as_json else int(error.exit_code)
    if session.as_json:
        verdict = "secured" if isinstance(error, Secured) else "degraded"
        members = {"cycle": None, "verdict": verdict, "status": str(wired.airlock.status)}
        told = {
            "reference": error.reference,
            "message": message_of(error),
            "hint": hint_of(error),
        }
        session.emit({**members, "sources": [], "targets": [], "error": told}, code)
    return code


# -- the plan


def _show_plan(session: Session, wired: Wired, plan: Plan) -> int:
    zone = wired.settings.site.time_zone
    held = {target.name: _bytes_to_carry(wired, target.name) for target in plan.targets}
    if session.as_json:
        return session.emit(
            {
                "sources": [source.name for source in plan.sources],
                "not_due": list(plan.not_due),
                "targets": [
                    {
                        "name": target.name,
                        "closes_at": target.closes_at.isoformat(),
                        "known_to_carry_bytes": held[target.name],
                    }
                    for target in plan.targets
                ],
                "not_enrolled": list(plan.not_enrolled),
                "forced": plan.forced,
            }
        )
    session.say(_("Plan of this night; nothing is touched."))
    for source in plan.sources:
        session.say("  " + _("collect {name}").format(name=source.name))
    for name in plan.not_due:
        session.say("  " + _("{name} is not due").format(name=name))
    for target in plan.targets:
        line = _("carry to {name}; its door shuts at {at} at the latest; {size} known to be new")
        closes = moment(target.closes_at, zone)
        session.say("  " + line.format(name=target.name, at=closes, size=size(held[target.name])))
    for name in plan.not_enrolled:
        session.say("  " + _("{name} is not enrolled: nothing goes there").format(name=name))
    return 0


def _bytes_to_carry(wired: Wired, target: str) -> int:
    """Give what the landing holds and the target's last complete cycle does not name."""
    from vault.carrying import lacking

    holds = wired.catalogue.holds(target)
    complete = max((cycle for cycle, hold in holds.items() if hold.complete), default=None)
    held = wired.catalogue.landing_list(complete) if complete else iter(())
    return sum(file.size_bytes for file in lacking(wired.catalogue.known_paths(), held))


# -- the result


def result_members(result: CycleResult) -> dict[str, object]:
    """Give a night's result as the members of its document."""
    return {
        "cycle": result.cycle,
        "verdict": str(result.verdict),
        "status": str(result.status),
        "started_at": result.started_at.isoformat(),
        "ended_at": result.ended_at.isoformat(),
        "sources": [_source_members(source) for source in result.sources],
        "targets": [_target_members(target) for target in result.targets],
        "aliens": len(result.aliens),
        "reasons": list(result.reasons),
        "warnings": list(result.warnings),
    }


def _source_members(source: SourceResult) -> dict[str, object]:
    return {
        "name": source.name,
        "verdict": str(source.verdict),
        "files": source.files,
        "bytes": source.bytes,
        "pulled_files": source.pulled_files,
        "pulled_bytes": source.pulled_bytes,
        "snapshot_id": source.snapshot_id,
        "reasons": list(source.reasons),
    }


def _target_members(target: TargetResult) -> dict[str, object]:
    return {
        "name": target.name,
        "outcome": str(target.outcome),
        "admitted_files": target.admitted_files,
        "admitted_bytes": target.admitted_bytes,
        "read_back_bytes": target.read_back_bytes,
        "refused_files": target.refused_files,
        "exposure_s": round(target.exposure_s, 6),
        "disconnection": str(target.disconnection),
        "left_bytes": target.left_bytes,
        "nights_left": target.nights_left,
        "reasons": list(target.reasons),
    }


def _show_result(session: Session, wired: Wired, result: CycleResult) -> int:
    code = result.verdict.exit_code
    if session.as_json:
        return session.emit(result_members(result), code)
    zone = wired.settings.site.time_zone
    head = _("Night {cycle}, {at}").format(cycle=result.cycle, at=moment(result.started_at, zone))
    session.say()
    session.say(_about(colour(head, "strong"), _word(str(result.verdict))))
    session.say()
    session.say(_source_table(result.sources))
    session.say()
    session.say(_target_table(result.targets))
    _show_reasons(session, result)
    _show_gaps(session, wired)
    if session.verbosity > 0:
        _show_evidence(session, wired)
    session.say()
    for line in _door_lines(wired, result):
        session.say(wrapped(line))
    return int(code)


def _word(name: str) -> str:
    return colour(called(name), _KINDS.get(name, "bad"))


def _source_table(sources: Sequence[SourceResult]) -> str:
    rows = [
        [
            source.name,
            called(str(source.verdict)),
            str(source.files),
            size(source.bytes),
            str(source.pulled_files),
            (source.snapshot_id or "")[:8],
        ]
        for source in sources
    ]
    heads = [_("source"), _("result"), _("files"), _("size"), _("pulled"), _("snapshot")]
    return table(heads, rows, right=(2, 3, 4))


def _target_table(targets: Sequence[TargetResult]) -> str:
    rows = [
        [
            target.name,
            called(str(target.outcome)),
            str(target.admitted_files),
            size(target.admitted_bytes),
            size(target.read_back_bytes),
            seconds(target.exposure_s),
            called(str(target.disconnection)),
        ]
        for target in targets
    ]
    heads = [
        _("target"),
        _("result"),
        _("files"),
        _("carried"),
        _("read back"),
        _("open for"),
        _("now"),
    ]
    return table(heads, rows, right=(2, 3, 4, 5))


def _show_reasons(session: Session, result: CycleResult) -> None:
    lines = [
        _about(source.name, retell(reason))
        for source in result.sources
        for reason in source.reasons
    ]
    for target in result.targets:
        lines += [_about(target.name, retell(reason)) for reason in target.reasons]
        if target.left_bytes:
            lines.append(_about(target.name, _left(target)))
    lines += [retell(reason) for reason in (*result.reasons, *result.warnings)]
    if lines:
        session.say()
        session.say(_("What needs a look:"))
        for line in lines:
            session.say(wrapped(f"  ! {line}", indent=4))


def _about(name: str, text: str) -> str:
    return _("{what}: {text}").format(what=name, text=text)


def _show_evidence(session: Session, wired: Wired) -> None:
    """Say by what each door was proven shut."""
    session.say()
    for name, report in wired.airlock.proofs.items():
        told = f"{_(str(report.disconnection))}; {'; '.join(report.evidence)}"
        session.say(wrapped(_about(name, told), indent=4))


def _show_gaps(session: Session, wired: Wired) -> None:
    """Say what is missing, whatever the night was like."""
    from vault.cli.standing import gap_lines
    from vault.wiring.standing import gap_members, judge_gaps

    gaps = [gap_members(gap) for gap in judge_gaps(wired) if str(gap.severity) != "info"]
    if gaps:
        session.say()
        session.say(_("What is missing:"))
        for line in gap_lines(gaps, wired.settings.site.time_zone):
            session.say(wrapped("  " + line, indent=4))


def _left(target: TargetResult) -> str:
    left = _("{size} left").format(size=size(target.left_bytes))
    if target.nights_left is None:
        return left
    nights = plural("{count} more night", "{count} more nights", target.nights_left)
    return f"{left}, {nights}"


def _door_lines(wired: Wired, result: CycleResult) -> list[str]:
    open_s = seconds(sum(target.exposure_s for target in result.targets))
    if str(result.status) == "locked":
        line = _("The vault is locked: every door is proven shut. It was open for {seconds}.")
        text = colour(line.format(seconds=open_s), "good")
    else:
        line = _("THE VAULT IS {status}: a door may be open. Pull the medium's cable, then call.")
        text = colour(line.format(status=called(str(result.status)).upper()), "bad")
    if wired.settings.production.door.kind == "none":
        return [text, _("No production door is configured: no airlock is claimed.")]
    return [text]
