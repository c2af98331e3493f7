"""The faults of the catalogue that concern the store, by their numbers."""

from __future__ import annotations

import os
import socket
import subprocess
import threading
import time
from pathlib import Path

import pytest

from tests.rigs.disk import disk, mounted
from tests.rigs.faultblk import FaultyDisk
from vault.results import RepositoryFile

KIB, MIB = 1 << 10, 1 << 20


def flip(path: Path, at: int) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        byte = file.read(1)
        file.seek(at)
        file.write(bytes([byte[0] ^ 1]))


def refused(report, file: RepositoryFile) -> str:
    """Give the one reason, and hold that nothing else was refused or admitted."""
    (refusal,) = report.refused
    assert refusal.name == file.path.encode()
    assert report.admitted_files == 0
    assert not report.is_complete
    assert report.corrupt == ()
    return refusal.reason


@pytest.mark.parametrize("size", [9 * KIB, 5 * MIB + 99])
def test_fault_01_a_flipped_bit_is_refused(folder, size):
    """The vault stays unchanged: not even the sound packs of the group get names."""
    batch = folder.landing.batch(size, MIB, 300)
    flip(folder.landing.path(batch[0]), size - 1)
    assert refused(folder.carry(batch), batch[0]) == "content does not match its name"
    assert folder.there() == set()


def test_fault_01_earlier_groups_stay_and_later_ones_wait(folder, monkeypatch):
    """A refusal ends the admission; what crossed before it is whole."""
    monkeypatch.setattr("vault.stores.carry.GROUP_FILES", 4)
    good, bad, later = (folder.landing.batch(MIB + n, 20 + n) for n in range(3))
    flip(folder.landing.path(bad[0]), 0)
    report = folder.carry(good, bad, later)
    assert folder.there() == {file.path for file in good}
    assert (report.admitted_files, len(report.refused), report.left_files) == (4, 1, 7)


def test_fault_02_a_truncated_pack_is_refused_before_it_is_read(folder):
    """Its size is not the plan's."""
    batch = folder.landing.batch(MIB)
    os.truncate(folder.landing.path(batch[0]), MIB - 1)
    assert "bytes where" in refused(folder.carry(batch), batch[0])
    assert folder.there() == set()


def test_fault_03_an_encrypted_pack_is_refused_by_its_name(folder):
    """Ransomware leaves the size and changes the content."""
    batch = folder.landing.batch(2 * MIB)
    folder.landing.path(batch[0]).write_bytes(os.urandom(2 * MIB))
    assert refused(folder.carry(batch), batch[0]) == "content does not match its name"
    assert folder.there() == set()


def test_fault_16_a_symbolic_link_is_never_followed(folder, tmp_path):
    """Not in the name, and not in a folder above it."""
    batch = folder.landing.batch(500)
    path = folder.landing.path(batch[0])
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    assert refused(folder.carry(batch), batch[0]) == "is a symbolic link"
    path.unlink()
    (tmp_path / "shard").mkdir()
    (tmp_path / "elsewhere").rename(tmp_path / "shard" / path.name)
    path.parent.rmdir()
    path.parent.symlink_to(tmp_path / "shard")
    assert "cannot be opened" in refused(folder.carry(batch), batch[0])
    assert folder.there() == set()


@pytest.mark.parametrize("kind", ["fifo", "socket", "folder", "device"])
def test_fault_17_what_is_no_file_is_refused_without_waiting(folder, kind):
    """Opening a pipe that nobody writes would wait for ever."""
    if kind == "device" and os.geteuid() != 0:
        pytest.skip("NOT SHOWN: only root makes devices")
    batch = folder.landing.batch(500)
    path = folder.landing.path(batch[0])
    path.unlink()
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "device":
        os.mknod(path, 0o20600, os.makedev(1, 5))
    elif kind == "folder":
        path.mkdir()
    else:
        here = os.open(path.parent, os.O_RDONLY)
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(f"/proc/self/fd/{here}/{path.name}")
        os.close(here)
    began = time.monotonic()
    assert refused(folder.carry(batch), batch[0])
    assert time.monotonic() - began < 2
    assert folder.there() == set()


@pytest.mark.parametrize(
    "path",
    [
        "data/ab/AB" + "0" * 62,
        "data/00/ff" + "0" * 62,
        "data/../index/" + "0" * 64,
        "index/../../" + "0" * 64,
        "index/" + "0" * 63,
        "index/" + "0" * 64 + "\n",
        "index/\udce9" + "0" * 63,
        "locks/" + "0" * 64,
        "/index/" + "0" * 64,
        "",
    ],
)
def test_fault_18_an_unlawful_name_is_refused_and_nothing_crosses(folder, path):
    """Upper case, a wrong shard, dots, a newline, bytes that are no text."""
    batch = folder.landing.batch(500)
    report = folder.carry(batch, [RepositoryFile(path=path, size_bytes=1)])
    (refusal,) = report.refused
    assert refusal.name == path.encode("utf-8", "surrogateescape")
    assert folder.there() == set()
    assert report.left_files == len(batch)


def test_fault_19_a_file_with_a_second_link_is_refused(folder, tmp_path):
    """Somebody outside could still write it."""
    batch = folder.landing.batch(500)
    os.link(folder.landing.path(batch[0]), tmp_path / "second")
    assert refused(folder.carry(batch), batch[0]) == "has 2 links"
    assert folder.there() == set()


def test_fault_20_a_sparse_terabyte_is_refused_before_it_is_read(folder):
    """The plan says what was made; the rest is not read."""
    batch = folder.landing.batch(500)
    os.truncate(folder.landing.path(batch[0]), 1 << 40)
    began = time.monotonic()
    assert "bytes where 500" in refused(folder.carry(batch), batch[0])
    assert time.monotonic() - began < 2


def test_fault_22_a_file_that_changes_while_it_is_read_never_gets_its_name(folder):
    """The bytes on the medium decide, whatever the landing says before or after."""
    size = 24 * MIB
    batch = folder.landing.batch(*[size + n for n in range(3)])
    stop = threading.Event()

    def scribble() -> None:
        with folder.landing.path(batch[1]).open("r+b", buffering=0) as file:
            while not stop.is_set():
                os.pwrite(file.fileno(), os.urandom(64), size // 2)

    writer = threading.Thread(target=scribble)
    writer.start()
    try:
        report = folder.carry(batch)
    finally:
        stop.set()
        writer.join()
    assert refused(report, batch[1]) == "content does not match its name"
    assert folder.there() == set()


def test_fault_22_a_file_that_shrinks_while_it_is_read_is_refused(folder, monkeypatch):
    """The mapping past its end is met by the kernel, never by our own read."""
    batch = folder.landing.batch(12 * MIB)
    import vault.stores.carry as carry_module

    opened = carry_module.open_landing_file

    def open_then_cut(*args):
        fd = opened(*args)
        os.truncate(folder.landing.path(batch[0]), 5 * MIB)
        return fd

    monkeypatch.setattr(carry_module, "open_landing_file", open_then_cut)
    assert refused(folder.carry(batch), batch[0])
    assert folder.there() == set()


def test_fault_23_a_pack_that_went_from_the_landing_is_refused(folder):
    """A prune during the admission ends it before any name."""
    batch = folder.landing.batch(MIB, MIB + 1)
    folder.landing.path(batch[0]).unlink()
    assert refused(folder.carry(batch), batch[0]) == "cannot be opened: ENOENT"
    assert folder.there() == set()


@pytest.mark.root
def test_fault_41_a_full_medium_keeps_no_debris(landing, airlock_at, tmp_path):
    """The room comes back with the files that got no name; what crossed before stays."""
    with (
        disk(tmp_path / "image", size_bytes=32 * MIB, direct_io=True) as made,
        mounted(made.device, tmp_path / "m") as root,
    ):
        airlock = airlock_at(root)
        first = landing.batch(MIB)
        assert airlock.carry(first).is_complete
        with airlock.store() as store:
            free_before = store.free()[0]
        report = airlock.carry(first, landing.batch(*[4 * MIB + n for n in range(10)]))
        assert (report.failure, report.failure_detail) == ("full", "ENOSPC")
        assert report.left_files == 12
        assert airlock.there() == {file.path for file in first}
        with airlock.store() as store:
            assert free_before - store.free()[0] < 64 * KIB


@pytest.mark.root
def test_fault_43_a_medium_without_inodes_is_full(landing, airlock_at, tmp_path):
    """Room for bytes is not room for files."""
    with (
        disk(tmp_path / "image", options=["-N", "320"]) as made,
        mounted(made.device, tmp_path / "m") as root,
    ):
        airlock = airlock_at(root)
        report = airlock.carry(landing.batch(*range(10, 200)))
        assert (report.failure, report.admitted_files) == ("full", 0)
        assert airlock.there() == set()


@pytest.mark.root
def test_fault_51_a_medium_that_went_read_only_fails_by_name(landing, airlock_at, tmp_path):
    """The report says EROFS, and no exception leaves."""
    with disk(tmp_path / "image") as made:
        with mounted(made.device, tmp_path / "m") as root:
            airlock = airlock_at(root)
        with mounted(made.device, tmp_path / "m", "ro"):
            report = airlock.carry(landing.batch(MIB))
            assert (report.failure, report.failure_detail) == ("io", "EROFS")
            assert report.left_files == 3


@pytest.mark.root
def test_fault_51_a_medium_that_goes_read_only_in_mid_carry_gets_no_name(
    landing, airlock_at, tmp_path
):
    """The kernel gives up on a file system between the writing and the names."""
    with (
        disk(tmp_path / "image") as made,
        mounted(made.device, tmp_path / "m", "errors=remount-ro") as root,
    ):
        airlock = airlock_at(root)
        batch = landing.batch(MIB, MIB + 7, 400)
        trigger = Path("/sys/fs/ext4", Path(made.device).name, "trigger_fs_error")

        def fail(done: int, total: int) -> None:
            if (
                done == total // 2
                and not subprocess.run(
                    ["grep", "-q", f"{root} .* rw", "/proc/self/mounts"], check=False
                ).returncode
            ):
                trigger.write_text("on purpose")

        report = airlock.carry(batch, on_progress=fail)
        assert report.failure == "io"
        assert report.admitted_files == 0
        assert airlock.there() == set()


@pytest.fixture
def faulty(tmp_path: Path):
    with FaultyDisk(tmp_path, 96 * MIB) as made:
        yield made


@pytest.mark.root
@pytest.mark.parametrize("size", [60 * KIB, 3 * MIB + 5])
def test_fault_46_a_lying_disk_is_found_out_by_reading_it_back(faulty, landing, airlock_at, size):
    """What it dropped is not believed, whether it was written directly or through the cache."""
    faulty.make_filesystem("ext4")
    with faulty.mounted() as root:
        airlock = airlock_at(root)
        batch = landing.batch(size)
        faulty.set(lie="drop")
        report = airlock.carry(batch)
        assert batch[0].path.encode() in {refusal.name for refusal in report.corrupt}
        assert {refusal.reason for refusal in report.corrupt} == {"read back differs"}
        assert report.refused == ()
        assert airlock.there() == set()


@pytest.mark.root
def test_fault_44_an_error_of_writing_is_final(faulty, landing, airlock_at):
    """The next sync would say that all is well, so there is none; and nothing gets a name."""
    faulty.make_filesystem("ext4")
    with faulty.mounted() as root:
        airlock = airlock_at(root)
        faulty.set(write_eio="data", write_eio_times=1)
        # Small files go through the cache: only the sync can tell of them.
        report = airlock.carry(landing.batch(*[40 * KIB + n for n in range(8)]))
        assert (report.failure, report.failure_detail) == ("io", "EIO")
        assert report.read_back_bytes == 0
        assert airlock.there() == set()


@pytest.mark.root
def test_fault_44_a_flush_that_fails_once_is_final(faulty, landing, airlock_at):
    """The medium lost what it had in its own cache."""
    faulty.make_filesystem("ext4")
    with faulty.mounted() as root:
        airlock = airlock_at(root)
        faulty.set(flush_eio_times=1)
        report = airlock.carry(landing.batch(2 * MIB))
        assert report.failure == "io"
        assert report.admitted_files == 0
        assert airlock.there() == set()


@pytest.mark.root
def test_fault_45_an_error_of_reading_back_is_a_failure(faulty, landing, airlock_at):
    """It names the errno, and the file gets no name."""
    faulty.make_filesystem("ext4")
    with faulty.mounted() as root:
        airlock = airlock_at(root)
        faulty.set(read_eio="data")
        report = airlock.carry(landing.batch(2 * MIB, 30 * KIB))
        assert (report.failure, report.failure_detail) == ("io", "EIO")
        assert airlock.there() == set()


@pytest.mark.root
def test_fault_42_a_thin_pool_that_runs_dry_admits_nothing(faulty, landing, airlock_at):
    """The file system had room and the medium had not."""
    faulty.make_filesystem("ext4")
    with faulty.mounted() as root:
        airlock = airlock_at(root)
        faulty.set(enospc_after=2 * MIB)
        report = airlock.carry(landing.batch(*[MIB + n for n in range(8)]))
        assert report.failure in ("full", "io")
        assert report.admitted_files == 0
        assert airlock.there() == set()
