"""The real clock: wall time in UTC, and the boot clock that never steps back.

Rule 1: intervals and deadlines are on the boot clock; wall time is recorded and never orders.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime


class SystemClock:
    """Implements ``vault.ports.Clock``."""

    def now(self) -> datetime:
        """Give the wall clock."""
        return datetime.now(UTC)

    def boot_s(self) -> float:
        """Give CLOCK_BOOTTIME in seconds."""
        return time.clock_gettime(time.CLOCK_BOOTTIME)

    def boot_id(self) -> str:
        """Give the kernel's id of this boot."""
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            return file.read().strip()
