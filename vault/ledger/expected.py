"""The dead man's switch: a signed note that says until when the next night is expected.

    coffre expected next v1
    vault KEY-NAME
    site FINESS
    cycle 412
    verdict sound
    status locked
    gaps CRITICAL WARNING
    ended 2026-03-01T02:10:00Z
    next-before 2026-03-02T04:00:00Z
    ledger SIZE ROOT

Rule 1: a reader needs this file and the vault's public key, and nothing of the vault host.
Rule 2: it names no source, target or file: it may lie anywhere.
Source: C2SP signed-note; ``check_expected.py`` beside this module reads it with Python alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

TITLE = "coffre expected next v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What a monitoring host is to know of a vault that it cannot reach."""

    vault: str  # the name of the vault's key
    site: str
    cycle: int
    verdict: str
    status: str
    critical: int  # gaps that nobody has acknowledged
    warning: int
    ended_at: datetime
    next_before: datetime
    ledger: str  # number of entries and root of the newest signed head; "0 -" without one

    def to_text(self) -> bytes:
        """Write the lines that are signed."""
        lines = (
            TITLE,
            f"vault {self.vault}",
            f"site {self.site}",
            f"cycle {self.cycle}",
            f"verdict {self.verdict}",
            f"status {self.status}",
            f"gaps {self.critical} {self.warning}",
            f"ended {_instant(self.ended_at)}",
            f"next-before {_instant(self.next_before)}",
            f"ledger {self.ledger}",
        )
        return "".join(f"{line}\n" for line in lines).encode()


def _instant(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
