"""Scenario 30. Goal: a vault whose records are spoilt or incomplete is never told to be sound."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sqlite3
import subprocess
from pathlib import Path

import pytest

from tests.rigs.disk import Disk, mounted
from tests.rigs.vaults import ScratchVault

# -- records that cannot be read


@pytest.mark.parametrize("content", ["", "[]", "{}"])
def test_status_that_cannot_be_read_counts_as_open(held: ScratchVault, content: str) -> None:
    """A power cut may leave the public file empty: one line, and the alarm."""
    (held.state / "public" / "status.json").write_text(content)
    told = held.coffre("status").ok(5)
    assert told.document["error"]["reference"] == "door-unproven"


# -- what else is broken holds neither the button nor the other sources


def test_red_button_works_with_a_configuration_that_does_not_load(held: ScratchVault) -> None:
    """It is pressed, and the list of doors says what is to be shut and asked."""
    written = held.config.read_text()
    held.config.write_text(written.replace("policy: hr", "policy: none-such"))
    held.coffre("secure", "--reason", "odd mail", "--by", "Ana").ok()
    assert held.coffre("status").code == 6
    held.config.write_text(written)
    assert held.run().code == 6


@pytest.mark.root
@pytest.mark.xdist_group("disk")
def test_disk_that_is_mounted_is_told_when_the_catalogue_is_damaged(
    on_disk: tuple[ScratchVault, Disk], tmp_path: Path
) -> None:
    """Invariants 2 and 3: the list says which disk is asked; once let go, it is proven shut."""
    vault, disk = on_disk
    os.truncate(vault.state / "catalogue.sqlite", 5000)
    with mounted(disk.device, tmp_path / "by-hand", "ro", "noload"):
        told = vault.coffre("run", "--now").ok(5).document
        assert "disk-a" in told["error"]["message"]
        assert told["verdict"] == "degraded"
    doctor = vault.coffre("doctor").ok(1).document
    held = next(item for item in doctor["findings"] if item["name"] == "door disk-a")
    assert held["good"], held


def test_secret_that_is_missing_is_a_gap_of_its_source_alone(held: ScratchVault) -> None:
    """The others are saved, and the button needs no secret at all."""
    lab = "  lab: {policy: laboratory, sftp: {host: 127.0.0.1, port: 9, user: lab, path: /x, "
    lab += "key: {file: secrets/none}, known_hosts: secrets/none}}\ntargets:"
    held.config.write_text(held.config.read_text().replace("targets:", lab))
    held.grow(2)
    night = held.run().ok(3).document
    verdicts = {source["name"]: source["verdict"] for source in night["sources"]}
    assert verdicts == {"pmsi": "saved", "hr": "saved", "lab": "failed"}
    held.coffre("secure", "--reason", "odd mail", "--by", "Ana").ok()


def test_night_that_cannot_be_planned_shuts_the_doors_all_the_same(held: ScratchVault) -> None:
    """Invariant 2: what a death left open is shut at the next start, whatever else is wrong."""
    airlock = held.state / "airlock.json"
    airlock.write_text(airlock.read_text().replace('"locked"', '"pulling"'))
    held.run("--target", "none-such").ok(2)
    assert '"locked"' in airlock.read_text()


# -- recovery deletes and adopts nothing that was there before the run that died


def test_alien_is_neither_removed_nor_carried_when_a_backup_died(held: ScratchVault) -> None:
    """Third fence: what no run of ours made does not become ours by a power cut."""
    content = b"left by nobody knows whom"
    name = hashlib.sha256(content).hexdigest()
    alien = held.landing / "data" / name[:2] / name
    alien.write_bytes(content)
    held.grow(2)
    held.run().ok(3)
    with contextlib.closing(sqlite3.connect(held.state / "catalogue.sqlite")) as catalogue:
        dead = json.dumps({"cycle": 2, "source": "hr", "bytes": 1000})
        catalogue.execute("INSERT OR REPLACE INTO fact VALUES ('running-backup', ?)", (dead,))
        catalogue.commit()
    held.run().ok(3)
    assert alien.read_bytes() == content
    assert not (held.trial / "repository" / "data" / name[:2] / name).exists()


# -- the front door


def test_restore_stays_out_of_state_exports_and_targets(held: ScratchVault) -> None:
    """What is restored there would be an alien, an export, or a write past the vault door."""
    for place in (held.landing / "data" / "x", held.trial / "x", held.exports("hr") / "x"):
        held.coffre("restore", "hr", "--to", str(place)).ok(2)
        assert not place.exists()


def test_night_goes_on_when_nobody_reads_its_progress(held: ScratchVault) -> None:
    """Telling never fails a night."""
    held.grow(2)
    words = [word for word in held.argv("run", "--now") if word != "--json"]
    read_end, write_end = os.pipe()
    os.close(read_end)
    night = subprocess.run(
        words, stderr=write_end, stdout=subprocess.PIPE, env=held.environment(), check=False
    )
    os.close(write_end)
    assert night.returncode == 0, night.stdout


def test_command_that_a_signal_ended_is_told_as_a_shell_would(held: ScratchVault) -> None:
    """An exit code is never negative."""
    words = ("target", "open", "trial", "--for", "1m", "--reason", "x", "--")
    told = held.coffre(*words, "sh", "-c", "kill -9 $$").ok(1).document
    assert (told["exit_code"], told["exit"]) == (1, 137)


def test_vault_where_nothing_runs_any_more_is_not_told_from_its_last_good_night(
    held: ScratchVault,
) -> None:
    """Invariant 7: who watches without root reads a file that nobody writes any more."""
    public = held.state / "public" / "status.json"
    status = json.loads(public.read_text())
    status["gaps"] = []
    status["last_cycle"]["ended_at"] = status["written_at"] = "2026-01-05T03:00:00+00:00"
    public.write_text(json.dumps(status))
    person = [word for word in held.argv("status") if word != "--json"]
    told = subprocess.run(
        person, capture_output=True, text=True, env=held.environment(), check=True
    )
    assert "no night has run" in told.stdout
