"""The restics the laws are held against, and scratch landings."""

from pathlib import Path

import pytest

from tests.rigs.restics import EVERY, restic_named, scratch_landing
from vault.restic import LandingRepository, Restic


@pytest.fixture(scope="session", params=EVERY)
def restic(request: pytest.FixtureRequest) -> Restic:
    """Give the installed restic, and in long runs the newer one too."""
    return restic_named(request.param)


@pytest.fixture
def landing(restic: Restic, tmp_path: Path) -> LandingRepository:
    """Give an empty landing whose keys open in milliseconds."""
    return scratch_landing(restic, tmp_path / "landing")
