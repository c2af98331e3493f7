"""What an open door offers besides carrying: commands and views, inside the namespace."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import pytest

from tests.rigs.disk import disk, is_free
from tests.rigs.opening import children_of
from vault.doors import kernel
from vault.doors.session import MODULE, Session
from vault.errors import DoorError, ProcessError, StoreError
from vault.results import RepositoryFile

pytestmark = pytest.mark.root
PATH = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}


@pytest.fixture
def vault(door, rig):
    with door.open(door.find(), writing=True, closes_at_s=rig.soon()) as opened:
        yield opened


def output_of(vault, script: str, *, env=PATH, timeout_s=10.0) -> tuple[int, str]:
    with tempfile.TemporaryFile() as out:
        null = os.open(os.devnull, os.O_RDONLY)
        status = vault.run(
            ["/bin/sh", "-c", script], env=env, fds=[null, out.fileno(), 2], timeout_s=timeout_s
        )
        os.close(null)
        out.seek(0)
        return status, out.read().decode()


def test_a_command_gets_its_words_descriptors_and_environment_and_nothing_else(vault):
    """argv, env and descriptors arrive as given; the status comes back."""
    reader, writer = os.pipe()
    os.write(writer, b"a secret")
    os.close(writer)
    with tempfile.TemporaryFile() as out:
        fds = [0, out.fileno(), 2, reader]
        status = vault.run(
            ["/bin/sh", "-c", "cat <&3; env; ls /proc/self/fd; exit 7", "-x", "a b"],
            env={"ONLY": "this"},
            fds=fds,
            timeout_s=10,
        )
        out.seek(0)
        said = out.read().decode()
    os.close(reader)
    assert status == 7
    assert said.startswith("a secret")
    assert "ONLY=this" in said
    assert "LC_ALL" not in said
    assert said.split()[-5:] == ["0", "1", "2", "3", "4"]  # 4 is the listing's own


def test_a_command_inside_the_door_cannot_mount_write_or_reach_a_network(vault, ext4, tmp_path):
    """It is root without the rights that open anything."""
    status, said = output_of(
        vault,
        "touch x 2>/dev/null && echo wrote; "
        "mount -o remount,rw . 2>/dev/null && echo remounted; "
        "umount . 2>/dev/null && echo unmounted; "
        f"blockdev --setrw {ext4.device} 2>/dev/null && echo unlocked; "
        f"mknod {tmp_path}/n b {ext4.major_minor.replace(':', ' ')} 2>/dev/null && echo made; "
        "ip -o link 2>/dev/null | grep -v ': lo:' ; pwd; ls /proc | grep -c '^[0-9]'",
    )
    assert status == 0
    lines = said.split("\n")
    assert lines[0] == os.fsdecode(vault.root)
    assert int(lines[1]) < 8  # its own processes and no one else's


def test_the_vault_side_runs_before_others_and_a_command_inside_does_not(vault):
    """A busy host does not keep a door open for longer; a restore is work like any other."""
    (chamber,) = children_of(vault.vault_side_pid)
    for pid in (vault.vault_side_pid, chamber):
        assert os.getpriority(os.PRIO_PROCESS, pid) == -20
    grouped = Path(f"/proc/{chamber}/autogroup")
    if grouped.exists() and (group := grouped.read_text()):
        assert group.split()[-1] == "-20"
    assert output_of(vault, "cut -d' ' -f19 /proc/self/stat") == (0, "0\n")


def test_a_command_that_cannot_start_is_told_apart_from_one_that_fails(vault):
    """Not found is an error of ours; a status of 127 is the command's own."""
    with pytest.raises(ProcessError, match="could not be started"):
        vault.run(["/no/such/thing"], env=PATH, fds=[], timeout_s=5)
    assert output_of(vault, "exit 127")[0] == 127
    assert output_of(vault, "kill -9 $$")[0] == -signal.SIGKILL


def test_a_command_that_outlives_its_time_is_ended_with_what_it_left(vault, door):
    """After the timeout nothing of it lives in the namespace, and the session goes on."""
    began = time.monotonic()
    with pytest.raises(ProcessError, match="did not end"):
        output_of(vault, "setsid sleep 60 & sleep 60", timeout_s=0.3)
    assert time.monotonic() - began < 3
    (chamber,) = children_of(vault.vault_side_pid)
    assert children_of(chamber) == []
    assert output_of(vault, "true")[0] == 0


def test_what_a_command_leaves_behind_ends_with_it(vault):
    """A daemon that a command started does not stay in the namespace."""
    assert output_of(vault, "setsid sleep 60 >/dev/null 2>&1 &")[0] == 0
    (chamber,) = children_of(vault.vault_side_pid)
    assert children_of(chamber) == []


def test_a_killed_worker_is_an_error_and_the_session_goes_on(vault, rig, tmp_path):
    """The request fails by name; the door is still open and answers."""
    (chamber,) = children_of(vault.vault_side_pid)
    vault.make_writable()
    vault.prepare_repository()
    landing = rig.make_landing(tmp_path / "big", packs=40, size=700_000)

    def kill_soon() -> None:
        while not (found := children_of(chamber)):
            time.sleep(0.001)
        os.kill(found[0], signal.SIGKILL)

    killer = threading.Thread(target=kill_soon)
    killer.start()
    with pytest.raises(Exception, match="ended by itself"):
        vault.admit(
            [landing.files],
            landing=os.fsencode(landing.folder),
            soft_closes_at_s=rig.soon(),
            progress=lambda _done, _total: None,
        )
    killer.join()
    assert vault.read_marks().free_bytes


def test_an_opening_from_another_thread_than_the_main_one_is_a_bug(door, rig):
    """Fault 39: the kernel would kill the vault side with the thread, so it is not allowed."""
    seen = []

    def try_it() -> None:
        try:
            with door.open(door.find(), writing=False, closes_at_s=rig.soon()):
                pass
        except AssertionError:
            seen.append("refused")

    thread = threading.Thread(target=try_it)
    thread.start()
    thread.join()
    assert seen == ["refused"]


def test_reading_more_than_the_limit_is_refused(vault):
    """A file that is larger than it may be is not read into memory."""
    vault.make_writable()
    vault.prepare_repository()
    vault.publish("coffre/identity", b"x" * 100)
    assert vault.read("coffre/identity", limit_bytes=100) == b"x" * 100
    with pytest.raises(StoreError, match="more than 99"):
        vault.read("coffre/identity", limit_bytes=99)
    with pytest.raises(StoreError, match="not on the target"):
        vault.read("coffre/heads/1", limit_bytes=9)


def test_the_plan_is_with_the_vault_side_before_the_medium_is_touched(door, ext4, rig, landing):
    """What can be done with the door shut is; what is missing the medium itself is asked."""
    seen = []

    def batches():
        seen.append((kernel.boot_s(), is_free(ext4.device)))
        yield landing.files

    medium = door.find()
    with door.open(medium, writing=True, closes_at_s=rig.soon(), plan=batches()) as vault:
        ((read_at_s, was_free),) = seen
        assert was_free
        assert read_at_s < vault.touched_at_s
        vault.make_writable()
        vault.prepare_repository()
        assert sorted(vault.missing(), key=str) == sorted(landing.files, key=str)
        (chamber,) = children_of(vault.vault_side_pid)
        gives_up_at = time.monotonic() + 10  # the one that answered may not be reaped yet
        while children_of(chamber) and time.monotonic() < gives_up_at:
            time.sleep(0.01)
        assert children_of(chamber) == []
        report = vault.admit(
            landing=os.fsencode(landing.folder),
            soft_closes_at_s=rig.soon(),
            progress=lambda _done, _total: None,
            records=[("coffre/views/1.zst", b"list"), ("coffre/heads/1", b"head")],
        )
        assert report.is_complete
        assert vault.missing() == []
        assert vault.read("coffre/heads/1", limit_bytes=9) == b"head"


def test_a_plan_that_cannot_be_read_opens_nothing(door, ext4, rig):
    """It fails with the door still shut, as what it is."""
    unlawful = RepositoryFile(path="data/a b", size_bytes=1)
    with (
        pytest.raises(DoorError, match="cannot stand in a plan"),
        door.open(door.find(), writing=True, closes_at_s=rig.soon(), plan=[[unlawful]]),
    ):
        pass
    assert is_free(ext4.device)
    assert door.shut("test").is_shut


def test_a_session_that_leaves_before_it_enters_leaves_nothing(door, ext4, rig):
    """The vault side is ready, the medium untouched, and all of it ends."""
    medium = door.find()
    with door.open(medium, writing=False, closes_at_s=rig.soon()) as other:
        order = other._order
    session = Session(medium, order, python=sys.executable, module=MODULE)
    session.start()
    processes = [session.vault_side_pid, *children_of(session.vault_side_pid)]
    assert len(processes) == 2
    assert is_free(ext4.device)
    session.close()
    gives_up_at = time.monotonic() + 5
    while any(Path(f"/proc/{pid}").exists() for pid in processes):
        assert time.monotonic() < gives_up_at
        time.sleep(0.005)


def test_what_enrolment_wrote_and_is_gone_is_told_with_the_marks(vault):
    """A stranger is known before the medium is mounted for writing."""
    config = RepositoryFile(path="config", size_bytes=6)
    assert vault.read_marks([config]).gone == (config,)
    vault.make_writable()
    vault.prepare_repository()
    vault.publish("repository/config", b"sealed")
    assert vault.read_marks([config]).gone == ()
    assert len(vault.read_marks([RepositoryFile(path="config", size_bytes=7)]).gone) == 1


def test_what_is_published_is_never_overwritten(vault):
    """The same content again is fine, another is refused."""
    vault.make_writable()
    vault.prepare_repository()
    vault.publish("coffre/identity", b"first")
    vault.publish("coffre/identity", b"first")
    with pytest.raises(StoreError):
        vault.publish("coffre/identity", b"second")
    assert vault.read("coffre/identity", limit_bytes=9) == b"first"


def test_a_view_undoes_what_came_later_and_restic_reads_it(tmp_path, rig):
    """Poison that came after a cycle is invisible in its view: check is clean, bytes equal."""
    restic = shutil.which("restic")
    if restic is None:
        pytest.fail("restic is not installed")
    env = {**PATH, "RESTIC_PASSWORD": "x", "HOME": "/root"}
    source, repo = tmp_path / "src", tmp_path / "repo"
    source.mkdir()
    (source / "file").write_bytes(os.urandom(200_000))

    def landing(*words: str) -> None:
        subprocess.run(
            [restic, "-q", "--no-cache", "-r", str(repo), *words],
            env=env,
            cwd=tmp_path,
            check=True,
            capture_output=True,
        )

    landing("init")
    landing("backup", "src")
    listed = [
        RepositoryFile(path=str(path.relative_to(repo)), size_bytes=path.stat().st_size)
        for path in sorted(repo.rglob("*"))
        if path.is_file() and "locks" not in path.parts
    ]
    with disk(tmp_path / "disk.img") as made:
        door = rig.door_of(made)
        with door.open(door.find(), writing=True, closes_at_s=rig.soon()) as vault:
            vault.make_writable()
            vault.prepare_repository()
            for file in listed:
                if file.path.startswith(("keys/", "config")):
                    vault.publish(f"repository/{file.path}", (repo / file.path).read_bytes())
            carried = [
                file for file in listed if file.path.startswith(("data/", "index/", "snapshots/"))
            ]
            poison = rig.make_landing(tmp_path / "poison", packs=2)
            for landed, files in ((repo, carried), (poison.folder, poison.files)):
                assert vault.admit(
                    [files],
                    landing=os.fsencode(landed),
                    soft_closes_at_s=rig.soon(),
                    progress=lambda _done, _total: None,
                ).is_complete
        with door.open(door.find(), writing=False, closes_at_s=rig.soon()) as vault:
            whole = os.fsdecode(vault.root) + "/repository"
            words = [restic, "-q", "--no-cache", "--no-lock", "-r"]
            assert vault.run([*words, whole, "check"], env=env, fds=[], timeout_s=60) != 0
            view = vault.lay_view(listed)
            assert vault.run([*words, view, "check"], env=env, fds=[], timeout_s=60) == 0
            out = tmp_path / "out"
            ask = [*words, view, "restore", "latest", "--target", str(out)]
            assert vault.run(ask, env=env, fds=[], timeout_s=60) == 0
            assert vault.lay_view(listed[:3]) == view  # a second view replaces the first
            assert output_of(vault, f"find {view} -type f | wc -l")[1].strip() == "3"
        assert door.shut("test").is_shut
        assert not list(Path(f"/run/coffre/{made.uuid}").iterdir())  # nothing stays on the host
    (found,) = out.rglob("file")
    assert found.read_bytes() == (source / "file").read_bytes()


def test_only_a_maintenance_opening_removes_and_it_carries_nothing(door, rig, landing, ext4):
    """On a real disk, where every file bears ``chattr +i``; what is not named stays."""
    admit = {"landing": os.fsencode(landing.folder), "soft_closes_at_s": rig.soon()}

    def nothing(_done: int, _total: int) -> None:
        pass

    gone = landing.files[:2]
    with door.open(door.find(), writing=True, closes_at_s=rig.soon()) as vault:
        vault.make_writable()
        vault.prepare_repository()
        vault.admit([landing.files], progress=nothing, **admit)
        with pytest.raises(DoorError, match="not open for maintenance"):
            vault.remove(gone, progress=nothing)
        assert vault.missing(landing.files) == []
    with door.open(door.find(), writing=True, closes_at_s=rig.soon(), maintenance=True) as vault:
        with pytest.raises(DoorError, match="not open for writing"):
            vault.remove(gone, progress=nothing)
        vault.make_writable()
        with pytest.raises(DoorError, match="for maintenance only"):
            vault.admit([landing.files], progress=nothing, **admit)
        done = vault.remove(gone, progress=nothing)
        assert (done.removed, done.absent, done.refused) == (2, 0, ())
        assert set(vault.missing(landing.files)) == set(gone)
        again = vault.remove(gone, progress=nothing)
        assert (again.removed, again.absent) == (0, 2)
    assert door.shut("test").is_shut
    with door.open(door.find(), writing=False, closes_at_s=rig.soon()) as vault:
        assert set(vault.missing(landing.files)) == set(gone)
