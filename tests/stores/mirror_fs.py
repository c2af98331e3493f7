"""Serve a folder through FUSE: a file system without unnamed files, for the store's fallback.

Run as ``python mirror_fs.py FOLDER MOUNT_POINT``; it ends when it is unmounted.
"""

from __future__ import annotations

import os
import sys

import mfusepy


class Mirror(mfusepy.Operations):
    """Pass every call on to the folder."""

    def __init__(self, root: str) -> None:
        self.root = root

    def _at(self, path: str) -> str:
        return self.root + path

    def getattr(self, path, fh=None):
        found = os.lstat(self._at(path))
        names = ("st_mode", "st_nlink", "st_size", "st_uid", "st_gid", "st_ino")
        return {name: getattr(found, name) for name in names}

    def readdir(self, path, fh):
        return [".", "..", *os.listdir(self._at(path))]

    def mkdir(self, path, mode):
        os.mkdir(self._at(path), mode)

    def unlink(self, path):
        os.unlink(self._at(path))

    def link(self, target, source):
        os.link(self._at(source), self._at(target))

    def create(self, path, mode, fi=None):
        return os.open(self._at(path), os.O_RDWR | os.O_CREAT | os.O_EXCL, mode)

    def open(self, path, flags):
        return os.open(self._at(path), flags & ~os.O_DIRECT)

    def read(self, path, size, offset, fh):
        return os.pread(fh, size, offset)

    def write(self, path, data, offset, fh):
        return os.pwrite(fh, data, offset)

    def fsync(self, path, datasync, fh):
        os.fsync(fh)
        return 0

    def release(self, path, fh):
        os.close(fh)
        return 0


if __name__ == "__main__":
    # Else removing an open file would become a renaming to a hidden name.
    mfusepy.FUSE(Mirror(sys.argv[1]), sys.argv[2], foreground=True, hard_remove=True)
