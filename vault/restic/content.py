"""The bytes of a repository, without restic: hashed, provisioned, synced.

Rule 1: a file of a repository is named by the SHA-256 of its content; hashing it asks nobody.
Rule 2: files are opened without following links and judged after the opening.
"""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import os
import re
import stat
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

from vault.results import Refusal, RepositoryFile

_CHUNK = 4 << 20
_THREADS = 2  # hashing lets go of the interpreter's lock; more threads only seek more
_TEMPORARY = re.compile(rb"[0-9a-f]{64}-tmp-[0-9]+")
_LIMIT_BYTES = 1 << 20  # of config and of a key file, which hold a few hundred bytes


def damaged(repository: bytes, files: Sequence[RepositoryFile]) -> tuple[Refusal, ...]:
    """Hash files whole; give those whose size, kind or content is not what their name says.

    What was read stays in the page cache, so that carrying it afterwards reads no disk.
    """
    with ThreadPoolExecutor(_THREADS) as pool:
        reasons = pool.map(lambda file: _reason(repository, file), files)
        return tuple(
            Refusal(name=file.path.encode(), reason=reason)
            for file, reason in zip(files, reasons, strict=True)
            if reason
        )


def _reason(repository: bytes, file: RepositoryFile) -> str:
    path = os.path.join(repository, file.path.encode())
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    try:
        facts = os.fstat(fd)
        if not stat.S_ISREG(facts.st_mode):
            return "not a regular file"
        if facts.st_size != file.size_bytes:
            return f"{facts.st_size} bytes, {file.size_bytes} when it was made"
        same = _sha256(fd) == file.name
    finally:
        os.close(fd)
    return "" if same else "content does not match its name"


def _sha256(fd: int) -> str:
    digest = hashlib.sha256()
    buffer = memoryview(bytearray(_CHUNK))
    while count := os.readv(fd, [buffer]):
        digest.update(buffer[:count])
    return digest.hexdigest()


def provision(repository: bytes, files: Iterator[RepositoryFile]) -> list[tuple[str, bytes]]:
    """Read ``config`` and the key files: what enrolment writes on a target."""
    wanted = [file.path for file in files if file.path == "config" or file.path.startswith("keys/")]
    return [(path, _read(os.path.join(repository, path.encode()))) for path in wanted]


def _read(path: bytes) -> bytes:
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        return os.read(fd, _LIMIT_BYTES)
    finally:
        os.close(fd)


def sweep(repository: bytes, files: Sequence[RepositoryFile]) -> int:
    """Remove files of a run that died, and what restic was still writing; give their number.

    The caller holds the vault's lock and made sure that no index names the files.
    """
    doomed = [os.path.join(repository, file.path.encode()) for file in files]
    doomed += list(_half_written(repository))
    for path in doomed:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
    return len(doomed)


def _half_written(repository: bytes) -> Iterator[bytes]:
    """Give the temporary files of restic's local backend: a lawful name, ``-tmp-``, digits."""
    shards = [b"data/%02x" % n for n in range(256)]
    for folder in (*shards, b"index", b"snapshots", b"keys", b"data"):
        try:
            things = list(os.scandir(os.path.join(repository, folder)))
        except FileNotFoundError:
            continue
        for thing in things:
            if _TEMPORARY.fullmatch(thing.name) and thing.is_file(follow_symlinks=False):
                yield thing.path


def settle(repository: bytes) -> None:
    """Sync the file system the repository is on."""
    fd = os.open(repository, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.syncfs(fd) != 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code))
    finally:
        os.close(fd)
