"""Real disks for tests: a sparse image with a file system, behind a loop device.

Rule 1: who attaches a device detaches it; who mounts unmounts; nothing outlives its block.
Rule 2: a device is named by ``losetup -f --show`` and found again by its major:minor only.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
import uuid as uuids
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

MIB = 1 << 20
SIZES = {"ext4": 64 * MIB, "xfs": 300 * MIB, "btrfs": 128 * MIB}  # xfs and btrfs refuse less


@dataclass(frozen=True, slots=True, kw_only=True)
class Disk:
    """One loop device with a file system on it."""

    device: str
    image: Path
    fs_type: str
    uuid: str
    size_bytes: int

    @property
    def major_minor(self) -> str:
        """The kernel's number of the device, as ``major:minor``."""
        number = os.stat(self.device).st_rdev
        return f"{os.major(number)}:{os.minor(number)}"


def tool(name: str, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run one of the system's tools, also from a path without sbin."""
    path = shutil.which(name, path="/usr/sbin:/sbin:/usr/bin:/bin") or name
    return subprocess.run(
        [path, *arguments], check=check, capture_output=True, text=True, stdin=subprocess.DEVNULL
    )


def make_image(
    image: Path,
    *,
    fs_type: str = "ext4",
    size_bytes: int | None = None,
    uuid: str | None = None,
    label: str = "coffre",
    options: Sequence[str] = (),
) -> str:
    """Make a sparse image with a file system; give its UUID. ``options`` go to mkfs."""
    uuid = uuid or str(uuids.uuid4())
    with image.open("wb") as file:
        file.truncate(size_bytes or SIZES[fs_type])
    name_it = {
        "ext4": ["-q", "-F", "-U", uuid, "-L", label, "-E", "nodiscard"],
        "xfs": ["-q", "-f", "-m", f"uuid={uuid}", "-L", label, "-K"],
        "btrfs": ["-q", "-f", "-U", uuid, "-L", label, "-K"],
    }[fs_type]
    tool(f"mkfs.{fs_type}", *name_it, *options, str(image))
    return uuid


def attach(image: Path, *, direct_io: bool = False, read_only: bool = False) -> str:
    """Put an image behind a free loop device; give the device's name."""
    arguments = ["-f", "--show"]
    arguments += ["--direct-io=on"] if direct_io else []
    arguments += ["-r"] if read_only else []
    device = tool("losetup", *arguments, str(image)).stdout.strip()
    if "-r" not in arguments and "--read-only" not in arguments:
        tool(
            "blockdev", "--setrw", device
        )  # an opening that was killed leaves its number read-only
    return device


def is_free(device: str) -> bool:
    """Ask the kernel whether nobody holds the device: open it exclusively."""
    try:
        os.close(os.open(device, os.O_RDONLY | os.O_EXCL | os.O_CLOEXEC))
    except OSError:
        return False
    return True


def wait_free(device: str, *, timeout_s: float = 10.0) -> float:
    """Wait until the device is free; give the seconds it took, or fail."""
    began = time.monotonic()
    while not is_free(device):
        if time.monotonic() - began > timeout_s:
            raise AssertionError(f"{device} is still held after {timeout_s} s")
        time.sleep(0.001)
    return time.monotonic() - began


def detach(device: str) -> None:
    """Take the loop device away; waits for whoever is still letting go of it."""
    with suppress(AssertionError):
        wait_free(device, timeout_s=5.0)
    tool("losetup", "-d", device, check=False)
    # Whoever looks at the device just now delays its end until they close it.
    gives_up_at = time.monotonic() + 5.0
    while Path("/sys/block", Path(device).name, "loop/backing_file").exists():
        if time.monotonic() > gives_up_at:
            raise AssertionError(f"{device} could not be detached: something still holds it")
        time.sleep(0.01)


@contextmanager
def disk(
    image: Path,
    *,
    fs_type: str = "ext4",
    size_bytes: int | None = None,
    uuid: str | None = None,
    direct_io: bool = False,
    options: Sequence[str] = (),
) -> Iterator[Disk]:
    """Give a fresh disk with an empty file system; the image is removed at the end."""
    uuid = make_image(image, fs_type=fs_type, size_bytes=size_bytes, uuid=uuid, options=options)
    try:
        with attached(image, fs_type=fs_type, uuid=uuid, direct_io=direct_io) as made:
            yield made
    finally:
        image.unlink(missing_ok=True)


@contextmanager
def attached(
    image: Path, *, fs_type: str = "ext4", uuid: str = "", direct_io: bool = False
) -> Iterator[Disk]:
    """Attach an image that already exists; the image is kept."""
    device = attach(image, direct_io=direct_io)
    try:
        yield Disk(
            device=device,
            image=image,
            fs_type=fs_type,
            uuid=uuid,
            size_bytes=image.stat().st_size,
        )
    finally:
        detach(device)
        with suppress(OSError):  # the empty folder that an opening leaves on the host
            os.rmdir(f"/run/coffre/{uuid}" if uuid else "")


@contextmanager
def mounted(device: str, where: Path, *options: str) -> Iterator[Path]:
    """Mount a device for the length of the block, in the host's own namespace."""
    where.mkdir(parents=True, exist_ok=True)
    tool("mount", *(["-o", ",".join(options)] if options else []), device, str(where))
    try:
        yield where
    finally:
        for _ in range(50):
            if tool("umount", str(where), check=False).returncode == 0:
                break
            time.sleep(0.05)
        else:
            raise AssertionError(f"{where} could not be unmounted")
        # A namespace that another test made meanwhile has a copy of the mount until it lets go.
        with suppress(AssertionError):
            wait_free(device, timeout_s=5.0)


def fsck(disk_or_image: Disk | Path) -> subprocess.CompletedProcess[str]:
    """Check a detached or free file system without changing it; return code 0 is clean."""
    if isinstance(disk_or_image, Disk):
        path, fs_type = disk_or_image.device, disk_or_image.fs_type
    else:
        path, fs_type = str(disk_or_image), "ext4"
    command = {
        "ext4": ("e2fsck", "-fn"),
        "xfs": ("xfs_repair", "-n"),
        "btrfs": ("btrfs", "check", "--readonly"),
    }[fs_type]
    return tool(*command, path, check=False)
