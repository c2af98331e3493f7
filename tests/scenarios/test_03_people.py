"""Scenario 3. Goal: red button, locks, clocks and secrets hold against people and accidents."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sqlite3
import subprocess
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.rigs.judge import files_of
from tests.rigs.vaults import ScratchVault, make_vault, write_file
from vault.clock import SystemClock
from vault.ledger import Ledger
from vault.statefile import StateFolder
from vault.vault_lock import BRIEF_S


def ledger_of(vault: ScratchVault) -> list[dict]:
    path = vault.state / "ledger" / "ledger.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()]


# -- the red button


def test_red_button_holds_until_another_person_releases(held: ScratchVault) -> None:
    """Nothing runs, nothing opens; who pressed cannot release; both are in the ledger."""
    held.coffre("secure", "--reason", "odd mail", "--by", "Ana").ok()
    assert held.run().code == 6
    assert held.coffre("status").code == 6
    opened = held.coffre("target", "open", "trial", "--for", "1m", "--reason", "x", "--", "true")
    assert opened.code == 6
    assert held.coffre("release", "--by", " ana ").code == 2
    assert held.run().code == 6
    held.coffre("release", "--by", "Bo").ok()
    held.run().ok()
    kinds = [entry["kind"] for entry in ledger_of(held)]
    assert kinds.index("secured") < kinds.index("released")


def test_red_button_stops_a_night_that_runs(held: ScratchVault) -> None:
    """The running night is ended, its doors shut; the button's command says so."""
    for n in range(40):
        path = os.fsencode(held.exports("hr") / f"big-{n}.bin")
        write_file(path, os.urandom(2 << 20))
    night = held.start("run", "--now")
    lock = held.state / "lock"
    deadline = time.monotonic() + 30
    while str(night.pid) not in lock.read_text() and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.3)
    pressed = held.coffre("secure", "--reason", "ransom note", "--by", "Ana").ok()
    out, err = night.communicate(timeout=60)
    assert pressed.document["status"] == "secured"
    assert set(pressed.document["doors"].values()) == {"shut"}
    assert night.returncode in (6, 130, -9), (night.returncode, out, err)
    held.coffre("release", "--by", "Bo").ok()
    held.run().ok()


# -- one at a time


def test_a_second_night_is_refused_while_one_runs(held: ScratchVault) -> None:
    """Fault 66, seen from the command: it says who holds the vault, and touches nothing."""
    import fcntl

    with (held.state / "lock").open("r+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        second = held.run()
    assert second.code == 1
    assert second.document["error"]["reference"] == "already-running"


@pytest.fixture
def in_window(held: ScratchVault) -> ScratchVault:
    """Give a vault whose window opened an hour ago, and stays open for two more."""
    start = (datetime.now(UTC) - timedelta(hours=1)).strftime("%H:%M")
    text = held.config.read_text().replace("Europe/Paris", "Etc/UTC")
    text = text.replace("{door: {folder: trial}, ", "{door: {folder: trial}, window: night, ")
    held.config.write_text(text + f'windows: {{night: {{start: "{start}", for: 3h}}}}\n')
    return held


@pytest.mark.parametrize(
    ("said", "age_s"),
    [
        pytest.param({"for_s": BRIEF_S}, 0, id="a-look"),
        pytest.param({}, 0, id="a-restore-test"),
        pytest.param({"is_night": True}, 7200, id="the-night-of-the-opening-before"),
    ],
)
def test_no_night_is_lost_to_what_is_at_work_when_it_begins(
    in_window: ScratchVault, said: dict, age_s: int
) -> None:
    """The look and the night start in one second, restore tests run long: the night waits."""
    holder = StateFolder(str(in_window.state)).lock(**said)
    with holder:
        began = time.time() - age_s
        os.utime(in_window.state / "lock", (began, began))
        night = in_window.start("run")
        with pytest.raises(subprocess.TimeoutExpired):
            night.communicate(timeout=3)
    out, err = night.communicate(timeout=60)
    assert night.returncode == 0, (out, err)


def test_a_night_does_not_wait_for_the_one_that_serves_its_opening(
    in_window: ScratchVault,
) -> None:
    """Two timers for one window make one night."""
    with StateFolder(str(in_window.state)).lock(is_night=True):
        second = in_window.coffre("run", timeout_s=30)
    assert second.code == 1
    assert second.document["error"]["reference"] == "already-running"


# -- clocks


def test_fault_70_a_clock_behind_the_ledger_stops_the_night(held: ScratchVault) -> None:
    """Nothing is ordered by wall time, and nothing runs on a clock that is plainly wrong."""

    class Ahead(SystemClock):
        def now(self) -> datetime:
            return datetime.now(UTC) + timedelta(days=365)

    Ledger(held.state / "ledger" / "ledger.jsonl", Ahead()).append("from-the-future")
    for _again in range(2):
        refused = held.run()
        assert refused.code == 1
        assert refused.document["error"]["reference"] == "clock-behind"


@pytest.mark.root
def test_nothing_is_recorded_under_a_boot_clock_that_somebody_made(held: ScratchVault) -> None:
    """A time namespace eight days ahead would end a hold at once; no door opens there either."""
    before = ledger_of(held)
    made = ["unshare", "-T", "--boottime", "700000", *held.argv("run", "--now")]
    ran = subprocess.run(made, env=held.environment(), capture_output=True, timeout=60, check=False)
    told = json.loads(ran.stdout)["error"]
    assert (ran.returncode, told["reference"]) == (1, "clock-foreign")
    assert ledger_of(held) == before
    held.run().ok()


def test_clock_that_is_right_is_confirmed_by_name_and_never_in_silence(held: ScratchVault) -> None:
    """A night dated ahead stops those after it until a person says so, once, in the ledger."""
    words = ("clock", "confirm", "--reason", "flat battery", "--by", "Ana")
    held.coffre(*words).ok(2)
    ahead = (datetime.now(UTC) + timedelta(days=365)).isoformat()
    with contextlib.closing(sqlite3.connect(held.state / "catalogue.sqlite")) as catalogue:
        catalogue.execute("UPDATE fact SET value = ? WHERE name = 'newest-time'", (ahead,))
        catalogue.commit()
    held.run().ok(1)
    finding = next(f for f in held.coffre("doctor").document["findings"] if f["name"] == "clock")
    assert not finding["good"]
    told = held.coffre(*words).ok().document
    assert 364 * 86400 < told["behind_s"] <= 365 * 86400
    held.run().ok()
    said = [entry["body"] for entry in ledger_of(held) if entry["kind"] == "clock-confirmed"]
    assert [(entry["by"], entry["reason"]) for entry in said] == [("Ana", "flat battery")]
    assert "sudo_user" in said[0]["login"]


# -- a full disk under the state


@pytest.mark.root
def test_fault_74_no_door_opens_when_the_state_has_no_room(
    held: ScratchVault, tmp_path: Path
) -> None:
    """A small file system under the state: the night does not begin, and says what is missing."""
    small = tmp_path / "small"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=40m", "tmpfs", small], check=True)
    try:
        shutil.copytree(held.folder, small / "vault", symlinks=True)
        vault = ScratchVault(folder=small / "vault", recovery_password=held.recovery_password)
        vault.grow(2)
        before = files_of(vault.trial)
        night = vault.run()
        assert night.code == 1
        assert night.document["error"]["reference"] == "no-space"
        assert files_of(vault.trial) == before
    finally:
        subprocess.run(["umount", small], check=True)


# -- words and secrets


@pytest.mark.parametrize(
    "word", ["$(touch pwned)", "`touch pwned`", "; touch pwned", "-x", "--json", "a\nb", "%s{0}"]
)
def test_fault_76_no_word_of_a_person_reaches_a_shell(held: ScratchVault, word: str) -> None:
    """Reasons and names are words: recorded as they were said, run by nobody."""
    held.coffre("secure", f"--reason={word}", "--by=Ana").ok()
    held.coffre("release", f"--by=Bo {word}").ok()
    assert not list(held.folder.rglob("pwned"))
    reasons = [e["body"]["reason"] for e in ledger_of(held) if e["kind"] == "secured"]
    assert reasons == [word]


def test_fault_76_a_path_that_looks_like_an_option_is_a_path(
    held: ScratchVault, tmp_path: Path
) -> None:
    """After two dashes nothing is an option any more, down to restic."""
    to = tmp_path / "back"
    held.coffre("restore", "hr", "--to", str(to), "--", "-rf", "back\\slash [a]*?.txt").ok()
    assert {path for path, _ in files_of(to)} == {b"-rf", b"back\\slash [a]*?.txt"}


def test_fault_77_no_secret_is_in_an_argument_an_environment_or_a_record(
    held: ScratchVault,
) -> None:
    """While a night runs its processes are read from outside; afterwards everything it wrote."""
    secret = held.password
    recovery = held.recovery_password.encode()
    held.grow(2)
    night = held.start("run", "--now")
    seen = 0
    while night.poll() is None:
        for process in Path("/proc").glob("[0-9]*"):
            for name in ("cmdline", "environ"):
                try:
                    content = (process / name).read_bytes()
                except OSError:
                    continue
                seen += b"restic" in content
                assert secret not in content
                assert recovery not in content
    out, err = night.communicate()
    assert night.returncode == 0, err
    assert seen, "no restic was seen running: nothing was shown"
    for path in held.state.rglob("*"):
        if path.is_file() and "data" not in path.relative_to(held.state).parts[:2]:
            content = path.read_bytes()
            assert secret not in content, path
            assert recovery not in content, path
    assert secret.decode() not in out + err


# -- what was not begun is told


def test_a_night_that_could_not_begin_is_the_last_night(held: ScratchVault) -> None:
    """A refused preflight is a failed night in status and gaps, not silence."""
    (held.landing / "keys" / ("e" * 64)).write_bytes(b"{}")
    assert held.run().code == 1
    last = held.coffre("status").document["last_cycle"]
    assert last["verdict"] == "failed"
    assert last["cycle"] == 2


def test_a_vault_left_open_by_a_death_never_reads_locked(held: ScratchVault) -> None:
    """Until a start has proven it shut, status says degraded; then the record is whole."""
    path = held.state / "airlock.json"
    record = json.loads(path.read_text())
    path.write_text(json.dumps({**record, "state": "carrying", "target": "trial"}))
    public = held.state / "public" / "status.json"
    gone = subprocess.Popen(["true"])
    gone.wait()
    told = json.loads(public.read_text()) | {"status": "unlocked", "pid": gone.pid}
    public.write_text(json.dumps(told))
    assert held.coffre("status").code == 5
    held.run().ok()
    assert held.coffre("status").ok().document["status"] == "locked"
    assert any(entry["kind"] == "recovered" for entry in ledger_of(held))


def test_a_vault_that_was_just_founded_has_a_status(tmp_path: Path) -> None:
    """Before any target is enrolled, status and gaps say what is to be done."""
    vault = make_vault(tmp_path / "vault", targets={"trial": "folder"})
    vault.init()
    assert vault.coffre("status").ok().document["status"] == "locked"
    kinds = {gap["kind"] for gap in vault.coffre("gaps").ok().document["gaps"]}
    assert {"target-not-enrolled", "never-offline"} <= kinds
    assert (vault.folder / "policies" / "pmsi.yaml").exists()
    assert vault.coffre("init").ok().document["made"] == []


def test_what_a_night_says_to_a_journal_names_no_exported_file(held: ScratchVault) -> None:
    """A unit's output is kept by the host's log: what was not taken is counted there, not named."""
    marked = held.exports("hr") / "dossier-de-quelqu-un.txt"
    marked.write_text("still written")
    os.utime(marked, (time.time() + 3600,) * 2)  # too young to be complete
    (held.exports("pmsi") / "lien-de-quelqu-un.zip").symlink_to("/etc/hostname")
    answered = held.run()
    said = answered.stdout + answered.stderr
    assert "quelqu-un" not in said
    assert "not complete yet" in said
