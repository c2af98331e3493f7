"""The landing on the real restic: what a run adds, what it refuses, what it leaves."""

import json
import os
import shutil
import signal
import subprocess
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.rigs.restics import MACHINE, RECOVERY, TIMEOUT_S, restic_named, write_reception
from vault.errors import (
    Interrupted,
    RepositoryMissing,
    ResticError,
    SpaceError,
    WrongPassword,
)
from vault.process import TimedOut
from vault.restic import BackupIncomplete, LandingRepository, walk
from vault.restic.outcome import judge
from vault.secret import Secret

FILES = {b"2026/M09.txt": os.urandom(20_000), b"canary": b"sings"}


@pytest.fixture
def reception(tmp_path: Path) -> bytes:
    """Make a reception with two files."""
    return write_reception(tmp_path / "reception", FILES)


def paths(landing: LandingRepository) -> set[str]:
    return {file.path for file in landing.list_files()}


def flip_byte(path: str, at: int = 40) -> None:
    os.chmod(path, 0o600)
    with open(path, "r+b") as file:
        file.seek(at)
        byte = file.read(1)
        file.seek(at)
        file.write(bytes([byte[0] ^ 1]))


def test_landing_is_made_with_restics_own_key_and_a_second_for_recovery(tmp_path):
    """The whole ceremony with restic's own key derivation: two keys, two passwords, format 2."""
    landing = LandingRepository(
        restic_named("installed"), os.fsencode(tmp_path / "r"), MACHINE, timeout_s=TIMEOUT_S
    )
    first = landing.init()
    both = landing.add_key(RECOVERY, user="recovery")
    assert len(first) == 1
    assert len(both) == 2
    assert first < both
    assert landing.key_ids() == both
    assert landing.opens_with(RECOVERY)
    assert not landing.opens_with(Secret(b"neither"))
    users = {json.loads((tmp_path / "r/keys" / key).read_bytes())["username"] for key in both}
    assert "recovery" in users
    assert landing.check() == ()
    with pytest.raises(ResticError):
        landing.init()
    assert landing.key_ids() == both


def test_cheap_keys_open_on_every_restic(landing):
    """What the rig wrapped anew is the same master key under both passwords."""
    assert landing.opens_with(MACHINE)
    assert landing.opens_with(RECOVERY)
    assert not landing.opens_with(Secret(b"neither"))
    config = landing.config_sha256()
    assert len(landing.repository_id()) == 64
    assert landing.config_sha256() == config


def test_backup_tells_exactly_what_it_added(landing, reception):
    """First night packs, index and snapshot; an unchanged second night a snapshot alone."""
    before = paths(landing)
    first = landing.backup(reception, source="pmsi", parent=None)
    assert {file.path for file in first.added} == paths(landing) - before
    assert [file.path for file in first.added] == sorted(file.path for file in first.added)
    kinds = [file.path.partition("/")[0] for file in first.added]
    assert kinds.count("snapshots") == 1
    assert set(kinds) == {"data", "index", "snapshots"}
    second = landing.backup(reception, source="pmsi", parent=first.snapshot_id)
    assert [file.path for file in second.added] == [f"snapshots/{second.snapshot_id}"]
    assert landing.check() == ()


def test_snapshots_are_told_by_source_with_their_trees(landing, reception):
    """Same content, same tree; the source is the tag, the time is aware."""
    first = landing.backup(reception, source="pmsi", parent=None)
    second = landing.backup(reception, source="hr", parent=None)
    told = landing.snapshots()
    assert [facts.snapshot_id for facts in told] == [first.snapshot_id, second.snapshot_id]
    assert [facts.source for facts in told] == ["pmsi", "hr"]
    assert told[0].tree == told[1].tree
    assert abs(datetime.now(UTC) - told[0].taken_at) < timedelta(hours=1)


def test_tree_holds_no_path_of_this_host(landing, reception, tmp_path):
    """A snapshot restores to data/ and coffre/, wherever its reception stood."""
    made = landing.backup(reception, source="pmsi", parent=None)
    landing.restore(made.snapshot_id, target=os.fsencode(tmp_path / "back"))
    assert sorted(os.listdir(tmp_path / "back")) == ["coffre", "data"]
    for name, content in FILES.items():
        assert Path(os.fsdecode(os.fsencode(tmp_path) + b"/back/data/" + name)).read_bytes() == (
            content
        )


def test_parent_is_found_after_the_reception_moved(landing, reception, tmp_path):
    """By full id, whatever the path: nothing that is unchanged is stored or listed again."""
    first = landing.backup(reception, source="pmsi", parent=None)
    moved = os.fsencode(tmp_path / "elsewhere")
    os.rename(reception, moved)
    second = landing.backup(moved, source="pmsi", parent=first.snapshot_id)
    assert len(second.added) == 1


def test_unknown_parent_is_an_error_and_adds_nothing(landing, reception):
    """It is not replaced by a guess."""
    before = paths(landing)
    with pytest.raises(ResticError):
        landing.backup(reception, source="pmsi", parent="12" * 32)
    assert paths(landing) == before


@pytest.mark.parametrize("name", ["data", "coffre"])
def test_reception_without_its_folders_is_refused_before_restic_runs(landing, reception, name):
    """0.14 would pass over it, exit 0 and leave a snapshot of half."""
    folder = os.path.join(os.fsdecode(reception), name)
    shutil.rmtree(folder)
    before = paths(landing)
    with pytest.raises(ResticError, match=f"no folder {name}"):
        landing.backup(reception, source="pmsi", parent=None)
    os.symlink("/etc", folder)
    with pytest.raises(ResticError, match=f"no folder {name}"):
        landing.backup(reception, source="pmsi", parent=None)
    assert paths(landing) == before


@pytest.mark.root
def test_snapshot_with_an_unreadable_file_does_not_stay(landing, reception, tmp_path):
    """Exit code 3 leaves a snapshot that looks whole: it is forgotten, its packs are told."""
    victim = tmp_path / "reception/data/canary"
    # Root reads everything but what the kernel itself refuses: page 0 of a process will do,
    # bound over the file's place.
    victim.unlink()
    victim.touch()
    source = f"/proc/{os.getpid()}/mem"
    subprocess.run(["mount", "--bind", source, victim], check=True)
    try:
        before = paths(landing)
        with pytest.raises(BackupIncomplete) as caught:
            landing.backup(reception, source="pmsi", parent=None)
    finally:
        subprocess.run(["umount", victim], check=True)
    left = paths(landing) - before
    assert {file.path for file in caught.value.added} == left
    assert not any(path.startswith("snapshots/") for path in left)
    assert "exit code 3" in str(caught.value)
    assert landing.snapshots() == ()
    assert landing.check() == ()


def test_no_file_name_gets_into_an_error():
    """Restic may name the file it could not read; we do not repeat it."""
    said = "error: open data/DUPONT-Jeanne.pdf: input/output error\nFatal: DUPONT-Jeanne\n"
    with pytest.raises(ResticError) as caught:
        judge("backup", 1, said)
    assert "dupont" not in (str(caught.value) + repr(caught.value.values)).lower()
    assert "input/output error" in str(caught.value)


def test_damaged_index_and_missing_pack_are_complaints(landing, reception):
    """A check that finds something is an answer, with reasons; a sound one has none."""
    made = landing.backup(reception, source="pmsi", parent=None)
    folder = os.fsdecode(landing.folder)
    # The pack of the data: for that of the trees 0.14 would look again and again for 40 s.
    pack = max((f for f in made.added if f.path.startswith("data/")), key=lambda f: f.size_bytes)
    os.rename(f"{folder}/{pack.path}", f"{folder}/aside")
    complaints = landing.check()
    assert any(pack.name[:8] in line for line in complaints)
    os.rename(f"{folder}/aside", f"{folder}/{pack.path}")
    assert landing.check() == ()
    index = next(file for file in made.added if file.path.startswith("index/"))
    flip_byte(f"{folder}/{index.path}")
    assert landing.check() != ()


def test_check_does_not_take_a_failure_to_look_for_an_answer(landing):
    """No repository and a wrong password are errors, not complaints."""
    other = LandingRepository(
        landing.restic, landing.folder, Secret(b"neither"), timeout_s=TIMEOUT_S
    )
    with pytest.raises(WrongPassword):
        other.check()
    shutil.rmtree(landing.folder)
    os.mkdir(landing.folder)
    with pytest.raises(RepositoryMissing):
        landing.check()


def test_nothing_is_cached_in_anybodys_home(landing, reception, tmp_path, monkeypatch):
    """HOME stays as empty as it was."""
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    landing.backup(reception, source="pmsi", parent=None)
    landing.check()
    assert list(home.iterdir()) == []


def running(landing: LandingRepository) -> list[int]:
    """Give the pids of the restics on a landing."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            environ = Path("/proc", pid, "environ").read_bytes()
            name = Path("/proc", pid, "comm").read_text()
        except OSError:
            continue
        if name.startswith("restic") and landing.folder in environ:
            found.append(int(pid))
    return found


def test_deadline_of_a_backup_leaves_no_lock_and_no_snapshot(landing, reception):
    """SIGINT first, which every version cleans up after; what it missed goes by unlock."""
    landing._timeout_s = 0.12  # restic waits 0.2 s between making its lock and trusting it
    with pytest.raises((BackupIncomplete, TimedOut)):
        landing.backup(reception, source="pmsi", parent=None)
    assert running(landing) == []
    assert not walk.has_locks(landing.folder)
    assert not any(path.startswith("snapshots/") for path in paths(landing))
    landing._timeout_s = TIMEOUT_S
    assert landing.check() == ()


def test_interruption_of_a_backup_ends_restic_and_leaves_no_lock_that_binds(landing, reception):
    """A handler's exception gets through, after restic is gone."""

    def stop(number, frame):
        raise Interrupted("told to stop")

    def interrupt():
        while not walk.has_locks(landing.folder):
            time.sleep(0.001)
        os.kill(os.getpid(), signal.SIGTERM)

    before = signal.signal(signal.SIGTERM, stop)
    sender = threading.Thread(target=interrupt)
    try:
        sender.start()
        with pytest.raises(Interrupted):
            landing.backup(reception, source="pmsi", parent=None)
    finally:
        sender.join()
        signal.signal(signal.SIGTERM, before)
    assert running(landing) == []
    assert landing.snapshots() == ()
    landing.unlock_stale()
    assert not walk.has_locks(landing.folder)


def test_fault_24_lock_of_a_killed_restic_goes_and_the_night_goes_on(landing, tmp_path, reception):
    """A killed backup leaves its lock: reading is not stopped by it, and unlock removes it."""

    def kill():
        while not walk.has_locks(landing.folder):
            time.sleep(0.001)
        for pid in running(landing):
            os.kill(pid, signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    keep = landing.unlock_stale
    landing.unlock_stale = lambda: None  # as if we had died with it
    with pytest.raises(ResticError, match=r"(?i)killed"):
        landing.backup(reception, source="pmsi", parent=None)
    killer.join()
    assert walk.has_locks(landing.folder)
    assert landing.check() == ()
    landing.unlock_stale = keep
    landing.unlock_stale()
    assert not walk.has_locks(landing.folder)
    made = landing.backup(reception, source="pmsi", parent=None)
    landing.restore(made.snapshot_id, target=os.fsencode(tmp_path / "back"))
    assert (tmp_path / "back/data/canary").read_bytes() == b"sings"


def test_fault_77_password_is_nowhere_while_restic_runs(landing, reception):
    """Not in a command line nor in an environment of any process there is."""
    secret = landing._password.reveal()
    seen: dict[str, int] = {"processes": 0, "restic": 0, "leaks": 0}
    done = threading.Event()

    def look():
        while not done.is_set():
            for pid in filter(str.isdigit, os.listdir("/proc")):
                for place in ("cmdline", "environ"):
                    try:
                        content = Path("/proc", pid, place).read_bytes()
                    except OSError:
                        continue
                    seen["processes"] += 1
                    seen["leaks"] += secret in content
                    seen["restic"] += landing.folder in content and b"RESTIC" in content

    looker = threading.Thread(target=look)
    looker.start()
    try:
        landing.backup(reception, source="pmsi", parent=None)
    finally:
        done.set()
        looker.join()
    assert seen["restic"] > 0
    assert seen["leaks"] == 0


@pytest.mark.root
def test_fault_74_full_disk_under_the_landing_is_told_as_such(landing, tmp_path):
    """No room on the vault host: no snapshot, and the reason in one word."""
    large = write_reception(tmp_path / "large", {b"noise": os.urandom(8 << 20)})
    small = tmp_path / "small"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", small], check=True)
    try:
        shutil.copytree(landing.folder, os.fsencode(small / "r"))
        full = LandingRepository(
            landing.restic, os.fsencode(small / "r"), MACHINE, timeout_s=TIMEOUT_S
        )
        with pytest.raises((SpaceError, BackupIncomplete)) as caught:
            full.backup(large, source="pmsi", parent=None)
        assert isinstance(caught.value, SpaceError) or isinstance(
            caught.value.__cause__, SpaceError
        )
        assert full.snapshots() == ()
        assert not walk.has_locks(full.folder)
    finally:
        subprocess.run(["umount", small], check=True)
