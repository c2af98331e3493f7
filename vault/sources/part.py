"""Files on their way in: ``partial/`` of a reception, on the same file system as the mirror.

Rule 1: nothing half-pulled ever has a name in the mirror; a part is named by the hash of its path,
    so that a name of 255 bytes fits.
Rule 2: a part is continued only when its record says that the file at the source still has the
    size and time it had; the bytes that are there are hashed again.
Rule 3: after a reboot only what was synced before counts.
Source: ioctl_ficlonerange(2), fdatasync(2).
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import json
import os
from typing import TYPE_CHECKING, Any

from vault.results import ManifestEntry

if TYPE_CHECKING:
    from collections.abc import Callable

    from vault.sources.tree import Seen

RESUMABLE_BYTES = 4 * 1024**2  # below it, starting anew costs less than a record
CHECKPOINT_BYTES = 256 * 1024**2
CHUNK_BYTES = 1024**2
_FICLONE = 0x40049409
_NO_CLONE = (errno.EOPNOTSUPP, errno.EXDEV, errno.EINVAL, errno.ENOTTY, errno.ENOSYS, errno.EPERM)
_NEW = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC


def part_name(path: bytes) -> bytes:
    """Give the name of a path's part."""
    return hashlib.sha256(path).hexdigest().encode() + b".part"


def _record_name(path: bytes) -> bytes:
    return hashlib.sha256(path).hexdigest().encode() + b".json"


class Part:
    """One file on its way in; hashed as it is written."""

    def __init__(
        self, folder: int, seen: Seen, *, boot_id: str, step: Callable[[int], None]
    ) -> None:
        """Open the part of a file in ``folder``, continuing what an earlier pull left.

        ``step`` is called with each count of bytes that is done; it may raise to end the pull.
        """
        self.seen = seen
        self._step = step
        self._folder = folder
        self._boot_id = boot_id
        self._digest = hashlib.sha256()
        self.offset = 0
        self._synced = 0
        name = part_name(seen.path)
        self._fd = os.open(name, _NEW, 0o600, dir_fd=folder)
        try:
            kept_bytes = self._kept_bytes()
            os.ftruncate(self._fd, kept_bytes)
            if kept_bytes:
                self.rehash()
            self._write_record()
        except BaseException:
            os.close(self._fd)
            raise

    @property
    def is_resumable(self) -> bool:
        """Whether the file is large enough to be worth a record."""
        return self.seen.size_bytes >= RESUMABLE_BYTES

    def fileno(self) -> int:
        """Give the descriptor, for a program that writes by itself; ``rehash`` follows."""
        return self._fd

    def write(self, piece: bytes | memoryview) -> None:
        """Append a piece."""
        self._digest.update(piece)
        left = memoryview(piece)
        while left:
            left = left[os.write(self._fd, left) :]
        self.offset += len(piece)
        self._step(len(piece))
        if self.offset - self._synced >= CHECKPOINT_BYTES:
            self._checkpoint()

    def clone(self, source: int) -> bool:
        """Share the source's extents where the file system can, then hash the clone."""
        if self.offset:
            return False
        try:
            fcntl.ioctl(self._fd, _FICLONE, source)
        except OSError as error:
            if error.errno in _NO_CLONE:
                return False
            raise
        self.rehash()
        return True

    def finish(self) -> ManifestEntry:
        """Give the file its time and close it; it is synced with its batch, not here."""
        times = (self.seen.mtime_ns, self.seen.mtime_ns)
        try:
            os.utime(self._fd, ns=times)
        finally:
            self._close()
        return ManifestEntry(
            path=self.seen.path,
            size_bytes=self.offset,
            mtime_ns=self.seen.mtime_ns,
            sha256=self._digest.hexdigest(),
        )

    def keep(self) -> None:
        """Close the part so that the next pull continues it; a small one is simply left."""
        # What cannot be vouched for now, on a full disk say, is not continued after a reboot.
        with contextlib.suppress(OSError):
            self._checkpoint()
        self._close()

    def discard(self) -> None:
        """Drop the part: what was read is not what the source holds now."""
        self._close()
        for name in (part_name(self.seen.path), _record_name(self.seen.path)):
            try:
                os.unlink(name, dir_fd=self._folder)
            except FileNotFoundError:
                continue

    def _close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
        self._fd = -1

    def _kept_bytes(self) -> int:
        """Say how much of what is there may be continued."""
        if not self.is_resumable:
            return 0
        record = self._read_record()
        if record is None:
            return 0
        there = os.fstat(self._fd).st_size
        if record["boot_id"] != self._boot_id:
            there = min(there, record["synced"])
        # A part longer than its source cannot be a part of it.
        return there if there <= self.seen.size_bytes else 0

    def _read_record(self) -> dict[str, Any] | None:
        """Read the record when it speaks of the file as it is at the source now."""
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            fd = os.open(_record_name(self.seen.path), flags, dir_fd=self._folder)
        except FileNotFoundError:
            return None
        with open(fd, "rb") as file:
            try:
                record = json.loads(file.read(4096))
            except ValueError:
                return None
        said = {"size": self.seen.size_bytes, "mtime_ns": self.seen.mtime_ns}
        if not isinstance(record, dict) or not said.items() <= record.items():
            return None
        if not isinstance(record.get("synced"), int) or "boot_id" not in record:
            return None
        return record

    def _write_record(self) -> None:
        """Write the record by rename; torn by a power cut it is no record, and we start anew."""
        if not self.is_resumable:
            return
        record = {
            "size": self.seen.size_bytes,
            "mtime_ns": self.seen.mtime_ns,
            "boot_id": self._boot_id,
            "synced": self._synced,
        }
        name = _record_name(self.seen.path)
        fd = os.open(name + b".new", _NEW | os.O_TRUNC, 0o600, dir_fd=self._folder)
        try:
            os.write(fd, json.dumps(record).encode())
        finally:
            os.close(fd)
        os.rename(name + b".new", name, src_dir_fd=self._folder, dst_dir_fd=self._folder)

    def _checkpoint(self) -> None:
        if not self.is_resumable:
            return
        # The bytes first, then the record that vouches for them.
        os.fdatasync(self._fd)
        self._synced = self.offset
        self._write_record()

    def rehash(self) -> None:
        """Hash what is there, from its beginning."""
        self._digest = hashlib.sha256()
        self.offset = 0
        os.lseek(self._fd, 0, os.SEEK_SET)
        there = os.fstat(self._fd).st_size
        buffer = bytearray(max(1, min(CHUNK_BYTES, there)))
        view = memoryview(buffer)
        while count := os.readv(self._fd, [buffer]):
            self._step(count)
            self._digest.update(view[:count])
            self.offset += count
