"""Exports in a folder of this host, copied by reflink where the file system can.

Rule 1: regular files only, opened without following anything; a copy is hashed as it is made.
Rule 2: a file whose size or time moved while it was read is not taken.
Rule 3: the folder is only read.
Source: openat(2), ioctl_ficlonerange(2).
"""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from vault.errors import SourceError, SourceMissing
from vault.sources import tree
from vault.sources.collection import collect_tree
from vault.sources.completeness import Rule
from vault.sources.origin import Changed, Deadline, Unreadable
from vault.sources.part import CHUNK_BYTES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vault.ports import Clock, Progress, Reception
    from vault.results import Pull
    from vault.sources.part import Part
    from vault.sources.tree import Seen, Survey


class FolderSource:
    """Exports in a folder that stands on this host."""

    def __init__(
        self,
        name: str,
        folder: bytes,
        *,
        clock: Clock,
        done_file: str | None = None,
        stable_for_s: float = 0.0,
    ) -> None:
        self.name = name
        self._folder = folder
        self._clock = clock
        self._rule = Rule(done_file=done_file, stable_for_s=stable_for_s)

    def collect(self, reception: Reception, *, closes_at_s: float, progress: Progress) -> Pull:
        """Bring the mirror up to date; SourceMissing when there is no such folder."""
        root = _open(self.name, self._folder)
        try:
            return collect_tree(
                _FolderOrigin(self.name, root),
                reception,
                self._rule,
                deadline=Deadline(self.name, self._clock, closes_at_s),
                progress=progress,
            )
        finally:
            os.close(root)


def _open(name: str, folder: bytes) -> int:
    try:
        return tree.open_root(folder)
    except FileNotFoundError:
        raise SourceMissing(
            "the folder of {source} is not there",
            hint="is the path of {source} in vault.yaml right, and is its disk mounted?",
            source=name,
        ) from None
    except NotADirectoryError:
        raise SourceMissing(
            "the folder of {source} is not a folder",
            hint="a source is a folder of exports: name the one the file stands in?",
            source=name,
        ) from None
    except OSError as error:
        raise SourceError(
            "the folder of {source} cannot be opened: {reason}",
            hint="may root read it?",
            source=name,
            reason=error.strerror,
        ) from None


class _FolderOrigin:
    """A folder during one pull."""

    workers = 4  # hashing and copying leave the interpreter's lock

    def __init__(self, name: str, root: int) -> None:
        self.name = name
        self._root = root

    def survey(self, deadline: Deadline) -> Survey:
        return tree.walk(self._root, pause=deadline.check)

    def fetch(self, seen: Seen, part: Part, deadline: Deadline) -> None:  # noqa: ARG002
        try:
            source = tree.open_file(self._root, seen.path)
        except PermissionError:
            raise Unreadable from None
        except OSError:  # gone, or another kind of thing by now
            raise Changed from None
        try:
            _check(source, seen)
            if not part.clone(source):
                _copy(source, part)
            _check(source, seen)
        finally:
            os.close(source)

    def look_again(self, batch: Sequence[Seen], deadline: Deadline) -> list[bool]:  # noqa: ARG002
        return [self._looks_same(seen) for seen in batch]

    def _looks_same(self, seen: Seen) -> bool:
        try:
            return _is_same(tree.look(self._root, seen.path), seen)
        except OSError:
            return False


def _copy(source: int, part: Part) -> None:
    os.lseek(source, part.offset, os.SEEK_SET)
    buffer = bytearray(min(CHUNK_BYTES, max(1, part.seen.size_bytes)))
    view = memoryview(buffer)
    while count := os.readv(source, [buffer]):
        part.write(view[:count])
        if part.offset > part.seen.size_bytes:
            raise Changed


def _check(source: int, seen: Seen) -> None:
    if not _is_same(os.fstat(source), seen):
        raise Changed


def _is_same(facts: os.stat_result, seen: Seen) -> bool:
    return stat.S_ISREG(facts.st_mode) and (facts.st_size, facts.st_mtime_ns) == (
        seen.size_bytes,
        seen.mtime_ns,
    )
