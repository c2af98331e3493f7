"""Measure the store ``files`` alone, against the same bytes written and read back directly.

Rule 1: each round measures both ways on the same loop device, one after the other, the order
    turning; ratios are taken round by round, then the median; the first round is dropped.
Rule 2: the direct way is what ``dd`` does: one stream, blocks of 1 MiB, O_DIRECT, one fsync, then
    an O_DIRECT read; it hashes nothing and names nothing.
Rule 3: a miss is printed as a miss.

Run as root: ``.venv/bin/python -m benchmarks.store [--rounds N] [--scratch DIR] [--quick]``.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import mmap
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.limit import stream
from benchmarks.medium import drop_caches
from tests.rigs.disk import MIB, attached, make_image, mounted
from vault.results import RepositoryFile
from vault.stores import FilesStore, read_plan, write_plan
from vault.stores.presence import survey

ROOT = Path(__file__).resolve().parent.parent

GOALS = {
    "carry_first_vs_direct": 1.0,
    "carry_night_vs_direct": 2.0,
    "find_100k_packs_s": 1.0,
    "find_1m_packs_peak_mb": 100.0,
}
FOREVER_S = float("inf")


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """A landing with the files of one night."""

    name: str
    landing: Path
    files: tuple[RepositoryFile, ...]

    @property
    def size_bytes(self) -> int:
        """Give the bytes of all files."""
        return sum(file.size_bytes for file in self.files)


def make_load(folder: Path, name: str, sizes: Sequence[int]) -> Load:
    """Write random packs, one index and one snapshot, each named by its hash."""
    landing = folder / name
    files = []
    for kind, size in [*(("data", size) for size in sizes), ("index", 60_000), ("snapshots", 300)]:
        content = os.urandom(size)
        digest = hashlib.sha256(content).hexdigest()
        path = f"data/{digest[:2]}/{digest}" if kind == "data" else f"{kind}/{digest}"
        (landing / path).parent.mkdir(parents=True, exist_ok=True)
        (landing / path).write_bytes(content)
        files.append(RepositoryFile(path=path, size_bytes=size))
    os.sync()
    return Load(name=name, landing=landing, files=tuple(files))


def warm(load: Load) -> None:
    """Read the landing, as the cycle does when it authenticates it, and let writing settle."""
    for file in load.files:
        (load.landing / file.path).read_bytes()
    os.sync()


def carry_s(load: Load, target: Path) -> float:
    """Carry a load; the target's folders exist already."""
    began = time.perf_counter()
    with FilesStore(os.fsencode(target)) as store:
        report = store.carry(
            [load.files], landing=os.fsencode(load.landing), soft_closes_at_s=FOREVER_S
        )
    seconds = time.perf_counter() - began
    assert report.is_complete, report
    assert report.read_back_bytes == load.size_bytes
    return seconds


def direct_s(load: Load, target: Path) -> tuple[float, float]:
    """Write the same bytes as one stream past the cache and read them back; seconds of each."""
    block = memoryview(mmap.mmap(-1, MIB))
    sources = [os.open(load.landing / file.path, os.O_RDONLY) for file in load.files]
    flags = os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_DIRECT
    out = os.open(target / "direct", flags, 0o600)
    try:
        began = time.perf_counter()
        length = stream(sources, out, block)
        os.fsync(out)
        wrote = time.perf_counter()
        for offset in range(0, length, MIB):
            os.preadv(out, [block], offset)
        return wrote - began, time.perf_counter() - wrote
    finally:
        for fd in [*sources, out]:
            os.close(fd)
        os.unlink(target / "direct")


def measure_carry(load: Load, image: Path, folder: Path, rounds: int) -> dict[str, float]:
    """Measure paired rounds on a fresh file system each; give medians."""
    ours, direct, ratios = [], [], []
    for number in range(rounds + 1):
        warm(load)
        make_image(image, size_bytes=6 << 30)
        with attached(image, direct_io=True) as disk, mounted(disk.device, folder / "m") as target:
            with FilesStore(os.fsencode(target)) as store:
                store.prepare_repository()
            if number % 2:
                took, base = carry_s(load, target), sum(direct_s(load, target))
            else:
                base, took = sum(direct_s(load, target)), carry_s(load, target)
        if number:
            ours.append(took)
            direct.append(base)
            ratios.append(took / base)
    return {
        "ours_s": statistics.median(ours),
        "direct_s": statistics.median(direct),
        "ratio": statistics.median(ratios),
        "worst": max(ratios),
    }


@contextmanager
def stocked(folder: Path, packs: int) -> Iterator[tuple[str, int]]:
    """Give a device whose repository holds empty packs, and the plan that names them all."""
    image = folder / f"{packs}.img"
    make_image(image, size_bytes=4 << 30, options=["-N", str(packs + packs // 8)])
    plan_fd = os.memfd_create("plan")
    try:
        with attached(image, direct_io=True) as disk:
            with mounted(disk.device, folder / "m") as target:
                with FilesStore(os.fsencode(target)) as store:
                    store.prepare_repository()
                for file in numbered(packs):
                    os.close(os.open(target / "repository" / file.path, os.O_CREAT | os.O_WRONLY))
            new = [
                RepositoryFile(path=file.path, size_bytes=1)
                for file in numbered(packs + 60, start=packs)
            ]
            write_plan(plan_fd, [(1, numbered(packs)), (2, new)])
            yield disk.device, plan_fd
    finally:
        os.close(plan_fd)
        image.unlink()


def numbered(stop: int, *, start: int = 0) -> Iterator[RepositoryFile]:
    """Give empty packs with a name each, always the same for a number."""
    for number in range(start, stop):
        name = hashlib.sha256(b"%d" % number).hexdigest()
        yield RepositoryFile(path=f"data/{name[:2]}/{name}", size_bytes=0)


def find_s(target: Path, plan_fd: int) -> tuple[float, float]:
    """Read the plan, then ask the target; seconds of each."""
    began = time.perf_counter()
    plan = read_plan(plan_fd)
    read = time.perf_counter()
    fd = os.open(target, os.O_RDONLY | os.O_DIRECTORY)
    found = survey(fd, plan)
    os.close(fd)
    assert (len(found.absent), len(found.conflicts)) == (60, 0), found
    return read - began, time.perf_counter() - read


def measure_find(folder: Path, packs: int, rounds: int) -> dict[str, float]:
    """Measure on a fresh mount with cold caches, then warm; give medians."""
    plans, cold, warm_again = [], [], []
    with stocked(folder, packs) as (device, plan_fd):
        for _ in range(rounds):
            drop_caches()
            with mounted(device, folder / "m") as target:
                plan_s, ask_s = find_s(target, plan_fd)
                plans.append(plan_s)
                cold.append(ask_s)
                warm_again.append(find_s(target, plan_fd)[1])
    return {
        "plan_s": statistics.median(plans),
        "cold_s": statistics.median(cold),
        "warm_s": statistics.median(warm_again),
    }


_CHILD = """
import os, sys
sys.path.insert(0, sys.argv[1])
from vault.stores import FilesStore, read_plan
plan = read_plan(int(sys.argv[2]))
with FilesStore(os.fsencode(sys.argv[3])) as store:
    assert len(store.missing(plan)) == 60
"""


def measure_memory(folder: Path, packs: int) -> dict[str, float]:
    """Run the question in a process of its own; give the peak of its memory and its children's."""
    with (
        stocked(folder, packs) as (device, plan_fd),
        mounted(device, folder / "m") as target,
    ):
        began = time.perf_counter()
        argv = [sys.executable, "-c", _CHILD, str(ROOT), str(plan_fd), str(target)]
        with subprocess.Popen(argv, pass_fds=[plan_fd]) as child:
            shared = largest = 0
            while child.poll() is None:
                found = [memory_kb(pid) for pid in [child.pid, *_children(child.pid)]]
                shared = max(shared, sum(pss for pss, _ in found))
                largest = max([largest, *(rss for _, rss in found)])
                time.sleep(0.02)
        assert child.returncode == 0
        return {
            "seconds": time.perf_counter() - began,
            "tree_pss_mb": shared / 1024,
            "largest_rss_mb": largest / 1024,
        }


def _children(pid: int) -> list[int]:
    try:
        return [int(c) for c in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def memory_kb(pid: int) -> tuple[int, int]:
    """Give the proportional and the plain resident size."""
    try:
        rows = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0, 0
    found = {row.split(":")[0]: int(row.split()[1]) for row in rows if row.endswith("kB")}
    return found.get("Pss", 0), found.get("Rss", 0)


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--scratch", type=Path, default=None)
    options.add_argument("--quick", action="store_true", help="leave out the million packs")
    chosen = options.parse_args()
    ratios: dict[str, float] = {}
    with tempfile.TemporaryDirectory(dir=chosen.scratch) as scratch:
        folder = Path(scratch)
        loads = (
            ("first", [16 * MIB + 4096 * n + 13 * n for n in range(60)]),
            ("night", [(8 * MIB - 57 * n) for n in range(7)] + [4 * MIB + 77]),
            ("small", [17_000 + n for n in range(400)]),
        )
        heads = ("files", "MB", "ours s", "direct s", "ratio", "worst")
        print(f"{'carry':8}" + "".join(f"{head:>10}" for head in heads))
        for name, sizes in loads:
            load = make_load(folder, name, sizes)
            found = measure_carry(load, folder / "t.img", folder, chosen.rounds)
            ratios[f"carry_{name}_vs_direct"] = found["ratio"]
            print(
                f"{name:8}{len(load.files):10}{load.size_bytes / 1e6:10.1f}{found['ours_s']:10.3f}"
                f"{found['direct_s']:10.3f}{found['ratio']:10.2f}{found['worst']:10.2f}"
            )
        found = measure_find(folder, 100_000, chosen.rounds)
        ratios["find_100k_packs_s"] = found["plan_s"] + found["cold_s"]
        print(
            f"find in 100,000 packs: plan {found['plan_s']:.3f} s, cold {found['cold_s']:.3f} s, "
            f"warm {found['warm_s']:.3f} s"
        )
        if not chosen.quick:
            found = measure_memory(folder, 1_000_000)
            ratios["find_1m_packs_peak_mb"] = max(found["tree_pss_mb"], found["largest_rss_mb"])
            print(
                f"find in 1,000,000 packs: {found['seconds']:.1f} s; resident: all processes "
                f"{found['tree_pss_mb']:.0f} MB (shared pages once), largest one "
                f"{found['largest_rss_mb']:.0f} MB"
            )
    missed = [name for name, goal in GOALS.items() if ratios.get(name, 0.0) > goal]
    for name in missed:
        print(f"MISSED: {name} is {ratios[name]:.2f}, the goal is {GOALS[name]:g}")
    rounded = {name: round(value, 4) for name, value in ratios.items()}
    print(json.dumps({"bench": "store", "ratios": rounded, "goals": GOALS, "missed": missed}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
