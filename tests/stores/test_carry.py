"""What a carry leaves on real file systems."""

from __future__ import annotations

import os
import stat
import subprocess
import threading
import time

import pytest

import vault.stores.carry as carry_module
from vault.results import RepositoryFile
from vault.stores import Plan

KIB, MIB = 1 << 10, 1 << 20
SIZES = (0, 1, 4095, 4096, MIB - 1, MIB, MIB + 1, 4 * MIB, 9 * MIB + 511)


@pytest.mark.root
def test_everything_crosses_whole_on_each_file_system(any_disk):
    """Sizes around every boundary arrive byte-equal, read-only and immutable."""
    batch = any_disk.landing.batch(*SIZES)
    report = any_disk.carry(batch)
    assert report.is_complete
    assert any_disk.there() == {file.path for file in batch}
    assert any_disk.torn() == []
    assert report.admitted_files == report.wanted_files == len(batch)
    assert report.read_back_bytes == report.admitted_bytes == sum(f.size_bytes for f in batch)
    for file in batch:
        path = any_disk.root / "repository" / file.path
        assert stat.S_IMODE(path.stat().st_mode) == 0o400
        listed = subprocess.run(["lsattr", path], capture_output=True, text=True, check=True)
        assert "i" in listed.stdout.split()[0]


def test_a_carry_works_without_root_on_a_folder(folder):
    """The same store serves the folder door, and says which locks hold."""
    batch = folder.landing.batch(*SIZES)
    assert folder.carry(batch).is_complete
    assert folder.torn() == []
    with folder.store() as store:
        assert store.makes_unnamed_files
        assert list(store.missing(batch)) == []


def test_what_is_there_is_left_alone(folder):
    """A second night carries only what is new."""
    first, second = folder.landing.batch(MIB), folder.landing.batch(2 * MIB)
    folder.carry(first)
    before = {path: os.stat(folder.root / "repository" / path) for path in folder.there()}
    report = folder.carry(first, second)
    assert report.wanted_files == report.admitted_files == len(second)
    for path, old in before.items():
        new = os.stat(folder.root / "repository" / path)
        assert (new.st_ino, new.st_mtime_ns) == (old.st_ino, old.st_mtime_ns)


def test_a_name_planned_twice_crosses_once(folder):
    """Two runs may name the same pack."""
    batch = folder.landing.batch(MIB)
    report = folder.carry(batch, batch)
    assert report.is_complete
    assert report.wanted_files == len(batch)


def test_names_appear_in_the_order_of_safety(folder, monkeypatch):
    """All packs of a group, a sync, its indexes, a sync, its snapshots, a sync."""
    done = []
    link, sync = carry_module.NewFile.link, carry_module.Target.sync
    monkeypatch.setattr(
        carry_module.NewFile,
        "link",
        lambda file, name: (done.append(file.folder), link(file, name)),
    )
    monkeypatch.setattr(
        carry_module.Target, "sync", lambda target: (done.append("sync"), sync(target))
    )
    batches = [folder.landing.batch(MIB, 5), folder.landing.batch(7, 9)]
    assert folder.carry(*batches).is_complete
    kinds = [name.split("/")[1] if "/" in name else name for name in done]
    expected = ["sync", *["data"] * 4, "sync", *["index"] * 2, "sync", *["snapshots"] * 2, "sync"]
    assert kinds == expected


def test_a_large_plan_is_linked_group_by_group(folder, monkeypatch):
    """No group is begun before the names of the one before it; few files are open at once."""
    monkeypatch.setattr(carry_module, "GROUP_FILES", 5)
    batches = [folder.landing.batch(*range(10 * n + 1, 10 * n + 7)) for n in range(3)]
    seen = []
    report = folder.carry(*batches, on_progress=lambda done, total: seen.append(folder.there()))
    assert report.is_complete
    order = [path for batch in batches for path in sorted(file.path for file in batch)]
    assert all(len(names) % 5 == 0 for names in seen[:-1])
    for names in seen:
        last = max((order.index(name) for name in names), default=-1)
        assert names == set(order[: last + 1])


def test_progress_is_told_in_the_callers_thread_and_ends_at_the_total(folder):
    """The caller may send events over a socket that only one thread may use."""
    batch, told = folder.landing.batch(MIB, MIB), []
    folder.carry(batch, on_progress=lambda *seen: told.append((threading.get_ident(), *seen)))
    total = sum(file.size_bytes for file in batch)
    assert {thread for thread, _, _ in told} == {threading.get_ident()}
    assert told[-1][1:] == (total, total)
    assert [done for _, done, _ in told] == sorted(done for _, done, _ in told)


def test_a_deadline_that_has_passed_begins_nothing(folder):
    """What is left is counted, so that nights left can be told."""
    batch = folder.landing.batch(MIB, 3 * MIB)
    report = folder.carry(batch, for_s=-1)
    assert folder.there() == set()
    assert (report.left_files, report.largest_left_bytes) == (4, 3 * MIB)
    assert not report.is_complete


def test_a_deadline_between_two_files_keeps_what_was_begun(folder, monkeypatch):
    """Files already begun are finished and named; no index follows packs that stayed behind."""
    batch = folder.landing.batch(*[MIB + n for n in range(20)])
    began = time.clock_gettime(time.CLOCK_BOOTTIME)
    slow = carry_module.Carry._write
    monkeypatch.setattr(
        carry_module.Carry, "_write", lambda self, row: (time.sleep(0.1), slow(self, row))[1]
    )
    report = folder.carry(batch, for_s=2.0, threads=1)
    order = sorted(file.path for file in batch)
    assert 0 < report.admitted_files < 20
    assert report.left_files == 22 - report.admitted_files
    assert folder.there() == set(order[: report.admitted_files])
    assert not any(name.startswith(("index", "snapshots")) for name in folder.there())
    assert folder.torn() == []
    assert time.clock_gettime(time.CLOCK_BOOTTIME) - began < 3.0
    assert folder.carry(batch).is_complete


def test_keys_and_config_never_cross_in_a_cycle(folder):
    """They are pinned at the enrolment; a plan that names one carries nothing at all."""
    key, batch = folder.landing.put("keys", 400), folder.landing.batch(MIB)
    report = folder.carry([*batch, key])
    assert [refusal.name for refusal in report.refused] == [key.path.encode()]
    assert folder.there() == set()


def test_an_interrupted_carry_leaves_nothing_open(folder):
    """An exception from the caller ends the crew and closes every file."""
    batch = folder.landing.batch(*[MIB] * 8)
    before = len(os.listdir("/proc/self/fd"))
    threads = set(threading.enumerate())  # other tests of this process may have left theirs

    def stop(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        folder.carry(batch, on_progress=stop)
    assert set(threading.enumerate()) <= threads
    assert len(os.listdir("/proc/self/fd")) <= before + 4
    assert folder.there() == set()


def test_a_plan_may_be_given_as_a_table(folder):
    """The vault side reads it from a file and never makes a value a file."""
    batch = folder.landing.batch(MIB)
    with folder.store() as store:
        report = store.carry(
            Plan.of([batch]),
            landing=os.fsencode(folder.landing.folder),
            soft_closes_at_s=float("inf"),
        )
    assert report.is_complete


def test_a_target_that_contradicts_the_plan_gets_nothing(folder):
    """Fault 58: a file there with another size is told as corrupt, and stops the carry."""
    old, new = folder.landing.batch(MIB), folder.landing.batch(2 * MIB)
    folder.carry(old)
    damaged = folder.root / "repository" / old[0].path
    damaged.chmod(0o600)
    os.truncate(damaged, 100)
    before = folder.there()
    report = folder.carry(old, new)
    assert [refusal.name for refusal in report.corrupt] == [old[0].path.encode()]
    assert folder.there() == before
    assert report.left_files == len(new)


def test_a_folder_that_is_a_link_is_not_followed(folder, tmp_path):
    """A target that was tampered with cannot lead a write out of itself."""
    batch = folder.landing.batch(100)
    outside = tmp_path / "outside"
    outside.mkdir()
    shard = folder.root / "repository" / os.path.dirname(batch[0].path)
    shard.rmdir()
    shard.symlink_to(outside)
    report = folder.carry(batch)
    assert report.failure == "io"
    assert list(outside.iterdir()) == []


def test_the_smallest_pace_is_no_division_by_zero(folder):
    """A plan with nothing missing ends at once."""
    assert folder.carry().is_complete
    assert folder.carry([RepositoryFile(path="index/" + "0" * 64, size_bytes=0)]).refused


def test_small_files_do_not_make_a_large_one_look_endless(folder, monkeypatch):
    """The time of small files is overhead; no speed is learned from it."""
    monkeypatch.setattr(carry_module, "GROUP_FILES", 4)
    batch = folder.landing.batch(*range(10, 30), 12 * MIB)
    assert folder.carry(batch, for_s=20.0).is_complete
