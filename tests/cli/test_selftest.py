"""``coffre selftest``: every fault is real and told, and one that were not would be exit 1."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess

import pytest

from tests.rigs.disk import disk, is_free
from tests.rigs.waiting import wait_until
from vault.cli import selftest

pytestmark = pytest.mark.xdist_group("cli")


@pytest.mark.root
@pytest.mark.long
def test_every_fault_is_told_and_every_control_is_sound(ask, tmp_path, monkeypatch):
    """The whole of it, on disks of its own; nothing is left behind."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    told = ask(None, "selftest").ok().document
    names = [proof["name"] for proof in told["proofs"]]
    assert len(names) == 16
    assert set(names) == set(selftest._TOLD)
    assert all(proof["holds"] for proof in told["proofs"])
    assert os.listdir(tmp_path) == []


@pytest.fixture
def bench(monkeypatch, tmp_path):
    """Give a bench without a vault, for faults of the test's own."""
    made = selftest.Bench(str(tmp_path))

    @contextlib.contextmanager
    def empty():
        yield made

    monkeypatch.setattr(selftest, "_bench", empty)
    return made


@pytest.mark.root
@pytest.mark.parametrize(("got", "code"), [("full", 0), ("admitted", 1)])
def test_a_fault_that_is_not_told_is_exit_1(ask, bench, monkeypatch, got, code):
    """And stands in the table."""
    monkeypatch.setattr(selftest, "_FAULTS", (lambda made: made.prove("full-disk", "full", got),))
    told = ask(None, "selftest", json_too=False)
    assert told.code == code
    assert ("NOT AS IT SHOULD" in told.stdout) is bool(code)
    bench.proofs.clear()
    document = ask(None, "selftest").document
    assert document["exit_code"] == code
    assert document["proofs"] == [
        {"name": "full-disk", "expected": "full", "got": got, "holds": not code}
    ]


@pytest.mark.root
def test_a_disk_is_let_go_of_before_the_next_command_looks(tmp_path):
    """Whoever was made meanwhile with a mount table of its own has a copy until it ends."""
    with disk(tmp_path / "d.img", fs_type="ext4", size_bytes=16 << 20) as made:
        bench = selftest.Bench(str(tmp_path), device=made.device)
        with bench.mounted():
            other = subprocess.Popen(["unshare", "--mount", "sleep", "1"])
            wait_until(lambda: os.readlink(f"/proc/{other.pid}/ns/mnt") != os.readlink(
                "/proc/self/ns/mnt"), "a mount table of its own")  # fmt: skip
        assert is_free(made.device)
        other.wait()


def test_without_root_it_says_so(ask, monkeypatch):
    """It makes disks."""
    monkeypatch.setattr(selftest, "is_root", lambda: False)
    told = ask(None, "selftest", json_too=False)
    assert told.code != 0
    assert "needs-root" in told.stderr


def test_a_bit_turned_twice_is_the_file_as_it_was(tmp_path):
    """One bit, and neither size, time nor mode besides."""
    path = tmp_path / "pack"
    path.write_bytes(b"abcdefgh")
    path.chmod(0o400)
    before = path.stat()
    selftest.flip_bit(str(path))
    changed = path.read_bytes()
    assert [a ^ b for a, b in zip(changed, b"abcdefgh", strict=True)] == [0, 0, 0, 0, 1, 0, 0, 0]
    after = path.stat()
    assert (after.st_mtime_ns, after.st_mode, after.st_size) == (
        before.st_mtime_ns, before.st_mode, before.st_size,
    )  # fmt: skip
    selftest.flip_bit(str(path))
    assert path.read_bytes() == b"abcdefgh"


def test_the_document_keeps_its_schema(ask, bench, monkeypatch, faults):
    """docs/schemas/selftest.json."""
    monkeypatch.setattr(selftest, "is_root", lambda: True)
    monkeypatch.setattr(
        selftest, "_FAULTS", (lambda made: made.prove("night", "admitted|nothing-new", "full"),)
    )
    told = ask(None, "selftest")
    assert faults(told.document) == []
    assert json.loads(told.stdout) == told.document
