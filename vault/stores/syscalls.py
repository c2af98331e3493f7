"""The few system calls of a store that Python has no function for.

Rule 1: a failure is an OSError with its errno; nothing here retries.
Rule 2: a descriptor given to ``sync_filesystem`` was opened before the writes it answers for:
    the kernel reports an error of write-back only to descriptors that are older than the error.
Source: syncfs(2), mincore(2), ioctl_iflags(2).
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import mmap
import os
import struct

_LIBC = ctypes.CDLL(None, use_errno=True)
_LIBC.mmap.restype = ctypes.c_void_p
_LIBC.mmap.argtypes = [
    ctypes.c_void_p,
    ctypes.c_size_t,
    ctypes.c_int,
    ctypes.c_int,
    ctypes.c_int,
    ctypes.c_long,
]
_LIBC.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
_LIBC.mincore.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_char_p]

_FS_IOC_GETFLAGS = 0x80086601
_FS_IOC_SETFLAGS = 0x40086602
_FS_IMMUTABLE_FL = 0x10
_MAP_FAILED = ctypes.c_void_p(-1).value


def sync_filesystem(fd: int) -> None:
    """Bring everything of the file system of ``fd`` to the medium, its write cache included."""
    if _LIBC.syncfs(fd) != 0:
        _raise_errno()


def set_immutable(fd: int) -> None:
    """Set ``chattr +i`` on an open file."""
    flags = bytearray(8)
    fcntl.ioctl(fd, _FS_IOC_GETFLAGS, flags)
    (current,) = struct.unpack_from("=I", flags)
    fcntl.ioctl(fd, _FS_IOC_SETFLAGS, struct.pack("=Q", current | _FS_IMMUTABLE_FL))


def clear_immutable(fd: int) -> None:
    """Take ``chattr +i`` off an open file; a file system that knows no such mark has none."""
    flags = bytearray(8)
    try:
        fcntl.ioctl(fd, _FS_IOC_GETFLAGS, flags)
    except OSError as error:
        if error.errno in (errno.ENOTTY, errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS):
            return
        raise
    (current,) = struct.unpack_from("=I", flags)
    if current & _FS_IMMUTABLE_FL:
        fcntl.ioctl(fd, _FS_IOC_SETFLAGS, struct.pack("=Q", current & ~_FS_IMMUTABLE_FL))


def set_direct(fd: int, *, direct: bool) -> None:
    """Make the next reads and writes of ``fd`` go past the page cache, or through it."""
    flags = fcntl.fcntl(fd, fcntl.F_GETFL)
    wanted = flags | os.O_DIRECT if direct else flags & ~os.O_DIRECT
    if wanted != flags:
        fcntl.fcntl(fd, fcntl.F_SETFL, wanted)


def drop_cached(fd: int, size_bytes: int) -> bool:
    """Drop the clean cached pages of a file; say whether none is left, by asking the kernel."""
    if size_bytes == 0:
        return True
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    return not _has_cached_page(fd, size_bytes)


def _has_cached_page(fd: int, size_bytes: int) -> bool:
    """Ask mincore(2); a kernel that will not tell says that every page is cached."""
    address = _LIBC.mmap(None, size_bytes, mmap.PROT_READ, mmap.MAP_SHARED, fd, 0)
    if address == _MAP_FAILED:
        return True
    try:
        pages = ctypes.create_string_buffer(-(-size_bytes // mmap.PAGESIZE))
        if _LIBC.mincore(address, size_bytes, pages) != 0:
            return True
        return pages.raw.count(b"\0") != len(pages.raw)
    finally:
        _LIBC.munmap(address, size_bytes)


def _raise_errno() -> None:
    number = ctypes.get_errno() or errno.EIO
    raise OSError(number, os.strerror(number))
