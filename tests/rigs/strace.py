"""Kill a program, or make its calls fail, at the k-th call of a kind: the crash matrix.

Rule 1: the program under test has no hook for this; strace meets its calls from outside.
Rule 2: ``when`` counts for each traced thread by itself. The first to reach it is met; where work
    is shared among threads, a point may be reached in one run and not in another: a run that no
    injection met ends as an ordinary one, and its caller must allow for that.
Rule 3: only Python is traced. A child is let go as it executes another program, since restic's
    threads do not repeat themselves; ``TracedPython`` picks up the vault side from there.
Rule 4: the tracer is a grandchild (``-D``), so that parents and signals are those of a plain run.
Source: strace(1), inject.
"""

from __future__ import annotations

import os
import random
import re
import shlex
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

KILL = "signal=KILL"
SAMPLE = 20  # points of a matrix in the normal run

# What an admission and a ledger do to a file system, by the calls that change it.
WRITING = ("write", "pwrite64", "fsync", "fdatasync", "syncfs", "linkat", "mkdir", "renameat2")

_CALL = re.compile(r"^(\d+)\s+(?:\d+\.\d+\s+)?(\w+)\(")


@dataclass(frozen=True, slots=True, order=True)
class KillPoint:
    """Before the ``when``-th call of ``syscall`` of a thread; ``when`` begins at 1."""

    syscall: str
    when: int

    def __str__(self) -> str:
        return f"{self.syscall}-{self.when}"


def why_no_strace() -> str | None:
    """Say why nothing can be traced here, or None when it can."""
    if shutil.which("strace") is None:
        return "strace is not installed"
    tried = subprocess.run(
        ["strace", "-qq", "-o", os.devnull, "-e", "trace=none", "true"],
        capture_output=True,
        check=False,
    )
    return None if tried.returncode == 0 else "ptrace is denied"


def tracing(syscalls: Iterable[str], log: str) -> list[str]:
    """Give the words that come before a command to trace it."""
    wanted = "trace=" + ",".join(syscalls)
    return ["strace", "-D", "-f", "-b", "execve", "-qq", "-o", log, "-e", wanted]


def injecting(point: KillPoint, what: str) -> list[str]:
    """Give the words that come before a command to meet it at a point with ``what``.

    ``what`` is strace's: ``signal=KILL``, ``error=EIO``, ``retval=0``.
    """
    words = tracing([point.syscall], os.devnull)
    return [*words, "-e", f"inject={point.syscall}:{what}:when={point.when}"]


def read_counts(log: Path, syscalls: Iterable[str]) -> dict[str, int]:
    """Give, for each call, the most that one thread made of it: how far ``when`` can reach."""
    seen: dict[tuple[str, str], int] = {}
    for line in log.read_text(errors="replace").splitlines():
        if found := _CALL.match(line):
            thread_and_call = found.group(1), found.group(2)
            seen[thread_and_call] = seen.get(thread_and_call, 0) + 1
    return {
        call: max((n for (_, name), n in seen.items() if name == call), default=0)
        for call in syscalls
    }


def _run(
    argv: Sequence[str], *, env: Mapping[str, str] | None, cwd: Path | None, timeout_s: float
) -> subprocess.CompletedProcess[bytes]:
    with subprocess.Popen(
        argv,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=None if env is None else dict(env),
        cwd=cwd,
        start_new_session=True,
    ) as process:
        try:
            out, err = process.communicate(timeout=timeout_s)
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            raise
    return subprocess.CompletedProcess(list(argv), process.returncode, out, err)


def count_calls(
    argv: Sequence[str],
    syscalls: Iterable[str],
    *,
    log: Path,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    timeout_s: float = 120,
) -> dict[str, int]:
    """Run a command to its good end and count its calls; the log is written at ``log``."""
    wanted = list(syscalls)
    done = _run([*tracing(wanted, str(log)), *argv], env=env, cwd=cwd, timeout_s=timeout_s)
    if done.returncode:
        raise AssertionError(f"the dry run ended with {done.returncode}: {done.stderr[-2000:]!r}")
    return read_counts(log, wanted)


def run_injected(
    argv: Sequence[str],
    syscall: str,
    when: int,
    what: str = KILL,
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    timeout_s: float = 120,
) -> subprocess.CompletedProcess[bytes]:
    """Run a command and meet it at one point; the return code is the command's own."""
    words = injecting(KillPoint(syscall, when), what)
    return _run([*words, *argv], env=env, cwd=cwd, timeout_s=timeout_s)


def kill_points(
    counts: Mapping[str, int], *, seed: int, sample: int | None = SAMPLE
) -> list[KillPoint]:
    """Give the points of a matrix in order: ``sample`` of them chosen by ``seed``, or all."""
    every = [KillPoint(call, when) for call, n in counts.items() for when in range(1, n + 1)]
    if sample is not None and sample < len(every):
        every = random.Random(seed).sample(every, sample)
    return sorted(every)


class TracedPython:
    """A Python that traces the vault side only: run the command with ``python`` in its place.

    The command finds ``sys.executable`` to be this script; what it starts with it comes back here,
    and is put under strace when its words name the module.
    """

    def __init__(self, folder: Path, *, module: str = "vault.vault_side") -> None:
        self.folder = folder
        self.python = folder / "bin" / "python"
        self.log = folder / "calls"
        self._words = folder / "words"
        self._lay_out(module)
        self.clear()

    def _lay_out(self, module: str) -> None:
        # A virtual environment in miniature: Python looks for all of this beside its own name.
        (self.folder / "bin").mkdir(parents=True)
        shutil.copy(os.path.join(sys.prefix, "pyvenv.cfg"), self.folder)
        (self.folder / "lib").symlink_to(os.path.join(sys.prefix, "lib"))
        real = shlex.quote(sys.executable)
        words, python = shlex.quote(str(self._words)), shlex.quote(str(self.python))
        script = [
            "#!/bin/bash",
            f'case " $* " in *{shlex.quote(module)}*) words=$(cat {words});; esac',
            f'if [ -n "$words" ]; then exec $words {real} "$@"; fi',
            f'exec -a {python} {real} "$@"',
        ]
        self.python.write_text("\n".join(script) + "\n")
        self.python.chmod(0o755)

    def clear(self) -> None:
        """Trace nothing."""
        self._words.write_text("")

    def count(self, syscalls: Iterable[str]) -> None:
        """Write the calls of the next vault side to the log."""
        self._words.write_text(" ".join(tracing(syscalls, str(self.log))))

    def inject(self, point: KillPoint, what: str = KILL) -> None:
        """Meet the next vault side at a point."""
        self._words.write_text(" ".join(injecting(point, what)))

    def counts(self, syscalls: Iterable[str]) -> dict[str, int]:
        """Give the counts of the vault side that ran last under ``count``."""
        return read_counts(self.log, syscalls)
