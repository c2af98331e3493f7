"""The physical limit: the same new bytes written to the target and read back, and nothing else.

Rule 1: one stream, blocks of 1 MiB, past the page cache; one sync; it hashes nothing and names
    nothing. Its clock runs from before the mount until the device is free again.
Rule 2: system calls only: no command is started while the clock runs.
Rule 3: the scheduler prefers it to other work, as it does the vault side: on a busy machine the one
    would otherwise look better than it is.
"""

from __future__ import annotations

import mmap
import os
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.medium import Medium, mounted
from vault.doors import kernel

BLOCK_BYTES = 1 << 20
_ALIGNED_BYTES = 4096


def measure_limit(medium: Medium, files: Sequence[Path], where: Path) -> float:
    """Give the seconds; the files are read from the page cache."""
    for path in files:
        path.read_bytes()
    os.sync()
    block = memoryview(mmap.mmap(-1, BLOCK_BYTES))
    block[:] = bytes(BLOCK_BYTES)
    sources = [os.open(path, os.O_RDONLY) for path in files]
    kernel.run_first()
    try:
        began = time.perf_counter()
        with mounted(medium, where):
            _write_and_read_back(sources, where, block)
        return time.perf_counter() - began
    finally:
        kernel.run_as_others()
        for fd in sources:
            os.close(fd)


def _write_and_read_back(sources: Sequence[int], where: Path, block: memoryview) -> None:
    name = where / f"stream-{time.monotonic_ns()}"
    out = os.open(name, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_DIRECT, 0o600)
    try:
        length = stream(sources, out, block)
        os.fsync(out)
        for offset in range(0, length, BLOCK_BYTES):
            os.preadv(out, [block], offset)
    finally:
        os.close(out)


def stream(sources: Sequence[int], out: int, block: memoryview) -> int:
    """Write all sources as one stream of whole blocks; give its length."""
    offset = filled = 0
    for source in sources:
        while count := os.readv(source, [block[filled:]]):
            filled += count
            if filled == len(block):
                os.pwrite(out, block, offset)
                offset, filled = offset + filled, 0
    rest = -(-filled // _ALIGNED_BYTES) * _ALIGNED_BYTES
    if rest:
        os.pwrite(out, block[:rest], offset)
    return offset + rest
