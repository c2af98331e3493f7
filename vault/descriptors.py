"""The files of a tree, opened by descriptor, component by component, nothing followed.

Rule 1: a symlink is never followed below the root, at any depth.
Rule 2: opening a file never waits: not for a pipe's writer, not for a terminal.
Rule 3: what was opened need not be a regular file; who reads it asks the descriptor.
Source: openat(2) O_NOFOLLOW, path_resolution(7).
"""

from __future__ import annotations

import os

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


def open_root(folder: bytes) -> int:
    """Open the root of a tree; here alone a symlink may stand, since the operator named it."""
    return os.open(folder, _FOLDER & ~os.O_NOFOLLOW)


def open_folder(root: int, path: bytes) -> int:
    """Open a folder of a tree, component by component, so that no symlink is ever followed."""
    fd = os.open(b".", _FOLDER, dir_fd=root)
    try:
        for part in path.split(b"/") if path else ():
            inner = os.open(part, _FOLDER, dir_fd=fd)
            os.close(fd)
            fd = inner
    except BaseException:
        os.close(fd)
        raise
    return fd


def open_file(root: int, path: bytes) -> int:
    """Open a regular file for reading without following anything or waiting for a pipe."""
    folder, _, name = path.rpartition(b"/")
    if not folder:
        return os.open(name, _FILE, dir_fd=root)
    parent = open_folder(root, folder)
    try:
        return os.open(name, _FILE, dir_fd=parent)
    finally:
        os.close(parent)
