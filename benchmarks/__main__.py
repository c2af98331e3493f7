"""``make bench``: every figure of the contract in one run, the last line one JSON object.

``BENCH_QUICK=1`` gives a small run for trying; ``BENCH_DIR`` says where (a real disk, 25 GB free).
The exit code is 0 whatever the figures are, and 1 when a part could not be measured.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.exports import make_hospital, make_many
from benchmarks.figures import Figures, say
from benchmarks.medium import enter_own_mounts
from benchmarks.nights import Bench
from benchmarks.packs import measure_admission, measure_list

BRAKE_BYTES_PER_S = 100_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How large a run is."""

    scale: float  # of the hospital; 15 MB each
    rounds: int
    nights: int  # of each kind after the first, in each round
    sources: int
    many_nights: int
    image_bytes: int
    most_packs: int
    lists: int


FULL = Size(
    scale=100,
    rounds=3,
    nights=2,
    sources=100,
    many_nights=2,
    image_bytes=6 << 30,
    most_packs=1_000_000,
    lists=5,
)
QUICK = Size(
    scale=8,
    rounds=1,
    nights=1,
    sources=10,
    many_nights=1,
    image_bytes=2 << 30,
    most_packs=100_000,
    lists=3,
)


def main() -> int:
    """Measure part by part; a part that fails leaves the others standing."""
    figures = Figures()
    if os.geteuid() != 0:
        figures.failures["all"] = "loop devices and namespaces need root"
    else:
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
        enter_own_mounts()
        with _scratch() as scratch:
            _measure(Path(scratch), figures, QUICK if os.environ.get("BENCH_QUICK") else FULL)
    figures.print_goals()
    print(figures.last_line())
    return 1 if figures.failures else 0


def _scratch() -> tempfile.TemporaryDirectory[str]:
    parent = Path(os.environ.get("BENCH_DIR", ".bench")).absolute()
    parent.mkdir(parents=True, exist_ok=True)
    return tempfile.TemporaryDirectory(dir=parent, prefix="run-")


def _measure(folder: Path, figures: Figures, size: Size) -> None:
    _describe(size)
    bench = Bench(folder=folder, figures=figures, image_bytes=size.image_bytes)
    _part(figures, "nights of the hospital", lambda: _hospital(bench, size))
    _part(figures, "many small sources", lambda: _many(bench, size))
    if bench.pairs:
        bench.print_nights()
        bench.print_cycles()
    _part(figures, "a target with many packs", lambda: _packs(folder, figures, size))


def _part(figures: Figures, name: str, measure: Callable[[], None]) -> None:
    began = time.monotonic()
    try:
        measure()
    except Exception as error:  # noqa: BLE001  # the other parts are worth having
        traceback.print_exc()
        figures.failures[name] = f"{type(error).__name__}: {error}"
    say(f"{name}: {time.monotonic() - began:.0f} s")


def _hospital(bench: Bench, size: Size) -> None:
    exports = make_hospital(bench.folder / "hospital", nights=size.nights, scale=size.scale)
    exports.bring(0)
    say(f"hospital made: {exports.size_bytes() / 1e6:.0f} MB in its first night")
    bench.play_hospital(exports, rounds=size.rounds, nights=size.nights)
    try:
        bench.play_braked(exports, bytes_per_s=BRAKE_BYTES_PER_S)
    except OSError as error:
        bench.figures.failures["exposure at 100 MB/s"] = f"the brake cannot be used: {error}"
    shutil.rmtree(exports.folder)


def _many(bench: Bench, size: Size) -> None:
    exports = make_many(bench.folder / "many", nights=size.many_nights + 1, sources=size.sources)
    bench.play_many(exports, nights=size.many_nights)
    shutil.rmtree(exports.folder)


def _packs(folder: Path, figures: Figures, size: Size) -> None:
    for seconds in measure_list(folder, packs=100_000, rounds=size.lists):
        figures.add("list_100k_packs_s", seconds)
    found = measure_admission(folder, packs=size.most_packs)
    figures.add("admission_peak_mb", found.peak_mb)
    print(
        f"Admission onto {size.most_packs:,} packs: {found.seconds:.1f} s, {found.peak_mb:.0f} MB"
        f" resident in all processes of the vault side, {found.largest_mb:.0f} MB in the largest"
        f" ({found.looks} looks)\n"
    )


def _describe(size: Size) -> None:
    load, *_ = os.getloadavg()
    print(
        f"{os.cpu_count()} processors, Linux {os.uname().release}, load {load:.1f} at the start; "
        f"{size.rounds} round(s) of {2 * size.nights + 1} nights; "
        "the target is ext4 on a loop device"
    )
    if load > 1:
        print("This machine is busy: read ratios, not seconds.")
    print(flush=True)


if __name__ == "__main__":
    sys.exit(main())
