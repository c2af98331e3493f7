"""Alarms kept, acknowledged and asked for.

Rule 1: the ledger first: a word that nobody can read afterwards must not silence an alarm.
Rule 2: to whom nothing could be written of an alarm, it is as good as not raised: they, and nobody
    else, are told again.
Rule 3: who acknowledges a PMSI loss says that it is lawful: it is one no more, for that attempt.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from vault.alarm import Alarm, Untold, acknowledge, judge_alarms, tell_alarms
from vault.gap import Acknowledgement
from vault.pmsi_cell import CellState, LawfulLoss
from vault.wiring.pmsi import pmsi_calendar
from vault.wiring.standing import find_all_gaps

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from vault.gap import Gap
    from vault.pmsi_cell import Cell
    from vault.wiring.wired import Wired

UNTOLD_FACT = "alarms-untold-to"  # JSON: by alarm, those whose notice could not be written
_Tell = Callable[[Sequence[Alarm], Untold], Untold]


def keep_alarms(
    wired: Wired, tell: _Tell = lambda _due, _untold: {}
) -> tuple[tuple[Gap, ...], tuple[Alarm, ...]]:
    """Judge the alarms anew and keep them; give the gaps as they are told, and what was told of.

    ``tell`` has what was raised before it is kept, and those of which somebody could not be told
    yet; it gives who could not be told now, by alarm: they are told the next time. A death between
    the two tells it twice.
    """
    gaps = find_all_gaps(wired)
    kept = wired.catalogue.alarms()
    judged = judge_alarms(kept, gaps, wired.clock.now())
    for alarm in judged.raised:
        wired.ledger.append("alarm-raised", **_about(alarm))
    before = json.loads(wired.catalogue.fact(UNTOLD_FACT) or "{}")
    raised = {alarm.name for alarm in judged.raised}
    # One that is raised anew is told to everybody.
    untold = {
        one.name: before[one.name]
        for one in judged.alarms
        if one.is_open and one.name in before and one.name not in raised
    }
    due = [one for one in judged.alarms if one.name in raised or one.name in untold]
    left = tell(due, untold) if due else {}
    if left != before:
        wired.catalogue.set_fact(UNTOLD_FACT, json.dumps(dict(left)))
    if list(judged.alarms) != kept:
        wired.catalogue.put_alarms(judged.alarms)
    return tell_alarms(judged.alarms, gaps), tuple(due)


def open_alarms(wired: Wired) -> tuple[Alarm, ...]:
    """Give the alarms that stand: not acknowledged, or acknowledged with their cause still there.

    Nothing is to be forgotten or removed while there is one.
    """
    gaps = find_all_gaps(wired)
    return judge_alarms(wired.catalogue.alarms(), gaps, wired.clock.now()).alarms


def acknowledge_alarm(wired: Wired, alarm: Alarm, word: Acknowledgement) -> tuple[str, ...]:
    """Record that a person has seen an alarm; give the PMSI cells whose loss is lawful by it."""
    cells = _lost_cells(wired, alarm) if alarm.over_at is None else ()
    names = tuple(cell.name for cell in cells)
    said = {"by": word.by, "reason": word.reason, "login": word.login}
    wired.ledger.append(
        "alarm-acknowledged", **_about(alarm), **said, **({"cells": list(names)} if names else {})
    )
    for cell in cells:
        assert cell.counted is not None
        loss = LawfulLoss(attempt=cell.counted.mark, by=word.by, reason=word.reason, at=word.at)
        wired.catalogue.put_lawful_loss(cell.name, loss, login=word.login)
    _replace(wired, alarm.name, acknowledge(alarm, word))
    return names


def acknowledge_if_raised(wired: Wired, name: str, word: Acknowledgement) -> None:
    """Record with an alarm what another command has a person say of the same thing."""
    for alarm in open_alarms(wired):
        if alarm.name == name and alarm.is_open:
            acknowledge_alarm(wired, alarm, word)


def note_escalated(wired: Wired, alarms: Iterable[Alarm], now: datetime) -> None:
    """Remember that somebody else was told of these alarms, since nobody acknowledged them."""
    for alarm in alarms:
        wired.ledger.append("alarm-escalated", **_about(alarm))
        _replace(wired, alarm.name, replace(alarm, escalated_at=now))


def _replace(wired: Wired, name: str, after: Alarm | None) -> None:
    kept = [one for one in wired.catalogue.alarms() if one.name != name]
    wired.catalogue.put_alarms([*kept, *([after] if after else [])])


def _about(alarm: Alarm) -> dict[str, object]:
    """Say which alarm it is; no sentence of it, which belongs to the gaps."""
    gap = alarm.gap
    return {"alarm": alarm.name, "gap": gap.kind, "source": gap.source, "target": gap.target}


def _lost_cells(wired: Wired, alarm: Alarm) -> tuple[Cell, ...]:
    if alarm.gap.kind != "pmsi-shrunk":
        return ()
    about = tuple(str(alarm.gap.values[key]) for key in ("finess", "field", "year"))
    return tuple(
        cell
        for cell in pmsi_calendar(wired).cells
        if cell.state is CellState.SHRUNK
        and cell.counted is not None
        and (cell.series.finess, cell.series.name, str(cell.year)) == about
    )
