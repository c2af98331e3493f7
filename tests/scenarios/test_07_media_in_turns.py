"""Scenario 7. Goal: media of a set take turns; the wrong one is told by its name and stays shut."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import subprocess
from pathlib import Path

import pytest

from tests.rigs.disk import attached
from tests.rigs.vaults import Answer, ScratchVault
from tests.scenarios.conftest import DISK_BYTES


def a_day_passes(vault: ScratchVault) -> None:
    """Make what media hold a day older in the records, as if it were the next night."""
    with contextlib.closing(sqlite3.connect(vault.state / "catalogue.sqlite")) as catalogue:
        catalogue.execute(
            "UPDATE target_hold SET at = strftime('%Y-%m-%dT%H:%M:%f', at, '-1 days') "
            "|| '000+00:00'"
        )
        catalogue.commit()


def outcomes(night: Answer) -> dict[str, str]:
    return {target["name"]: target["outcome"] for target in night.document["targets"]}


def ledger(vault: ScratchVault, kind: str) -> list[dict]:
    lines = (vault.state / "ledger" / "ledger.jsonl").read_text("utf-8").splitlines()
    return [entry["body"] for entry in map(json.loads, lines) if entry["kind"] == kind]


def content(image: Path) -> bytes:
    return subprocess.run(["sha256sum", image], capture_output=True, check=True).stdout


def blank(image: Path) -> Path:
    with image.open("wb") as file:
        file.truncate(DISK_BYTES)
    return image


@pytest.mark.root
def test_two_disks_take_turns_and_the_wrong_one_is_not_opened(
    on_image: tuple[ScratchVault, Path], tmp_path: Path
) -> None:
    """Three nights after A's: A again, which is B's; B; then B out of turn, recorded."""
    vault, disk_a = on_image
    disk_b = blank(tmp_path / "b.img")
    with vault.config.open("a") as config:
        config.write("  disk-b: {door: disk}\nsets: {daily: {targets: [disk-a, disk-b], ")
        config.write("every: night}}\n")
    with attached(disk_b) as medium:
        vault.enrol("disk-b", device=medium.device)
    a_day_passes(vault)
    vault.grow(2)

    plan = vault.coffre("run", "--now", "--dry-run").ok().document
    assert [one["name"] for one in plan["targets"]] == ["disk-b"]
    assert [(one["name"], one["expected"]) for one in plan["resting"]] == [("disk-a", "disk-b")]
    before = content(disk_a)
    with attached(disk_a):
        wrong = vault.run().ok(75)
    assert content(disk_a) == before
    assert wrong.document["verdict"] == "media-absent"
    assert outcomes(wrong) == {"disk-b": "media-absent", "disk-a": "not-opened"}
    assert wrong.document["targets"][1]["reasons"] == [
        "not its turn in the set daily: disk-b is expected, 1 go before it"
    ]
    with attached(disk_b):
        assert outcomes(vault.run().ok()) == {"disk-b": "admitted"}
        a_day_passes(vault)
        vault.grow(3)
        forced = vault.run("--target", "disk-b").ok()  # --now is in it
        assert outcomes(forced) == {"disk-b": "admitted"}
    assert ledger(vault, "out-of-turn") == [
        {"cycle": 4, "target": "disk-b", "set": "daily", "expected": "disk-a"}
    ]

    due = vault.coffre("target", "due", "--days", "3").ok().document
    assert [one["target"] for one in due["due"]] == ["disk-b", "disk-a", "disk-b"]
    assert due["shield"]["youngest"]["target"] == "disk-a"  # away while B connects
    assert {one["name"]: one["others_before"] for one in due["media"]} == {"disk-a": 0, "disk-b": 0}


def in_sets(vault: ScratchVault, others: int, said: str) -> None:
    """Add folders beside the trial's, and the set of all of them."""
    names = [f"f{n}" for n in range(1, others + 1)]
    with vault.config.open("a") as config:
        config.writelines(f"  {name}: {{door: {{folder: {name}}}}}\n" for name in names)
        config.write(f"sets: {{s: {{targets: [{', '.join([*names, 'trial'])}], {said}}}}}\n")
    for name in names:
        vault.enrol(name)


@pytest.mark.long
def test_a_medium_stands_in_when_it_has_waited_enough(held: ScratchVault) -> None:
    """Three media with reuse_after 1: the one whose turn it is may be replaced by one at rest."""
    a_day_passes(held)
    in_sets(held, 2, "every: night, reuse_after: 1")
    held.grow(2)
    away = held.folder / "away"
    (held.folder / "f1").rename(away)
    night = held.run().ok()
    assert outcomes(night) == {"f2": "admitted"}
    assert night.document["warnings"] == ["it was the turn of f1: f2 was there in its place"]
    a_day_passes(held)
    held.grow(3)
    held.trial.rename(held.folder / "away-too")
    wrong = held.run().ok(75)
    assert outcomes(wrong) == {"f1": "media-absent", "f2": "not-opened"}
    assert wrong.document["status"] == "locked"
    away.rename(held.folder / "f1")
    assert outcomes(held.run().ok()) == {"f1": "admitted"}


@pytest.mark.long
def test_a_set_that_owes_nothing_tonight_makes_a_sound_night(held: ScratchVault) -> None:
    """A month's medium is written once in its month; the other nights fill the landing only."""
    in_sets(held, 1, "every: month")
    with contextlib.closing(sqlite3.connect(held.state / "catalogue.sqlite")) as catalogue:
        catalogue.execute("UPDATE target_hold SET at = strftime('%Y-%m-02T12:30:00.000000+00:00')")
        catalogue.commit()
    held.grow(2)
    night = held.run().ok()
    assert night.document["verdict"] == "sound"
    assert outcomes(night) == {}
    assert {source["verdict"] for source in night.document["sources"]} == {"saved"}
    asked = held.coffre("run", "--target", "trial").ok(3)
    assert outcomes(asked) == {"trial": "not-opened"}
    assert asked.document["targets"][0]["reasons"] == [
        "not its turn: the set s owes nothing tonight"
    ]
