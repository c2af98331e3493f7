"""``coffre selftest``: every fault is real and told, and one that were not would be exit 1."""

from __future__ import annotations

import contextlib
import json
import os

import pytest

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
