"""The production door of a vault that has none.

Rule 1: shutting proves only that our own pulls ended; no airlock is claimed, and the class of
    disconnection is none.
Rule 2: there is nothing to ask the world: whoever reads the report must see that.
Source: design, invariant 1.
"""

from __future__ import annotations

from typing import ClassVar

from vault.results import Disconnection, DoorProof, ShutReport


class NoDoor:
    """The host stays connected to the hospital network, always."""

    kind: ClassVar[str] = "none"

    def open(self) -> None:
        """Do nothing: the network is there."""

    def shut(self, reason: str) -> ShutReport:
        """Say that our own pulls ended, which is all that can be said."""
        return ShutReport(
            proof=DoorProof.SHUT,
            disconnection=Disconnection.NONE,
            evidence=(
                f"our own pulls ended ({reason})",
                "no production door: the hospital network stays connected, no airlock is claimed",
            ),
        )
