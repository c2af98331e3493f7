"""What ``coffre doctor`` finds before a night does."""

from __future__ import annotations

from pathlib import Path

import pytest

pytestmark = pytest.mark.xdist_group("cli")


def landing_finding(told) -> dict:
    """Give what it says of the landing."""
    return next(item for item in told.document["findings"] if item["name"] == "landing")


def test_password_that_opens_no_key_is_found(mine, ask) -> None:
    """The file is there and read; only the landing can tell that it is the wrong one."""
    assert landing_finding(ask(mine, "doctor").ok())["good"]
    (mine.folder / "secrets" / "landing.pw").write_text("another\n")
    found = landing_finding(ask(mine, "doctor").ok(1))
    assert not found["good"]
    assert "opens no key" in found["says"]
    assert "recovery password" in found["mend"]


def test_recovery_password_does_in_the_place_of_the_landings(mine, ask, founded) -> None:
    """A lost landing password stops no night while the sheet is in the safe."""
    password = Path(mine.folder / "secrets" / "landing.pw")
    password.write_text(founded[1]["recovery_password"] + "\n")
    ask(mine, "doctor").ok()
    mine.grow(3)
    ask(mine, "run", "--now").ok()
