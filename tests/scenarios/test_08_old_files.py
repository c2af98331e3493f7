"""Scenario 8. Goal: what crossed long ago is read back, and damage is never green."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.rigs.disk import attached, mounted
from tests.rigs.vaults import Answer, ScratchVault


def read_back(vault: ScratchVault) -> None:
    text = vault.config.read_text("utf-8")
    assert "store: files}" in text
    vault.config.write_text(text.replace("store: files}", "store: files, read_back_old: 30s}"))


def damage_a_pack(repository: Path) -> str:
    """Turn the last byte of the oldest large pack over; give its name."""
    packs = [path for path in (repository / "data").rglob("*") if path.is_file()]
    pack = max(packs, key=lambda path: path.stat().st_size)
    os.chmod(pack, 0o600)
    content = bytearray(pack.read_bytes())
    content[-1] ^= 1
    with pack.open("r+b") as file:
        file.write(content)
    return pack.name


def target_of(night: Answer) -> dict:
    return night.document["targets"][0]


def told(vault: ScratchVault) -> list[dict]:
    lines = (vault.state / "ledger" / "ledger.jsonl").read_text("utf-8").splitlines()
    return [entry["body"] for entry in map(json.loads, lines) if entry["kind"] == "read-back"]


def test_damage_to_an_old_file_ends_every_night_with_4_until_it_is_gone(held: ScratchVault) -> None:
    """A sound round first; then one byte, which the carrying of new files would never see."""
    read_back(held)
    held.grow(2)
    sound = target_of(held.run().ok())
    assert sound["outcome"] == "admitted"
    assert sound["old_files"] > 0
    assert 0 < sound["old_s"] < sound["exposure_s"]
    media = held.coffre("target", "due").ok().document["media"]
    assert media[0]["read_back_since"]

    name = damage_a_pack(held.trial / "repository")
    held.grow(3)
    night = held.run().ok(4)
    assert night.document["verdict"] == "corrupt"
    assert night.document["status"] == "locked"
    assert any(name in reason for reason in target_of(night)["reasons"])
    assert target_of(night)["admitted_files"] > 0  # what is new crossed all the same
    again = held.run().ok(4)  # nothing new, and the damage is said again
    assert any(name in reason for reason in target_of(again)["reasons"])
    first, second, third = told(held)
    assert first["corrupt"] == []
    assert [one["corrupt"][0].endswith(name) for one in (second, third)] == [True, True]
    assert third["proven_since"] == first["proven_since"]  # no round ended since


@pytest.mark.long
@pytest.mark.root
def test_on_a_real_disk_the_medium_is_read_and_not_the_cache(
    on_image: tuple[ScratchVault, Path], tmp_path: Path
) -> None:
    """The byte is turned on the file system; what was admitted is immutable there."""
    vault, image = on_image
    read_back(vault)
    vault.grow(2)
    with attached(image) as medium:
        assert target_of(vault.run().ok())["old_files"] > 0
        with mounted(medium.device, tmp_path / "by-hand") as root:
            os.system(f"chattr -R -i {root}/repository")
            name = damage_a_pack(root / "repository")
        vault.grow(3)
        night = vault.run().ok(4)
        assert any(name in reason for reason in target_of(night)["reasons"])
