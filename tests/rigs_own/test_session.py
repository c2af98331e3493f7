"""The promises of a test session: no silent skip, nothing left over."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

TREE = Path(__file__).parents[2]


def session(tmp_path: Path, body: str, *options: str, **environ: str) -> tuple[int, str]:
    """Run pytest on one small file under our conftest; give its end and what it printed."""
    folder = tmp_path / "inner"
    folder.mkdir()
    (folder / "conftest.py").write_bytes((TREE / "tests" / "conftest.py").read_bytes())
    (folder / "test_inner.py").write_text("import os, subprocess, pytest\n" + body)
    (folder / "pytest.ini").write_text("[pytest]\nmarkers =\n  root: x\n  long: x\n")
    base = f"--basetemp={tmp_path / 'base'}"
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-rs", base, *options, "."],
        cwd=folder,
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout


def test_a_session_fails_and_names_the_process_it_left(tmp_path: Path):
    """A child whose parent is gone is found by the mark in its environment."""
    body = (
        "def test_x():\n"
        "    subprocess.run(['sh', '-c', 'sleep 5 >/dev/null 2>&1 &'], check=True, cwd='/')\n"
    )
    code, printed = session(tmp_path, body)
    assert code == 1
    assert "left over by this session" in printed
    assert "sleep 5" in printed


@pytest.mark.root
def test_a_session_fails_and_names_the_device_and_the_mount_it_left(tmp_path: Path):
    """A loop device over a file of the session, and its mount, are both named."""
    body = (
        "def test_x(tmp_path):\n"
        "    image = tmp_path / 'image'\n"
        "    image.write_bytes(bytes(1 << 22))\n"
        "    subprocess.run(['mkfs.ext4', '-q', image], check=True)\n"
        "    (tmp_path / 'mnt').mkdir()\n"
        "    subprocess.run(['mount', '-o', 'loop', image, tmp_path / 'mnt'], check=True)\n"
    )
    try:
        code, printed = session(tmp_path, body)
        assert code == 1
        assert "loop device /dev/loop" in printed
        assert "mount /dev/loop" in printed
    finally:
        for where in (tmp_path / "base").glob("*/mnt"):
            if where.resolve() == where:  # pytest keeps a symlink to the newest folder
                subprocess.run(["umount", where], check=True)  # the loop device goes with it


def test_a_clean_session_passes(tmp_path: Path):
    """What ended in its test is not left over."""
    code, printed = session(tmp_path, "def test_x():\n    subprocess.run(['true'])\n")
    assert code == 0, printed


@pytest.mark.root
def test_a_root_test_skips_with_its_reason_and_fails_in_ci(tmp_path: Path):
    """Without root the reason is printed; with CI=true there is no skip."""
    body = "@pytest.mark.root\ndef test_x():\n    pass\n"
    for ci, wanted, word in (("", 0, "NOT SHOWN: needs root: not root"), ("true", 1, "in CI")):
        where = tmp_path / f"ci-{ci}"
        where.mkdir(mode=0o777)
        shim = "import os, sys\nos.geteuid = lambda: 1000\n"
        code, printed = session(where, shim + body, CI=ci)
        assert code == wanted, printed
        assert word in printed


def test_a_long_test_waits_to_be_asked_for(tmp_path: Path):
    """``--long`` and the environment both ask."""
    body = "@pytest.mark.long\ndef test_x():\n    pass\n"
    for number, (options, environ, word) in enumerate(
        [((), {}, "1 skipped"), (("--long",), {}, "1 passed"), ((), {"LONG": "1"}, "1 passed")]
    ):
        where = tmp_path / str(number)
        where.mkdir()
        environ = {"COFFRE_TEST_LONG": environ.get("LONG", "")}
        assert word in session(where, body, *options, **environ)[1]
