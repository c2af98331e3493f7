"""A disk whose faults are switched while it runs: one file in FUSE, under a loop device.

Rule 1: what reaches the medium is what this file says; the kernel above is the real one.
Rule 2: a fault is aimed at everything, at byte ranges, or at *data*: blocks that do not compress,
    as encrypted packs do not; so that metadata stay sound while data lie.
Rule 3: teardown thaws first, then unmounts, detaches, and ends the serving process by its pid;
    the end of the test's own process does the same from the other side.
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
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

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


def serve(control: socket.socket, mount_point: str, backing: str) -> None:
    """Serve the disk until the control socket ends; runs as a process of its own."""
    import mfusepy

    medium = Medium(backing)

    class Files(mfusepy.Operations):  # type: ignore[misc]
        use_ns = True

        def getattr(self, path: str, fh: int | None = None) -> dict[str, int]:
            if path == "/":
                return {"st_mode": 0o040700, "st_nlink": 2}
            if path != "/disk":
                raise mfusepy.FuseOSError(errno.ENOENT)
            return {"st_mode": 0o100600, "st_nlink": 1, "st_size": medium.size}

        def readdir(self, path: str, fh: int) -> list[str]:
            return [".", "..", "disk"]

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
    with control.makefile("rw", encoding="ascii") as lines:
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


def run(*argv: str, check: bool = True) -> str:
    """Run a system command, its standard error shown when it fails; give its output."""
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    if check and done.returncode:
        raise RuntimeError(f"{argv} ended with {done.returncode}: {done.stderr.strip()}")
    return done.stdout.strip()


def mount_points(device: str) -> list[str]:
    """Give where this process's mount namespace has the device, deepest first."""
    number = os.stat(device).st_rdev
    wanted = f"{os.major(number)}:{os.minor(number)}"
    points = []
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        row = line.split()
        source = row[row.index("-") + 2]
        # btrfs shows an anonymous number in place of the device's own: only its source names it.
        if row[2] == wanted or source == device:
            points.append(row[4].encode().decode("unicode_escape"))
    return points[::-1]


class FaultyDisk:
    """Attach a disk with switchable faults for the length of a ``with``; needs root."""

    def __init__(self, folder: Path, size: int, *, name: str = "faulty") -> None:
        self.folder = Path(folder) / name
        self.size = size
        self.device = ""
        self.pid = 0
        self.patience_s = 5.0  # for somebody else to let go of the device
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None

    @property
    def backing(self) -> Path:
        """What the medium really holds."""
        return self.folder / "backing.img"

    @property
    def _mount(self) -> Path:
        return self.folder / "fuse"

    def __enter__(self) -> Self:
        self._mount.mkdir(parents=True)
        with self.backing.open("wb") as file:
            file.truncate(self.size)
        try:
            self._start()
            self.device = run("losetup", "-f", "--show", str(self._mount / "disk"))
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _start(self) -> None:
        ours, theirs = socket.socketpair()
        with theirs, (self.folder / "log").open("wb") as log:
            self._process = subprocess.Popen(
                [
                    sys.executable,
                    __file__,
                    str(theirs.fileno()),
                    str(self._mount),
                    str(self.backing),
                ],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._control, self.pid = ours, self._process.pid
        ours.settimeout(20)
        self.counts()
        deadline = time.monotonic() + 10
        while not (self._mount / "disk").exists():
            if time.monotonic() > deadline or self._process.poll() is not None:
                raise RuntimeError(f"FUSE did not come up: {(self.folder / 'log').read_text()}")
            time.sleep(0.01)

    def _call(self, order: dict[str, Any]) -> dict[str, int]:
        assert self._control is not None
        self._control.sendall(json.dumps(order).encode("ascii") + b"\n")
        answer = b""
        while not answer.endswith(b"\n"):
            got = self._control.recv(65536)
            if not got:
                raise RuntimeError("the serving process is gone")
            answer += got
        counts: dict[str, int] = json.loads(answer)
        return counts

    def set(self, **faults: Any) -> None:
        """Replace the faults by these; none given is a sound disk. See ``Faults``."""
        self._call({"faults": asdict(Faults(**faults))})

    def counts(self) -> dict[str, int]:
        """Give how many requests came, and how many of them a fault met."""
        return self._call({})

    def make_filesystem(self, kind: str = "ext4", *options: str) -> None:
        """Format; ``kind`` is ext4, xfs or btrfs."""
        quiet = ["-q"] if kind != "xfs" else ["-q", "-f"]
        run(f"mkfs.{kind}", *quiet, *options, self.device)

    @contextlib.contextmanager
    def mounted(self, *, options: str = "nodev,nosuid,noexec") -> Iterator[Path]:
        """Mount for the length of a ``with``; the faults are switched off before the unmount."""
        where = self.folder / "mnt"
        where.mkdir(exist_ok=True)
        run("mount", "-o", options, self.device, str(where))
        try:
            yield where
        finally:
            self._off()
            self._unmount()

    def _off(self) -> None:
        with contextlib.suppress(OSError, RuntimeError, AssertionError):
            self.set()

    def _unmount(self) -> None:
        deadline = time.monotonic() + 10
        while points := mount_points(self.device):
            run("umount", points[0], check=False)
            if mount_points(self.device) and time.monotonic() > deadline:
                raise RuntimeError(f"{self.device} stays mounted on {points}")
            time.sleep(0.02)

    def close(self) -> None:
        """Undo everything, in any state; raise at the very end when something held on."""
        problems: list[str] = []
        self._off()
        if self.device:
            problems += self._detach()
        run("fusermount3", "-u", str(self._mount), check=False)
        if self._mount.is_mount():
            run("umount", "-l", str(self._mount), check=False)
        if self._control is not None:
            self._control.close()
        if self._process is not None:
            self._end(self._process)
        self._control = self._process = None
        if problems:
            raise RuntimeError("; ".join(problems))

    def _detach(self) -> list[str]:
        problems = []
        device, bound = self.device, Path(f"/sys/block/{Path(self.device).name}/loop/backing_file")
        try:
            self._unmount()
        except RuntimeError as error:
            problems.append(str(error))
        self.device = ""
        run("losetup", "-d", device, check=False)
        deadline = time.monotonic() + self.patience_s
        while self._is_ours(bound):
            if time.monotonic() > deadline:
                return [*problems, f"{device} stays bound: somebody else holds it"]
            time.sleep(0.01)
        return problems

    def _is_ours(self, bound: Path) -> bool:
        # Once free, the number may at once belong to another test.
        try:
            return bound.read_text().strip() == str(self._mount / "disk")
        except OSError:
            return False

    def _end(self, process: subprocess.Popen[bytes]) -> None:
        # An end of the process aborts the FUSE connection, which frees whoever waits in the kernel.
        for stop in (lambda: None, process.terminate, process.kill):
            stop()
            try:
                process.wait(timeout=2)
            except subprocess.TimeoutExpired:
                continue
            return


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])), sys.argv[2], sys.argv[3])
