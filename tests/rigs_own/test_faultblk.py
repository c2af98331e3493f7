"""The faulty disk does to a real file system what its faults say, and leaves nothing behind."""

from __future__ import annotations

import errno
import hashlib
import mmap
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.rigs.faultblk import FaultyDisk
from tests.rigs.faultblk_medium import BLOCK, hits, is_data, pieces

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.root

SIZE = 64 << 20


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[FaultyDisk]:
    with FaultyDisk(tmp_path, SIZE) as disk:
        yield disk


def write(path: Path, data: bytes) -> str:
    """Write, sync; give the name of the error that the sync (or the write) ended with."""
    fd = os.open(path, os.O_CREAT | os.O_WRONLY)
    try:
        os.write(fd, data)
        os.fsync(fd)
    except OSError as error:
        return errno.errorcode[error.errno or 0]
    finally:
        os.close(fd)
    return "OK"


def sync_twice(path: Path, data: bytes) -> list[str]:
    fd = os.open(path, os.O_CREAT | os.O_WRONLY)
    answers = []
    os.write(fd, data)
    for _ in range(2):
        try:
            os.fsync(fd)
            answers.append("OK")
        except OSError as error:
            answers.append(errno.errorcode[error.errno or 0])
    os.close(fd)
    return answers


def direct(path: Path, size: int) -> bytes:
    fd = os.open(path, os.O_RDONLY | os.O_DIRECT)
    try:
        with mmap.mmap(-1, size) as buffer:
            assert os.preadv(fd, [buffer], 0) == size
            return bytes(buffer)
    finally:
        os.close(fd)


def forget(path: Path) -> None:
    """Drop a synced file from the page cache."""
    fd = os.open(path, os.O_RDONLY)
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(fd)


def same(path: Path, data: bytes, *, through_cache: bool) -> str:
    """Hash a file by one way of reading it; give OK, MISMATCH or the name of the error."""
    try:
        seen = path.read_bytes() if through_cache else direct(path, len(data))
    except OSError as error:
        return errno.errorcode[error.errno or 0]
    return "OK" if hashlib.sha256(seen).digest() == hashlib.sha256(data).digest() else "MISMATCH"


def test_a_block_of_data_is_told_from_metadata_by_not_compressing():
    """Random bytes are data; zeros, text and hexadecimal names are not."""
    assert is_data(os.urandom(BLOCK))
    assert is_data(os.urandom(512))
    assert not is_data(bytes(BLOCK))
    assert not is_data(os.urandom(BLOCK // 2).hex().encode())


def test_a_request_is_cut_at_the_blocks_of_the_device():
    """Every byte comes back once, in order, and no piece crosses a block."""
    cut = list(pieces(1000, bytes(range(256)) * 40))
    assert b"".join(piece for _, piece in cut) == bytes(range(256)) * 40
    assert [at for at, _ in cut] == [1000, 4096, 8192]


def test_a_range_is_met_by_any_overlap():
    """A range is half open."""
    assert hits([[0, 1]], 0, b"x" * 10)
    assert hits([[9, 20]], 0, b"x" * 10)
    assert not hits([[10, 20]], 0, b"x" * 10)


@pytest.mark.parametrize("kind", ["ext4", "btrfs", "xfs"])
def test_a_sound_disk_gives_back_what_was_written(tmp_path: Path, kind: str):
    """Without a fault the disk is a disk, on each file system."""
    data = os.urandom(1 << 20)
    with FaultyDisk(tmp_path, (320 if kind == "xfs" else 128) << 20) as disk:
        disk.make_filesystem(kind)
        with disk.mounted() as where:
            assert write(where / "a", data) == "OK"
            assert same(where / "a", data, through_cache=False) == "OK"
        with disk.mounted() as where:
            assert (where / "a").read_bytes() == data
    assert disk.device == ""


@pytest.mark.parametrize(
    ("kind", "lie"), [("ext4", "drop"), ("ext4", "flip"), ("xfs", "drop"), ("btrfs", "drop")]
)
def test_a_lying_disk_deceives_the_page_cache_and_not_a_direct_read(
    tmp_path: Path, kind: str, lie: str
):
    """The sync says OK, the cached read-back says OK, and the medium holds something else."""
    data = os.urandom(1 << 20)
    with FaultyDisk(tmp_path, (320 if kind == "xfs" else 128) << 20) as disk:
        disk.make_filesystem(kind)
        with disk.mounted() as where:
            disk.set(lie=lie)
            assert write(where / "a", data) == "OK"
            assert same(where / "a", data, through_cache=True) == "OK"
            if kind != "btrfs":
                assert same(where / "a", data, through_cache=False) == "MISMATCH"
            forget(where / "a")
            wrong = "EIO" if kind == "btrfs" else "MISMATCH"
            assert same(where / "a", data, through_cache=True) == wrong


def test_on_btrfs_a_direct_read_may_still_come_from_the_page_cache(tmp_path: Path):
    """After a buffered write only a cache that was dropped makes btrfs ask the medium."""
    data = os.urandom(1 << 20)
    with FaultyDisk(tmp_path, 128 << 20) as disk:
        disk.make_filesystem("btrfs")
        with disk.mounted() as where:
            disk.set(lie="drop")
            assert write(where / "a", data) == "OK"
            before = disk.counts()["reads"]
            if same(where / "a", data, through_cache=False) == "OK":
                assert disk.counts()["reads"] == before
            forget(where / "a")
            assert same(where / "a", data, through_cache=False) == "EIO"


def test_a_failed_write_is_said_once_and_the_second_sync_lies(disk: FaultyDisk):
    """A transient EIO: the first sync fails, the second says 0, the medium is wrong."""
    data = os.urandom(1 << 20)
    disk.make_filesystem()
    with disk.mounted() as where:
        disk.set(write_eio="data", write_eio_times=1)
        assert sync_twice(where / "a", data) == ["EIO", "OK"]
        assert same(where / "a", data, through_cache=True) == "OK"
        assert same(where / "a", data, through_cache=False) == "MISMATCH"
        assert disk.counts()["eio"] == 1


def test_writes_that_always_fail_never_reach_the_medium(disk: FaultyDisk):
    """With every write failing, every sync fails."""
    disk.make_filesystem()
    with disk.mounted() as where:
        disk.set(write_eio="data")
        assert write(where / "a", os.urandom(1 << 16)) == "EIO"
        assert write(where / "b", os.urandom(1 << 16)) == "EIO"


def test_reads_of_data_fail_while_the_names_stay_readable(disk: FaultyDisk):
    """An EIO on read-back: the directory lists, the bytes do not come."""
    data = os.urandom(1 << 20)
    disk.make_filesystem()
    with disk.mounted() as where:
        assert write(where / "a", data) == "OK"
        disk.set(read_eio="data")
        assert same(where / "a", data, through_cache=False) == "EIO"
        assert os.listdir(where)


def test_reads_of_a_range_fail_and_those_beside_it_do_not(disk: FaultyDisk):
    """A bad spot is as large as it was said to be."""
    disk.set(read_eio=[[1 << 20, (1 << 20) + 4096]])
    fd = os.open(disk.device, os.O_RDONLY | os.O_DIRECT)
    with mmap.mmap(-1, 4096) as buffer:
        assert os.preadv(fd, [buffer], 0) == 4096
        with pytest.raises(OSError, match="Input/output"):
            os.preadv(fd, [buffer], 1 << 20)
        assert os.preadv(fd, [buffer], (1 << 20) + 4096) == 4096
    os.close(fd)


def test_a_thin_pool_runs_out_under_a_file_system_that_has_room(disk: FaultyDisk):
    """Df shows room, the write is taken, the sync fails."""
    disk.make_filesystem()
    with disk.mounted() as where:
        disk.set(enospc_after=1 << 20)
        assert os.statvfs(where).f_bavail * os.statvfs(where).f_frsize > 16 << 20
        assert write(where / "a", os.urandom(8 << 20)) in ("ENOSPC", "EIO")
        assert disk.counts()["enospc"] > 0


def test_rot_shows_on_reading_and_the_medium_itself_is_sound(disk: FaultyDisk):
    """A flipped bit on the way out goes when the fault goes."""
    data = os.urandom(1 << 20)
    disk.make_filesystem()
    with disk.mounted() as where:
        assert write(where / "a", data) == "OK"
        disk.set(flip_read="data")
        assert same(where / "a", data, through_cache=False) == "MISMATCH"
        disk.set()
        assert same(where / "a", data, through_cache=False) == "OK"


def test_a_failing_flush_fails_the_sync(disk: FaultyDisk):
    """The bytes were taken; the barrier was not."""
    disk.make_filesystem()
    with disk.mounted() as where:
        disk.set(flush_eio_times=-1)
        assert write(where / "a", os.urandom(1 << 16)) == "EIO"


def test_a_yanked_disk_answers_nothing_and_still_comes_off(disk: FaultyDisk):
    """The cache goes on answering; the medium and every sync do not."""
    data = os.urandom(1 << 20)
    disk.make_filesystem()
    with disk.mounted() as where:
        assert write(where / "a", data) == "OK"
        disk.set(gone=True)
        assert same(where / "a", data, through_cache=True) == "OK"
        assert same(where / "a", data, through_cache=False) == "EIO"
        assert write(where / "b", data) != "OK"


def test_a_frozen_disk_holds_a_writer_until_it_thaws(disk: FaultyDisk):
    """The sync neither fails nor returns while the disk is silent."""
    disk.make_filesystem()
    with disk.mounted() as where:
        disk.set(freeze=True)
        answers: list[str] = []
        writer = threading.Thread(target=lambda: answers.append(write(where / "a", b"x" * 4096)))
        writer.start()
        writer.join(0.4)
        assert answers == []
        disk.set()
        writer.join(10)
        assert answers == ["OK"]


def test_a_frozen_disk_is_torn_down_with_its_writer_unkillable(tmp_path: Path):
    """A writer that SIGKILL cannot reach is freed by the teardown, and nothing stays."""
    with FaultyDisk(tmp_path, SIZE) as disk:
        disk.make_filesystem()
        device, where = disk.device, tmp_path / "mnt"
        where.mkdir()
        subprocess.run(["mount", device, where], check=True)
        disk.set(freeze=True)
        code = "import os,sys; f=os.open(sys.argv[1],os.O_CREAT|os.O_WRONLY); os.fsync(f)"
        writer = subprocess.Popen([sys.executable, "-c", code, str(where / "a")])
        time.sleep(0.4)
        writer.kill()
        with pytest.raises(subprocess.TimeoutExpired):
            writer.wait(0.3)
    assert writer.wait(5) == -signal.SIGKILL
    assert not where.is_mount()
    assert str(tmp_path) not in subprocess.check_output(["losetup", "-a"], text=True)


def test_a_slow_disk_takes_its_time(disk: FaultyDisk):
    """Each request waits as long as it was told."""
    disk.make_filesystem()
    with disk.mounted() as where:
        disk.set(delay_s=0.1)
        began = time.monotonic()
        assert write(where / "a", b"x" * 4096) == "OK"
        assert time.monotonic() - began > 0.1


def test_nothing_is_left_when_the_process_that_attached_it_is_killed(tmp_path: Path):
    """The server unmounts itself when its owner dies; the loop device then has a dead medium."""
    code = (
        "import sys,time; from pathlib import Path; from tests.rigs.faultblk import FaultyDisk\n"
        "disk = FaultyDisk(Path(sys.argv[1]), 1 << 24).__enter__()\n"
        "print(disk.device, disk.pid, flush=True); time.sleep(60)"
    )
    owner = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert owner.stdout is not None
    device, pid = owner.stdout.readline().split()
    owner.kill()
    owner.wait()
    try:
        deadline = time.monotonic() + 10
        while Path(f"/proc/{pid}").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        assert not Path(f"/proc/{pid}").exists()
        assert not (tmp_path / "faulty" / "fuse").is_mount()
    finally:
        subprocess.run(["losetup", "-d", device], check=False)


def test_a_holder_is_named_as_a_problem_and_the_server_still_ends(tmp_path: Path):
    """Teardown goes to its end and only then says what held on."""
    disk = FaultyDisk(tmp_path, SIZE)
    disk.patience_s = 0.3
    with disk, open(disk.device, "rb") as holder:
        pid = disk.pid
        with pytest.raises(RuntimeError, match="stays bound"):
            disk.close()
        assert not Path(f"/proc/{pid}").exists()
        assert not holder.closed
