"""The mount tables of processes: what a namespace has mounted, and where.

Rule 1: a process that has ended, or is about to, holds no namespace; any other failure to read a
    table is the caller's to judge.
Source: proc_pid_mountinfo(5); the kernel answers EINVAL from when a process lets go of its
    namespaces, which is before it is a zombie.
"""

from __future__ import annotations

import errno
import os

_ENDED = {errno.ENOENT, errno.ESRCH, errno.EINVAL}


def processes() -> list[int]:
    """Give the number of every process."""
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def read_table(pid: int) -> list[bytes] | None:
    """Give the lines of a process's mount table; None when it has ended.

    OSError when it cannot be read. A name may hold any byte but a newline, which is escaped.
    """
    try:
        with open(f"/proc/{pid}/mountinfo", "rb") as file:
            return list(file)
    except OSError as error:
        if error.errno in _ENDED:
            return None
        raise
