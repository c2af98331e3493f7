"""A disk whose faults are switched while it runs: a loop device over a file in FUSE.

    with FaultyDisk(tmp_path, 64 << 20) as disk:
        disk.make_filesystem()
        with disk.mounted() as where:
            disk.set(lie="drop")            # see Faults for all there is

Rule 1: teardown thaws first, then unmounts, detaches, and ends the serving process by its pid; it
    goes to its end in any state, and only then says what held on.
Rule 2: nothing waits in the kernel for ever: an end of the serving process aborts its requests.
Source: FUSE's flushes arrive as fsync, so a loop device over one file is dm-flakey,
    dm-log-writes and a thin pool in user space, for kernels without a device mapper.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from tests.rigs import faultblk_medium
from tests.rigs.faultblk_medium import Faults

if TYPE_CHECKING:
    from collections.abc import Iterator


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
    """Attach a disk with switchable faults for the length of a ``with``; needs root.

    ``image`` is what the medium holds at first; without it, nothing.
    """

    def __init__(
        self, folder: Path, size: int, *, name: str = "faulty", image: Path | None = None
    ) -> None:
        self.folder = Path(folder) / name
        self.size = size
        self.image = image
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

    @property
    def _file(self) -> Path:
        # Once its mount is gone, the kernel shows of a backing file the last component only: the
        # session's mark in it says whose it was.
        return self._mount / f"disk-{os.environ.get('COFFRE_TEST_SESSION', 'x')}"

    def __enter__(self) -> Self:
        self._mount.mkdir(parents=True)
        if self.image is not None:
            run("cp", "--sparse=always", str(self.image), str(self.backing))
        with self.backing.open("ab") as file:
            file.truncate(self.size)
        try:
            self._start()
            self.device = run("losetup", "-f", "--show", str(self._file))
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
                    faultblk_medium.__file__,
                    str(theirs.fileno()),
                    str(self._mount),
                    str(self.backing),
                    self._file.name,
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
        while not self._file.exists():
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
        except (RuntimeError, OSError) as error:
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
            return bound.read_text().strip() == str(self._file)
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
