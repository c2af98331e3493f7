"""Read back what crossed in earlier openings, from the medium, as long as there is time.

Rule 1: a file counts only when it was read whole; what time ran out on was not read.
Rule 2: the page cache is never believed: what is cached is dropped first, or read past.
Rule 3: a damaged file stays unproven: the next opening begins with it, and says it again.
Rule 4: a file that is gone, has another size, cannot be read, or is not what its name says, is
    damaged; the next one is read all the same, so that all damage within the time is told.
Source: design, section 4, on ``read_back_old``; open(2) on O_DIRECT.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import closing

from vault.results import OldRead, Refusal
from vault.stores.crew import Crew
from vault.stores.folders import error_name, opened_folder
from vault.stores.new_file import read_medium
from vault.stores.pace import boot_s
from vault.stores.plan_file import Plan

_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_NOT_READ = "-"  # time ran out before its end


def read_old(
    root_fd: int,
    plan: Plan,
    *,
    ends_at_s: float,
    threads: int,
    on_progress: Callable[[int, int], None],
) -> OldRead:
    """Read the files of a plan in its order until ``ends_at_s`` on the boot clock."""
    started_s = boot_s()
    total = sum(plan.size_bytes(row) for row in range(len(plan)))
    sound: set[int] = set()
    corrupt: list[Refusal] = []
    files = done_bytes = 0
    crew = Crew[int, str](lambda row: _why_damaged(root_fd, plan, row, ends_at_s), threads=threads)
    with closing(crew.run(_in_time(len(plan), ends_at_s))) as done:
        for row, reason in done:
            if reason == _NOT_READ:
                continue
            files += 1
            done_bytes += plan.size_bytes(row)
            on_progress(done_bytes, total)
            if reason:
                corrupt.append(Refusal(name=plan.path(row).encode("ascii"), reason=reason))
            else:
                sound.add(row)
    return OldRead(
        files=files,
        bytes=done_bytes,
        seconds=boot_s() - started_s,
        corrupt=tuple(corrupt),
        first_unproven=next((row for row in range(len(plan)) if row not in sound), len(plan)),
    )


def _in_time(count: int, ends_at_s: float) -> Iterator[int]:
    for row in range(count):
        if boot_s() >= ends_at_s:
            return
        yield row


def _why_damaged(root_fd: int, plan: Plan, row: int, ends_at_s: float) -> str:
    """Say what is wrong with a file: nothing when it is what its name says."""
    name, size_bytes = plan.name(row), plan.size_bytes(row)
    try:
        with opened_folder(root_fd, f"repository/{plan.folder(row)}") as folder_fd:
            fd = os.open(name, _FLAGS, dir_fd=folder_fd)
        try:
            found = os.fstat(fd)
            if not stat.S_ISREG(found.st_mode) or found.st_size != size_bytes:
                return "on the target with another size or kind"
            digest = read_medium(fd, size_bytes, ends_at_s=ends_at_s)
        finally:
            os.close(fd)
    except FileNotFoundError:
        return "gone from the medium"
    except OSError as error:
        return f"cannot be read from the medium: {error_name(error)}"
    if digest is None:
        return _NOT_READ
    return "" if digest == name else "read back differs"
