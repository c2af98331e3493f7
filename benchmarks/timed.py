"""A command to its end: its seconds, its words, the most memory one of its processes had."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a command ended."""

    seconds: float
    code: int
    stdout: bytes
    stderr: bytes
    peak_mb: float  # resident, of its largest process, children included


def run(
    argv: Sequence[str],
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    codes: Sequence[int] = (0,),
) -> Ended:
    """Run a command and insist on how it ends; its output goes to files, so it never waits."""
    environment = {"PATH": PATH, "LC_ALL": "C.UTF-8", "HOME": "/nonexistent", **(env or {})}
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        began = time.perf_counter()
        child = subprocess.Popen(
            argv, env=environment, cwd=cwd, stdin=subprocess.DEVNULL, stdout=out, stderr=err
        )
        try:
            _, status, usage = os.wait4(child.pid, 0)
        except BaseException:
            child.terminate()
            raise
        took = time.perf_counter() - began
        child.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        err.seek(0)
        ended = Ended(
            seconds=took,
            code=child.returncode,
            stdout=out.read(),
            stderr=err.read(),
            peak_mb=usage.ru_maxrss / 1024,
        )
    if ended.code not in codes:
        words = (ended.stdout[-2000:] + ended.stderr[-2000:]).decode("utf-8", "replace")
        raise RuntimeError(f"{' '.join(argv[:4])} … ended with {ended.code}: {words}")
    return ended
