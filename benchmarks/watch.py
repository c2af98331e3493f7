"""The observer: what can be seen of an opening from outside, without disturbing it.

Rule 1: it asks the kernel only whether a file system is mounted on the device, in whatever
    namespace: sysfs lists it from before its mount ends until its unmount has written its last.
Rule 2: it never opens the device: an exclusive opening would make the door find it busy.
Rule 3: which step runs is read from the catalogue, read-only, as any other process may.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from benchmarks.medium import Medium

_MOUNT_EVERY_S = 0.002
_STEP_EVERY_S = 0.01
_NEWEST = "select number, step, ended_at from cycle order by number desc limit 1"


class Watch:
    """Watch one medium and one catalogue for the length of a block."""

    def __init__(self, medium: Medium, catalogue: Path) -> None:
        self.steps: dict[int, float] = {}  # when each step of the newest cycle was first seen
        self.ended_at_s: float | None = None
        self.mounted_s: float | None = None  # from the first mount to the end of the last
        self._sign = f"/sys/fs/ext4/{medium.name}"
        self._catalogue = catalogue
        self._over = threading.Event()
        self._threads = [
            threading.Thread(target=self._watch_mounts, daemon=True),
            threading.Thread(target=self._watch_steps, daemon=True),
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def between(self, first: int, second: int) -> float:
        """Give the seconds from the beginning of a step to the beginning of a later one."""
        begun = self.steps.get(first)
        return 0.0 if begun is None else self.steps.get(second, begun) - begun

    def _watch_mounts(self) -> None:
        if not os.path.exists("/sys/fs/ext4"):
            return
        first: float | None = None
        was_there = False
        while not self._over.is_set():
            is_there = os.path.exists(self._sign)
            now = time.perf_counter()
            if is_there and first is None:
                first = now
            if first is not None and (is_there or was_there):
                self.mounted_s = now - first
            was_there = is_there
            time.sleep(_MOUNT_EVERY_S)

    def _watch_steps(self) -> None:
        address = f"file:{self._catalogue}?mode=ro"
        with contextlib.closing(sqlite3.connect(address, uri=True)) as connection:
            before = connection.execute(_NEWEST).fetchone()
            while not self._over.is_set():
                with contextlib.suppress(sqlite3.OperationalError):  # just being checkpointed
                    newest = connection.execute(_NEWEST).fetchone()
                    if newest is not None and (before is None or newest[0] != before[0]):
                        self.steps.setdefault(newest[1], time.perf_counter())
                        if newest[2] is not None and self.ended_at_s is None:
                            self.ended_at_s = time.perf_counter()
                time.sleep(_STEP_EVERY_S)
