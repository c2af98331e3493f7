"""Walk the files of a restic repository, and tell the lawful from the alien.

Rule 1: lawful is a regular file with one link, under a lawful name in its lawful place; all else
    is an alien, told with its reason, never opened and never followed.
Rule 2: every step goes by the descriptor of its folder, so that no link swapped in on the way
    leads out of the repository.
Rule 3: what restic keeps for itself in ``locks`` is neither.
Rule 4: memory is bounded by the largest folder's lawful names; aliens are given one by one.
Source: restic's repository format, "Repository Layout".
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
from contextlib import contextmanager
from typing import TYPE_CHECKING

from vault.errors import RepositoryMissing, ResticError
from vault.names import printable
from vault.results import RepositoryFile

if TYPE_CHECKING:
    from collections.abc import Iterator

CONFIG = "config"
FOLDERS = ("index", "keys", "snapshots")
LOCKS = "locks"
CONFIG_LIMIT_BYTES = 64 * 1024

_HASH = re.compile(r"[0-9a-f]{64}", re.ASCII)
_SHARD = re.compile(r"[0-9a-f]{2}", re.ASCII)
_UNFINISHED = re.compile(r"[0-9a-f]{64}-tmp-\d+", re.ASCII)
_FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC

_NOT_A_FOLDER = "not a folder, where restic has one"
_NOT_A_FILE = "not a regular file"
_KINDS = {
    stat.S_IFLNK: "symbolic link",
    stat.S_IFDIR: "folder, where restic has a file",
    stat.S_IFIFO: "pipe",
    stat.S_IFSOCK: "socket",
    stat.S_IFCHR: "device node",
    stat.S_IFBLK: "device node",
}


def list_files(repository: bytes) -> Iterator[RepositoryFile]:
    """Give the lawful files, sorted by path."""
    with _opened(repository) as root:
        for path, name, folder in _lawful_names(root):
            facts = os.stat(name, dir_fd=folder, follow_symlinks=False)
            if _unlawful_kind(facts) is None:
                yield RepositoryFile(path=path, size_bytes=facts.st_size)


def list_names(repository: bytes) -> set[str]:
    """Give the paths under which lawful files may stand, without looking at what stands there."""
    with _opened(repository) as root:
        return {path for path, _, _ in _lawful_names(root)}


def read_files(repository: bytes, paths: set[str]) -> Iterator[RepositoryFile]:
    """Give the lawful ones of the named paths, sorted; the names are lawful already."""
    with _opened(repository) as root:
        for path in sorted(paths):
            folder, _, name = path.rpartition("/")
            with _folder(root, folder) as fd:
                if fd < 0:
                    continue
                facts = os.stat(name, dir_fd=fd, follow_symlinks=False)
                if _unlawful_kind(facts) is None:
                    yield RepositoryFile(path=path, size_bytes=facts.st_size)


def list_aliens(repository: bytes) -> Iterator[tuple[bytes, str]]:
    """Give what has no lawful name, place or kind, relative to the repository, and why."""
    with _opened(repository) as root:
        yield from _aliens_of_root(root)
        for folder in FOLDERS:
            yield from _aliens_of_files(root, folder, shard="")
        with _folder(root, "data") as data:
            for entry in _entries(data):
                if _SHARD.fullmatch(entry.name) is None:
                    yield _found(f"data/{entry.name}", "not one of restic's folders")
                elif not entry.is_dir(follow_symlinks=False):
                    yield _found(f"data/{entry.name}", _NOT_A_FOLDER)
                else:
                    yield from _aliens_of_files(root, f"data/{entry.name}", shard=entry.name)


def config_sha256(repository: bytes) -> str:
    """Hash ``config``, the one file that is not named by its hash."""
    with _opened(repository) as root:
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        try:
            fd = os.open(CONFIG, flags, dir_fd=root)
        except OSError as error:
            raise _unreadable(repository, error) from None
        with os.fdopen(fd, "rb") as file:
            if _unlawful_kind(os.fstat(fd)) is not None:
                raise ResticError(
                    "config of the repository at {repository} is no lawful file",
                    repository=printable(repository),
                )
            content = file.read(CONFIG_LIMIT_BYTES + 1)
    if len(content) > CONFIG_LIMIT_BYTES:
        raise ResticError(
            "config of the repository at {repository} is too long",
            repository=printable(repository),
        )
    return hashlib.sha256(content).hexdigest()


def has_locks(repository: bytes) -> bool:
    """Say whether a restic left a lock or is at work; an unfinished lock binds nobody."""
    with _opened(repository) as root, _folder(root, LOCKS) as fd:
        return any(_HASH.fullmatch(entry.name) is not None for entry in _entries(fd))


@contextmanager
def _opened(repository: bytes) -> Iterator[int]:
    try:
        fd = os.open(repository, _FOLDER_FLAGS)
    except OSError as error:
        raise _unreadable(repository, error) from None
    try:
        yield fd
    finally:
        os.close(fd)


def _unreadable(repository: bytes, error: OSError) -> RepositoryMissing:
    return RepositoryMissing(
        "the repository at {repository} cannot be read: {reason}",
        hint="was the vault initialised, and is its disk there?",
        repository=printable(repository),
        reason=os.strerror(error.errno or 0),
    )


@contextmanager
def _folder(root: int, path: str) -> Iterator[int]:
    """Open a folder of the repository step by step; -1 when a step is no folder."""
    fd = os.dup(root)
    try:
        for part in path.split("/") if path else ():
            try:
                deeper = os.open(part, _FOLDER_FLAGS, dir_fd=fd)
            except (FileNotFoundError, NotADirectoryError):
                deeper = -1
            except OSError as error:
                if not _is_link(fd, part):
                    raise ResticError(
                        "folder {folder} of the repository cannot be read: {reason}",
                        folder=path,
                        reason=os.strerror(error.errno or 0),
                    ) from None
                deeper = -1
            os.close(fd)
            fd = deeper
            if fd < 0:
                break
        yield fd
    finally:
        if fd >= 0:
            os.close(fd)


def _is_link(folder: int, name: str) -> bool:
    return stat.S_ISLNK(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode)


def _entries(fd: int) -> Iterator[os.DirEntry[str]]:
    if fd >= 0:
        with os.scandir(fd) as entries:
            yield from entries


def _lawful_names(root: int) -> Iterator[tuple[str, str, int]]:
    """Give path, name and folder's descriptor of each lawful name that is not a folder, sorted."""
    with _folder(root, "") as fd:
        if any(entry.name == CONFIG for entry in _entries(fd)):
            yield CONFIG, CONFIG, fd
    shards = [f"data/{number:02x}" for number in range(256)]
    for path in (*shards, *FOLDERS):
        shard = path[5:] if path.startswith("data/") else ""
        with _folder(root, path) as fd:
            names = [entry.name for entry in _entries(fd) if _is_lawful_name(entry.name, shard)]
            names.sort()
            for name in names:
                yield f"{path}/{name}", name, fd


def _is_lawful_name(name: str, shard: str) -> bool:
    return name.startswith(shard) and _HASH.fullmatch(name) is not None


def _unlawful_kind(facts: os.stat_result) -> str | None:
    """Say why a file under a lawful name is an alien all the same, or None."""
    if not stat.S_ISREG(facts.st_mode):
        return _KINDS.get(stat.S_IFMT(facts.st_mode), _NOT_A_FILE)
    if facts.st_nlink != 1:
        return "more than one hard link"
    return None


def _aliens_of_root(root: int) -> Iterator[tuple[bytes, str]]:
    with _folder(root, "") as fd:
        for entry in _entries(fd):
            if entry.name == CONFIG:
                reason = _unlawful_kind(entry.stat(follow_symlinks=False))
            elif entry.name in (*FOLDERS, LOCKS, "data"):
                reason = None if entry.is_dir(follow_symlinks=False) else _NOT_A_FOLDER
            else:
                reason = "restic has no such name here"
            if reason is not None:
                yield _found(entry.name, reason)


def _aliens_of_files(root: int, folder: str, *, shard: str) -> Iterator[tuple[bytes, str]]:
    with _folder(root, folder) as fd:
        for entry in _entries(fd):
            reason = _why_alien(entry, shard)
            if reason is not None:
                yield _found(f"{folder}/{entry.name}", reason)


def _why_alien(entry: os.DirEntry[str], shard: str) -> str | None:
    if _UNFINISHED.fullmatch(entry.name):
        return "unfinished file of a restic that was killed"
    if _HASH.fullmatch(entry.name) is None:
        return "name is not a hash of 64 lower-case digits"
    if not entry.name.startswith(shard):
        return "pack in the wrong folder"
    return _unlawful_kind(entry.stat(follow_symlinks=False))


def _found(path: str, reason: str) -> tuple[bytes, str]:
    return os.fsencode(path), reason
