"""Scenario 2. Goal: the right disk is written to, and every other one is refused by its name."""

from __future__ import annotations

import os
import sqlite3
import subprocess
from pathlib import Path

import pytest

from tests.rigs.disk import Disk, attached, mounted
from tests.rigs.judge import files_of, holders, soundness
from tests.rigs.vaults import ScratchVault
from tests.scenarios.conftest import copy_tree

pytestmark = pytest.mark.root

OnDisk = tuple[ScratchVault, Disk]
OnImage = tuple[ScratchVault, Path]


def outcome(night: dict) -> str:
    return night["targets"][0]["outcome"]


def image_bytes(medium: Disk) -> bytes:
    return subprocess.run(["sha256sum", medium.image], capture_output=True, check=True).stdout


def test_an_absent_medium_is_a_state_of_its_own_and_it_catches_up(
    on_image: OnImage, tmp_path: Path
) -> None:
    """Invariant 7: three nights without the disk are 75 each; then one opening carries all."""
    vault, image = on_image
    for night in (2, 3, 4):
        vault.grow(night)
        away = vault.run().ok(75).document
        assert outcome(away) == "media-absent"
        assert away["verdict"] == "media-absent"
    with attached(image) as medium:
        back = vault.run().ok().document
        assert outcome(back) == "admitted"
        listed = vault.coffre("target", "list").ok().document["targets"][0]
        assert listed["held_cycles"] == [1, 5]
        device = Path(medium.device)
        history = vault.history
        assert soundness(device, vault.password, scratch=tmp_path, history=history) == []


def test_fault_54_of_two_media_that_claim_to_be_the_target_none_is_opened(
    on_disk: OnDisk, tmp_path: Path
) -> None:
    """A block for block copy beside the disk: refused, named as a clone."""
    vault, medium = on_disk
    clone = tmp_path / "clone.img"
    copy_tree(medium.image, clone)
    vault.grow(2)
    before = image_bytes(medium)
    with attached(clone) as other:
        night = vault.run().ok(7).document
        assert outcome(night) == "impostor"
        reason = night["targets"][0]["reasons"][0]
        assert medium.device in reason
        assert other.device in reason
    assert image_bytes(medium) == before


def test_fault_55_an_older_copy_of_the_disk_is_refused_as_rolled_back(
    on_image: OnImage, tmp_path: Path
) -> None:
    """Its signed head is older than the one we wrote last."""
    vault, image = on_image
    older = tmp_path / "older.img"
    copy_tree(image, older)
    vault.grow(2)
    with attached(image):
        vault.run().ok()
    vault.grow(3)
    with attached(older) as copy:
        night = vault.run().ok(7).document
        assert outcome(night) == "impostor"
        assert "older" in night["targets"][0]["reasons"][0]
        assert holders(copy.device) == []
    with attached(image):
        assert outcome(vault.run().ok().document) == "admitted"


def test_fault_56_a_wrong_disk_with_the_right_label_is_nothing_to_us(
    on_image: OnImage, tmp_path: Path
) -> None:
    """Labels and names are never asked."""
    vault, image = on_image
    wrong = tmp_path / "wrong.img"
    with wrong.open("wb") as file:
        file.truncate(image.stat().st_size)
    subprocess.run(["mkfs.ext4", "-q", "-L", "coffre-disk-a", str(wrong)], check=True)
    before = wrong.read_bytes()
    vault.grow(2)
    with attached(wrong):
        assert outcome(vault.run().ok(75).document) == "media-absent"
    assert wrong.read_bytes() == before


def test_fault_57_a_medium_that_the_host_has_mounted_is_the_loudest_alarm(
    on_disk: OnDisk, tmp_path: Path
) -> None:
    """An automounter got it first: the door is not shut, so nothing opens, and it is said."""
    vault, medium = on_disk
    vault.grow(2)
    with mounted(medium.device, tmp_path / "auto"):
        night = vault.run()
        assert night.code == 5, night.stdout
        assert night.document["status"] == "degraded"
        assert vault.coffre("status").code == 5
        assert vault.coffre("doctor").code == 5
    assert vault.run().ok().document["status"] == "locked"
    assert vault.coffre("status").ok().document["status"] == "locked"


def test_fault_58_what_went_from_the_target_is_carried_again_and_told(
    on_disk: OnDisk, tmp_path: Path
) -> None:
    """Absence is seen on the target itself, never taken from the records; no green over it."""
    vault, medium = on_disk
    with mounted(medium.device, tmp_path / "tamper") as root:
        gone = next((root / "repository" / "index").iterdir())
        subprocess.run(["chattr", "-i", gone], check=True)
        gone.unlink()
        (root / "repository" / "snapshots" / ("f" * 64)).write_bytes(b"alien")
    vault.grow(2)
    night = vault.run().ok(3).document
    assert outcome(night) == "admitted"
    assert "gone from the medium" in night["targets"][0]["reasons"][0]
    with mounted(medium.device, tmp_path / "look", "ro") as root:
        assert (root / "repository" / "index" / gone.name).exists()
        assert (root / "repository" / "snapshots" / ("f" * 64)).exists()
    to = tmp_path / "back"  # through the view the alien snapshot is not there
    vault.coffre("restore", "hr", "--from", "disk-a", "--to", str(to)).ok()
    assert files_of(to) == files_of(vault.exports("hr"))


def test_fault_58_a_target_without_its_config_is_refused(on_disk: OnDisk, tmp_path: Path) -> None:
    """What enrolment wrote is never written again by a night."""
    vault, medium = on_disk
    with mounted(medium.device, tmp_path / "tamper") as root:
        subprocess.run(["chattr", "-i", root / "repository" / "config"], check=True)
        (root / "repository" / "config").unlink()
    vault.grow(2)
    night = vault.run().ok(7).document
    assert outcome(night) == "impostor"
    with mounted(medium.device, tmp_path / "look", "ro") as root:
        assert not (root / "repository" / "config").exists()


def test_a_forged_identity_is_refused(on_disk: OnDisk, tmp_path: Path) -> None:
    """Only the vault's own signature is believed."""
    vault, medium = on_disk
    with mounted(medium.device, tmp_path / "tamper") as root:
        identity = root / "coffre" / "identity"
        subprocess.run(["chattr", "-i", identity], check=True)
        identity.write_bytes(identity.read_bytes().replace(b"disk-a", b"disk-b"))
    vault.grow(2)
    assert outcome(vault.run().ok(7).document) == "impostor"
    assert holders(medium.device) == []


def test_a_first_copy_larger_than_its_window_goes_on_the_next_night(
    on_disk: OnDisk, tmp_path: Path
) -> None:
    """Partial is a result of its own, with bytes and nights left; the next night is whole."""
    vault, medium = on_disk
    vault.grow(2)
    short = vault.run("--for", "29s").ok(3).document  # the soft deadline is 30 s before the end
    assert outcome(short) == "partial"
    assert short["verdict"] == "partial"
    assert short["targets"][0]["left_bytes"] > 0
    whole = vault.run().ok().document
    assert outcome(whole) == "admitted"
    assert whole["targets"][0]["left_bytes"] == 0
    assert (
        soundness(Path(medium.device), vault.password, scratch=tmp_path, history=vault.history)
        == []
    )


def test_a_medium_that_is_too_small_is_refused_before_the_first_write(
    on_disk: OnDisk, tmp_path: Path
) -> None:
    """Fault 41 seen ahead: full is told with what is needed; nothing of it is on the disk."""
    vault, medium = on_disk
    big = vault.exports("hr") / "big.bin"
    big.write_bytes(os.urandom(150 << 20))
    os.utime(big, (1, 1))
    before = image_bytes(medium)
    night = vault.run(timeout_s=300).ok(1).document
    assert outcome(night) == "full"
    assert image_bytes(medium) == before


def test_enrolling_destroys_nothing_without_a_yes(on_disk: OnDisk, tmp_path: Path) -> None:
    """And never a medium that is a target already."""
    vault, medium = on_disk
    before = image_bytes(medium)
    vault.config.write_text(vault.config.read_text() + "  disk-b: {door: disk, store: files}\n")
    words = ("target", "enrol", "disk-b", "--device", medium.device)
    assert vault.coffre(*words, "--format").code == 2
    assert vault.coffre(*words, "--yes").code == 1  # it carries disk-a's identity
    refused = vault.coffre(*words, "--format", "--yes")
    assert refused.code == 2
    assert "disk-a" in refused.document["error"]["message"]
    assert image_bytes(medium) == before
    vault.coffre("target", "retire", "disk-a", "--yes").ok()
    vault.coffre(*words, "--format", "--yes").ok()  # given up first, by its name


def test_a_death_between_the_head_and_its_record_is_no_impostor(
    on_disk: OnDisk, tmp_path: Path
) -> None:
    """The head was announced before the door opened: what it says is ours, whenever we died."""
    vault, _medium = on_disk
    vault.grow(2)
    vault.run().ok()
    catalogue = sqlite3.connect(vault.state / "catalogue.sqlite")
    with catalogue:  # as a death after the publishing leaves it
        newest = "(SELECT max(number) FROM target_head)"
        catalogue.execute(f"UPDATE target_head SET confirmed = 0 WHERE number = {newest}")
    catalogue.close()
    vault.grow(3)
    assert outcome(vault.run().ok().document) == "admitted"
