"""Scenario 10. Goal: whatever somebody plants or breaks in the landing, the target stays sound.

Every attack of the registry, each on a vault of its own that holds one night on its target and has
a second one waiting in the landing.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from tests.rigs.attacks import ATTACKS, Attack
from tests.rigs.judge import files_of, soundness
from tests.rigs.restics import restic_named
from tests.rigs.vaults import ScratchVault

# What a night may end with, by the fence that must hold: 7 refused, 1 not begun, 3 incomplete.
CODES = {"gate": {1, 7}, "pin": {1}, "refuse": {7}, "alien": {3, 7}, "unharmed": {0, 3, 7}}
SHUT = {"gate", "pin", "refuse"}
# Our landings are made in format 2: there is nothing to upgrade.
TRIED = [attack for attack in ATTACKS.values() if attack.version != 1]


def tree(folder: Path) -> dict[str, int]:
    """Give every file and its size; nothing is opened."""
    found = folder.rglob("*")
    return {str(p.relative_to(folder)): p.lstat().st_size for p in found if not p.is_dir()}


def contents(folder: Path) -> dict[str, str]:
    """Give every file and the hash of its bytes."""
    files = (path for path in folder.rglob("*") if not path.is_dir())
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
    }


@pytest.fixture(scope="session")
def judged(waiting_once: ScratchVault, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The target as every attack finds it, judged once: sound while no byte of it changes."""
    scratch = tmp_path_factory.mktemp("judged")
    vault = waiting_once
    assert soundness(vault.trial, vault.password, scratch=scratch, history=vault.history) == []
    return contents(vault.trial)


@pytest.mark.parametrize("attack", TRIED, ids=lambda attack: attack.name)
def test_target_stays_sound_under(
    attack: Attack, waiting: ScratchVault, judged: dict[str, str], tmp_path: Path
) -> None:
    """Nothing planted crosses; where a gate, a pin or a hash stops it, no door opens at all."""
    before, ours = tree(waiting.trial), tree(waiting.landing)
    attack(waiting.landing, waiting.restic, waiting.password)
    planted = tree(waiting.landing).keys() - ours.keys()

    night = waiting.run(timeout_s=300)

    assert night.code in CODES[attack.expected], (night.code, night.stdout, night.stderr)
    after = tree(waiting.trial)
    if attack.expected in SHUT:
        assert after == before, "a door opened"
    assert before.items() <= after.items(), "something on the target went or changed"
    assert not {f"repository/{name}" for name in planted} & after.keys(), "it crossed"
    if attack.name != "stale-lock" and attack.expected == "alien":
        assert night.document["aliens"] >= 1
    if contents(waiting.trial) == judged:
        return
    problems = soundness(waiting.trial, waiting.password, scratch=tmp_path, history=waiting.history)
    assert problems == []


def test_first_night_comes_back_whatever_the_landing_became(
    held: ScratchVault, tmp_path: Path
) -> None:
    """Fault 26: the landing is emptied; the target gives the night back all the same."""
    for path in sorted(held.landing.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    assert held.run().code == 1
    to = tmp_path / "back"
    back = held.coffre("restore", "hr", "--from", "trial", "--to", str(to)).ok()
    assert back.document["mismatches"] == []
    assert files_of(to) == files_of(held.exports("hr"))


@pytest.mark.long
@pytest.mark.parametrize("attack", TRIED, ids=lambda attack: attack.name)
def test_target_stays_sound_with_a_newer_restic_under(
    attack: Attack, waiting: ScratchVault, tmp_path: Path
) -> None:
    """The same night run by a newer restic, and judged by it."""
    newer = restic_named("newer").path
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "restic").symlink_to(newer)
    attack(waiting.landing, newer, waiting.password)
    night = waiting.run(timeout_s=300, PATH=f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    assert night.code in CODES[attack.expected], (night.code, night.stdout, night.stderr)
    problems = soundness(
        waiting.trial, waiting.password, scratch=tmp_path, history=waiting.history, restic=newer
    )
    assert problems == []
