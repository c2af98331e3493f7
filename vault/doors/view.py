"""Lay the file list of one cycle over a target's repository, read-only.

Rule 1: the view shows nothing but what the list names; what came later, by whoever, is hidden.
Rule 2: what the list names and the target lacks is absent: telling so is not done here.
Rule 3: nothing is written to the target: what hides lies in memory, in a private namespace.
Rule 4: a million names must fit: they are held as 32 bytes each, one folder at a time as a set.
Source: design, section 2 (views); kernel documentation, overlayfs.
"""

from __future__ import annotations

import os
import secrets
import stat
from contextlib import suppress
from typing import TYPE_CHECKING

from vault.doors import kernel, mounts

if TYPE_CHECKING:
    from collections.abc import Iterator

_DIGEST_BYTES = 32


class Names:
    """The list, by folder."""

    def __init__(self) -> None:
        self._digests: dict[bytes, bytearray] = {}
        self._others: dict[bytes, set[bytes]] = {}
        self.folders: set[bytes] = {b""}

    @classmethod
    def of_plan(cls, fd: int) -> Names:
        """Read the lines ``BATCH PATH SIZE`` of a plan file."""
        names = cls()
        with os.fdopen(fd, "rb", closefd=False) as file:
            for line in file:
                names.add(line.split(b" ")[1])
        return names

    def add(self, path: bytes) -> None:
        """Add one path, relative to the repository."""
        folder, _, name = path.rpartition(b"/")
        if folder not in self.folders:
            parts = folder.split(b"/")
            self.folders.update(b"/".join(parts[: n + 1]) for n in range(len(parts)))
        digest = _digest(name)
        if digest:
            self._digests.setdefault(folder, bytearray()).extend(digest)
        else:
            self._others.setdefault(folder, set()).add(name)

    def of_folder(self, folder: bytes) -> set[bytes]:
        """Give the names in one folder."""
        packed = self._digests.get(folder, b"")
        named = {
            packed[at : at + _DIGEST_BYTES].hex().encode()
            for at in range(0, len(packed), _DIGEST_BYTES)
        }
        return named | self._others.get(folder, set())


def _digest(name: bytes) -> bytes:
    with suppress(ValueError):
        digest = bytes.fromhex(name.decode("ascii"))
        if len(digest) == _DIGEST_BYTES and digest.hex().encode() == name:
            return digest
    return b""


def find_hidden(repository: bytes, names: Names, folder: bytes = b"") -> Iterator[bytes]:
    """Walk a repository; give what the list does not name, a whole folder at once."""
    wanted = names.of_folder(folder)
    inner = []
    with os.scandir(repository + b"/" + folder if folder else repository) as entries:
        for entry in entries:
            path = folder + b"/" + entry.name if folder else entry.name
            if entry.is_dir(follow_symlinks=False) and path in names.folders:
                inner.append(path)
            elif not (entry.name in wanted and entry.is_file(follow_symlinks=False)):
                yield path
    for path in inner:
        yield from find_hidden(repository, names, path)


def lay_overlay(repository: bytes, names: Names, *, base: bytes) -> bytes:
    """Lay the view inside the private namespace; give the path where restic reads it."""
    lower, hidden, view = (base + b"/" + place for place in (b"lower", b"hidden", b"view"))
    for place in (view, hidden, lower):
        mounts.unmount_if_there(place)  # an earlier view of this opening
    mounts.bind_read_only(repository, lower)
    kernel.mount(b"coffre", hidden, fs_type=b"tmpfs", flags=mounts.FLAGS, options=b"mode=0700")
    count = 0
    for path in find_hidden(lower, names):
        _hide(hidden, path)
        count += 1
    if not count:
        mounts.bind_read_only(lower, view)
        return view
    options = b"lowerdir=" + hidden + b":" + lower
    flags = mounts.FLAGS | kernel.MS_RDONLY
    kernel.mount(b"coffre", view, fs_type=b"overlay", flags=flags, options=options)
    return view


def _hide(hidden: bytes, path: bytes) -> None:
    """Put a whiteout, a character device 0:0, where the overlay must show nothing."""
    place = hidden + b"/" + path
    try:
        os.mknod(place, stat.S_IFCHR, 0)
    except FileNotFoundError:
        os.makedirs(os.path.dirname(place), mode=0o700)
        os.mknod(place, stat.S_IFCHR, 0)


def lay_links(repository: bytes, names: Names, *, scratch: bytes) -> bytes:
    """Lay the view as a folder of links, where there is no root to mount an overlay.

    Hard links on the same file system, else symbolic ones: with those ``restic restore`` works and
    ``restic check`` complains of sizes.
    """
    view = scratch + b"/view-" + secrets.token_hex(8).encode()
    os.makedirs(view, mode=0o700)
    for folder in sorted(names.folders):
        inside = view + b"/" + folder
        os.makedirs(inside, mode=0o700, exist_ok=True)
        for name in names.of_folder(folder):
            source = repository + b"/" + folder + b"/" + name
            if not os.path.isfile(source) or os.path.islink(source):
                continue
            try:
                os.link(source, inside + b"/" + name, follow_symlinks=False)
            except OSError:  # another file system, or a file that may not be linked
                os.symlink(source, inside + b"/" + name)
    return view


def remove_links(scratch: bytes) -> None:
    """Remove the folders of links that this or an earlier opening left."""
    import shutil

    with suppress(FileNotFoundError):
        for name in os.listdir(scratch):
            if name.startswith(b"view-"):
                shutil.rmtree(scratch + b"/" + name, ignore_errors=True)
