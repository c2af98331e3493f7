"""What the catalogue hands out beyond the results and records every part knows.

Rule 1: times are aware UTC, hashes and ids lower-case hex, sizes bytes.
Rule 2: nothing here imports the database layer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from vault.records import Hold, PublishedHead
from vault.results import SnapshotRecord, TargetRecord

if TYPE_CHECKING:
    from datetime import datetime

    from vault.results import Exposure, TargetOutcome


@dataclass(frozen=True, slots=True, kw_only=True)
class OpeningRecord:
    """One opening of a vault door, announced before the door moved."""

    number: int
    target: str
    purpose: str
    writing: bool
    cycle: int | None
    opened_at: datetime
    exposure: Exposure | None  # None while it was not closed


@dataclass(frozen=True, slots=True, kw_only=True)
class LastAdmission:
    """The newest ended cycle that carried something onto a target."""

    cycle: int
    at: datetime
    outcome: TargetOutcome


__all__ = [
    "Hold",
    "LastAdmission",
    "OpeningRecord",
    "PublishedHead",
    "SnapshotRecord",
    "TargetRecord",
]
