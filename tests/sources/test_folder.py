"""Exports in a folder of this host, on real file systems."""

from __future__ import annotations

import hashlib
import os
import subprocess
from datetime import UTC, datetime

import pytest

from tests.rigs.disk import disk, mounted
from vault.errors import SourceError, SourceMissing
from vault.sources.folder import FolderSource
from vault.sources.part import part_name
from vault.sources.reception import Reception, ReceptionError
from vault.sources.tree import LONGEST_PATH

MIB = 1024**2


def test_folder_that_is_a_file_is_no_source(bench) -> None:
    """The operator named the wrong thing."""
    full = bench.write(b"a.txt")
    with pytest.raises(SourceMissing, match="not a folder"):
        FolderSource("x", full, clock=bench.clock).collect(
            bench.reception, closes_at_s=bench.clock.boot_s() + 9, progress=bench.listener
        )


@pytest.mark.root
@pytest.mark.parametrize("what", ["folder", "file"])
def test_what_may_not_be_read_fails_the_pull_and_is_no_deletion(bench, tmp_path, what) -> None:
    """A hole must not look like a deletion, nor like a good night."""
    full = bench.write(b"sub/a.txt")
    bench.write(b"b.txt")
    bench.sealed()
    bench.write(b"sub/a.txt", b"newer", age_s=5)
    os.chmod(os.path.dirname(full) if what == "folder" else full, 0)
    for folder, _, _ in os.walk(tmp_path):
        os.chown(folder, 65534, -1)
    for folder, _, files in os.walk(bench.reception.folder):
        for name in [b"", *files]:
            os.chown(os.path.join(folder, name), 65534, -1)
    # A worker of xdist has one folder more between the temporary root and the test's own.
    above = [tmp_path.parents[n] for n in range(3)]
    modes = [folder.stat().st_mode for folder in above]
    for folder in above:
        os.chmod(folder, folder.stat().st_mode | 0o011)
    os.chown(full if what == "file" else os.path.dirname(full), 0, 0)
    os.seteuid(65534)
    try:
        with pytest.raises(SourceError, match="1 files or folders of pmsi may not be read"):
            bench.collect()
    finally:
        os.seteuid(0)
        for folder, mode in zip(above, modes, strict=True):
            os.chmod(folder, mode)
    assert bench.names() == [b"b.txt", b"sub/a.txt"]


def test_path_too_long_to_be_restored_is_refused_and_listed(bench) -> None:
    """A tree deeper than any path is walked to its bound and no further."""
    here = os.getcwd()
    os.chdir(bench.exports.root)
    try:
        for _ in range(25):  # 25 × 200 bytes: more than the kernel takes at once
            os.mkdir(b"d" * 199)
            os.chdir(b"d" * 199)
        with open("deep.txt", "w"):
            pass
    finally:
        os.chdir(here)
    bench.write(b"good.txt")
    pull = bench.sealed()
    assert [entry.path for entry in pull.entries] == [b"good.txt"]
    (refusal,) = pull.refused
    assert refusal.reason == f"path longer than {LONGEST_PATH} bytes"
    assert len(refusal.name) > LONGEST_PATH
    subprocess.run(["rm", "-rf", bench.exports.root], check=True)


def test_file_that_changes_while_it_is_read_waits(bench) -> None:
    """What was read is two halves of two files: it gets no name."""
    full = bench.write(b"big.bin", os.urandom(8 * MIB))
    bench.when_arrived(MIB, lambda: os.utime(full))
    pull = bench.collect()
    assert pull.entries == ()
    assert [wait.reason for wait in pull.waiting] == ["changed while it was read"]
    assert bench.names() == []
    assert bench.collect().pulled == 1


def test_file_that_grows_while_it_is_read_waits(bench) -> None:
    """Growth is change, also when the time is put back."""
    full = bench.write(b"big.bin", os.urandom(8 * MIB))
    when = os.stat(full).st_mtime_ns

    def grow() -> None:
        with open(full, "ab") as file:
            file.write(b"more")
        os.utime(full, ns=(when, when))

    bench.when_arrived(MIB, grow)
    assert [wait.name for wait in bench.collect().waiting] == [b"big.bin"]


def test_file_that_changes_after_it_was_read_waits(bench) -> None:
    """The second look comes after the last byte and before the name."""
    first = bench.write(b"a.txt", b"one")
    bench.write(b"b.bin", os.urandom(8 * MIB))
    # One thread reads both in turn: while the second comes in, the first is written again.
    bench.when_arrived(6 * MIB, lambda: os.utime(first))
    pull = bench.collect()
    assert [(wait.name, wait.reason) for wait in pull.waiting] == [(b"a.txt", "still changing")]
    assert bench.names() == [b"b.bin"]


def test_file_swapped_for_a_symlink_after_the_listing_is_not_followed(bench, tmp_path) -> None:
    """Between looking and opening a stranger may act; the link's target is never read."""
    full = bench.write(b"a.txt", b"export")
    secret = tmp_path / "secret"
    secret.write_bytes(b"secret")  # as long and as old as the export: only the kind tells
    when = os.stat(full).st_mtime_ns
    os.utime(secret, ns=(when, when))

    def swap() -> datetime:
        """Act when the pull asks for the time: it has listed, and opened nothing yet."""
        os.unlink(full)
        os.symlink(secret, full)
        return datetime.now(UTC)

    bench.clock.now = swap
    pull = bench.collect()
    assert os.path.islink(full)
    assert pull.entries == ()
    assert [wait.reason for wait in pull.waiting] == ["changed while it was read"]
    assert bench.names() == []


def test_interrupted_copy_goes_on_where_it_stopped(bench) -> None:
    """The part is continued, its bytes hashed again, the whole is right."""
    content = os.urandom(24 * MIB)
    bench.write(b"big.bin", content)

    def close() -> None:
        bench.clock.ahead_s += 3600

    bench.when_arrived(8 * MIB, close)
    with pytest.raises(SourceError, match="did not end in its time"):
        bench.collect()
    arrived = bench.arrived()
    assert 8 * MIB <= arrived < len(content)
    inode = os.stat(part_of(bench, b"big.bin")).st_ino
    (entry,) = bench.collect().entries
    assert entry.sha256 == hashlib.sha256(content).hexdigest()
    assert os.stat(bench.data(b"big.bin")).st_ino == inode


def test_part_of_another_version_is_not_continued(bench) -> None:
    """Half of yesterday's file and half of today's is neither."""
    interrupt(bench, os.urandom(16 * MIB))
    content = os.urandom(16 * MIB)
    bench.write(b"big.bin", content, age_s=7)
    (entry,) = bench.collect().entries
    assert entry.sha256 == hashlib.sha256(content).hexdigest()


def test_after_a_reboot_only_what_was_synced_is_continued(bench) -> None:
    """A power cut may leave zeros behind what was synced: they are read anew."""
    content = os.urandom(16 * MIB)
    interrupt(bench, content)
    part = part_of(bench, b"big.bin")
    record = part.removesuffix(b".part") + b".json"
    with open(record) as file:
        said = file.read()
    with open(record, "w") as file:
        file.write(said.replace("0d0c7f0e-boot", "another-boot").replace(synced(said), "4194304"))
    with open(part, "r+b") as file:
        file.seek(5 * MIB)
        file.write(bytes(MIB))
    (entry,) = bench.collect().entries
    assert entry.sha256 == hashlib.sha256(content).hexdigest()


def test_record_that_is_torn_is_no_record(bench) -> None:
    """We start anew rather than guess."""
    content = os.urandom(16 * MIB)
    interrupt(bench, content)
    part = part_of(bench, b"big.bin")
    with open(part.removesuffix(b".part") + b".json", "w") as file:
        file.write('{"size": 167')
    with open(part, "r+b") as file:
        file.write(b"wrong")
    (entry,) = bench.collect().entries
    assert entry.sha256 == hashlib.sha256(content).hexdigest()


@pytest.mark.root
def test_reception_without_room_says_so_and_keeps_what_was_sealed(bench, tmp_path) -> None:
    """A full disk of the vault host is named, and is no failure of the source."""
    with disk(tmp_path / "small.img") as small, mounted(small.device, tmp_path / "small") as place:
        bench.reception = Reception(os.fsencode(place / "reception"))
        bench.write(b"a.txt", b"small")
        bench.sealed()
        bench.write(b"huge.bin", os.urandom(80 * MIB))
        with pytest.raises(ReceptionError, match="no room"):
            bench.collect()
        assert [entry.path for entry in bench.reception.manifest()] == [b"a.txt"]


@pytest.mark.root
@pytest.mark.parametrize("fs_type", ["xfs", "btrfs"])
def test_copy_shares_the_extents_where_the_file_system_can(bench, tmp_path, fs_type) -> None:
    """On the same xfs or btrfs nothing is copied: the clone costs no room."""
    with (
        disk(tmp_path / "own.img", fs_type=fs_type) as own,
        mounted(own.device, tmp_path / "disk") as place,
    ):
        bench.exports.root = os.fsencode(place / "exports")
        bench.reception = Reception(os.fsencode(place / "reception"))
        content = os.urandom(16 * MIB)
        bench.write(b"big.bin", content)
        os.sync()
        before = os.statvfs(place)
        (entry,) = bench.sealed().entries
        os.sync()
        used = (before.f_bfree - os.statvfs(place).f_bfree) * before.f_frsize
        assert entry.sha256 == hashlib.sha256(content).hexdigest()
        assert used < 8 * MIB


def part_of(bench, path: bytes) -> bytes:
    return os.path.join(bench.reception.folder, b"partial", part_name(path))


def interrupt(bench, content: bytes) -> None:
    """Leave a part of some megabytes behind."""
    bench.write(b"big.bin", content)

    def close() -> None:
        bench.clock.ahead_s += 3600

    bench.when_arrived(8 * MIB, close)
    with pytest.raises(SourceError):
        bench.collect()
    bench.clock.act = lambda: None


def synced(record: str) -> str:
    return record.rpartition(" ")[2].rstrip("}")
