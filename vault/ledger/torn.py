"""What a crash tore: moved whole into a file beside the ledger.

Rule 1: the torn bytes are copied and synced before the ledger is shortened, never the other way.
Rule 2: whatever the instant of the next crash, the copy is there and will be said in the ledger:
    its name holds the number of the entry that is to say so.
"""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vault.ledger.tail import Tail

_BLOCK = 1 << 20


def set_aside(fd: int, path: bytes, tail: Tail, *, n: int) -> None:
    """Copy the torn bytes to ``ledger.torn-<n>-<k>``, sync, then shorten the ledger. OSError."""
    known = {(item["bytes"], item["sha256"]) for item in list_torn(path, n=n)}
    torn = (tail.size - tail.torn_at, _hash(_blocks(fd, tail.torn_at, tail.size)))
    if torn not in known:  # else an earlier start copied it and died before it shortened
        _copy(fd, path, tail, n=n)
    os.ftruncate(fd, tail.torn_at)
    os.fsync(fd)


def list_torn(path: bytes, *, n: int) -> list[dict[str, object]]:
    """Give what was set aside for entry ``n`` to say: name, bytes, hash. OSError."""
    prefix = _prefix(path, n)
    folder = os.path.dirname(path) or b"."
    found: list[dict[str, object]] = []
    for name in sorted(os.listdir(folder)):
        if name.startswith(prefix) and not name.endswith(b".part"):
            with open(os.path.join(folder, name), "rb") as file:
                size = os.fstat(file.fileno()).st_size
                digest = _hash(_blocks(file.fileno(), 0, size))
            found.append({"name": os.fsdecode(name), "bytes": size, "sha256": digest})
    return found


def _copy(fd: int, path: bytes, tail: Tail, *, n: int) -> None:
    folder = os.path.dirname(path) or b"."
    part = os.path.join(folder, _prefix(path, n) + b".part")
    flags = os.O_CREAT | os.O_TRUNC | os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW
    out = os.open(part, flags, 0o600)
    try:
        for block in _blocks(fd, tail.torn_at, tail.size):
            left = memoryview(block)
            while left:
                left = left[os.write(out, left) :]
        os.fsync(out)
    finally:
        os.close(out)
    _link_free(part, os.path.join(folder, _prefix(path, n)))
    os.unlink(part)
    into = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(into)
    finally:
        os.close(into)


def _link_free(part: bytes, prefix: bytes) -> None:
    """Give the copy the first number nobody has; link never overwrites."""
    k = 1
    while True:
        try:
            os.link(part, prefix + str(k).encode())
        except FileExistsError:
            k += 1
        else:
            return


def _prefix(path: bytes, n: int) -> bytes:
    stem = os.path.splitext(os.path.basename(path))[0]
    return stem + b".torn-%d-" % n


def _blocks(fd: int, start: int, end: int) -> Iterator[bytes]:
    while start < end:
        block = os.pread(fd, min(_BLOCK, end - start), start)
        if not block:
            return
        yield block
        start += len(block)


def _hash(blocks: Iterator[bytes]) -> str:
    digest = hashlib.sha256()
    for block in blocks:
        digest.update(block)
    return digest.hexdigest()
