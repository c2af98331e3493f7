"""Walk into folders without being led astray.

Rule 1: every component is opened relative to the one before, never through a symbolic link: a
    landing or a target that was tampered with cannot lead us out of it.
Source: openat(2); fault 16 of the catalogue.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager

from vault.errors import StoreError
from vault.names import printable, unlawful

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def open_root(path: bytes) -> int:
    """Open the folder that everything else is relative to; its own path may be anything."""
    return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)


@contextmanager
def opened_folder(root_fd: int, path: str) -> Iterator[int]:
    """Open a folder below ``root_fd`` for the length of a block; empty means the root itself."""
    fd = open_folder(root_fd, path)
    try:
        yield fd
    finally:
        os.close(fd)


def open_folder(root_fd: int, path: str) -> int:
    """Open a folder below ``root_fd``; a component that is a link is an OSError."""
    fd = os.dup(root_fd)
    for part in path.split("/") if path else ():
        try:
            deeper = os.open(part, _FOLDER, dir_fd=fd)
        finally:
            os.close(fd)
        fd = deeper
    return fd


def split_path(path: str) -> tuple[str, str]:
    """Split a path given relative to a root into folder and name; StoreError when unlawful."""
    encoded = path.encode("utf-8", "surrogateescape")
    reason = unlawful(encoded)
    if reason is not None:
        raise StoreError("{path}: {reason}", path=printable(encoded), reason=reason)
    folder, _, name = path.rpartition("/")
    return folder, name


def error_name(error: OSError) -> str:
    """Give ``EIO`` for errno 5: stable, short, the same in every language."""
    return errno.errorcode.get(error.errno or 0, "unknown error")
