"""A file on its way onto the target: written and read back while it has no name.

Rule 1: it gets its name last, by ``link``, which never replaces; until then a crash or a close
    leaves nothing behind.
Rule 2: whole blocks are written past the page cache; the tail and small files go through it and
    reach the medium with the next sync.
Rule 3: it is read back from the medium: cached pages are dropped and the kernel confirms that none
    is left, else the read goes past the cache.
Rule 4: on file systems without unnamed files it has a temporary name that restic ignores, in its
    own folder, and only that name is ever removed.
Source: design, section 5, "Publishing a file"; open(2) on O_TMPFILE and O_DIRECT.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import math
import mmap
import os
import threading
from dataclasses import dataclass

from vault.stores.folders import error_name, open_root, opened_folder
from vault.stores.landing_file import Refused
from vault.stores.pace import boot_s
from vault.stores.syscalls import drop_cached, set_direct, set_immutable, sync_filesystem

MODE = 0o400  # as restic leaves its own files
DIRECT_FROM_BYTES = 1 << 20  # below, one shared sync is cheaper than direct writes
_FLAGS = os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW
_BLOCK_BYTES = 4096
_WINDOW_BYTES = 4 << 20
_READ_BYTES = 1 << 20
_PART = ".part-"
_NO_UNNAMED = (errno.EOPNOTSUPP, errno.EISDIR, errno.ENOENT)
_NO_IMMUTABLE = (errno.EPERM, errno.EACCES, errno.ENOTTY, errno.EOPNOTSUPP, errno.EINVAL)
_buffers = threading.local()


class Target:
    """The target's root, and which of its locks were found to hold."""

    def __init__(self, root: bytes, *, immutable: bool) -> None:
        # Opened before any write, so that a later sync reports every error of write-back.
        self.root_fd = open_root(root)
        self.immutable = immutable
        self.unnamed = True
        self._swept: set[str] = set()
        self._lock = threading.Lock()

    def close(self) -> None:
        """Let go of the root; the door cannot unmount before."""
        os.close(self.root_fd)

    def sync(self) -> None:
        """Bring everything to the medium; its failure is final and never tried again."""
        sync_filesystem(self.root_fd)

    def begin(self, folder: str) -> NewFile:
        """Make an empty file without a name in a folder given relative to the root."""
        with opened_folder(self.root_fd, folder) as folder_fd:
            if self.unnamed:
                try:
                    fd = _open_unnamed(folder_fd)
                    return NewFile(target=self, folder=folder, fd=fd, part="")
                except OSError as error:
                    if error.errno not in _NO_UNNAMED:
                        raise
                # Who has no unnamed files keeps no flags either, and may not even answer for a
                # file whose temporary name has gone.
                self.unnamed = self.immutable = False
            with self._lock:  # no thread sweeps a part that another has just made
                if folder not in self._swept:
                    _sweep_parts(folder_fd)
                    self._swept.add(folder)
            part = _PART + os.urandom(8).hex()
            # Not O_DIRECT at once: refusing it, the kernel may leave the file behind.
            fd = os.open(part, _FLAGS | os.O_CREAT | os.O_EXCL, MODE, dir_fd=folder_fd)
            _try_direct(fd)
            return NewFile(target=self, folder=folder, fd=fd, part=part)


def _open_unnamed(folder_fd: int) -> int:
    """Open for writing past the cache where the file system can."""
    flags = _FLAGS | os.O_TMPFILE
    try:
        return os.open(".", flags | os.O_DIRECT, MODE, dir_fd=folder_fd)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        return os.open(".", flags, MODE, dir_fd=folder_fd)


def _sweep_parts(folder_fd: int) -> None:
    """Remove what an earlier death left under our own temporary names."""
    for name in os.listdir(folder_fd):
        if name.startswith(_PART):
            os.unlink(name, dir_fd=folder_fd)


@dataclass(slots=True, kw_only=True)
class NewFile:
    """One file between its first byte and its name."""

    target: Target
    folder: str
    fd: int
    part: str  # its temporary name; empty when it has none
    size_bytes: int = 0

    def copy_from(self, source_fd: int, size_bytes: int) -> None:
        """Write the landing's file; Refused when it does not give ``size_bytes``."""
        offset = 0
        if size_bytes >= DIRECT_FROM_BYTES:
            whole = size_bytes - size_bytes % _BLOCK_BYTES
            while offset < whole:
                length = min(_WINDOW_BYTES, whole - offset)
                with _mapped(source_fd, offset, length) as window, memoryview(window) as view:
                    self._write(view, offset)
                offset += length
        self._write_cached(_read_landing(source_fd, offset, size_bytes - offset), offset)
        self.size_bytes = size_bytes

    def write(self, content: bytes) -> None:
        """Write a whole small content."""
        self._write_cached(content, 0)
        self.size_bytes = len(content)

    def read_back(self) -> str:
        """Give the SHA-256 of what the medium holds; only after a sync."""
        digest = read_medium(self.fd, self.size_bytes)
        assert digest is not None  # no end was given
        return digest

    def link(self, name: str) -> None:
        """Give it its final name; FileExistsError when the name is taken."""
        with opened_folder(self.target.root_fd, self.folder) as folder_fd:
            if self.part:
                os.link(self.part, name, src_dir_fd=folder_fd, dst_dir_fd=folder_fd)
                os.unlink(self.part, dir_fd=folder_fd)
                self.part = ""
            else:
                # Without a src_dir_fd Python calls link(2), which does not follow the symbolic
                # link in /proc and fails with EXDEV.
                os.link(
                    f"/proc/self/fd/{self.fd}",
                    name,
                    src_dir_fd=folder_fd,
                    dst_dir_fd=folder_fd,
                    follow_symlinks=True,
                )
        self._make_immutable()

    def close(self) -> None:
        """Let go of it; without a final name it is gone, and its room is free again."""
        with contextlib.suppress(OSError):  # a part that stays is swept by the next carry
            if self.part:
                with opened_folder(self.target.root_fd, self.folder) as folder_fd:
                    os.unlink(self.part, dir_fd=folder_fd)
        with contextlib.suppress(OSError):  # all there was to learn, sync and read-back told
            os.close(self.fd)

    def _make_immutable(self) -> None:
        if not self.target.immutable:
            return
        try:
            set_immutable(self.fd)
        except OSError as error:
            if error.errno not in _NO_IMMUTABLE:
                raise
            self.target.immutable = False  # one of several locks; doctor tells which hold

    def _write(self, view: memoryview, offset: int) -> None:
        """Write whole blocks; a short write goes on from its last whole block."""
        done = 0
        while done < len(view):
            try:
                count = os.pwrite(self.fd, view[done:], offset + done)
            except OSError as error:
                if error.errno == errno.EFAULT:  # a page of the landing could not be had
                    raise Refused("cannot be read: it changed or its disk fails") from error
                raise
            if count < len(view) - done:
                count -= count % _BLOCK_BYTES
            if count == 0:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            done += count

    def _write_cached(self, content: bytes, offset: int) -> None:
        if not content:
            return
        set_direct(self.fd, direct=False)
        done = 0
        while done < len(content):
            done += os.pwrite(self.fd, content[done:], offset + done)


def read_medium(fd: int, size_bytes: int, *, ends_at_s: float = math.inf) -> str | None:
    """Give the SHA-256 of what the medium holds of a file; None when time ran out before its end.

    ``ends_at_s`` is on the boot clock.
    """
    if not drop_cached(fd, size_bytes):
        # Still cached: go past the cache. Where even that is not to be had (no direct
        # reads and no eviction: memory, some user-space file systems) there is no medium.
        _try_direct(fd)
    else:
        set_direct(fd, direct=False)
    digest = hashlib.sha256()
    buffer = _buffer()
    offset = 0
    while offset < size_bytes:
        if boot_s() >= ends_at_s:
            return None
        count = os.preadv(fd, [buffer], offset)
        if count == 0:
            break
        digest.update(buffer[:count])
        offset += count
    # The copy is not read again: unmounting is quicker without its pages.
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    return digest.hexdigest()


def _mapped(source_fd: int, offset: int, length: int) -> mmap.mmap:
    """Map a window of the landing's file: the kernel writes from its pages, with no copy.

    Windows are small because mapped pages count as resident. We never read through the mapping:
    a file that shrank would kill us by SIGBUS, where the kernel's own read gives EFAULT.
    """
    try:
        return mmap.mmap(source_fd, length, prot=mmap.PROT_READ, offset=offset)
    except ValueError as error:
        raise Refused("shrank while it was read") from error
    except OSError as error:
        raise Refused(f"cannot be mapped: {error_name(error)}") from error


def _read_landing(source_fd: int, offset: int, length: int) -> bytes:
    try:
        content = os.pread(source_fd, length, offset) if length else b""
    except OSError as error:
        raise Refused(f"cannot be read: {error_name(error)}") from error
    if len(content) != length:
        raise Refused("shrank while it was read")
    return content


def _buffer() -> memoryview:
    """Give this thread's page-aligned buffer."""
    if not hasattr(_buffers, "view"):
        _buffers.view = memoryview(mmap.mmap(-1, _READ_BYTES))
    view: memoryview = _buffers.view
    return view


def _try_direct(fd: int) -> None:
    with contextlib.suppress(OSError):
        set_direct(fd, direct=True)
