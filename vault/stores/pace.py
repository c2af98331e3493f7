"""How fast a carry goes, and whether another file can still be finished in time.

Rule 1: a file that is begun is finished: written, synced, read back and linked with its group; so
    the time asked for includes all that the group still owes.
Rule 2: before anything was measured, only the deadline itself stops a file.
Source: design, section 4 (the soft deadline leaves the slack; this keeps within it).
"""

from __future__ import annotations

import time
from dataclasses import dataclass


def boot_s() -> float:
    """Give CLOCK_BOOTTIME in seconds."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


@dataclass(slots=True, kw_only=True)
class Pace:
    """Seconds per byte of writing, and of finishing: sync, read-back, links."""

    closes_at_s: float
    write_s_per_byte: float = 0.0
    finish_s_per_byte: float = 0.0
    taken_bytes: int = 0  # of the running group
    written_bytes: int = 0
    began_s: float = 0.0
    wrote_s: float = 0.0

    def begin_group(self) -> None:
        """Start the clock of a group."""
        self.taken_bytes = self.written_bytes = 0
        self.began_s = boot_s()

    def end_writing(self) -> None:
        """Learn how fast writing is."""
        self.wrote_s = boot_s()
        self.write_s_per_byte = (self.wrote_s - self.began_s) / max(1, self.written_bytes)

    def end_group(self) -> None:
        """Learn how fast finishing is."""
        self.finish_s_per_byte = (boot_s() - self.wrote_s) / max(1, self.written_bytes)

    def group_seconds(self) -> float:
        """Give the age of the running group."""
        return boot_s() - self.began_s

    def allows(self, size_bytes: int) -> bool:
        """Say whether one more file of this size, and the group it joins, will end in time."""
        now_s = boot_s()
        write = self.write_s_per_byte
        if self.written_bytes:
            # The running group knows best: a medium slows down when its cache is full.
            write = max(write, (now_s - self.began_s) / self.written_bytes)
        finish = self.finish_s_per_byte or write
        owed_s = (self.taken_bytes - self.written_bytes + size_bytes) * write
        owed_s += (self.taken_bytes + size_bytes) * finish
        return now_s < self.closes_at_s and now_s + owed_s <= self.closes_at_s
