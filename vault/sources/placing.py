"""The mirror of one source while a pull is under way: parts come in, files get their names.

Rule 1: a file gets its name by rename on one file system, over the version it replaces.
Rule 2: what stands in the way, a folder where a file comes or a file where a folder comes, is
    moved into ``partial/``: the source has changed its mind about what the name is.
Rule 3: no path is followed through a symlink; a symlink in the mirror is an obstacle.
"""

from __future__ import annotations

import hashlib
import os
import stat
from typing import TYPE_CHECKING, Self

from vault.sources import tree
from vault.sources.part import CHUNK_BYTES, Part, part_name
from vault.sources.reception import DATA, PARTIAL, Reception, clear, sync_file_system

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from vault.sources.tree import Seen, Survey


class Mirror:
    """Hold a reception's ``data/`` and ``partial/`` open."""

    def __init__(self, folder: bytes) -> None:
        self._folder = folder
        self._data = -1
        self._partial = -1
        self._displaced = 0
        self._safe_folders: set[bytes] = set()  # made or seen to be folders by this pull

    def __enter__(self) -> Self:
        Reception(self._folder).prepare()
        self._data = tree.open_root(os.path.join(self._folder, DATA))
        self._partial = tree.open_root(os.path.join(self._folder, PARTIAL))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        os.close(self._data)
        os.close(self._partial)

    def survey(self) -> Survey:
        """List what the mirror holds."""
        return tree.walk(self._data)

    def begin(self, seen: Seen, *, boot_id: str, step: Callable[[int], None]) -> Part:
        """Open the part of a file; any thread."""
        return Part(self._partial, seen, boot_id=boot_id, step=step)

    def hash_file(self, path: bytes, step: Callable[[int], None]) -> str:
        """Hash a file of the mirror; any thread."""
        digest = hashlib.sha256()
        with open(tree.open_file(self._data, path), "rb", buffering=0) as file:
            while piece := file.read(CHUNK_BYTES):
                step(len(piece))
                digest.update(piece)
        return digest.hexdigest()

    def sync(self) -> None:
        """Sync the file system of the reception."""
        sync_file_system(self._partial)

    def place(self, path: bytes) -> None:
        """Give the finished part of a path its name."""
        self._make_way(path)
        os.rename(part_name(path), path, src_dir_fd=self._partial, dst_dir_fd=self._data)

    def clear_partial(self) -> None:
        """Drop the parts that nobody will continue, and what was moved out of the way."""
        clear(os.path.join(self._folder, PARTIAL))

    def _make_way(self, path: bytes) -> None:
        """Make the folders of a path; move away what is of another kind."""
        folder = path.rpartition(b"/")[0]
        if folder not in self._safe_folders:
            reached = b""
            for part in folder.split(b"/") if folder else ():
                reached = tree.join(reached, part)
                if reached not in self._safe_folders:
                    self._make_folder(reached)
        kind = self._kind(path)
        if kind is not None and not stat.S_ISREG(kind):
            self._displace(path)

    def _make_folder(self, folder: bytes) -> None:
        kind = self._kind(folder)
        if kind is not None and not stat.S_ISDIR(kind):
            self._displace(folder)
            kind = None
        if kind is None:
            os.mkdir(folder, 0o700, dir_fd=self._data)
        self._safe_folders.add(folder)

    def _kind(self, path: bytes) -> int | None:
        try:
            return os.stat(path, dir_fd=self._data, follow_symlinks=False).st_mode
        except FileNotFoundError:
            return None

    def _displace(self, path: bytes) -> None:
        name = b"displaced-%d-%d" % (os.getpid(), self._displaced)
        self._displaced += 1
        os.rename(path, name, src_dir_fd=self._data, dst_dir_fd=self._partial)
