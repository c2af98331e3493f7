"""The fallback on file systems that have no unnamed files."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.root

MIB = 1 << 20


@pytest.fixture
def mirror(tmp_path: Path):
    """Give a FUSE file system over a folder."""
    behind, front = tmp_path / "behind", tmp_path / "front"
    behind.mkdir()
    front.mkdir()
    script = Path(__file__).with_name("mirror_fs.py")
    with subprocess.Popen(
        [sys.executable, str(script), str(behind), str(front)], stderr=subprocess.DEVNULL
    ) as server:
        try:
            deadline = time.monotonic() + 10
            while not os.path.ismount(front) and time.monotonic() < deadline:
                time.sleep(0.01)
            yield front
        finally:
            subprocess.run(["umount", str(front)], check=False)
            try:
                server.wait(timeout=5)
            except subprocess.TimeoutExpired:
                server.kill()


def test_everything_crosses_by_a_temporary_name_that_restic_ignores(mirror, landing, airlock_at):
    """Nothing of it is left, and the report is the same."""
    airlock = airlock_at(mirror)
    batch = landing.batch(0, 100, 3 * MIB + 5)
    with airlock.store() as store:
        report = store.carry(
            [batch], landing=os.fsencode(landing.folder), soft_closes_at_s=float("inf")
        )
        assert not store.makes_unnamed_files
        store.publish("coffre/heads/1", b"head")
        assert store.names("coffre/heads") == ["1"]
    assert report.is_complete
    assert airlock.there() == {file.path for file in batch}
    assert airlock.torn() == []


def test_a_refusal_leaves_no_temporary_name(mirror, landing, airlock_at):
    """Only our own temporary name is ever removed."""
    airlock = airlock_at(mirror)
    batch = landing.batch(2 * MIB, 70)
    landing.path(batch[0]).write_bytes(os.urandom(2 * MIB))
    assert len(airlock.carry(batch).refused) == 1
    assert airlock.there() == set()


def test_what_a_death_left_is_swept_and_nothing_else(mirror, landing, airlock_at):
    """The next carry into a folder removes old parts from it."""
    airlock = airlock_at(mirror)
    batch = landing.batch(50)
    index = mirror / "repository/index"
    (index / ".part-0123").write_bytes(b"half")
    (index / "kept").write_bytes(b"not ours")
    assert airlock.carry(batch).is_complete
    assert sorted(os.listdir(index)) == sorted(["kept", os.path.basename(batch[1].path)])
