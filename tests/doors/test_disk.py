"""The disk door on real loop devices: who may open it, what is seen, what is refused."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from tests.rigs.disk import attached, disk, fsck, is_free, mounted, tool, wait_free
from tests.rigs.opening import opening
from vault.doors import kernel
from vault.doors.disk import DiskDoor
from vault.errors import (
    CloneFound,
    DeadlineReached,
    DoorError,
    Impostor,
    MediaAbsent,
    MediaBusy,
    MediaDamaged,
)
from vault.ports import OpenVault, VaultDoor
from vault.results import Disconnection, DoorProof

pytestmark = pytest.mark.root


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("fs_type", ["ext4", "xfs", "btrfs"])
def test_what_was_carried_is_on_the_medium_and_the_door_is_proven_shut(
    fs_type, tmp_path, landing, rig
):
    """A whole opening: look, believe, write, carry, close, prove, on each file system."""
    with disk(tmp_path / "disk.img", fs_type=fs_type) as made:
        door: VaultDoor = rig.door_of(made)
        told = []
        with door.open(door.find(), writing=True, closes_at_s=rig.soon()) as vault:
            session: OpenVault = vault
            assert session.read_marks().identity == b""
            session.make_writable()
            vault.prepare_repository()
            session.publish("coffre/identity", b"mine")
            session.publish("coffre/heads/9", b"nine")
            session.publish("coffre/heads/10", b"ten")
            report = session.admit(
                [landing.files],
                landing=os.fsencode(landing.folder),
                soft_closes_at_s=rig.soon(20),
                progress=lambda done, total: told.append((done, total)),
            )
            assert report.is_complete
            assert report.admitted_files == len(landing.files)
            assert session.missing(landing.files) == []
            marks = session.read_marks()
            assert marks.identity == b"mine"
            assert marks.heads == ((10, b"ten"),)  # the newest is enough to tell an older copy
            assert 0 < vault.touched_at_s < kernel.boot_s()
        assert told
        shut = door.shut("done")
        assert shut.is_shut, shut.evidence
        assert shut.disconnection is Disconnection.UNMOUNTED
        assert fsck(made).returncode == 0
        with mounted(made.device, tmp_path / "mnt", "ro"):
            for file in landing.files:
                assert sha256(tmp_path / "mnt/repository" / file.path) == file.name


def test_nobody_else_sees_the_medium_while_it_is_open(ext4, door, rig):
    """No mount table of the host names the medium, and nothing appears at its mount point."""
    with door.open(door.find(), writing=False, closes_at_s=rig.soon()) as vault:
        mine = Path("/proc/self/mountinfo").read_bytes()
        assert vault.root not in mine
        assert f" {ext4.major_minor} ".encode() not in mine
        assert not os.path.exists(vault.root)
        assert not is_free(ext4.device)


def test_what_is_opened_to_look_is_not_changed_by_a_byte(tmp_path, rig):
    """Fault 53: a dirty journal is not replayed before the medium was believed."""
    with disk(tmp_path / "first.img") as made, mounted(made.device, tmp_path / "mnt"):
        (tmp_path / "mnt/file").write_bytes(b"x" * 5000)
        os.sync()
        shutil.copyfile(made.image, tmp_path / "dirty.img")  # as after a power cut
    before = sha256(tmp_path / "dirty.img")
    with attached(tmp_path / "dirty.img", uuid=made.uuid) as dirty:
        door = rig.door_of(dirty)
        with door.open(door.find(), writing=False, closes_at_s=rig.soon()) as vault:
            vault.read_marks()
            with pytest.raises(DoorError, match="for reading only"):
                vault.make_writable()
        assert door.shut("test").is_shut
    assert sha256(tmp_path / "dirty.img") == before


def test_nothing_is_published_before_the_door_is_open_for_writing(ext4, door, rig):
    """The vault side itself refuses to write until make-writable was asked."""
    with door.open(door.find(), writing=True, closes_at_s=rig.soon()) as vault:
        with pytest.raises(DoorError, match="not open for writing"):
            vault.publish("coffre/identity", b"x")
        vault.make_writable()


def test_fault_52_a_file_system_with_errors_is_not_written_to(ext4, door, rig):
    """A superblock that records an error makes make-writable refuse, and looking still works."""
    tool("debugfs", "-w", "-R", "set_super_value state 2", ext4.device)
    os.sync()
    before = sha256(ext4.image)
    with door.open(door.find(), writing=True, closes_at_s=rig.soon()) as vault:
        vault.read_marks()
        with pytest.raises(MediaDamaged, match="marked as having errors"):
            vault.make_writable()
    assert door.shut("test").is_shut
    assert sha256(ext4.image) == before  # it was not even mounted for writing


def test_fault_52_a_file_system_that_does_not_mount_is_refused_and_not_repaired(ext4, door, rig):
    """Rubbish over the metadata: refused by name, and the image stays as it was."""
    medium = door.find()
    with Path(ext4.device).open("r+b") as raw:  # group descriptors, root inode, journal
        raw.seek(4096)
        raw.write(os.urandom(8 << 20))
    before = sha256(ext4.image)
    with (
        pytest.raises(MediaDamaged, match="does not mount"),
        door.open(medium, writing=True, closes_at_s=rig.soon()),
    ):
        pass
    assert door.shut("test").is_shut
    assert sha256(ext4.image) == before


def test_fault_54_two_media_with_one_uuid_are_both_refused(ext4, door, tmp_path):
    """A copy made with dd bears the same UUID: neither is opened, both are named."""
    shutil.copyfile(ext4.image, tmp_path / "clone.img")
    with (
        attached(tmp_path / "clone.img", uuid=ext4.uuid) as clone,
        pytest.raises(CloneFound) as refused,
    ):
        door.find()
    assert ext4.device in str(refused.value)
    assert clone.device in str(refused.value)


def test_fault_56_a_wrong_disk_with_the_right_label_is_not_found(ext4, rig):
    """The label is the enrolled one and the UUID is not: the medium is absent."""
    door = replace(rig.door_of(ext4), uuid="00000000-0000-4000-8000-000000000000")
    with pytest.raises(MediaAbsent):
        door.find()


def test_a_medium_of_another_size_or_file_system_is_an_impostor(ext4, door):
    """The UUID can be copied; size and file system must agree too."""
    with pytest.raises(Impostor, match="bytes"):
        replace(door, size_bytes=ext4.size_bytes + 512).find()
    with pytest.raises(Impostor, match="ext4"):
        replace(door, fs_type="xfs").find()


def test_fault_57_a_medium_that_the_host_has_mounted_is_busy(ext4, door, rig, tmp_path):
    """An automounter was first: neither found nor opened, and shut says open."""
    medium = door.find()
    with mounted(ext4.device, tmp_path / "mnt"):
        with pytest.raises(MediaBusy):
            door.find()
        with (
            pytest.raises(MediaBusy),
            door.open(medium, writing=False, closes_at_s=rig.soon()),
        ):
            pass
        report = replace(door, shut_timeout_s=0.1).shut("test")
        assert report.proof is DoorProof.OPEN
        told = f"this host has it mounted: umount {tmp_path / 'mnt'}"
        assert report.evidence.count(told) == 1, "with its mend"
        assert not any(f"process {os.getpid()} " in one for one in report.evidence)
        # A namespace that was made meanwhile has it too: one process of each is named.
        assert all("has it mounted" in one for one in report.evidence[1:]), report.evidence
    assert door.shut("test").is_shut


def test_fault_59_a_superblock_that_asks_for_a_panic_is_overridden(ext4, rig):
    """The mount says errors=remount-ro whatever the disk says."""
    tool("tune2fs", "-e", "panic", ext4.device)
    with opening(ext4.uuid, mode="writable") as held:
        lines = Path(f"/proc/{held.chamber}/mountinfo").read_text().splitlines()
        (line,) = [line for line in lines if f" {ext4.major_minor} " in line]
        assert "errors=remount-ro" in line
        assert {"nosuid", "nodev", "noexec"} <= set(line.split()[5].split(","))
        assert "noload" not in line


def test_fault_61_a_device_name_given_to_another_disk_is_refused(ext4, door, tmp_path, rig):
    """Between finding and opening the name passed to another disk: nothing is mounted."""
    medium = door.find()
    with disk(tmp_path / "other.img") as other:
        swapped = replace(medium, device=other.device)
        with (
            pytest.raises(Impostor, match="became another"),
            door.open(swapped, writing=True, closes_at_s=rig.soon()),
        ):
            pass
        assert is_free(other.device)


def test_fault_66_a_second_opening_is_refused_by_the_lock(ext4, door, rig):
    """The lock on the device keeps a second opening of this host out, and ends with the first."""
    medium = door.find()
    with door.open(medium, writing=False, closes_at_s=rig.soon()):
        began = time.monotonic()
        with (
            pytest.raises(MediaBusy, match="another opening"),
            door.open(medium, writing=True, closes_at_s=rig.soon()),
        ):
            pass
        assert time.monotonic() - began < 5
    with door.open(medium, writing=False, closes_at_s=rig.soon()):
        pass


def test_fault_67_a_pinned_namespace_is_not_called_shut_and_the_process_is_named(ext4, door):
    """Somebody holds a folder of the medium open from outside: open, with the pid."""
    door = replace(door, shut_timeout_s=0.4)
    with opening(ext4.uuid) as held:
        inside = f"/proc/{held.chamber}/root/run/coffre/{ext4.uuid}/target"
        holder = subprocess.Popen(
            ["/bin/sh", "-c", 'exec 9<"$0"; echo; exec sleep 60', inside], stdout=subprocess.PIPE
        )
        try:
            holder.stdout.readline()
            os.kill(held.orchestrator.pid, signal.SIGKILL)
            report = door.shut("test")
            assert report.proof is DoorProof.OPEN
            assert any(f"process {holder.pid} " in clause for clause in report.evidence)
        finally:
            holder.kill()
            holder.communicate()
    assert door.shut("test").is_shut


def test_fault_68_a_lazy_unmount_by_somebody_is_not_taken_for_shut(ext4, door):
    """After umount -l the mount is in no table and the disk is still in use: open."""
    door = replace(door, shut_timeout_s=0.3)
    with opening(ext4.uuid) as held:
        inside = f"/run/coffre/{ext4.uuid}/target"
        pin = os.open(f"/proc/{held.chamber}/root{inside}", os.O_RDONLY)
        try:
            spaces = f"/proc/{held.chamber}/ns"
            inner = [f"--mount={spaces}/mnt", f"--pid={spaces}/pid"]
            tool("nsenter", *inner, "umount", "-l", inside)
            assert (
                f" {ext4.major_minor} " not in Path(f"/proc/{held.chamber}/mountinfo").read_text()
            )
            report = door.shut("test")
            assert report.proof is DoorProof.OPEN
            assert any(f"process {os.getpid()} " in clause for clause in report.evidence)
        finally:
            os.close(pin)


@pytest.mark.parametrize(
    ("how", "wanted"),
    [
        (["--reuid", "65534", "--clear-groups"], "needs-root"),
        (["--bounding-set", "-sys_admin"], "needs-root"),
    ],
)
def test_fault_72_without_root_or_namespaces_the_door_stays_shut_and_says_why(
    ext4, door, how, wanted
):
    """One clear error, and the device is untouched."""
    code = (
        "import sys; from vault.doors import kernel; from vault.doors.disk import DiskDoor\n"
        "from vault.errors import CoffreError\n"
        "door = DiskDoor('disk-a', uuid=sys.argv[1])\n"
        "try:\n"
        "    with door.open(door.find(), writing=False, closes_at_s=kernel.boot_s() + 9): pass\n"
        "except CoffreError as error: print(error.reference)\n"
    )
    ended = subprocess.run(
        ["setpriv", *how, sys.executable, "-I", "-c", code, ext4.uuid],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.stdout.strip() == wanted, ended.stderr
    assert door.shut("test").is_shut


@pytest.mark.parametrize("kind", [ValueError, KeyboardInterrupt, SystemExit, GeneratorExit])
def test_door_shuts_on_every_exception(ext4, door, rig, kind):
    """Whatever leaves the block, the medium is free when the block is left."""
    with (  # noqa: PT012  # the opening is what is left
        pytest.raises(kind),
        door.open(door.find(), writing=True, closes_at_s=rig.soon()) as vault,
    ):
        vault.make_writable()
        raise kind
    assert is_free(ext4.device)
    assert fsck(ext4).returncode == 0


def test_an_interrupted_request_ends_the_opening_at_once(ext4, door, rig):
    """An interruption in the middle of a command does not wait for the command."""

    def interrupt(_number, _frame):
        raise KeyboardInterrupt

    former = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, 0.5)
    began = time.monotonic()
    try:
        with (
            pytest.raises(KeyboardInterrupt),
            door.open(door.find(), writing=False, closes_at_s=rig.soon()) as vault,
        ):
            vault.run(["sleep", "30"], env={"PATH": "/bin:/usr/bin"}, fds=[], timeout_s=None)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, former)
    assert time.monotonic() - began < 5
    assert is_free(ext4.device)


def test_the_deadline_shuts_while_the_session_waits(ext4, door, rig):
    """The kernel ends a command that outlives the window, and the caller learns why."""
    began = time.monotonic()
    with (
        pytest.raises(DeadlineReached),
        door.open(door.find(), writing=False, closes_at_s=rig.soon(1.0)) as vault,
    ):
        vault.run(["sleep", "30"], env={"PATH": "/bin:/usr/bin"}, fds=[], timeout_s=None)
    assert time.monotonic() - began < 4
    assert wait_free(ext4.device) < 1


def test_a_deadline_that_is_past_opens_nothing(ext4, door, rig):
    """The timer is armed before the device is opened."""
    with (
        pytest.raises(DeadlineReached),
        door.open(door.find(), writing=True, closes_at_s=rig.soon(-1.0)),
    ):
        pass
    assert is_free(ext4.device)


def test_a_shut_session_offers_nothing(ext4, door, rig):
    """What needs an open vault cannot be asked of one that is shut."""
    with door.open(door.find(), writing=False, closes_at_s=rig.soon()) as vault:
        pass
    with pytest.raises(DoorError, match="is shut"):
        vault.read_marks()
    vault.close()


def test_shut_is_removed_when_no_device_bears_the_uuid():
    """A medium that is in a cupboard is shut, at the class removed, from any process."""
    door = DiskDoor("disk-a", uuid="00000000-0000-4000-8000-000000000001")
    report = door.shut("test")
    assert report.is_shut
    assert report.disconnection is Disconnection.REMOVED
    with pytest.raises(MediaAbsent):
        replace(door, detach="none").find()


def test_a_mounted_medium_whose_superblock_is_gone_is_not_called_removed(ext4, door):
    """Nothing bears the UUID any more, yet a namespace has it mounted: open."""
    with opening(ext4.uuid, mode="writable") as held:
        with Path(ext4.device).open("r+b") as raw:
            raw.seek(1024 + 0x68)
            raw.write(bytes(16))
        report = replace(door, shut_timeout_s=0.2).shut("test")
        assert report.proof is DoorProof.OPEN
        assert any(f"process {held.chamber} " in clause for clause in report.evidence)


def test_a_read_only_mark_left_by_a_killed_opening_is_taken_back(ext4, door):
    """After a death the device is writable for its owner again once it is proven shut."""
    with opening(ext4.uuid) as held:
        os.kill(held.warden, signal.SIGKILL)
        wait_free(ext4.device)
    assert Path(f"/sys/dev/block/{ext4.major_minor}/ro").read_text().strip() in "01"
    assert door.shut("test").is_shut
    fd = os.open(ext4.device, os.O_RDONLY)
    assert not kernel.is_read_only(fd)
    os.close(fd)


def test_the_vault_side_stays_small(ext4, door, landing, rig, capsys):
    """The warden's and the chamber's peak memory is printed, and under 100 MB."""
    with opening(ext4.uuid, mode="command") as held:
        for name in ("warden", "chamber"):
            status = Path(f"/proc/{held.pid_of(name)}/status").read_text()
            peak = next(line for line in status.splitlines() if line.startswith("VmHWM"))
            with capsys.disabled():
                print(f"\n{name}: {peak}")  # noqa: T201
            assert int(peak.split()[1]) < 100_000
