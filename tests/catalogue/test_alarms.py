"""Alarms and words said of losses are kept as they were."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from vault.alarm import acknowledge, judge_alarms
from vault.gap import Acknowledgement, Gap
from vault.pmsi_cell import LawfulLoss

NOW = datetime(2026, 3, 1, 1, 2, 3, 456, tzinfo=UTC)
WORD = Acknowledgement(by="Ana", reason="vu « hier »", at=NOW, login="ana")
GAPS = (
    Gap(kind="target-corrupt", target="disk-a", template="{outcome}", mend="m",
        values={"outcome": "corrupt", "n": 3}, since=NOW),
    Gap(kind="source-refused", source="hr", template="x", mend="m", owner="DIM physician",
        marks=("a", "b")),
)  # fmt: skip


def test_alarms_are_kept_as_they_were_and_replaced_together(catalogue):
    """Raised, acknowledged, over; what is left out of the next judgement is gone."""
    first = judge_alarms([], GAPS, NOW).alarms
    catalogue.put_alarms(first)
    kept = catalogue.alarms()
    assert {alarm.name for alarm in kept} == {"source-refused/hr", "target-corrupt/disk-a"}
    assert judge_alarms(kept, GAPS, NOW + timedelta(days=1)).raised == ()
    corrupt = next(alarm for alarm in kept if alarm.gap.target)
    assert corrupt.gap == GAPS[0]
    after = acknowledge(corrupt, WORD)
    catalogue.put_alarms([after])
    assert catalogue.alarms() == [after]
    over = judge_alarms(first, (), NOW + timedelta(days=1)).alarms
    catalogue.put_alarms(over)
    assert {alarm.over_at for alarm in catalogue.alarms()} == {NOW + timedelta(days=1)}
    catalogue.put_alarms([])
    assert catalogue.alarms() == []


def test_what_is_said_last_of_a_loss_goes_before(catalogue):
    """One word a cell, of one attempt."""
    cell = "990000010/MCO/2024/M05"
    for attempt in ("one", "two"):
        loss = LawfulLoss(attempt=attempt, by="Ana", reason="merged", at=NOW)
        catalogue.put_lawful_loss(cell, loss, login="ana")
    assert catalogue.lawful_losses() == {cell: loss}
