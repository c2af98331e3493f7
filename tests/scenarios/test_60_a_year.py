"""Scenario 60. Goal: a year with nobody looking: what is missed is told at once, nothing else is.

Catalogue, ledger, signatures, airlock, gate, carrying and gaps are the product's own; the clock
and the outside (media, doors, restic, exports) are a world in memory that does go wrong: host off,
disk forgotten, wrong, slow, full, bad or unable to shut, exports late, missing, empty, shrunk or
encrypted, clocks that jump, the red button, runs that die at any write. ``year_oracle`` says which
kinds of gaps it answers for. At every look, two or three a day, the gaps that are told are those
that must be: no more and no less. A failure tells seed, day and the diary of the world.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.rigs.year import NotAsItWas, Year
from vault import source_gaps, vault_gaps
from vault.gap import Gap

DAYS = 183
SEEDS = range(1, 13)
BEGINS = (datetime(2026, 1, 5, 11, tzinfo=UTC), datetime(2026, 7, 6, 11, tzinfo=UTC))


@pytest.fixture
def folder() -> Iterator[Path]:
    """Give a folder in memory where there is one: a year syncs a hundred thousand times."""
    shm = Path("/dev/shm")
    made = Path(tempfile.mkdtemp(prefix="coffre-year-", dir=shm if shm.is_dir() else None))
    yield made
    shutil.rmtree(made)


def test_six_weeks_are_told_as_they_were(folder: Path) -> None:
    """The spring change of the clocks is among their nights."""
    year = Year(folder, 7, begins=datetime(2026, 2, 20, 11, tzinfo=UTC))
    year.play(42)
    assert year.nights > 40
    assert len(year.told) >= 8, year.told


@pytest.mark.long
@pytest.mark.parametrize("seed", SEEDS)
def test_years_are_told_as_they_were(folder: Path, seed: int) -> None:
    """Half years, each with a change of the clocks and dozens of faults: six years of nights."""
    year = Year(folder, seed, begins=BEGINS[seed % 2])
    year.play(DAYS)
    assert year.nights > DAYS * 0.8
    assert len(year.told) > 12, year.told


@pytest.mark.long
@pytest.mark.parametrize("kind", ["objective-missed", "media-unseen", "source-missing"])
def test_a_year_goes_red_when_a_gap_is_lost(
    folder: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The oracle asks the product nothing: a rule that is gone is missed."""
    whole = vault_gaps.find_gaps

    def without(*words: object) -> tuple[Gap, ...]:
        return tuple(gap for gap in whole(*words) if gap.kind != kind)  # type: ignore[arg-type]

    monkeypatch.setattr("vault.wiring.standing.find_gaps", without)
    with pytest.raises(NotAsItWas) as told:
        Year(folder, 7).play(60)
    assert kind in {missed[0] for missed in told.value.missed}


def test_a_year_goes_red_when_a_gap_is_told_too_early(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An objective of an hour less is a false alarm each night."""
    whole = source_gaps.find_source_gaps
    monkeypatch.setattr(
        "vault.vault_gaps.find_source_gaps",
        lambda source, now: whole(source, now.replace(year=now.year + 1)),
    )
    with pytest.raises(NotAsItWas) as told:
        Year(folder, 7).play(10)
    assert "objective-missed" in {wrong[0] for wrong in told.value.wrong}
