"""Level 3: what reads restored data as its users would, with the real programs."""

from __future__ import annotations

import glob
import hashlib
import json
import os
import sqlite3
import subprocess
from pathlib import Path

import pytest

from vault.applications import HookApplication, PostgresApplication, SqliteApplication
from vault.proof import Outcome
from vault.results import ManifestEntry

DUMP = """\
--
-- PostgreSQL database dump
--
SET client_encoding = 'UTF8';
CREATE TABLE public.stays (id integer, label text);
ALTER TABLE public.stays OWNER TO somebody_of_production;
COPY public.stays (id, label) FROM stdin;
1\tone
2\ttwo
3\tthree
\\.
"""


def restored(folder: Path, **files: bytes) -> list[ManifestEntry]:
    (folder / "data").mkdir(parents=True, exist_ok=True)
    entries = []
    for name, content in files.items():
        (folder / "data" / name).write_bytes(content)
        sha256 = hashlib.sha256(content).hexdigest()
        entries.append(
            ManifestEntry(
                path=name.encode(), size_bytes=len(content), mtime_ns=0, sha256=sha256
            )
        )  # fmt: skip
    return entries


def database(path: Path, *, log: bool = False) -> bytes:
    connection = sqlite3.connect(path)
    if log:
        connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("CREATE TABLE t (a, b)")
    connection.executemany("INSERT INTO t VALUES (?, ?)", [(n, "x" * 200) for n in range(500)])
    connection.commit()
    connection.close()
    return path.read_bytes()


def outcomes(found) -> dict[str, Outcome]:
    return {one.check.name: one.check.outcome for one in found}


@pytest.mark.parametrize("log", [False, True])
def test_a_sound_sqlite_file_passes_and_is_proven(tmp_path, log):
    """Also one that was written with a write-ahead log; what is no database is no business."""
    good = database(tmp_path / "made.db", log=log)
    entries = restored(tmp_path, one=good, other=b"text")
    found = SqliteApplication().test(os.fsencode(tmp_path), "s", entries)
    assert outcomes(found) == {"sqlite": Outcome.PASSED}
    assert found[0].read == (entries[0].sha256,)
    assert SqliteApplication().test(os.fsencode(tmp_path), "s", entries[1:]) == []


def test_a_damaged_sqlite_file_fails(tmp_path):
    """A page overwritten, and a file cut in half; nothing is proven by a failure."""
    good = database(tmp_path / "made.db")
    bad = good[:8192] + b"\xff" * 4096 + good[12288:]
    for content in (bad, good[: len(good) // 2]):
        found = SqliteApplication().test(
            os.fsencode(tmp_path), "s", restored(tmp_path, one=content)
        )
        assert outcomes(found) == {"sqlite": Outcome.FAILED}
        assert found[0].read == ()


def hook(folder: Path, body: str) -> Path:
    path = folder / "drill"
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return path


def test_a_hook_passes_fails_or_knows_nothing(tmp_path):
    """It sees the folder and the source; 77 is not its business."""
    entries = restored(tmp_path, one=b"x")
    asked = tmp_path / "asked"

    def tried(code: int):
        path = hook(tmp_path, f"cat > {asked}\ntest -f data/one || exit 9\nexit {code}")
        return HookApplication(str(path)).test(os.fsencode(tmp_path), "hr", entries)

    assert outcomes(tried(0)) == {"hook": Outcome.PASSED}
    told = json.loads(asked.read_text())
    assert (told["source"], told["files"]) == ("hr", 1)
    assert outcomes(tried(3)) == {"hook": Outcome.FAILED}
    assert list(tried(77)) == []
    assert list(HookApplication(str(tmp_path / "no")).test(b"", "hr", entries)) == []


def test_a_hook_that_others_may_write_is_not_run(tmp_path):
    """And its not running is no pass."""
    path = hook(tmp_path, "exit 0")
    path.chmod(0o777)
    found = HookApplication(str(path)).test(os.fsencode(tmp_path), "s", restored(tmp_path, a=b"x"))
    assert outcomes(found) == {"hook": Outcome.SKIPPED}


def test_a_dump_without_a_server_is_not_tested(tmp_path):
    """Said, and no pass."""
    entries = restored(tmp_path, dump=DUMP.encode())
    found = PostgresApplication(str(tmp_path / "nowhere")).test(os.fsencode(tmp_path), "s", entries)
    assert outcomes(found) == {"postgresql": Outcome.SKIPPED}
    assert "no PostgreSQL" in found[0].check.sentence


def servers() -> set[str]:
    listed = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True)
    return {line for line in listed.stdout.splitlines() if "listen_addresses=" in line}


@pytest.mark.long
@pytest.mark.root
def test_a_postgresql_dump_loads_into_a_server_of_its_own_and_a_query_answers(tmp_path):
    """As nobody, in namespaces of its own; the server and its folder are gone afterwards."""
    if not glob.glob("/usr/lib/postgresql/*/bin/postgres"):
        pytest.skip("no PostgreSQL is installed")
    tmp_path.chmod(0o700)
    entries = restored(tmp_path, dump=DUMP.encode())
    found = PostgresApplication().test(os.fsencode(tmp_path), "s", entries)
    assert outcomes(found) == {"postgresql": Outcome.PASSED}, found
    assert "3 rows in 1 tables" in found[0].check.sentence
    broken = DUMP.replace("3\tthree", "three\t3\t3")
    entries = restored(tmp_path, dump=broken.encode())
    found = PostgresApplication().test(os.fsencode(tmp_path), "s", entries)
    assert outcomes(found) == {"postgresql": Outcome.FAILED}
    assert servers() == set()
    assert sorted(os.listdir(tmp_path)) == ["data"]
