"""``coffre ack``: a person's word that an alarm was seen, and why it may rest.

Rule 1: a word is for the alarms that are named; without a name they are listed and nothing is said.
Rule 2: what is acknowledged and still there is told as such, never as gone.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from vault.cli.media import login_of_caller
from vault.cli.session import Session
from vault.cli.shown import moment, table, wrapped
from vault.cli.standing import gap_line, publish
from vault.cli.words import _
from vault.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vault.alarm import Alarm
    from vault.wiring.wired import Wired


def ack_command(session: Session, name: str | None, *, by: str, reason: str) -> int:
    """Acknowledge one alarm, or list them all."""
    if name is None:
        if by or reason:
            raise UsageError(
                "which alarm is acknowledged?", hint="coffre ack lists them; coffre ack ALARM …"
            )
        return _list(session)
    if not reason.strip() or not by.strip():
        raise UsageError("--reason and --by must say something: both are kept in the ledger")
    from vault.gap import Acknowledgement
    from vault.wiring.alarms import acknowledge_alarm, open_alarms
    from vault.wiring.events import tell_acknowledged

    wired = session.wired()
    with wired.locked(is_brief=True):
        publish(wired)  # what is there now is an alarm, if nothing has seen it yet
        alarm = _choose(open_alarms(wired), name)
        word = Acknowledgement(by=by, reason=reason, at=wired.clock.now(), login=login_of_caller())
        cells = acknowledge_alarm(wired, alarm, word)
        tell_acknowledged(wired, alarm)
        publish(wired)
    session.say(_("Acknowledged by {by}: {alarm}.").format(by=by, alarm=alarm.name))
    if cells:
        line = _("From now on these hold what they should: {cells}.")
        session.say(wrapped(line.format(cells=", ".join(cells))))
    elif alarm.over_at is None:
        session.say(_("What raised it is still there, and stays in coffre gaps as acknowledged."))
    told = {"by": by, "at": word.at.isoformat(), "reason": reason}
    return session.emit({"alarm": alarm.name, "acknowledged": told, "cells": list(cells)})


def _choose(alarms: Sequence[Alarm], name: str) -> Alarm:
    """Find the alarm of a name, or the only one of a kind."""
    waiting = [alarm for alarm in alarms if alarm.is_open]
    found = [alarm for alarm in waiting if name in (alarm.name, alarm.gap.kind)]
    if len(found) == 1:
        return found[0]
    known = ", ".join(alarm.name for alarm in (found or waiting)) or "none"
    if found:
        raise UsageError(
            "{name} is several alarms", name=name, hint="there are: {known}", known=known
        )
    raise UsageError(
        "no alarm {name} waits for an acknowledgement",
        name=name,
        hint="there are: {known}",
        known=known,
    )


def _list(session: Session) -> int:
    from vault.alarm import tell_alarms
    from vault.wiring.alarms import open_alarms
    from vault.wiring.standing import gap_members

    wired = session.wired()
    wired.require_founded()
    alarms = open_alarms(wired)
    there = [alarm.gap for alarm in alarms if alarm.over_at is None]
    gaps = {gap.alarm: gap_members(gap) for gap in tell_alarms(alarms, there)}
    rows = [_members(alarm, gaps[alarm.name]) for alarm in alarms]
    if not alarms:
        session.say(_("No alarm stands."))
    else:
        session.say(_table(wired, alarms))
        session.say()
        for row in gaps.values():
            session.say(wrapped(gap_line(row, wired.settings.site.time_zone), indent=2))
        session.say()
        session.say(_("coffre ack ALARM --by NAME --reason R, once somebody knows why."))
    return session.emit({"alarms": rows})


def _members(alarm: Alarm, gap: dict[str, Any]) -> dict[str, object]:
    return {
        "alarm": alarm.name,
        "raised_at": alarm.raised_at.isoformat(),
        "escalated_at": alarm.escalated_at.isoformat() if alarm.escalated_at else None,
        **{key: gap[key] for key in ("kind", "severity", "source", "target", "owner", "since")},
        **{key: gap[key] for key in ("message", "acknowledged", "over_since")},
    }


def _table(wired: Wired, alarms: Sequence[Alarm]) -> str:
    zone = wired.settings.site.time_zone

    def at(instant: datetime | None) -> str:
        return moment(instant, zone) if instant else "-"

    rows = [
        [
            alarm.name,
            at(alarm.raised_at),
            at(alarm.over_at),
            alarm.acknowledged.by if alarm.acknowledged else "-",
        ]
        for alarm in alarms
    ]
    return table([_("alarm"), _("raised"), _("over"), _("acknowledged by")], rows)
