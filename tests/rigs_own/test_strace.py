"""Calls are counted and met as asked, in Python only."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.rigs.strace import (
    KillPoint,
    TracedPython,
    count_calls,
    kill_points,
    run_injected,
    why_no_strace,
)

pytestmark = pytest.mark.skipif(why_no_strace() is not None, reason=f"{why_no_strace()}")

LINKS = """
import os, sys
for n in range(5):
    fd = os.open(sys.argv[1], os.O_TMPFILE | os.O_RDWR)
    os.write(fd, b"whole")
    os.fsync(fd)
    here = os.open(sys.argv[1], os.O_RDONLY)
    os.link(f"/proc/self/fd/{fd}", f"file-{n}", src_dir_fd=here, dst_dir_fd=here,
            follow_symlinks=True)
"""


def links(tmp_path: Path) -> list[str]:
    work = tmp_path / "work"
    work.mkdir(exist_ok=True)
    return [sys.executable, "-c", LINKS, str(work)]


def test_calls_are_counted_in_a_run_that_ends_well(tmp_path: Path):
    """Five files are five links and five syncs; a call that never came counts 0."""
    counts = count_calls(links(tmp_path), ["linkat", "fsync", "mkdirat"], log=tmp_path / "log")
    assert counts == {"linkat": 5, "fsync": 5, "mkdirat": 0}


@pytest.mark.parametrize("when", [1, 3, 5])
def test_a_kill_comes_before_the_call_it_was_set_on(tmp_path: Path, when: int):
    """Killed at the k-th link, k-1 names exist."""
    done = run_injected(links(tmp_path), "linkat", when)
    assert done.returncode == -signal.SIGKILL
    assert len(os.listdir(tmp_path / "work")) == when - 1


def test_a_point_that_is_never_reached_meets_nothing(tmp_path: Path):
    """The run ends as an ordinary one."""
    assert run_injected(links(tmp_path), "linkat", 6).returncode == 0


def test_an_error_is_what_the_program_sees(tmp_path: Path):
    """The fifth sync fails with EIO, and Python says so."""
    done = run_injected(links(tmp_path), "fsync", 5, "error=EIO")
    assert done.returncode == 1
    assert b"Input/output error" in done.stderr


def test_a_lying_call_says_done_and_does_nothing(tmp_path: Path):
    """The fourth link returns 0 and there is no fourth name."""
    assert run_injected(links(tmp_path), "linkat", 4, "retval=0").returncode == 0
    assert sorted(os.listdir(tmp_path / "work")) == ["file-0", "file-1", "file-2", "file-4"]


def test_another_program_is_let_go(tmp_path: Path):
    """A child that executes something else is neither counted nor killed; a fork is."""
    (tmp_path / "work").mkdir()
    child = "import os,subprocess,sys; subprocess.run(['mkdir', sys.argv[1] + '/a'], check=True)"
    argv = [sys.executable, "-c", child, str(tmp_path / "work")]
    assert count_calls(argv, ["mkdir"], log=tmp_path / "log") == {"mkdir": 0}
    fork = "import os,sys; os.fork() or os.mkdir(sys.argv[1] + '/b'); os._exit(0)"
    argv = [sys.executable, "-c", fork, str(tmp_path / "work")]
    assert count_calls(argv, ["mkdir"], log=tmp_path / "log") == {"mkdir": 1}


def test_the_same_seed_chooses_the_same_points():
    """A sample is repeatable, inside the matrix and without doubles; none is all."""
    counts = {"linkat": 50, "fsync": 30, "mkdir": 0}
    some = kill_points(counts, seed=7)
    assert some == kill_points(counts, seed=7)
    assert some != kill_points(counts, seed=8)
    assert len(set(some)) == 20
    every = kill_points(counts, seed=7, sample=None)
    assert len(every) == 80
    assert set(some) < set(every)
    assert KillPoint("linkat", 50) in every


CHILD = """
import ctypes, os, signal, sys, time
if len(sys.argv) == 1:
    import subprocess, vault
    print(sys.executable, vault.__name__, flush=True)
    sys.exit(subprocess.run([sys.executable, "-c", open(__file__).read(), "vault.vault_side",
        str(os.getpid())]).returncode)
ctypes.CDLL(None).prctl(1, signal.SIGKILL)
assert os.getppid() == int(sys.argv[2]), "the tracer came between parent and child"
import vault
os.mkdir("made")
os.mkdir("made-too")
"""


def test_only_the_vault_side_is_traced_by_its_python(tmp_path: Path):
    """The parent runs plainly and finds the tracing Python to be its own."""
    program, work = tmp_path / "program.py", tmp_path / "work"
    program.write_text(CHILD)
    work.mkdir()
    traced = TracedPython(tmp_path / "traced")
    environ = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}

    def run() -> tuple[int, str]:
        done = subprocess.run(
            [traced.python, program], cwd=work, env=environ, capture_output=True, text=True
        )
        assert "the tracer came between" not in done.stderr
        for made in work.iterdir():
            made.rmdir()
        return done.returncode, done.stdout

    assert run() == (0, f"{traced.python} vault\n")
    traced.count(["mkdir"])
    assert run()[0] == 0
    assert traced.counts(["mkdir"]) == {"mkdir": 2}
    traced.inject(KillPoint("mkdir", 2))
    assert run()[0] == 256 - signal.SIGKILL  # the parent hands the end of its child on
    traced.clear()
    began = time.monotonic()
    assert run()[0] == 0
    assert time.monotonic() - began < 5
