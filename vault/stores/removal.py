"""Take named files of a repository off a target: what nothing that is kept names any more.

    snapshots   first: what a reader would begin at
    indexes     then: what would name the packs
    packs       last

Rule 1: only lawful names of data, index and snapshots, below ``repository``; never keys, ``config``
    or what stands under ``coffre``.
Rule 2: a name goes only when a regular file of the named size stands under it; anything else stays
    and is told.
Rule 3: each kind is synced before the next begins, so that whoever reads the whole repository, with
    no view over it, meets no snapshot without its index and no index without its packs. For the
    kept views any order would do: none of them names any of these files.
Rule 4: what is gone already is no error: a run that was killed is run again.
Source: design, section 8; ``docs/decisions/0029``.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field

from vault.admission import is_carried, is_lawful
from vault.errors import StoreError
from vault.results import RepositoryFile
from vault.stores.folders import error_name, open_root, opened_folder
from vault.stores.syscalls import clear_immutable, sync_filesystem

KINDS = ("snapshots/", "index/", "data/")  # the order in which they go
_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
Progress = Callable[[int, int], None]


@dataclass(slots=True, kw_only=True)
class Removal:
    """What was taken off, what was gone already, and what was left since it is something else."""

    removed: int = 0
    removed_bytes: int = 0
    absent: int = 0
    refused: list[str] = field(default_factory=list)


def remove(
    root: bytes,
    files: Sequence[RepositoryFile],
    *,
    on_progress: Progress = lambda _done, _total: None,
) -> Removal:
    """Remove files of the repository below ``root``; StoreError for a name that is not lawful.

    ``on_progress`` is called with files done and files wanted.
    """
    odd = [file.path for file in files if not (is_lawful(file.path) and is_carried(file.path))]
    if odd:
        raise StoreError("{count} unlawful names were to be removed", count=len(odd))
    found = Removal()
    done = 0
    try:
        with closing(_Root(open_root(root))) as opened:
            for kind in KINDS:
                for folder, theirs in _by_folder(files, kind):
                    _remove_of(opened.fd, folder, theirs, found)
                    done += len(theirs)
                    on_progress(done, len(files))
                sync_filesystem(opened.fd)
    except OSError as error:
        raise StoreError(
            "what is to go could not be removed: {error}", error=error_name(error)
        ) from error
    return found


def _by_folder(
    files: Iterable[RepositoryFile], kind: str
) -> Iterator[tuple[str, list[RepositoryFile]]]:
    folders: dict[str, list[RepositoryFile]] = {}
    for file in files:
        if file.path.startswith(kind):
            folders.setdefault(file.path.rpartition("/")[0], []).append(file)
    yield from sorted(folders.items())


def _remove_of(root_fd: int, folder: str, files: Sequence[RepositoryFile], found: Removal) -> None:
    try:
        with opened_folder(root_fd, f"repository/{folder}") as folder_fd:
            for file in files:
                _remove_one(folder_fd, file, found)
    except FileNotFoundError:
        found.absent += len(files)


def _remove_one(folder_fd: int, file: RepositoryFile, found: Removal) -> None:
    name = file.path.rpartition("/")[2]
    try:
        fd = os.open(name, _FLAGS, dir_fd=folder_fd)
    except FileNotFoundError:
        found.absent += 1
        return
    except OSError:  # a link, or a file that cannot be read: not what was put there
        found.refused.append(file.path)
        return
    try:
        facts = os.fstat(fd)
        if not stat.S_ISREG(facts.st_mode) or facts.st_size != file.size_bytes:
            found.refused.append(file.path)
            return
        clear_immutable(fd)
        os.unlink(name, dir_fd=folder_fd)
    finally:
        os.close(fd)
    found.removed += 1
    found.removed_bytes += file.size_bytes


class _Root:
    """A descriptor that ``closing`` can close."""

    def __init__(self, fd: int) -> None:
        self.fd = fd

    def close(self) -> None:
        os.close(self.fd)
