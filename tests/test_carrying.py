"""What a crossing that was broken off came to: never more than happened."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from vault.airlock import Opened
from vault.carrying import Night, _Trip
from vault.errors import CoffreError, DoorUnproven, Interrupted, Secured
from vault.results import TargetOutcome, TargetRecord

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
    """Invariant 7: with its door open it failed; without, it was not opened."""
    trip = _Trip(target=TARGET, night=NIGHT, error=error)
    assert trip.result(None).outcome is TargetOutcome.NOT_OPENED
    trip.opened = Opened(number=1, vault=NOTHING)
    assert trip.result(None).outcome is TargetOutcome.FAILED
