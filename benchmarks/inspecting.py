"""How fast an export that nobody recognises is examined, beside ``sha256sum`` over the same tree.

Rule 1: both read the same files from the page cache, one process at a time; what counts is the
    seconds of processor that each takes, which a busy machine does not lengthen.
Rule 2: the tree is noise, so that no inspector does anything: hash, sample, and the asking of
    each inspector are what is measured. Two trees: files as large as images and messages are, and
    files as large as dumps are.
Rule 3: rounds take turns and the middle one of each counts, since the machine is not ours alone.
"""

from __future__ import annotations

import hashlib
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random

from vault.config import load_formats
from vault.hospital import generate
from vault.inspection import FileExaminer, load_registry
from vault.results import ManifestEntry
from vault.wiring.formats import pmsi_inspectors

MB = 1024**2
GOAL = 0.8
# Sizes of files in bytes, and how many of each: 64 MB each tree, before the scale.
TREES = {
    "small": ((40_000, 200), (160_000, 100), (520_000, 80)),
    "large": ((16 * MB, 2), (32 * MB, 1)),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspected:
    """What one tree took."""

    tree: str
    files: int
    bytes: int
    examine_s: float
    sha256sum_s: float
    peak_mb: float  # resident, of the examining process, above what it had before

    @property
    def speed(self) -> float:
        """Give the examiner's speed in ``sha256sum``s."""
        return self.sha256sum_s / self.examine_s


def lay_tree(
    reception: Path, sizes: tuple[tuple[int, int], ...], scale: float
) -> list[ManifestEntry]:
    """Lay noise under ``data/``; give the manifest."""
    entries, dice = [], Random(7)
    for size, count in sizes:
        for number in range(max(1, round(count * scale))):
            content = dice.randbytes(size)
            path = f"{size}/{number:05}.bin"
            file = reception / "data" / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
            entries.append(
                ManifestEntry(
                    path=path.encode(),
                    size_bytes=size,
                    mtime_ns=file.stat().st_mtime_ns,
                    sha256=hashlib.sha256(content).hexdigest(),
                )
            )
    return entries


def inspected(folder: Path, *, scale: float = 1.0, rounds: int = 5) -> list[Inspected]:
    """Examine each tree and hash it with ``sha256sum``, by turns."""
    return [_one(folder / name, name, scale, rounds) for name in TREES]


def _one(reception: Path, name: str, scale: float, rounds: int) -> Inspected:
    entries = lay_tree(reception, TREES[name], scale)
    examiner = FileExaminer(load_registry(), seed=b"benchmark", clock_s=time.monotonic)
    paths = [reception / "data" / os.fsdecode(entry.path) for entry in entries]
    listed = b"\0".join(os.fsencode(path) for path in paths)

    def examine() -> None:
        for entry in entries:
            examiner.examine(os.fsencode(reception), entry)

    def hash_all() -> None:
        subprocess.run(
            ["xargs", "-0", "sha256sum"], input=listed, stdout=subprocess.DEVNULL, check=True
        )

    examine()  # what is loaded once a night is not a file's
    had_mb = _peak_mb()
    taken: dict[str, list[float]] = {"examine": [], "sha256sum": []}
    for _ in range(rounds):
        taken["examine"].append(_seconds(examine))
        taken["sha256sum"].append(_seconds(hash_all))
    return Inspected(
        tree=name,
        files=len(entries),
        bytes=sum(entry.size_bytes for entry in entries),
        examine_s=statistics.median(taken["examine"]),
        sha256sum_s=statistics.median(taken["sha256sum"]),
        peak_mb=_peak_mb() - had_mb,
    )


def hospital_speed(folder: Path, *, scale: float = 2.0, rounds: int = 3) -> float:
    """Give the MB of the generated hospital that a second of one processor examines."""
    exports = folder / "hospital" / "data"
    generate(str(exports), seed=2021, scale=scale)
    registry = load_registry(pmsi_inspectors(load_formats()))
    examiner = FileExaminer(registry, seed=b"benchmark", clock_s=time.monotonic)
    files = [path for path in sorted(exports.rglob("*")) if path.is_file()]

    def examine() -> None:
        for path in files:
            fd = os.open(path, os.O_RDONLY)
            try:
                examiner.examine_open(fd, os.fsencode(path.name))
            finally:
                os.close(fd)

    examine()  # what is loaded once a night is not a file's
    seconds = statistics.median(_seconds(examine) for _ in range(rounds))
    return sum(path.stat().st_size for path in files) / 1e6 / seconds


def _seconds(act: Callable[[], None]) -> float:
    began = _processor_s()
    act()
    return _processor_s() - began


def _processor_s() -> float:
    """Give the processor's seconds of this process and its ended children."""
    told = os.times()
    return told.user + told.system + told.children_user + told.children_system


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Print a line a tree."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        for one in inspected(Path(folder)):
            sys.stdout.write(
                f"{one.tree}: {one.files} files, {one.bytes / 1e6:.0f} MB: examined in "
                f"{one.examine_s:.2f} s, sha256sum {one.sha256sum_s:.2f} s: {one.speed:.2f} of its "
                f"speed (goal {GOAL}), {one.peak_mb:.0f} MB more\n"
            )


if __name__ == "__main__":
    main()
