"""Scenario 1. Goal: exports cross to an offline disk, come back byte-equal, and nothing is silent.

Real restic, a real ext4 on a loop device, the real command.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.rigs.disk import Disk, disk
from tests.rigs.judge import files_of, holders, soundness
from tests.rigs.vaults import ScratchVault, make_vault, write_file

pytestmark = pytest.mark.root

OnDisk = tuple[ScratchVault, Disk]  # one night is on it


@pytest.fixture
def medium(tmp_path: Path):
    with disk(tmp_path / "disk.img", size_bytes=128 << 20) as made:
        yield made


def enrolled(tmp_path: Path, medium: Disk) -> ScratchVault:
    vault = make_vault(tmp_path / "vault", targets={"disk-a": "disk"})
    vault.init()
    vault.enrol("disk-a", device=medium.device)
    return vault


def judged(vault: ScratchVault, medium: Disk, scratch: Path) -> list[str]:
    return soundness(Path(medium.device), vault.password, scratch=scratch, history=vault.history)


def test_exports_cross_and_come_back_byte_equal(tmp_path: Path, medium: Disk) -> None:
    """Odd names and all: Latin-1, NFC beside NFD, a newline, a leading dash, 255 bytes."""
    vault = enrolled(tmp_path, medium)
    night = vault.run().ok().document
    assert night["verdict"] == "sound"
    assert night["status"] == "locked"
    target = night["targets"][0]
    assert target["outcome"] == "admitted"
    assert target["read_back_bytes"] == target["admitted_bytes"] > 0
    assert target["disconnection"] == "unmounted"
    assert 0 < target["exposure_s"] < 30
    assert holders(medium.device) == []
    assert judged(vault, medium, tmp_path) == []
    for source in ("pmsi", "hr"):
        for origin in ("landing", "disk-a"):
            to = tmp_path / f"{origin}-{source}"
            back = vault.coffre("restore", source, "--from", origin, "--to", str(to)).ok()
            assert back.document["mismatches"] == []
            assert files_of(to) == files_of(vault.exports(source))
    assert holders(medium.device) == []


def test_a_night_with_nothing_new_opens_no_door_and_makes_no_snapshot(
    on_disk: OnDisk, tmp_path: Path
) -> None:
    """Fault 25: the door stays shut, and the night is sound."""
    vault, _medium = on_disk
    second = vault.run().ok().document
    assert second["targets"][0]["outcome"] == "nothing-new"
    assert second["targets"][0]["exposure_s"] == 0
    assert [s["verdict"] for s in second["sources"]] == ["unchanged", "unchanged"]
    assert len(list((vault.landing / "snapshots").iterdir())) == 3  # two sources, the records


def test_every_night_held_can_be_gone_back_to(on_disk: OnDisk, tmp_path: Path) -> None:
    """Travel in time, from the target, through the view of each cycle."""
    vault, _medium = on_disk
    was = {1: files_of(vault.exports("hr"))}
    for night in (2, 3):
        vault.grow(night)
        was[night] = files_of(vault.exports("hr"))
        vault.run().ok()
    for night, files in was.items():
        to = tmp_path / f"night-{night}"
        words = ("restore", "hr", "--from", "disk-a", "--cycle", str(night), "--to", str(to))
        assert vault.coffre(*words).ok().document["cycle"] == night
        assert files_of(to) == files
    assert judged(vault, _medium, tmp_path) == []


def test_one_file_comes_back_without_the_others(on_disk: OnDisk, tmp_path: Path) -> None:
    """A path, or a folder, of a source."""
    vault, _medium = on_disk
    to = tmp_path / "one"
    vault.coffre("restore", "pmsi", "2026/M02.txt", "deep", "--to", str(to)).ok()
    assert {path for path, _ in files_of(to)} == {b"2026/M02.txt", b"deep/er/than/most.bin"}
    gone = vault.coffre("restore", "pmsi", "2026/M12.txt", "--to", str(tmp_path / "none"))
    assert gone.code == 1
    assert gone.document["error"]["reference"] == "nothing-to-restore"
    assert not (tmp_path / "none").exists()


def test_restore_refuses_a_folder_that_holds_something(on_disk: OnDisk, tmp_path: Path) -> None:
    """Nothing of what is there is touched."""
    vault, _medium = on_disk
    full = tmp_path / "full"
    write_file(os.fsencode(full / "mine"), b"mine")
    refused = vault.coffre("restore", "pmsi", "--to", str(full))
    assert refused.code == 2
    assert refused.document["error"]["reference"] == "destination-not-empty"
    assert files_of(full) == files_of(full)
    assert [path.name for path in full.iterdir()] == ["mine"]


def test_a_missing_or_empty_source_is_a_gap_and_the_others_go_on(
    on_disk: OnDisk, tmp_path: Path
) -> None:
    """Fault 28: never a green snapshot of nothing; restic exits 0 on both."""
    vault, _medium = on_disk
    hr = vault.exports("hr")
    hr.rename(tmp_path / "away")
    night = vault.run().ok(3).document
    assert {s["name"]: s["verdict"] for s in night["sources"]}["hr"] == "missing"
    hr.mkdir()
    night = vault.run().ok(3).document
    assert {s["name"]: s["verdict"] for s in night["sources"]}["hr"] == "empty"
    assert night["verdict"] == "incomplete"
    back = vault.coffre("restore", "hr", "--to", str(tmp_path / "back")).ok().document
    assert back["files"] == len(files_of(tmp_path / "away"))


def test_links_and_sockets_are_listed_and_never_followed(on_disk: OnDisk, tmp_path: Path) -> None:
    """A symbolic link to the host's secrets stays outside."""
    vault, _medium = on_disk
    (vault.exports("hr") / "link").symlink_to("/etc/shadow")
    os.mkfifo(vault.exports("hr") / "pipe")
    night = vault.run().ok().document
    reasons = " ".join(next(s for s in night["sources"] if s["name"] == "hr")["reasons"])
    assert "links, sockets or unlawful names, not taken: 2" in reasons
    assert "pipe" not in reasons  # a journal is read by others: it counts, it does not name
    to = tmp_path / "back"
    vault.coffre("restore", "hr", "--to", str(to)).ok()
    assert not (to / "link").exists()
    assert not (to / "pipe").exists()


def test_catalogue_and_ledger_cross_with_every_changed_night(
    on_disk: OnDisk, tmp_path: Path
) -> None:
    """Losing the vault host loses neither: plain restic gives them back from the medium."""
    vault, _medium = on_disk
    to = tmp_path / "records"
    vault.coffre("restore", "coffre", "--from", "disk-a", "--to", str(to)).ok()
    names = {path.name for path in to.iterdir()}
    assert names == {"catalogue.sqlite", "ledger.jsonl", "vault.yaml"}
    lines = (to / "ledger.jsonl").read_text().splitlines()
    assert json.loads(lines[0])["n"] == 0
    assert any(json.loads(line)["kind"] == "cycle-begun" for line in lines)


def test_no_name_of_an_exported_file_is_in_public_or_in_the_ledger(
    on_disk: OnDisk, tmp_path: Path
) -> None:
    """Fault 77's cousin: names may carry more than FINESS and period."""
    vault, _medium = on_disk
    write_file(os.fsencode(vault.exports("hr") / "DUPONT Jean.pdf"), b"fictional")
    (vault.exports("hr") / "MARTIN Anne.lnk").symlink_to("nowhere")
    vault.run().ok()
    for path in (vault.state / "ledger" / "ledger.jsonl", vault.state / "public" / "status.json"):
        text = path.read_text()
        assert "DUPONT" not in text
        assert "MARTIN" not in text


def test_dry_run_touches_nothing(on_disk: OnDisk, tmp_path: Path) -> None:
    """The plan is a value."""
    vault, _medium = on_disk
    vault.grow(2)
    before = (vault.state / "ledger" / "ledger.jsonl").read_bytes()
    plan = vault.run("--dry-run").ok().document
    assert plan["sources"] == ["pmsi", "hr"] or set(plan["sources"]) == {"pmsi", "hr"}
    assert (vault.state / "ledger" / "ledger.jsonl").read_bytes() == before
    assert len(list((vault.landing / "snapshots").iterdir())) == 3
