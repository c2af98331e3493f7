"""Making a file system on a disk that is to become a target: enrolment only.

Rule 1: what will be destroyed is named before; what is in use is refused.
Rule 2: ext4, with checksums on its metadata, read-only on errors, no room kept for root.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

from vault.doors import probe
from vault.errors import DoorError, MediaBusy, UsageError
from vault.ports import Medium
from vault.process import run

_MKFS_S = 1800.0
_LARGE_BYTES = 16 << 30  # from here on an inode for every 256 KiB: packs are megabytes
_LABEL = re.compile(r"[^a-z0-9-]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Doomed:
    """What a device holds now, as far as its first blocks tell."""

    device: str
    size_bytes: int
    serial: str
    holds: str  # "ext4", "nothing known", "partitions: sdb1, sdb2"
    label: str
    uuids: tuple[str, ...] = ()  # of its file system, and of those of its partitions


def describe(device: str) -> Doomed:
    """Say what a device holds; UsageError when it is no block device, MediaBusy when in use."""
    name = _block_name(device)
    try:
        os.close(os.open(device, os.O_RDONLY | os.O_EXCL | os.O_CLOEXEC))
    except OSError as error:
        raise MediaBusy(
            "{device} is in use: {reason}",
            device=device,
            reason=error.strerror,
            hint="is it mounted, or part of an array?",
        ) from error
    parts = sorted(
        entry for entry in os.listdir(f"/sys/class/block/{name}") if entry.startswith(name)
    )
    block = probe.superblock(device)
    holds = block.fs_type if block else "nothing known"
    if parts:
        holds = f"partitions: {', '.join(parts)}"
    return Doomed(
        device=device,
        size_bytes=_size(name),
        serial=probe.serial_of(f"/sys/class/block/{name}"),
        holds=holds,
        label=block.label if block else "",
        uuids=tuple(_uuids(device, *(f"/dev/{part}" for part in parts))),
    )


def _uuids(*devices: str) -> Iterator[str]:
    for device in devices:
        with suppress(OSError):  # a partition that is told and cannot be read
            if block := probe.superblock(device):
                yield block.uuid


def medium_of(device: str) -> Medium:
    """Give the medium a formatted device is; DoorError when it bears no known file system."""
    name = _block_name(device)
    block = probe.superblock(device)
    if block is None:
        raise DoorError(
            "{device} bears no file system that a target may have",
            device=device,
            hint="is it to be formatted? --format --yes destroys what is on it",
        )
    return Medium(
        device=device,
        uuid=block.uuid,
        fs_type=block.fs_type,
        size_bytes=_size(name),
        serial=probe.serial_of(f"/sys/class/block/{name}"),
    )


def format_ext4(device: str, target: str) -> None:
    """Make an ext4 on the device; everything on it is lost."""
    doomed = describe(device)
    density = ["-i", str(256 << 10)] if doomed.size_bytes >= _LARGE_BYTES else []
    label = _LABEL.sub("", f"coffre-{target}")[:16]
    argv = ["mkfs.ext4", "-q", "-F", "-m", "0", "-e", "remount-ro", "-O", "metadata_csum", *density]
    argv += ["-E", "lazy_itable_init=0,lazy_journal_init=0", "-L", label, device]
    finished = run(argv, timeout_s=_MKFS_S)
    if finished.returncode != 0:
        raise DoorError(
            "mkfs.ext4 on {device} ended with {code}: {words}",
            device=device,
            code=finished.returncode,
            words=finished.stderr_tail.strip().splitlines()[-1:] or "",
            hint="is the disk sound, and at least 64 MB?",
        )


def _block_name(device: str) -> str:
    try:
        facts = os.stat(device)
    except OSError as error:
        raise UsageError(
            "{device} is not there: {reason}", device=device, reason=error.strerror
        ) from error
    if not stat.S_ISBLK(facts.st_mode):
        raise UsageError(
            "{device} is not a block device", device=device, hint="as /dev/disk/by-id/usb-…?"
        )
    number = f"{os.major(facts.st_rdev)}:{os.minor(facts.st_rdev)}"
    return os.path.basename(os.path.realpath(f"/sys/dev/block/{number}"))


def _size(name: str) -> int:
    with open(f"/sys/class/block/{name}/size", encoding="ascii") as file:
        return int(file.read()) * 512
