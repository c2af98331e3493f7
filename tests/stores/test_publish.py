"""Small files: identity, heads, views, keys."""

from __future__ import annotations

import os
import stat
import sys

import pytest

from tests.rigs.disk import disk, mounted
from tests.rigs.faultblk import FaultyDisk
from vault.errors import ReadBackFailed, StoreError, TargetFull
from vault.stores import NotOnTarget

MIB = 1 << 20


def test_what_is_published_reads_back_and_is_read_only(folder):
    """A head, small and signed, has the discipline of a pack."""
    with folder.store() as store:
        store.publish("coffre/heads/17", b"head")
        assert store.read("coffre/heads/17", limit_bytes=4) == b"head"
        assert store.names("coffre/heads") == ["17"]
    assert stat.S_IMODE((folder.root / "coffre/heads/17").stat().st_mode) == 0o400


def test_publishing_again_is_fine_and_publishing_otherwise_is_not(folder):
    """A cycle that died after the link is simply run again; nothing is ever replaced."""
    with folder.store() as store:
        for _ in range(2):
            store.publish("coffre/identity", b"this one")
        for other in (b"that one", b"this one, and more", b"this", b""):
            with pytest.raises(StoreError, match="another content"):
                store.publish("coffre/identity", other)
        assert store.read("coffre/identity", limit_bytes=99) == b"this one"


@pytest.mark.parametrize("path", ["", "/etc/x", "../x", "coffre/../../x", "coffre//x", "coffre/."])
def test_a_path_that_leaves_the_target_is_an_error(folder, path):
    """For writing and for reading."""
    with folder.store() as store:
        with pytest.raises(StoreError):
            store.publish(path, b"x")
        with pytest.raises(StoreError):
            store.read(path, limit_bytes=9)


def test_links_on_the_target_are_not_followed(folder, tmp_path):
    """A medium that was tampered with shows us only its own files."""
    (tmp_path / "secret").write_text("outside")
    (folder.root / "coffre/identity").symlink_to(tmp_path / "secret")
    (folder.root / "coffre/heads").rmdir()
    (folder.root / "coffre/heads").symlink_to(tmp_path)
    with folder.store() as store:
        for path in ("coffre/identity", "coffre/heads/secret"):
            with pytest.raises(StoreError, match=r"ELOOP|ENOTDIR"):
                store.read(path, limit_bytes=99)
        with pytest.raises(StoreError):
            store.publish("coffre/heads/1", b"x")
    assert not (tmp_path / "1").exists()


def test_reading_is_bounded_and_says_what_is_absent(folder):
    """A medium decides what it holds, not how much of our memory it takes."""
    with folder.store() as store:
        with pytest.raises(NotOnTarget):
            store.read("coffre/identity", limit_bytes=1)
        assert store.names("coffre/nothing") == []
        store.publish("coffre/identity", b"12345")
        with pytest.raises(StoreError, match="more than 4 bytes"):
            store.read("coffre/identity", limit_bytes=4)
        os.mkfifo(folder.root / "coffre/pipe")
        with pytest.raises(StoreError, match="not a regular file"):
            store.read("coffre/pipe", limit_bytes=4)


def test_preparing_twice_changes_nothing_and_refuses_a_link(folder, tmp_path):
    """An enrolment may be run again; a link is no folder."""
    with folder.store() as store:
        store.prepare_repository()
        assert len(store.names("repository/data")) == 256
        (folder.root / "repository/index").rmdir()
        (folder.root / "repository/index").symlink_to(tmp_path)
        with pytest.raises(StoreError):
            store.prepare_repository()


def test_free_room_is_told_and_no_limit_is_no_zero(folder):
    """Some file systems have no count of inodes."""
    with folder.store() as store:
        free_bytes, free_inodes = store.free()
    assert free_bytes > 0
    assert 0 < free_inodes <= sys.maxsize


@pytest.mark.root
def test_publishing_on_a_full_medium_is_target_full(landing, airlock_at, tmp_path):
    """And it leaves nothing behind."""
    with (
        disk(tmp_path / "image", size_bytes=16 * MIB) as made,
        mounted(made.device, tmp_path / "m") as root,
        airlock_at(root).store() as store,
    ):
        with pytest.raises(TargetFull):
            store.publish("coffre/views/1.zst", bytes(64 * MIB))
        assert store.names("coffre/views") == []


@pytest.mark.root
def test_fault_46_publishing_on_a_lying_disk_is_found_out(landing, airlock_at, tmp_path):
    """The head never gets a name it does not hold."""
    with FaultyDisk(tmp_path, 96 * MIB) as made:
        made.make_filesystem("ext4")
        with made.mounted() as root, airlock_at(root).store() as store:
            made.set(lie="drop")
            with pytest.raises(ReadBackFailed):
                store.publish("coffre/heads/1", os.urandom(20_000))
            assert store.names("coffre/heads") == []


def test_records_that_cannot_be_published_take_nothing_from_the_carry(folder, landing):
    """The carry is told first, whole; then the error is raised."""
    batch, told = landing.batch(70_000), []
    with folder.store() as store:
        store.publish("coffre/heads/1", b"another's")
        with pytest.raises(StoreError, match="another content"):
            store.carry(
                [batch],
                landing=os.fsencode(landing.folder),
                soft_closes_at_s=float("inf"),
                records=[("coffre/views/1.zst", b"list"), ("coffre/heads/1", b"ours")],
                on_settled=told.append,
            )
    assert [report.is_complete for report in told] == [True]
    assert folder.there() == {file.path for file in batch}


def test_records_of_a_carry_that_has_nothing_to_do_are_published(folder, landing):
    """A night that finds all there still leaves its head, and twice is once."""
    batch = landing.batch(70_000)
    folder.carry(batch)
    for _ in range(2):
        with folder.store() as store:
            store.carry(
                [batch],
                landing=os.fsencode(landing.folder),
                soft_closes_at_s=float("inf"),
                records=[("coffre/heads/1", b"head")],
            )
            assert store.read("coffre/heads/1", limit_bytes=9) == b"head"
