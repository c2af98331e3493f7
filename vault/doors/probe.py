"""What is attached: block devices, and the superblocks on them.

Rule 1: a medium is known by what its superblock says, never by its path or label.
Rule 2: looking changes nothing: the device is opened for reading and nothing is mounted.
Rule 3: a device that cannot be read is passed over; absence is decided by whoever searches.
Source: ext4 disk layout (kernel documentation), xfs_db(8) sb, btrfs on-disk format.
"""

from __future__ import annotations

import os
import stat
import struct
import uuid as uuids
from contextlib import suppress
from dataclasses import dataclass

from vault.doors import kernel
from vault.ports import Medium

_SKIPPED = ("ram", "zram", "fd", "mtd")
_HEAD_BYTES = 0x11000  # reaches past the btrfs superblock at 64 KiB
_EXT_JOURNAL, _EXT_EXTENTS_OR_64BIT = 0x4, 0x40 | 0x80 | 0x200
_EXT_STATE_ERROR = 0x2
_XFS_NEEDS_REPAIR = 1 << 4
_BTRFS_ERROR = 1 << 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Superblock:
    """What a file system says of itself."""

    fs_type: str
    uuid: str
    size_bytes: int
    label: str
    error_state: str  # empty when sound, else why it must not be written to


def superblock(device: str | int) -> Superblock | None:
    """Read the superblock of a device or image; None when it bears none that we know."""
    fd = device if isinstance(device, int) else os.open(device, _flags())
    try:
        with suppress(OSError):  # what another opener left in the cache may be stale
            os.posix_fadvise(fd, 0, _HEAD_BYTES, os.POSIX_FADV_DONTNEED)
        head = os.pread(fd, _HEAD_BYTES, 0)
    finally:
        if not isinstance(device, int):
            os.close(fd)
    return parse_superblock(head)


def parse_superblock(head: bytes) -> Superblock | None:
    """Tell ext2/3/4, xfs and btrfs from the first 68 KiB of a device."""
    head = head.ljust(_HEAD_BYTES, b"\0")
    if head[1024 + 0x38 : 1024 + 0x3A] == b"\x53\xef":
        return _ext(head[1024 : 1024 + 1024])
    if head[:4] == b"XFSB":
        return _xfs(head)
    if head[0x10040:0x10048] == b"_BHRfS_M":
        return _btrfs(head[0x10000:0x11000])
    return None


def _ext(block: bytes) -> Superblock:
    compatible, incompatible = struct.unpack_from("<2I", block, 0x5C)
    (blocks,) = struct.unpack_from("<I", block, 0x4)
    (log_size,) = struct.unpack_from("<I", block, 0x18)
    if incompatible & 0x80:
        blocks |= struct.unpack_from("<I", block, 0x150)[0] << 32
    (state,) = struct.unpack_from("<H", block, 0x3A)
    (errors,) = struct.unpack_from("<I", block, 0x194)
    older = "ext3" if compatible & _EXT_JOURNAL else "ext2"
    return Superblock(
        fs_type="ext4" if incompatible & _EXT_EXTENTS_OR_64BIT else older,
        uuid=_uuid(block[0x68:0x78]),
        size_bytes=blocks << (10 + log_size),
        label=_label(block[0x78:0x88]),
        error_state=_ext_error(state, errors),
    )


def _ext_error(state: int, errors: int) -> str:
    if errors:
        return f"{errors} errors recorded"
    return "marked as having errors" if state & _EXT_STATE_ERROR else ""


def _xfs(head: bytes) -> Superblock:
    block_size, blocks = struct.unpack_from(">IQ", head, 4)
    (incompatible,) = struct.unpack_from(">I", head, 216)
    return Superblock(
        fs_type="xfs",
        uuid=_uuid(head[32:48]),
        size_bytes=block_size * blocks,
        label=_label(head[108:120]),
        error_state="needs repair" if incompatible & _XFS_NEEDS_REPAIR else "",
    )


def _btrfs(block: bytes) -> Superblock:
    (flags,) = struct.unpack_from("<Q", block, 0x38)
    (total,) = struct.unpack_from("<Q", block, 0x70)
    return Superblock(
        fs_type="btrfs",
        uuid=_uuid(block[0x20:0x30]),
        size_bytes=total,
        label=_label(block[0x12B : 0x12B + 256]),
        error_state="marked as having errors" if flags & _BTRFS_ERROR else "",
    )


def _uuid(raw: bytes) -> str:
    return str(uuids.UUID(bytes=raw))


def _label(raw: bytes) -> str:
    return raw.partition(b"\0")[0].decode("utf-8", "replace")


def attached_media(*, sys_root: str = "/sys", dev_root: str = "/dev") -> list[Medium]:
    """List the attached devices that bear a file system we know, whole disks and partitions.

    A device that only carries another one (a member of an array, say) is left out: what lies on
    top of it is listed instead.
    """
    media = []
    carriers = set()
    for name in sorted(os.listdir(f"{sys_root}/class/block")):
        folder = f"{sys_root}/class/block/{name}"
        if name.startswith(_SKIPPED) or _number(f"{folder}/size") == 0:
            continue
        with suppress(OSError):
            carriers.update(os.listdir(f"{folder}/slaves"))
        medium = _medium(f"{dev_root}/{name.replace('!', '/')}", serial_of(folder))
        if medium is not None:
            media.append(medium)
    return [medium for medium in media if os.path.basename(medium.device) not in carriers]


def _medium(device: str, serial: str) -> Medium | None:
    try:
        fd = os.open(device, _flags())
    except OSError:
        return None
    try:
        if not stat.S_ISBLK(os.fstat(fd).st_mode):
            return None
        found = superblock(fd)
        if found is None:
            return None
        size_bytes = kernel.size_of_device(fd)
    except OSError:
        return None
    finally:
        os.close(fd)
    return Medium(
        device=device, uuid=found.uuid, fs_type=found.fs_type, size_bytes=size_bytes, serial=serial
    )


def serial_of(block_folder: str) -> str:
    """Give the serial number that sysfs shows for a block device or what it hangs on, or ""."""
    folder = os.path.realpath(block_folder)
    while folder.count("/") > 2:
        for name in ("serial", "device/serial"):
            with suppress(OSError, UnicodeDecodeError), open(f"{folder}/{name}") as file:
                serial = file.read(256).strip()
                if serial:
                    return serial
        folder = os.path.dirname(folder)
    return ""


def _number(path: str) -> int:
    try:
        with open(path) as file:
            return int(file.read())
    except (OSError, ValueError):
        return 0


def _flags() -> int:
    return os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK  # an empty tray must not make us wait
