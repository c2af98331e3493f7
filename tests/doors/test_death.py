"""Whoever dies or stops, the kernel shuts the door."""

from __future__ import annotations

import hashlib
import os
import random
import signal
import time
from pathlib import Path

import pytest

from tests.rigs.disk import disk, fsck, is_free, mounted, wait_free
from tests.rigs.opening import opening

pytestmark = pytest.mark.root

ROLES = ["orchestrator", "warden", "chamber", "worker"]


@pytest.mark.parametrize("role", ROLES[:3])
@pytest.mark.parametrize("mode", ["idle", "writable", "command"])
def test_fault_30_the_kernel_shuts_when_a_process_of_the_opening_is_killed(ext4, door, role, mode):
    """SIGKILL of each process in each state: free within a second, clean, nobody left."""
    with opening(ext4.uuid, mode=mode) as held:
        os.kill(held.pid_of(role), signal.SIGKILL)
        assert wait_free(ext4.device) < 1.0
        for pid in filter(None, (held.warden, held.chamber, held.worker)):
            _wait_dead(pid)
    assert door.shut("test").is_shut
    assert fsck(ext4).returncode == 0


@pytest.mark.parametrize("role", ROLES)
def test_fault_30_a_kill_while_carrying_leaves_no_torn_name(tmp_path, rig, role):
    """At random moments of an admission: the door shuts, and every name has its content."""
    chance = random.Random(role)
    landing = rig.make_landing(tmp_path / "landing", packs=60, size=400_000)
    with disk(tmp_path / "disk.img", size_bytes=128 << 20) as made:
        door = rig.door_of(made)
        for _ in range(2):
            with opening(made.uuid, mode="carrying", landing=landing.folder) as held:
                time.sleep(chance.uniform(0, 0.2))
                _kill(held.pid_of(role))
                if role == "worker":  # the session lives on, and is ended here
                    _kill(held.orchestrator.pid)
                assert wait_free(made.device) < 1.0
            assert door.shut("test").is_shut
        assert fsck(made).returncode in (0, 4)  # an orphan list is work for the journal, not harm
        with mounted(made.device, tmp_path / "mnt"):
            _assert_names_hold(tmp_path / "mnt/repository")
        assert fsck(made).returncode == 0


def _assert_names_hold(repository: Path) -> None:
    for path in repository.rglob("*"):
        if path.is_file():
            assert hashlib.sha256(path.read_bytes()).hexdigest() == path.name


def test_fault_31_the_kernel_timer_shuts_when_all_are_stopped(ext4, door):
    """SIGSTOP to every process: at the deadline the door is shut all the same."""
    with opening(ext4.uuid, mode="command", seconds=1.5) as held:
        for pid in held.pids():
            os.kill(pid, signal.SIGSTOP)
        assert not is_free(ext4.device)
        assert wait_free(ext4.device, timeout_s=5.0) < 2.5
    assert door.shut("test").is_shut
    assert fsck(ext4).returncode == 0


def test_fault_31_a_stopped_vault_side_dies_with_its_orchestrator(ext4, door):
    """Nobody is awake to read the socket's end: the kernel's own signal shuts."""
    with opening(ext4.uuid, mode="writable") as held:
        for pid in (held.warden, held.chamber):
            os.kill(pid, signal.SIGSTOP)
        os.kill(held.orchestrator.pid, signal.SIGKILL)
        assert wait_free(ext4.device, timeout_s=3.0) < 1.0
    assert door.shut("test").is_shut


def test_the_end_of_the_socket_shuts(ext4, door, rig):
    """The session's end of the socket closes, the process lives on: shut, and cleanly."""
    with door.open(door.find(), writing=True, closes_at_s=rig.soon()) as vault:
        vault.make_writable()
        vault._end.close()
        assert wait_free(ext4.device) < 1.0
        vault._end = None
    assert fsck(ext4).returncode == 0


def test_fault_40_a_vault_side_inherits_no_descriptor(ext4, door, rig):
    """Even an inheritable descriptor of the orchestrator ends in it, not in the vault side."""
    leak = os.open("/etc/hostname", os.O_RDONLY)
    os.set_inheritable(leak, True)
    try:
        with door.open(door.find(), writing=False, closes_at_s=rig.soon()) as vault:
            links = [
                os.readlink(f"/proc/{vault.vault_side_pid}/fd/{fd}")
                for fd in os.listdir(f"/proc/{vault.vault_side_pid}/fd")
            ]
    finally:
        os.close(leak)
    assert "/etc/hostname" not in links


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return  # it had ended by itself


def _wait_dead(pid: int) -> None:
    gives_up_at = time.monotonic() + 1.0
    while _lives(pid):
        assert time.monotonic() < gives_up_at, f"process {pid} outlived the opening"
        time.sleep(0.002)


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False
