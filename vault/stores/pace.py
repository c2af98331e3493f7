"""How fast a carry goes, and whether another file can still be finished in time.

Rule 1: a file that is begun is finished: written, synced, read back and linked with its group; so
    the time asked for includes all that the group still owes.
Rule 2: a speed is learned from a few megabytes or more: of small files the time is all overhead,
    and would make a large one look endless. Until then a slow medium is assumed.
Source: design, section 4 (the soft deadline leaves the slack; this keeps within it).
"""

from __future__ import annotations

import time
from dataclasses import dataclass

LEARN_FROM_BYTES = 4 << 20
ASSUMED_S_PER_BYTE = 1 / 20e6  # an old disk on an old bus


def boot_s() -> float:
    """Give CLOCK_BOOTTIME in seconds."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


@dataclass(slots=True, kw_only=True)
class Pace:
    """Hold the seconds per byte of writing, and of finishing: sync, read-back, links."""

    closes_at_s: float
    write_s_per_byte: float = ASSUMED_S_PER_BYTE
    finish_s_per_byte: float = ASSUMED_S_PER_BYTE
    overhead_s: float = 0.0  # what finishing a group of small files took at most
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
        if self.written_bytes >= LEARN_FROM_BYTES:
            self.write_s_per_byte = (self.wrote_s - self.began_s) / self.written_bytes

    def end_group(self) -> None:
        """Learn how fast finishing is."""
        took_s = boot_s() - self.wrote_s
        if self.written_bytes >= LEARN_FROM_BYTES:
            self.finish_s_per_byte = took_s / self.written_bytes
        else:
            self.overhead_s = max(self.overhead_s, took_s)

    def group_seconds(self) -> float:
        """Give the age of the running group."""
        return boot_s() - self.began_s

    def allows(self, size_bytes: int) -> bool:
        """Say whether one more file of this size, and the group it joins, will end in time."""
        now_s = boot_s()
        write = self.write_s_per_byte
        if self.written_bytes >= LEARN_FROM_BYTES:
            # The running group knows best: a medium slows down when its cache is full.
            write = max(write, (now_s - self.began_s) / self.written_bytes)
        owed_s = self.overhead_s
        owed_s += (self.taken_bytes - self.written_bytes + size_bytes) * write
        owed_s += (self.taken_bytes + size_bytes) * self.finish_s_per_byte
        return now_s + owed_s < self.closes_at_s
