"""Wait for what another process does, with patience for a busy machine."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path


def wait_until(
    is_so: Callable[[], bool], what: str = "what was waited for", *, timeout_s: float = 30
) -> None:
    """Wait until something is so; AssertionError, naming it, when it never comes."""
    gives_up_at = time.monotonic() + timeout_s
    while not is_so():
        assert time.monotonic() < gives_up_at, f"never came: {what}"
        time.sleep(0.01)


def is_alive(pid: int) -> bool:
    """Say whether a process runs; one that waits to be reaped does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in "ZX"


def wait_until_ended(pid: int, *, timeout_s: float = 30) -> None:
    """Wait until a process runs no more: what was killed dies a moment later."""
    wait_until(lambda: not is_alive(pid), f"the end of process {pid}", timeout_s=timeout_s)
