"""The target of a measurement: ext4 in a sparse image behind a loop device.

Rule 1: what is compared gets an image of its own, fresh, on the same disk.
Rule 2: mounts are made in a mount namespace of our own: a process that is started elsewhere
    meanwhile would otherwise keep a copy of them, and the device busy.
Rule 3: free is what the kernel says: the device opens exclusively.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.rigs import disk as rig
from vault.doors import kernel

_SECTOR_BYTES = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class Medium:
    """One attached image."""

    image: Path
    device: str
    direct_io: bool

    @property
    def name(self) -> str:
        """The kernel's name of the device."""
        return os.path.basename(self.device)

    @property
    def number(self) -> str:
        """Its number, as ``major:minor``."""
        found = os.stat(self.device).st_rdev
        return f"{os.major(found)}:{os.minor(found)}"

    def counters(self) -> tuple[int, int]:
        """Give the bytes read from and written to the device since it was attached."""
        fields = Path(f"/sys/block/{self.name}/stat").read_text().split()
        return int(fields[2]) * _SECTOR_BYTES, int(fields[6]) * _SECTOR_BYTES


@contextmanager
def attached(image: Path, *, size_bytes: int) -> Iterator[Medium]:
    """Make an image with an empty ext4 and attach it; both are gone afterwards."""
    rig.make_image(image, size_bytes=size_bytes)
    try:
        direct_io = True
        try:
            device = rig.attach(image, direct_io=True)
        except subprocess.CalledProcessError:  # the disk below may not have it
            direct_io, device = False, rig.attach(image)
        try:
            yield Medium(image=image, device=device, direct_io=direct_io)
        finally:
            rig.detach(device)
    finally:
        image.unlink(missing_ok=True)


def enter_own_mounts() -> None:
    """Leave the host's mount namespace for good."""
    kernel.unshare(kernel.CLONE_NEWNS)
    kernel.mount(b"none", b"/", flags=kernel.MS_REC | kernel.MS_PRIVATE)


@contextmanager
def mounted(medium: Medium, where: Path, *, read_only: bool = False) -> Iterator[Path]:
    """Mount for the length of the block; at its end the device is free, as the kernel sees it."""
    where.mkdir(exist_ok=True)
    flags = kernel.MS_RDONLY if read_only else 0
    kernel.mount(os.fsencode(medium.device), os.fsencode(where), fs_type=b"ext4", flags=flags)
    try:
        yield where
    finally:
        kernel.umount(os.fsencode(where))
        rig.wait_free(medium.device)


def drop_caches() -> None:
    """Sync, then forget every cached page, name and inode."""
    os.sync()
    Path("/proc/sys/vm/drop_caches").write_text("3")


# -- the brake


@contextmanager
def braked(medium: Medium, bytes_per_s: int) -> Iterator[None]:
    """Hold the device to a rate, reading and writing each; OSError when the kernel cannot."""
    with ExitStack() as undone:
        for folder in _throttles():
            for what in ("read", "write"):
                file = folder / f"blkio.throttle.{what}_bps_device"
                file.write_text(f"{medium.number} {bytes_per_s}")
                undone.callback(file.write_text, f"{medium.number} 0")
        yield


def _throttles() -> set[Path]:
    """Give the cgroups to brake: ours, and the root, which buffered writes are charged to."""
    top = Path("/sys/fs/cgroup/blkio")
    if not (top / "blkio.throttle.read_bps_device").exists():
        raise OSError("no blkio throttle of cgroup version 1 at /sys/fs/cgroup/blkio")
    found = {top}
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if "blkio" in controllers.split(","):
            found.add(top / path.lstrip("/"))
    return found
