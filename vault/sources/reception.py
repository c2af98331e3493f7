"""The persistent mirror of one source: ``data/``, ``coffre/manifest.jsonl.zst``, ``partial/``.

Rule 1: the manifest describes exactly what ``data/`` holds whenever a reception is sealed; the
    mirror is compared with it before it is written, and a difference is an error.
Rule 2: nothing is deleted from ``data/`` before ``seal``: deletions are judged first.
Rule 3: an unchanged manifest is not written again, so that a snapshot sees no change.
Rule 4: this folder belongs to the vault alone: 0700, no symlink in it is ever followed.
Source: design, section 4, steps 2 to 5.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from typing import TYPE_CHECKING

from vault.errors import SourceError
from vault.sources import tree
from vault.sources.manifest import LIMIT_BYTES, identity_of, read_manifest, write_manifest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from vault.results import ManifestEntry, Pull

DATA = b"data"
PARTIAL = b"partial"
MANIFEST = b"coffre/manifest.jsonl.zst"
KEPT_LIMIT_BYTES = 16 * 1024**3
KEPT_LIMIT_FILES = 100_000


class ReceptionError(SourceError):
    """The mirror is not what its manifest says, or cannot be written."""

    reference = "reception-failed"


class Reception:
    """The mirror of one source; ``folder`` is where restic runs."""

    def __init__(
        self,
        folder: bytes,
        *,
        kept_limit_bytes: int = KEPT_LIMIT_BYTES,
        kept_limit_files: int = KEPT_LIMIT_FILES,
    ) -> None:
        self.folder = folder
        self._kept_limit_bytes = kept_limit_bytes
        self._kept_limit_files = kept_limit_files

    def prepare(self) -> None:
        """Make the folders that are missing, and shut the whole to other users."""
        os.makedirs(self.folder, mode=0o700, exist_ok=True)
        os.chmod(self.folder, 0o700)
        for name in (DATA, b"coffre", PARTIAL):
            os.makedirs(os.path.join(self.folder, name), mode=0o700, exist_ok=True)

    def manifest(self) -> tuple[ManifestEntry, ...]:
        """Give the manifest as last sealed, sorted by path; empty before the first."""
        try:
            with open(os.path.join(self.folder, MANIFEST), "rb") as file:
                return read_manifest(file, limit_bytes=LIMIT_BYTES)
        except FileNotFoundError:
            return ()

    def seal(self, pull: Pull) -> str:
        """Apply the pull's deletions, prove that the mirror is the manifest, write it.

        Gives the SHA-256 of the uncompressed manifest. Doing it twice changes nothing.
        """
        self.prepare()
        with opened(os.path.join(self.folder, DATA)) as data:
            for path in pull.deleted:
                remove_file(data, path)
            survey = tree.walk(data)
            remove_empty_folders(data, survey.folders)
            self._prove(pull.entries, survey)
        return self._write(pull.entries)

    def identity(self, pull: Pull) -> str:
        """Give the identity that the pull's manifest would have; nothing is written."""
        return identity_of(pull.entries)

    def set_aside(self, pull: Pull, kept: bytes) -> None:
        """Move what a refused pull brought out of the mirror, into the folder ``kept``.

        ``kept/data`` gets the files up to the bounds given when this reception was made, the rest
        is dropped (the source still has it); ``kept/manifest.jsonl.zst`` lists all of it. The
        mirror's manifest then names what the mirror still holds: an older version that the
        refused pull had replaced is in the landing's snapshots, no longer here, and the file is
        pulled again next time. Deletions are not applied. Doing it twice changes nothing.
        """
        self.prepare()
        sealed = {entry.path: entry for entry in self.manifest()}
        new = [entry for entry in pull.entries if sealed.get(entry.path) != entry]
        os.makedirs(os.path.join(kept, DATA), mode=0o700, exist_ok=True)
        if new and not os.path.exists(os.path.join(kept, b"manifest.jsonl.zst")):
            write_whole(os.path.join(kept, b"manifest.jsonl.zst"), new)
        with opened(os.path.join(self.folder, DATA)) as data:
            self._move_out(data, new, os.path.join(kept, DATA))
            survey = tree.walk(data)
            remove_empty_folders(data, survey.folders)
        held = [entry for entry in sealed.values() if is_held(entry, survey.files)]
        self._write(held)

    def _move_out(self, data: int, new: Iterable[ManifestEntry], kept: bytes) -> None:
        left_bytes, left_files = self._kept_limit_bytes, self._kept_limit_files
        with opened(kept) as target:
            for entry in new:
                left_bytes -= entry.size_bytes
                left_files -= 1
                if left_bytes >= 0 and left_files >= 0:
                    _keep(data, target, entry.path)
                remove_file(data, entry.path)

    def _prove(self, entries: tuple[ManifestEntry, ...], survey: tree.Survey) -> None:
        """Compare the mirror with what is about to be said of it: names, sizes and times."""
        wrong = sum(not is_held(entry, survey.files) for entry in entries)
        alien = len(survey.files) + len(survey.refused) - (len(entries) - wrong)
        if wrong or alien > 0:
            raise ReceptionError(
                "the mirror is not what was pulled: {wrong} files missing or changed, "
                "{alien} too many",
                hint="does another program write in the reception? it belongs to coffre alone?",
                wrong=wrong,
                alien=max(alien, 0),
            )

    def _write(self, entries: Iterable[ManifestEntry]) -> str:
        """Write the manifest when it changed; give its identity."""
        entries = tuple(entries)
        identity = identity_of(entries)
        path = os.path.join(self.folder, MANIFEST)
        if os.path.exists(path) and identity_of(self.manifest()) == identity:
            return identity
        with opened(self.folder) as folder:
            # The files must be on disk before the manifest that vouches for them.
            sync_file_system(folder)
        write_whole(path, entries)
        return identity


@contextlib.contextmanager
def opened(folder: bytes) -> Iterator[int]:
    """Hold a folder open."""
    fd = tree.open_root(folder)
    try:
        yield fd
    finally:
        os.close(fd)


def sync_file_system(fd: int) -> None:
    """Sync the file system that a descriptor is on; a failure is final and never retried."""
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    if libc.syncfs(fd):
        code = ctypes.get_errno()
        raise ReceptionError(
            "the reception could not be synced: {reason}",
            hint="is the disk of the vault host full or failing?",
            reason=os.strerror(code),
        )


def write_whole(path: bytes, entries: Iterable[ManifestEntry]) -> None:
    """Write a manifest under a temporary name, sync it, then give it its name."""
    with open(path + b".new", "wb") as file:
        write_manifest(entries, file)
        file.flush()
        os.fsync(file.fileno())
    os.rename(path + b".new", path)
    with opened(os.path.dirname(path)) as folder:
        os.fsync(folder)


def is_held(entry: ManifestEntry, files: Mapping[bytes, tree.Seen]) -> bool:
    """Say whether the mirror's file is the one of the entry, by size and time."""
    seen = files.get(entry.path)
    return seen is not None and (seen.size_bytes, seen.mtime_ns) == (
        entry.size_bytes,
        entry.mtime_ns,
    )


def remove_file(data: int, path: bytes) -> None:
    """Remove what is no folder; absent is as good as removed.

    A name that was a file and has become a folder, or the other way round, was moved away when
    its successor was placed.
    """
    with contextlib.suppress(FileNotFoundError, NotADirectoryError, IsADirectoryError):
        os.unlink(path, dir_fd=data)


def remove_empty_folders(data: int, folders: Iterable[bytes]) -> None:
    """Remove the folders that hold nothing, deepest first."""
    for folder in sorted(folders, key=lambda path: path.count(b"/"), reverse=True):
        with contextlib.suppress(OSError):
            os.rmdir(folder, dir_fd=data)


def make_parents(root: int, path: bytes) -> None:
    """Make the folders that a path needs under a root that is ours."""
    missing = []
    folder = path.rpartition(b"/")[0]
    while folder:
        try:
            os.mkdir(folder, 0o700, dir_fd=root)
        except FileExistsError:
            break
        except FileNotFoundError:
            missing.append(folder)
            folder = folder.rpartition(b"/")[0]
        else:
            break
    for folder in reversed(missing):
        os.mkdir(folder, 0o700, dir_fd=root)


def clear(folder: bytes) -> None:
    """Remove what is in a folder of ours."""
    with contextlib.suppress(FileNotFoundError), os.scandir(folder) as found:
        for item in found:
            if item.is_dir(follow_symlinks=False):
                shutil.rmtree(item.path)
            else:
                os.unlink(item.path)


def _keep(data: int, kept: int, path: bytes) -> None:
    """Give a file of the mirror a place under ``kept``; by copy when on another file system."""
    make_parents(kept, path)
    with contextlib.suppress(FileExistsError, FileNotFoundError):
        try:
            os.link(path, path, src_dir_fd=data, dst_dir_fd=kept, follow_symlinks=False)
        except OSError as error:
            if error.errno not in (errno.EXDEV, errno.EPERM, errno.EOPNOTSUPP):
                raise
            with open(tree.open_file(data, path), "rb") as good:
                fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600, dir_fd=kept)
                with open(fd, "wb") as copy:
                    shutil.copyfileobj(good, copy, 1024**2)
