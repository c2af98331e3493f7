"""The production door that is none claims nothing."""

from __future__ import annotations

from vault.doors.none import NoDoor
from vault.results import Disconnection, DoorProof


def test_no_door_claims_no_airlock() -> None:
    """It says shut for our own pulls, and that the network stays."""
    door = NoDoor()
    door.open()
    report = door.shut("end of the pull")
    assert report.proof is DoorProof.SHUT
    assert report.disconnection is Disconnection.NONE
    assert not report.disconnection.is_offline
    assert any("no airlock is claimed" in clause for clause in report.evidence)


def test_no_door_shuts_at_any_hour() -> None:
    """Shutting what was never opened is no fault, and says the same."""
    assert NoDoor().shut("recovery") == NoDoor().shut("recovery")
