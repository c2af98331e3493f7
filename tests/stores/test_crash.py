"""Fault 29: whenever the carrying process dies, what has a name is whole and in order."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.rigs.strace import count_calls, kill_points, run_injected, why_no_strace
from vault.stores import write_plan

ROOT = Path(__file__).resolve().parents[2]
KIB, MIB = 1 << 10, 1 << 20
POINTS = 12
CALLS = ("linkat", "syncfs", "pwrite64", "ioctl")
CHILD = """
import os, sys
sys.path.insert(0, sys.argv[1])
import vault.stores.carry as carry
from vault.stores import FilesStore, read_plan
carry.GROUP_FILES = 6
with FilesStore(os.fsencode(sys.argv[4]), immutable=sys.argv[5] == "immutable") as store:
    plan = read_plan(os.open(sys.argv[2], os.O_RDONLY))
    records = [("coffre/views/1.zst", b"list"), ("coffre/heads/1", b"head")]
    report = store.carry(
        plan, landing=os.fsencode(sys.argv[3]), soft_closes_at_s=float("inf"), records=records
    )
sys.exit(0 if report.is_complete else 9)
"""


@pytest.fixture
def batches(landing):
    return [landing.batch(2 * MIB + n, 40 * KIB + n, 300 + n) for n in range(4)]


def command(airlock, batches, tmp_path: Path) -> list[str]:
    plan = tmp_path / "plan"
    with plan.open("wb") as file:
        write_plan(file.fileno(), enumerate(batches))
    immutable = "immutable" if airlock.immutable else "no"
    words = [ROOT, plan, airlock.landing.folder, airlock.root, immutable]
    return [sys.executable, "-c", CHILD, *map(str, words)]


def assert_sound(airlock, batches) -> None:
    """Nothing is torn; an index has all its packs, a snapshot and a record all before them."""
    there = airlock.there()
    assert airlock.torn() == []
    before: set[str] = set()
    for batch in batches:
        packs = {file.path for file in batch if file.path.startswith("data")}
        for file in batch:
            if file.path.startswith("index") and file.path in there:
                assert before | packs <= there
            if file.path.startswith("snapshots") and file.path in there:
                assert {other.path for other in batch} <= there
        before |= packs
    if (airlock.root / "coffre/heads/1").exists():
        assert (airlock.root / "coffre/heads/1").read_bytes() == b"head"
        assert (airlock.root / "coffre/views/1.zst").read_bytes() == b"list"
    if (airlock.root / "coffre/views/1.zst").exists():
        assert {file.path for batch in batches for file in batch} <= there


@pytest.mark.root
def test_fault_29_a_kill_at_any_moment_leaves_no_torn_name(ext4, batches, tmp_path):
    """A seeded handful of moments, one medium, no repair between: then one run completes it."""
    argv = command(ext4, batches, tmp_path)
    chance = random.Random(29)
    for _ in range(POINTS):
        child = subprocess.Popen(argv)
        time.sleep(0.1 + chance.random() * 0.4)
        child.send_signal(signal.SIGKILL)
        child.wait()
        assert_sound(ext4, batches)
    assert subprocess.run(argv, check=False).returncode == 0
    assert ext4.there() == {file.path for batch in batches for file in batch}
    assert ext4.torn() == []


@pytest.mark.root
@pytest.mark.skipif(why_no_strace() is not None, reason=f"NOT SHOWN: {why_no_strace()}")
def test_fault_29_a_kill_before_any_call_leaves_no_torn_name(ext4, batches, tmp_path, long_run):
    """Before links, syncs, writes and the setting of flags; each run goes on from the last."""
    argv = command(ext4, batches, tmp_path)
    counts = {"linkat": 20, "syncfs": 12, "pwrite64": 8, "ioctl": 30}
    for point in kill_points(counts, seed=29, sample=None if long_run else POINTS):
        run_injected(argv, point.syscall, point.when)
        assert_sound(ext4, batches)
    assert subprocess.run(argv, check=False).returncode == 0
    assert ext4.there() == {file.path for batch in batches for file in batch}


@pytest.mark.root
@pytest.mark.skipif(why_no_strace() is not None, reason=f"NOT SHOWN: {why_no_strace()}")
def test_a_failed_sync_is_never_tried_again(ext4, batches, tmp_path):
    """Of the syncs of a carry that is told EIO at the first, there is only the first."""
    argv = command(ext4, batches, tmp_path)
    done = run_injected(argv, "syncfs", 1, "error=EIO")
    assert done.returncode == 9
    assert ext4.there() == set()
    counts = count_calls([*argv[:-1], "immutable"], ["syncfs"], log=tmp_path / "calls")
    assert counts["syncfs"] > 4


@pytest.mark.root
@pytest.mark.skipif(why_no_strace() is not None, reason=f"NOT SHOWN: {why_no_strace()}")
def test_a_sync_that_fails_after_the_packs_keeps_the_index_back(ext4, batches, tmp_path):
    """Names that may not be durable are not built upon."""
    argv = command(ext4, batches[:1], tmp_path)
    assert run_injected(argv, "syncfs", 2, "error=EIO").returncode == 9
    assert {name.split("/")[0] for name in ext4.there()} == {"data"}
    assert os.listdir(ext4.root / "repository/index") == []


@pytest.mark.root
@pytest.mark.skipif(why_no_strace() is not None, reason=f"NOT SHOWN: {why_no_strace()}")
def test_list_and_head_cost_no_barrier_of_their_own(ext4, batches, tmp_path):
    """One group with its records: content, packs, indexes, then snapshots, list and head."""
    argv = command(ext4, batches[:1], tmp_path)
    counts = count_calls(argv, ["syncfs"], log=tmp_path / "calls")
    assert counts["syncfs"] == 4
    assert (ext4.root / "coffre/heads/1").read_bytes() == b"head"
