"""``coffre run``: plan, run one night, tell what came of it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

from vault.cli.foretelling import forecast_of, told_forecast
from vault.cli.hooks import hook_members, publish_all
from vault.cli.night_result import result_members, show_result
from vault.cli.progress import make_progress
from vault.cli.session import Session, error_members
from vault.cli.shown import wrapped
from vault.cli.whatever import shutting_whatever
from vault.cli.words import _
from vault.due_runs import LEAST_S
from vault.errors import (
    CoffreError,
    DoorUnproven,
    NeedsRoot,
    OutsideWindow,
    Secured,
    UsageError,
)
from vault.results import CycleResult, HookResult, VaultStatus

if TYPE_CHECKING:
    from vault.agenda import Plan
    from vault.vault_lock import Holder
    from vault.wiring.night import Order
    from vault.wiring.wired import Wired


def run_command(
    session: Session,
    *,
    dry_run: bool,
    now: bool,
    duration: str | None,
    catch_up: bool,
    sources: Sequence[str],
    targets: Sequence[str],
) -> int:
    """Run one night, or print its plan."""
    from vault.duration import parse_duration
    from vault.wiring.night import Order

    if now and catch_up:
        raise UsageError("--now and --catch-up: say one of them")
    order = Order(
        now=now,
        for_s=parse_duration(duration) if duration else None,
        sources=sources,
        targets=targets,
        catch_up=catch_up,
    )
    if dry_run:
        return _plan_command(session, order)
    try:
        with shutting_whatever(session):
            return _run(session, order)
    except DoorUnproven as error:
        return _not_begun(session, VaultStatus.DEGRADED, error, ())


def _plan_command(session: Session, order: Order) -> int:
    from vault.wiring.night import plan_night

    wired = session.wired()
    wired.require_founded()
    plan = plan_night(wired.settings, wired.catalogue, wired.sources, wired.clock, order)
    return _show_plan(session, wired, plan)


def _run(session: Session, order: Order) -> int:
    with make_progress(quiet=session.is_quiet) as progress:
        wired = session.wired(progress)
        zone = wired.settings.site.time_zone
        wired.foretold = lambda forecast: progress.note(told_forecast(forecast, zone))
        wired.names_shown = sys.stdout.isatty()  # a unit's output is kept in the journal
        wired.require_founded()
        _require_root(wired)
        with wired.locked(is_night=True, patience=_patience(wired, order)):
            ended = _night(session, wired, order)
    if isinstance(ended, CoffreError):
        return _not_begun(session, wired.airlock.status, ended, wired.moments.fired)
    return show_result(session, wired, replace(ended, hooks=tuple(wired.moments.fired)))


def _patience(wired: Wired, order: Order) -> Callable[[Holder], float]:
    """Wait while the night is worth it; one that a person asked for waits for what is brief.

    How long that is is found out once, when somebody holds the lock.
    """
    from vault.vault_lock import brief_patience, night_patience
    from vault.wiring.night import opened_at, plan_night

    if order.now:
        return brief_patience

    @cache
    def of_tonight() -> Callable[[Holder], float]:
        try:
            plan = plan_night(wired.settings, wired.catalogue, wired.sources, wired.clock, order)
        except CoffreError:  # told under the lock, where the doors are shut first
            return brief_patience
        left_s = plan.closes_at_s - wired.clock.boot_s() - LEAST_S
        return night_patience(left_s, opened_at(wired.settings, plan, wired.clock.now()))

    def patience(holder: Holder) -> float:
        return of_tonight()(holder)

    return patience


def _night(session: Session, wired: Wired, order: Order) -> CycleResult | CoffreError:
    """Run one night, publish, fire the last hooks; give the result, or why no night may begin."""
    from vault.cycle import run_night

    before, told = _nights(wired), None
    try:
        plan = _plan(wired, order)
        result = run_night(wired.house, plan)
        told = session.document(result_members(result), result.verdict.exit_code)
    except (DoorUnproven, Secured) as error:
        told = session.document(_unbegun_members(wired.airlock.status, error, ()), error.exit_code)
        return error
    except CoffreError as error:
        if _nights(wired) > before:  # recorded as a night that failed
            told = session.document({"error": error_members(error)}, error.exit_code)
        raise
    finally:
        publish_all(wired, told)
    return result


def _nights(wired: Wired) -> int:
    """Count the nights; 0 where the records cannot be asked, which whoever needs them says."""
    try:
        last = wired.catalogue.last_cycle()
    except CoffreError:
        return 0
    return last.cycle if last else 0


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


def _not_begun(
    session: Session, status: VaultStatus, error: CoffreError, hooks: Sequence[HookResult]
) -> int:
    if not session.as_json:
        return session.fail(error)
    return session.emit(_unbegun_members(status, error, hooks), error.exit_code)


def _unbegun_members(
    status: VaultStatus, error: CoffreError, hooks: Sequence[HookResult]
) -> dict[str, object]:
    return {
        "cycle": None,
        "verdict": "secured" if isinstance(error, Secured) else "degraded",
        "status": str(status),
        "sources": [],
        "targets": [],
        "hooks": hook_members(hooks),
        "error": error_members(error),
    }


# -- the plan


def _show_plan(session: Session, wired: Wired, plan: Plan) -> int:
    zone = wired.settings.site.time_zone
    to_come = {target.name: forecast_of(wired, target) for target in plan.expected}
    if session.as_json:
        return session.emit(
            {
                "sources": [source.name for source in plan.sources],
                "not_due": list(plan.not_due),
                "targets": [
                    {
                        "name": target.name,
                        "closes_at": target.closes_at.isoformat(),
                        "known_to_carry_bytes": to_come[target.name].size_bytes,
                        "takes_s": to_come[target.name].takes_s,
                        "nights": to_come[target.name].nights,
                    }
                    for target in plan.expected
                ],
                "not_enrolled": list(plan.not_enrolled),
                "forced": plan.forced,
                "resting": [
                    {
                        "name": one.name,
                        "set": one.set_name,
                        "expected": one.expected or None,
                        "others_before": one.others,
                    }
                    for one in plan.resting
                ],
            }
        )
    session.say(_("Plan of this night; nothing is touched."))
    for source in plan.sources:
        session.say("  " + _("collect {name}").format(name=source.name))
    for name in plan.not_due:
        session.say("  " + _("{name} is not due").format(name=name))
    for target in plan.expected:
        session.say(wrapped("  " + told_forecast(to_come[target.name], zone), indent=4))
    for one in plan.resting:
        session.say("  " + _("{name} rests: it is not its turn").format(name=one.name))
    for name in plan.not_enrolled:
        session.say("  " + _("{name} is not enrolled: nothing goes there").format(name=name))
    return 0
