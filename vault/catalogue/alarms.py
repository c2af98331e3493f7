"""Alarms and who acknowledged them, and losses of PMSI exports that somebody said to be lawful.

Rule 1: the alarms are replaced together: a reader sees all of one judgement.
Rule 2: a lawful loss is of one attempt; what is said later of the same cell goes before.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from sqlalchemy import Row, delete, insert, select
from sqlalchemy.dialects.sqlite import insert as upsert

from vault.alarm import Alarm
from vault.catalogue.database import Database
from vault.catalogue.schema import alarm as alarm_table
from vault.catalogue.schema import pmsi_loss
from vault.gap import Acknowledgement, Gap
from vault.pmsi_cell import LawfulLoss

if TYPE_CHECKING:
    from collections.abc import Iterable

_PLAIN = ("kind", "template", "mend", "source", "target", "owner")  # of a gap


class Alarms(Database):
    """The part of the catalogue that remembers alarms."""

    def alarms(self) -> list[Alarm]:
        """Give the alarms, the oldest first."""
        wanted = select(alarm_table).order_by(alarm_table.c.raised_at, alarm_table.c.name)
        with self._reading() as connection:
            return [_alarm(row) for row in connection.execute(wanted)]

    def put_alarms(self, alarms: Iterable[Alarm]) -> None:
        """Keep these alarms, in place of all that were kept."""
        rows = [_row(alarm) for alarm in alarms]
        with self._writing() as connection:
            connection.execute(delete(alarm_table))
            if rows:
                connection.execute(insert(alarm_table), rows)

    def lawful_losses(self) -> dict[str, LawfulLoss]:
        """Give what was said of losses, by cell."""
        with self._reading() as connection:
            return {
                row.cell: LawfulLoss(attempt=row.attempt, by=row.by, reason=row.reason, at=row.at)
                for row in connection.execute(select(pmsi_loss))
            }

    def put_lawful_loss(self, cell: str, loss: LawfulLoss, *, login: str) -> None:
        """Keep that a loss is lawful."""
        said = {
            "attempt": loss.attempt,
            "at": loss.at,
            "by": loss.by,
            "reason": loss.reason,
            "login": login,
        }
        wanted = upsert(pmsi_loss).values(cell=cell, **said)
        with self._writing() as connection:
            connection.execute(wanted.on_conflict_do_update(index_elements=["cell"], set_=said))


def _row(alarm: Alarm) -> dict[str, object]:
    gap, word = alarm.gap, alarm.acknowledged
    plain = {name: getattr(gap, name) for name in _PLAIN}
    return {
        "name": alarm.name,
        "gap": json.dumps({**plain, "values": gap.values}, ensure_ascii=False, default=str),
        "since": gap.since,
        "raised_at": alarm.raised_at,
        "marks": tuple(sorted(alarm.marks)),
        "over_at": alarm.over_at,
        "acknowledged_at": word.at if word else None,
        "acknowledged_by": word.by if word else None,
        "acknowledged_reason": word.reason if word else None,
        "acknowledged_login": word.login if word else None,
        "escalated_at": alarm.escalated_at,
    }


def _alarm(row: Row[Any]) -> Alarm:
    word = None
    if row.acknowledged_at is not None:
        word = Acknowledgement(
            at=row.acknowledged_at,
            by=row.acknowledged_by,
            reason=row.acknowledged_reason,
            login=row.acknowledged_login,
        )
    return Alarm(
        gap=Gap(**json.loads(row.gap), since=row.since),
        raised_at=row.raised_at,
        marks=frozenset(row.marks),
        over_at=row.over_at,
        acknowledged=word,
        escalated_at=row.escalated_at,
    )
