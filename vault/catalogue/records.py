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

    from vault.results import TargetOutcome


@dataclass(frozen=True, slots=True, kw_only=True)
class LastAdmission:
    """The newest ended cycle that carried something onto a target."""

    cycle: int
    at: datetime
    outcome: TargetOutcome


__all__ = [
    "Hold",
    "LastAdmission",
    "PublishedHead",
    "SnapshotRecord",
    "TargetRecord",
]
