"""The medium of a faulty disk: one file in FUSE, served by a process of its own.

Rule 1: what reaches the medium is what this file says; the kernel above is the real one.
Rule 2: a fault is aimed at everything, at byte ranges, or at *data*: blocks that do not compress,
    as encrypted packs do not; so that metadata stay sound while data lie.
Rule 3: orders come as lines of JSON; when their sender is gone the medium is gone, nobody stays
    frozen, and the mount goes too.
Source: FUSE's flushes arrive as fsync, so a loop device over one file is dm-flakey, dm-log-writes
    and a thin pool in user space, for kernels without a device mapper.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import socket
import subprocess
import sys
import threading
import time
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator

Which = Literal["all", "data"] | list[list[int]]  # ranges are [start, end) in bytes of the device

BLOCK = 4096
CHUNK = 65536  # what a thin pool hands out at once


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """What the disk does wrong from now on; the default is a sound disk."""

    write_eio: Which | None = None
    write_eio_times: int | None = None  # None: every time
    read_eio: Which | None = None
    flush_eio_times: int = 0  # -1: every time
    enospc_after: int | None = None  # fresh bytes left in the thin pool
    lie: Literal["drop", "flip"] | None = None  # acknowledged, and not what was written
    lie_which: Which = "data"
    flip_read: Which | None = None  # one bit a block, on the way out only
    freeze: bool = False
    delay_s: float = 0.0
    gone: bool = False


def is_data(block: bytes) -> bool:
    """Tell a block of encrypted data from file system metadata: it does not compress."""
    return len(zlib.compress(block, 1)) > 0.9 * len(block)


def pieces(offset: int, data: bytes) -> Iterator[tuple[int, bytes]]:
    """Cut a request at the block boundaries of the device."""
    at = 0
    while at < len(data):
        length = min(BLOCK - (offset + at) % BLOCK, len(data) - at)
        yield offset + at, data[at : at + length]
        at += length


def hits(which: Which | None, offset: int, piece: bytes) -> bool:
    """Say whether a fault aimed at ``which`` concerns this piece."""
    if which is None or which == "all":
        return which is not None
    if which == "data":
        return is_data(piece)
    return any(offset < int(end) and offset + len(piece) > int(start) for start, end in which)


class Medium:
    """The backing file and the faults laid over it; served by threads of the FUSE process."""

    def __init__(self, backing: str) -> None:
        self.fd = os.open(backing, os.O_RDWR | os.O_CLOEXEC)
        self.size = os.fstat(self.fd).st_size
        self.faults = Faults()
        self.changed = threading.Condition()
        self.touched: set[int] = set()
        self.counts = dict.fromkeys(
            ("reads", "writes", "flushes", "dropped", "flipped", "eio", "enospc"), 0
        )
        self.switch(Faults())

    def switch(self, faults: Faults) -> None:
        """Replace all faults at once and wake what was frozen."""
        with self.changed:
            self.faults = faults
            self.writes_left = -1 if faults.write_eio_times is None else faults.write_eio_times
            self.flushes_left = faults.flush_eio_times
            self.fresh_left = -1 if faults.enospc_after is None else faults.enospc_after
            self.changed.notify_all()

    def _enter(self, kind: str) -> Faults:
        with self.changed:
            self.counts[kind] += 1
            self.changed.wait_for(lambda: not self.faults.freeze)
            faults = self.faults
        if faults.delay_s:
            time.sleep(faults.delay_s)
        if faults.gone:
            self._fail(errno.EIO)
        return faults

    def _fail(self, number: int) -> None:
        with self.changed:
            self.counts["enospc" if number == errno.ENOSPC else "eio"] += 1
        raise OSError(number, os.strerror(number))

    def read(self, length: int, offset: int) -> bytes:
        """Give bytes of the medium, as its faults let them through."""
        faults = self._enter("reads")
        data = os.pread(self.fd, length, offset)
        if faults.read_eio is None and faults.flip_read is None:
            return data
        out = bytearray()
        for at, piece in pieces(offset, data):
            if hits(faults.read_eio, at, piece):
                self._fail(errno.EIO)
            flip = hits(faults.flip_read, at, piece)
            out += self._flipped(piece) if flip else piece
        return bytes(out)

    def write(self, data: bytes, offset: int) -> int:
        """Take bytes for the medium; what it says and what it does may differ."""
        faults = self._enter("writes")
        cut = pieces(offset, data)
        if self.writes_left != 0 and any(hits(faults.write_eio, at, piece) for at, piece in cut):
            self.writes_left -= self.writes_left > 0
            self._fail(errno.EIO)
        self._allocate(offset, len(data))
        if faults.lie is None:
            os.pwrite(self.fd, data, offset)
            return len(data)
        for at, piece in pieces(offset, data):
            if not hits(faults.lie_which, at, piece):
                os.pwrite(self.fd, piece, at)
            elif faults.lie == "flip":
                os.pwrite(self.fd, self._flipped(piece), at)
            else:
                with self.changed:
                    self.counts["dropped"] += 1
        return len(data)

    def flush(self) -> None:
        """Take a flush of the write cache."""
        self._enter("flushes")
        if self.flushes_left:
            self.flushes_left -= self.flushes_left > 0
            self._fail(errno.EIO)

    def _allocate(self, offset: int, length: int) -> None:
        with self.changed:
            chunks = range(offset // CHUNK, (offset + length - 1) // CHUNK + 1)
            fresh = set(chunks) - self.touched
            full = self.fresh_left >= 0 and len(fresh) * CHUNK > self.fresh_left
            if not full:
                self.fresh_left -= len(fresh) * CHUNK if self.fresh_left >= 0 else 0
                self.touched |= fresh
        if full:
            self._fail(errno.ENOSPC)

    def _flipped(self, piece: bytes) -> bytes:
        with self.changed:
            self.counts["flipped"] += 1
        return bytes([piece[0] ^ 1]) + piece[1:]


def serve(control: socket.socket, mount_point: str, backing: str, name: str) -> None:
    """Serve one file until the control socket ends; runs as a process of its own."""
    import mfusepy

    medium = Medium(backing)

    class Files(mfusepy.Operations):  # type: ignore[misc]
        use_ns = True

        def getattr(self, path: str, fh: int | None = None) -> dict[str, int]:
            if path == "/":
                return {"st_mode": 0o040700, "st_nlink": 2}
            if path != f"/{name}":
                raise mfusepy.FuseOSError(errno.ENOENT)
            return {"st_mode": 0o100600, "st_nlink": 1, "st_size": medium.size}

        def readdir(self, path: str, fh: int) -> list[str]:
            return [".", "..", name]

        def open(self, path: str, flags: int) -> int:
            return 0

        def read(self, path: str, size: int, offset: int, fh: int) -> bytes:
            return medium.read(size, offset)

        def write(self, path: str, data: bytes, offset: int, fh: int) -> int:
            return medium.write(data, offset)

        def fsync(self, path: str, datasync: int, fh: int) -> int:
            medium.flush()
            return 0

    threading.Thread(target=_obey, args=(control, medium, mount_point), daemon=True).start()
    # Without direct_io the page cache above would answer reads, and no fault of ours would bite.
    mfusepy.FUSE(
        Files(), mount_point, foreground=True, direct_io=True, fsname="faultblk", max_threads=16
    )


def _obey(control: socket.socket, medium: Medium, mount_point: str) -> None:
    with contextlib.suppress(OSError), control.makefile("rw", encoding="ascii") as lines:
        for line in lines:
            order = json.loads(line)
            if "faults" in order:
                medium.switch(Faults(**order["faults"]))
            lines.write(json.dumps(medium.counts) + "\n")
            lines.flush()
    # The test's process is gone or done: nobody may stay frozen, and the mount may not stay.
    medium.switch(Faults(gone=True))
    subprocess.run(["umount", "-l", mount_point], check=False, capture_output=True)
    os._exit(0)


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])), *sys.argv[2:])
