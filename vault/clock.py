"""The real clock: wall time in UTC, and the boot clock that never steps back.

Rule 1: intervals and deadlines are on the boot clock; wall time is recorded and never orders.
Rule 2: the boot clock that is recorded is the host's own. In a time namespace it is what whoever
    made that wanted: nothing is recorded there. What is mounted over the id of the boot is passed
    by; where that cannot be, nothing is recorded either.
Source: time_namespaces(7), proc_pid_mountinfo(5).
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import cache

from vault.errors import ClockForeign
from vault.mount_tables import read_table
from vault.own_proc import read_own_proc

_BOOT_ID = "sys/kernel/random/boot_id"  # below a proc
_HOST_TIME = "time:[4026531834]"  # the kernel's number of the first time namespace
_POINT, _ROOT = 4, 3  # fields of a line of a mount table


class SystemClock:
    """Implements ``vault.ports.Clock``."""

    def now(self) -> datetime:
        """Give the wall clock."""
        return datetime.now(UTC)

    def boot_s(self) -> float:
        """Give CLOCK_BOOTTIME in seconds."""
        return time.clock_gettime(time.CLOCK_BOOTTIME)

    def boot_id(self) -> str:
        """Give the kernel's id of this boot; ClockForeign where that, or its clock, is not its."""
        return _read_boot_id()


@cache
def _read_boot_id() -> str:
    try:
        namespace = os.readlink("/proc/self/ns/time")
    except FileNotFoundError:  # before Linux 5.6, or built without: there is one clock
        namespace = _HOST_TIME
    if namespace != _HOST_TIME:
        raise ClockForeign(
            "coffre runs in a time namespace, whose boot clock anybody sets",
            hint="start it from the host itself: what must wait is counted by its boot clock",
        )
    try:  # first what nobody can mount over; a container may have been given an id of its own
        return read_own_proc(_BOOT_ID).decode("ascii").strip()
    except OSError:  # not allowed to this account
        pass
    if not is_the_kernels(f"/proc/{_BOOT_ID}".encode(), read_table(os.getpid()) or ()):
        raise ClockForeign(
            "something is mounted over {path}",
            path=f"/proc/{_BOOT_ID}",
            hint="unmount it: by this id one boot of the host is told from another",
        )
    with open(f"/proc/{_BOOT_ID}", "rb") as file:
        return file.read().decode("ascii").strip()


def is_the_kernels(path: bytes, table: Iterable[bytes]) -> bool:
    """Say whether a path below ``/proc`` is the file of that name which the kernel keeps there.

    ``table`` is a mount table; of mounts at one point the last one is seen. A part of ``proc``
    mounted in its own place, as containers have it, is the kernel's too.
    """
    found: list[bytes] = []
    for line in table:
        fields = line.split()
        point = fields[_POINT]
        is_above = path == point or path.startswith(point.rstrip(b"/") + b"/")
        if is_above and (not found or len(point) >= len(found[_POINT])):
            found = fields
    if not found or found[found.index(b"-") + 1] != b"proc":
        return False
    root, point = found[_ROOT].rstrip(b"/"), found[_POINT].rstrip(b"/")
    return b"/proc" + root + path[len(point) :] == path
