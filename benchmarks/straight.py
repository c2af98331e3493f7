"""restic straight onto the mounted target: one backup a source, as one would without Coffre.

Rule 1: the same restic, with its defaults; its cache is warm and its own.
Rule 2: the repository was made before, as ours is by the enrolment: that opening is not counted.
Rule 3: its clock runs from before the mount until the device is free again; it reads nothing back.
"""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from benchmarks.exports import Exports
from benchmarks.medium import Medium, mounted
from benchmarks.timed import Ended, run


@dataclass(frozen=True, slots=True, kw_only=True)
class Straight:
    """One night of restic alone."""

    exposure_s: float
    peak_mb: float


@dataclass(slots=True, kw_only=True)
class Restic:
    """restic with a repository on a medium."""

    folder: Path
    medium: Medium

    @property
    def where(self) -> Path:
        """Where the medium is mounted."""
        return self.folder / "mounted"

    def _run(self, *words: str) -> Ended:
        password = self.folder / "password"
        if not password.exists():
            password.write_text("bench only\n")
        argv = ["restic", "-r", str(self.where / "repository"), "--password-file", str(password)]
        return run([*argv, *words], env={"RESTIC_CACHE_DIR": str(self.folder / "cache")})

    def init(self) -> None:
        """Make the empty repository."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with mounted(self.medium, self.where):
            self._run("init")

    def seed(self, exports: Exports) -> None:
        """Back up every source without measuring, two at a time."""
        with mounted(self.medium, self.where), ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda name: self._backup(exports, name), exports.policies))

    def run_night(self, exports: Exports) -> Straight:
        """Mount, back up source after source, unmount."""
        os.sync()
        began = time.perf_counter()
        with mounted(self.medium, self.where):
            ended = [self._backup(exports, name) for name in exports.policies]
        took = time.perf_counter() - began
        return Straight(exposure_s=took, peak_mb=max(one.peak_mb for one in ended))

    def check_s(self) -> float:
        """Give the seconds of ``restic check``."""
        with mounted(self.medium, self.where):
            return self._run("check").seconds

    def _backup(self, exports: Exports, name: str) -> Ended:
        return self._run("backup", "--quiet", str(exports.path(name)))
