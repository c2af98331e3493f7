"""Whatever else of a vault is spoilt, its doors are shut and asked, and an open one is told."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.rigs.judge import files_of
from tests.rigs.vaults import ScratchVault
from vault.airlock import Airlock
from vault.doors.folder import FolderDoor

pytestmark = pytest.mark.xdist_group("cli")


def catalogue_is_truncated(vault: ScratchVault) -> None:
    os.truncate(vault.state / "catalogue.sqlite", 5000)


def ledger_is_garbage(vault: ScratchVault) -> None:
    (vault.state / "ledger" / "ledger.jsonl").write_bytes(b"\x00garbage\n" * 50)


def configuration_has_a_typo(vault: ScratchVault) -> None:
    vault.config.write_text(vault.config.read_text().replace("policy: hr", "polcy: hr"))


def configuration_is_no_yaml(vault: ScratchVault) -> None:
    vault.config.write_text(vault.config.read_text() + "targets: [\n")


SPOILT = (
    catalogue_is_truncated,
    configuration_has_a_typo,
    pytest.param(ledger_is_garbage, marks=pytest.mark.long),
    pytest.param(configuration_is_no_yaml, marks=pytest.mark.long),
)
COMMANDS = (
    ("run", "--now"),
    ("doctor",),
    ("schedule", "evaluate"),
    ("target", "close"),
    ("secure", "--reason", "odd mail", "--by", "Ana"),
)


@pytest.fixture
def mine(vault: ScratchVault, ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ScratchVault:
    """A copy of the vault, its list of doors written; a door that is held is told at once."""
    kept = FolderDoor.__init__.__kwdefaults__
    monkeypatch.setitem(kept, "shut_timeout_s", 0.2)
    shutil.copytree(vault.folder, tmp_path / "v", symlinks=True)
    copy = ScratchVault(folder=tmp_path / "v", restic=vault.restic)
    ask(copy, "doctor")
    return copy


@contextmanager
def held_open(vault: ScratchVault) -> Iterator[None]:
    """Hold the folder's lock as a vault side does, and leave the state as a killed night would."""
    airlock = vault.state / "airlock.json"
    airlock.write_text(airlock.read_text().replace('"locked"', '"carrying"'))
    fd = os.open(vault.trial, os.O_RDONLY)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """Let nobody write below a folder, root neither."""
    subprocess.run(["mount", "--bind", folder, folder], check=True)
    try:
        subprocess.run(["mount", "-o", "remount,bind,ro", folder], check=True)
        yield
    finally:
        subprocess.run(["umount", folder], check=True)


@pytest.mark.parametrize("spoil", SPOILT)
def test_open_door_is_told_by_every_command_that_shuts(mine, ask, spoil) -> None:
    """Invariants 2 and 3: 5, and the vault is degraded, until the door is proven shut."""
    spoil(mine)
    with held_open(mine):
        for words in COMMANDS:
            told = ask(mine, *words)
            assert told.code == 5, (words, told)
    assert ask(mine, "target", "close").code == 0
    (mine.state / "secured.json").unlink()
    assert ask(mine, "doctor").code not in (0, 5)
    assert ask(mine, "run", "--now").code not in (0, 5)


def test_a_door_that_is_not_proven_shut_ends_every_command_that_asked_it_with_5(
    mine, ask, faults, tmp_path
) -> None:
    """Whatever it came to: files that came back whole, a test that went well, a wrong word."""
    before = ask(mine, "restore", "hr", "--to", str(tmp_path / "shut"))
    assert (before.code, before.stderr) == (0, "")
    with held_open(mine):
        for words in (
            ("restore", "hr", "--to", str(tmp_path / "landing")),
            ("restore", "hr", "--from", "trial", "--to", str(tmp_path / "trial")),
            ("restore", "hr", "--to", str(tmp_path / "shut")),
            ("drill", "run", "--source", "hr"),
            ("drill", "run", "--source", "hr", "--from", "trial"),
            ("drill", "run", "--due"),
            ("target", "open", "trial", "--for", "5m", "--reason", "a look", "--", "true"),
            ("retention", "apply", "--by", "Ana", "--yes"),
        ):
            told = ask(mine, *words)
            assert told.code == 5, (words, told)
            assert faults(told.document) == [], words
            assert told.document["exit_code"] == 5, words
            refused = told.document.get("error", {}).get("reference") == "door-unproven"
            assert refused or "DEGRADED" in told.stderr, (words, told)
    assert files_of(tmp_path / "landing") == files_of(tmp_path / "shut") != {}
    assert ask(mine, "restore", "hr", "--to", str(tmp_path / "after")).code == 0


def test_a_door_that_is_not_proven_shut_is_told_where_nobody_reads_the_answer(
    mine, tmp_path
) -> None:
    """``coffre restore … | head``: the pipe is gone, the door is as open as before."""
    to_nobody, answer = os.pipe()
    os.close(to_nobody)
    words = mine.argv("restore", "hr", "--to", str(tmp_path / "back"))
    with held_open(mine):
        told = subprocess.run(
            words, stdout=answer, stderr=subprocess.PIPE, env=mine.environment(), check=False
        )
    os.close(answer)
    assert (told.returncode, b"DEGRADED" in told.stderr) == (5, True), told.stderr


def broken(*_asked: object, **_said: object) -> None:
    """Meet what nothing expects, with a record line in its message."""
    raise KeyError("DUPONT Jeanne")


def test_a_fault_of_ours_while_a_door_is_asked_counts_as_open(mine, ask, monkeypatch) -> None:
    """It is no answer, whatever it is; what it says may be a line of an export."""
    with monkeypatch.context() as patch:
        patch.setattr(FolderDoor, "shut", broken)
        for words in (
            ("target", "close"),
            ("run", "--now"),
            ("doctor",),
            ("drill", "run", "--due"),
        ):
            told = ask(mine, *words)
            assert told.code == 5, (words, told)
            assert "DUPONT" not in told.stdout + told.stderr
    assert ask(mine, "run", "--now").ok()


def test_a_fault_of_ours_with_a_door_that_moves_ends_with_5_in_one_line(
    mine, ask, monkeypatch
) -> None:
    """Nobody knows where the door is: neither the fault's own code nor a traceback says so."""
    monkeypatch.setattr(Airlock, "_settle", broken)
    told = ask(mine, "run", "--now", json_too=False)
    assert told.code == 5, told
    assert "Traceback" not in told.stderr
    assert "KeyError, at airlock.py:" in told.stderr
    assert "DEGRADED" in told.stderr
    assert "DUPONT" not in told.stdout + told.stderr


def test_a_fault_of_ours_before_any_door_moves_is_a_failure_in_one_line(mine, ask, faults) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("vault.wiring.retention.read_dates", broken)
        told = ask(mine, "retention", "plan")
    assert (told.code, faults(told.document)) == (1, [])
    assert told.document["error"]["reference"] == "bug"


def test_status_is_locked_again_once_every_door_was_closed_by_hand(mine, ask) -> None:
    """Whoever pulled the cable and typed it need not wait for the next night to believe it."""
    with held_open(mine):
        assert ask(mine, "doctor").code == 5
        assert ask(mine, "status").code == 5
        assert ask(mine, "target", "close").code == 5
        assert ask(mine, "status").code == 5
    ask(mine, "target", "close").ok()
    assert ask(mine, "status").ok().document["status"] == "locked"


@pytest.mark.root
def test_open_door_is_told_where_the_state_takes_no_file(mine, ask) -> None:
    """A failing disk of the host is remounted read-only; what is open beside it stays open."""
    with held_open(mine), read_only(mine.state):
        for words in COMMANDS:
            assert ask(mine, *words).code == 5, words
    with read_only(mine.state):
        told = ask(mine, "doctor").ok(1).document["findings"]
    assert {item["name"]: item["good"] for item in told}["door trial"]


def test_open_door_is_told_when_the_catalogue_is_gone(mine, ask) -> None:
    """A list of doors says that a vault was made here, whatever became of its records."""
    for path in mine.state.glob("catalogue.sqlite*"):
        path.unlink()
    with held_open(mine):
        for words in COMMANDS:
            assert ask(mine, *words).code == 5, words


@pytest.mark.parametrize("spoil", SPOILT)
def test_red_button_proves_every_door_shut_from_the_list(mine, ask, spoil) -> None:
    """Nothing that is spoilt keeps it from answering that the doors are shut."""
    ledger = mine.state / "ledger" / "ledger.jsonl"
    catalogue = mine.state.glob("catalogue.sqlite*")  # its log too: the newest rows may be there
    records = [(path, path.read_bytes()) for path in (mine.config, ledger, *catalogue)]
    before = len(ledger.read_text().splitlines())
    spoil(mine)
    told = ask(mine, "secure", "--reason", "odd mail", "--by", "Ana")
    assert (told.code, told.document["doors"]) == (0, {"production": "shut", "trial": "shut"})
    public = json.loads((mine.state / "public" / "status.json").read_text())
    assert public["status"] == "secured"
    for path in mine.state.glob("catalogue.sqlite*"):
        path.unlink()
    for path, content in records:
        path.write_bytes(content)
    assert ask(mine, "run", "--now").code == 6
    since = ledger.read_text().splitlines()[before:]
    pressed = [line for line in since if '"secured"' in line]
    assert len(pressed) == 1, "told in the ledger as soon as it can be written"
    assert "odd mail" in pressed[0]


def test_a_vault_whose_doors_nothing_names_is_degraded(mine, ask) -> None:
    """Invariant 3: no answer counts as open."""
    (mine.state / "doors.json").write_text("[]")
    catalogue_is_truncated(mine)
    for words in COMMANDS:
        assert ask(mine, *words).code == 5, words


def test_list_that_is_damaged_is_made_up_from_the_catalogue(mine, ask) -> None:
    """Alone it keeps nobody from anything."""
    listed = mine.state / "doors.json"
    good = listed.read_text()
    listed.write_text('{"vault": []}')
    with held_open(mine):
        assert ask(mine, "target", "close").code == 5
    assert ask(mine, "run", "--now").code == 0
    assert listed.read_text() == good


def test_door_of_an_enrolment_that_died_is_asked_until_it_is_proven_shut(mine, ask) -> None:
    """The list names it before its first act; the catalogue never did."""
    listed, where = mine.state / "doors.json", mine.folder / "second"
    more = f"  second: {{door: {{folder: {where}}}, store: files}}\n"
    mine.config.write_text(mine.config.read_text().replace("targets:\n", "targets:\n" + more))
    dying = mine.start("target", "enrol", "second", "--yes")
    ends_at = time.monotonic() + 20
    while '"second"' not in listed.read_text():
        assert dying.poll() is None, dying.communicate()
        assert time.monotonic() < ends_at
    os.kill(dying.pid, signal.SIGKILL)
    dying.communicate()
    fd = os.open(where, os.O_RDONLY)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)  # waits for the kernel to end the vault side
        assert ask(mine, "doctor").code == 5
    finally:
        os.close(fd)
    told = ask(mine, "doctor").document
    assert {"door second", "target second"} <= {item["name"] for item in told["findings"]}
    assert '"second"' not in listed.read_text()


def test_door_of_a_retired_target_is_on_the_list_no_more(mine, ask) -> None:
    """Its medium may be anybody's by now."""
    assert '"trial"' in (mine.state / "doors.json").read_text()
    ask(mine, "target", "retire", "trial", "--yes").ok()
    assert '"trial"' not in (mine.state / "doors.json").read_text()


def test_folder_that_was_a_target_is_enrolled_again_once_it_was_moved_away(mine, ask) -> None:
    """The error says so; nothing of ours empties a folder, and the old copy stays."""
    ask(mine, "target", "retire", "trial", "--yes").ok()
    told = ask(mine, "target", "enrol", "trial", "--yes").ok(1).document
    aside = f"{mine.trial}.old"
    assert f"mv {mine.trial} {aside}" in told["error"]["hint"]
    mine.trial.rename(aside)
    ask(mine, "target", "enrol", "trial", "--yes").ok()
    ask(mine, "run", "--now").ok()
    assert (Path(aside) / "repository" / "config").exists()
