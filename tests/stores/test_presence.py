"""What a target says it holds."""

from __future__ import annotations

import errno
import os
import subprocess
import sys

import pytest

from vault.errors import StoreError
from vault.results import RepositoryFile
from vault.stores import Plan, presence

CHILD = """
import os, sys
from vault.results import RepositoryFile
from vault.stores.plan_file import Plan
from vault.stores.presence import survey
def wanted():
    for number in range(200_000):
        name = f"{number % 256:02x}{number:062x}"
        yield RepositoryFile(path=f"data/{name[:2]}/{name}", size_bytes=number)
print(len(survey(os.open(sys.argv[1], os.O_RDONLY), Plan.of_list(wanted())).absent))
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""


@pytest.fixture(params=["inline", "processes"])
def way(request, monkeypatch):
    """Ask in this process, and in several."""
    if request.param == "processes":
        monkeypatch.setattr(presence, "FORK_ABOVE_ROWS", 0)
    return request.param


def test_absent_present_and_contradicted_are_told_apart(folder, way):
    """Present means there, regular, and of the size the plan says."""
    batch = folder.landing.batch(*range(100, 140))
    folder.carry(batch)
    repository = folder.root / "repository"
    there = sorted(batch, key=lambda file: file.path)
    (repository / there[0].path).unlink()
    os.chmod(repository / there[1].path, 0o600)
    os.truncate(repository / there[1].path, 3)
    (repository / there[2].path).rename(repository / "elsewhere")
    (repository / there[2].path).symlink_to(repository / "elsewhere")
    (repository / there[3].path).unlink()
    (repository / there[3].path).mkdir()
    with folder.store() as store:
        assert list(store.missing(there)) == there[:4]
        conflicts = [refusal.name.decode() for refusal in store.conflicts(there)]
    assert conflicts == [file.path for file in there[1:4]]


def test_what_is_missing_comes_in_the_order_asked(folder, way):
    """Keys and config may be asked for too; a name asked twice is told once."""
    name = "ab" + "0" * 62
    asked = [
        RepositoryFile(path=path, size_bytes=7)
        for path in (f"snapshots/{name}", "config", f"keys/{name}", f"data/ab/{name}")
    ]
    with folder.store() as store:
        assert list(store.missing([*asked, asked[0]])) == asked
        (folder.root / "repository" / "config").write_bytes(b"7 bytes")
        assert list(store.missing(asked)) == [asked[0], asked[2], asked[3]]


def test_a_shard_that_is_gone_means_its_files_are_missing(folder, way):
    """Restic itself may have removed an empty folder."""
    batch = folder.landing.batch(10)
    (folder.root / "repository" / os.path.dirname(batch[0].path)).rmdir()
    with folder.store() as store:
        assert list(store.missing(batch)) == sorted(batch, key=lambda file: batch.index(file))


def test_an_unlawful_question_is_an_error(folder):
    """Nothing is looked up under a name that could lead elsewhere."""
    with folder.store() as store, pytest.raises(StoreError, match="unlawful"):
        store.missing([RepositoryFile(path="../x", size_bytes=1)])


def test_a_target_that_cannot_be_asked_is_an_error_not_an_absence(folder, way):
    """A folder that became a link must not look empty, or all would be carried again."""
    batch = folder.landing.batch(10)
    shard = folder.root / "repository" / os.path.dirname(batch[0].path)
    shard.rmdir()
    shard.symlink_to(folder.root)
    with folder.store() as store, pytest.raises(StoreError, match=r"ENOTDIR|ELOOP"):
        store.missing(batch)


def test_a_survey_that_dies_is_an_error_not_an_absence(folder, monkeypatch):
    """A killed child gives no answer; no answer is never good news."""
    monkeypatch.setattr(presence, "FORK_ABOVE_ROWS", 0)
    monkeypatch.setattr(presence, "_ask", lambda *_: os.kill(os.getpid(), 9))
    fd = os.open(folder.root, os.O_RDONLY)
    try:
        with pytest.raises(OSError) as told:
            presence.survey(fd, Plan.of([folder.landing.batch(10)]))
        assert told.value.errno == errno.EPIPE
    finally:
        os.close(fd)


def test_a_large_question_stays_small_in_memory(folder):
    """A fifth of a million names: the whole process stays under 50 MB."""
    code = CHILD.replace(
        "presence.survey", "__import__('vault.stores.presence').stores.presence.survey"
    )
    argv = [sys.executable, "-c", code, str(folder.root)]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    absent, peak_kb = map(int, done.stdout.split())
    assert absent == 200_000
    assert peak_kb < 50_000
