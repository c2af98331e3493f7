"""What a crossing that was broken off came to: never more than happened."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from vault.airlock import Opened
from vault.errors import CoffreError, DoorUnproven, Interrupted, Secured
from vault.holding import Night
from vault.results import AdmissionReport, TargetOutcome, TargetRecord
from vault.trip import Trip

NOTHING: Any = None
TARGET = TargetRecord(
    name="disk",
    target_id="00",
    uuid="u",
    fs_type="ext4",
    size_bytes=1,
    serial="",
    door="{}",
    enrolled_at=datetime(2026, 1, 5, tzinfo=UTC),
)
NIGHT = Night(cycle=1, closes_at_s=0.0, window_s=1.0, landing=b"", files=())


@pytest.mark.parametrize("error", [Interrupted("x"), DoorUnproven("x"), Secured("x")])
def test_crossing_that_was_broken_off_is_never_admitted(error: CoffreError) -> None:
    """Invariant 7: with its door open it is partial; without, it was not opened."""
    trip = Trip(target=TARGET, night=NIGHT, error=error)
    assert trip.result(None).outcome is TargetOutcome.NOT_OPENED
    trip.opened = Opened(number=1, vault=NOTHING)
    assert trip.result(None).outcome is TargetOutcome.PARTIAL
    trip.settle(AdmissionReport(wanted_files=2, admitted_files=2))
    assert trip.result(None).outcome is TargetOutcome.PARTIAL  # its list is not there


def test_good_copy_behind_a_door_that_is_not_proven_shut_is_a_good_copy() -> None:
    """State is not outcome: where the door is, is told as what it is, and so is the copy."""
    trip = Trip(target=TARGET, night=NIGHT, error=DoorUnproven("x"), published=True)
    trip.opened = Opened(number=1, vault=NOTHING)
    trip.settle(AdmissionReport(wanted_files=2, admitted_files=2))
    told = trip.result(None)
    assert (told.outcome, told.reasons) == (TargetOutcome.ADMITTED, ("x",))
    trip.settle(AdmissionReport(wanted_files=2, admitted_files=1, left_files=1))
    assert trip.result(None).outcome is TargetOutcome.PARTIAL
