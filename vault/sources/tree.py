"""A tree of files on this host, walked by descriptors, nothing followed and nothing opened.

Rule 1: a symlink is never followed, at any depth; only folders are opened while walking.
Rule 2: names are bytes, taken as the kernel gives them.
Rule 3: what is not a regular file or a folder, and what is named unlawfully, is listed with its
    reason.
Source: openat(2) O_NOFOLLOW, path_resolution(7).
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from vault.descriptors import open_file, open_folder, open_root
from vault.names import unlawful
from vault.results import Refusal

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "LONGEST_PATH",
    "Seen",
    "Survey",
    "join",
    "kind_refused",
    "look",
    "open_file",
    "open_folder",
    "open_root",
    "walk",
]

# A path is restored under a folder of its own and read by restic as one string: what is not
# short enough for both would fail a whole snapshot.
LONGEST_PATH = 3584
_KINDS = {
    stat.S_IFLNK: "symlink",
    stat.S_IFIFO: "named pipe",
    stat.S_IFSOCK: "socket",
    stat.S_IFBLK: "block device",
    stat.S_IFCHR: "character device",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One regular file, as it looked when it was listed."""

    path: bytes
    size_bytes: int
    mtime_ns: int


@dataclass(slots=True, kw_only=True)
class Survey:
    """What one walk of a tree saw."""

    files: dict[bytes, Seen] = field(default_factory=dict)
    refused: list[Refusal] = field(default_factory=list)
    folders: list[bytes] = field(default_factory=list)
    unreadable: int = 0  # folders that gave no list

    def take(self, path: bytes, mode: int, size_bytes: int, mtime_ns: int) -> bool:
        """Sort one entry into its place; say whether it is a folder to walk."""
        reason = unlawful(path) or _too_long(path) or kind_refused(mode)
        if reason is None and path in self.files:
            reason = "name listed twice"
        if reason is not None:
            self.refused.append(Refusal(name=path, reason=reason))
            return False
        if stat.S_ISDIR(mode):
            self.folders.append(path)
            return True
        self.files[path] = Seen(path=path, size_bytes=size_bytes, mtime_ns=mtime_ns)
        return False


def kind_refused(mode: int) -> str | None:
    """Say why an entry of this kind is not taken, or None for a regular file or a folder."""
    if stat.S_ISREG(mode) or stat.S_ISDIR(mode):
        return None
    return _KINDS.get(stat.S_IFMT(mode), "neither a file nor a folder")


def _too_long(path: bytes) -> str | None:
    return f"path longer than {LONGEST_PATH} bytes" if len(path) > LONGEST_PATH else None


def join(folder: bytes, name: bytes) -> bytes:
    """Give the path of a name in a folder; the root of a tree is the empty path."""
    return folder + b"/" + name if folder else name


def look(root: int, path: bytes) -> os.stat_result:
    """Look at a file without opening it or following anything."""
    folder, _, name = path.rpartition(b"/")
    if not folder:
        return os.stat(name, dir_fd=root, follow_symlinks=False)
    parent = open_folder(root, folder)
    try:
        return os.stat(name, dir_fd=parent, follow_symlinks=False)
    finally:
        os.close(parent)


def walk(root: int, *, pause: Callable[[], None] = lambda: None) -> Survey:
    """List a whole tree; ``pause`` is called once a folder and may raise to end the walk.

    A folder that vanishes meanwhile is left out; one that may not be read is counted.
    """
    survey = Survey()
    waiting = [b""]
    while waiting:
        pause()
        folder = waiting.pop()
        try:
            waiting.extend(_list(root, folder, survey))
        except PermissionError:
            survey.unreadable += 1
        except FileNotFoundError:
            if not folder:
                raise
    return survey


def _list(root: int, folder: bytes, survey: Survey) -> list[bytes]:
    """List one folder into the survey; give the folders in it."""
    inner = []
    fd = open_folder(root, folder)
    try:
        with os.scandir(fd) as names:
            for name in names:
                path = join(folder, os.fsencode(name.name))
                try:
                    facts = name.stat(follow_symlinks=False)
                except FileNotFoundError:
                    continue
                if survey.take(path, facts.st_mode, facts.st_size, facts.st_mtime_ns):
                    inner.append(path)
    finally:
        os.close(fd)
    return inner
