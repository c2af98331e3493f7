"""The store ``files``: a restic repository in a mounted file system, only ever added to.

Rule 1: nothing is overwritten and nothing is deleted; publishing what is there is no error, and
    publishing something else under its name is.
Rule 2: what comes back from a carry is a report; errors of single acts are StoreErrors.
Rule 3: no guarantee is given against another writer: the door's lock keeps those away.
Source: design, section 5; ``docs/contract`` for what stands on a target.
"""

from __future__ import annotations

import contextlib
import errno
import os
import resource
import stat
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Self

from vault.errors import ReadBackFailed, StoreError, TargetFull
from vault.results import AdmissionReport, OldRead, Refusal, RepositoryFile
from vault.stores.carry import GROUP_FILES, Carry
from vault.stores.folders import error_name, open_root, opened_folder, split_path
from vault.stores.new_file import Target
from vault.stores.old_files import read_old
from vault.stores.plan_file import Plan
from vault.stores.presence import survey
from vault.stores.publication import Publication

if TYPE_CHECKING:
    from types import TracebackType

    from vault.stores.carry import Progress

_SHARDS = tuple(f"repository/data/{shard:02x}" for shard in range(256))
_FOLDERS = (
    "repository",
    "repository/data",
    "repository/index",
    "repository/snapshots",
    "repository/keys",
    "coffre",
    "coffre/heads",
    "coffre/views",
    "coffre/aside",
    *_SHARDS,
)
_OTHER_DESCRIPTORS = 256


class NotOnTarget(StoreError):
    """The target has no such file."""

    reference = "not-on-target"


class FilesStore:
    """One open target; close it before the door unmounts."""

    def __init__(self, root: bytes, *, threads: int = 4, immutable: bool = True) -> None:
        self._target = Target(root, immutable=immutable)
        self._threads = threads

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the target's root."""
        self._target.close()

    @property
    def makes_unnamed_files(self) -> bool:
        """Whether the file system gave unnamed files so far."""
        return self._target.unnamed

    @property
    def makes_immutable(self) -> bool:
        """Whether what was admitted so far could be made immutable."""
        return self._target.immutable

    def prepare_repository(self) -> None:
        """Make the empty folders of a repository and of our own; existing ones are kept."""
        with _told("could not prepare the target: {error}"):
            for folder in _FOLDERS:
                _make_folder(self._target.root_fd, folder)
            self._target.sync()

    def missing(self, wanted: Iterable[RepositoryFile] | Plan) -> Sequence[RepositoryFile]:
        """Give what the target does not hold with its size, in the order asked.

        Keys and ``config`` may be asked for too. An unlawful name is an error.
        """
        plan = wanted if isinstance(wanted, Plan) else Plan.of_list(wanted)
        if plan.refused_files:
            raise StoreError("{count} unlawful names were asked for", count=plan.refused_files)
        with _told("could not list the target: {error}"):
            found = survey(self._target.root_fd, plan)
        return [plan.file(row) for row in sorted([*found.absent, *found.conflicts])]

    def conflicts(self, wanted: Iterable[RepositoryFile] | Plan) -> Sequence[Refusal]:
        """Give what stands on the target under a wanted name with another size or kind."""
        plan = wanted if isinstance(wanted, Plan) else Plan.of_list(wanted)
        with _told("could not list the target: {error}"):
            found = survey(self._target.root_fd, plan)
        reason = "on the target with another size or kind"
        return [
            Refusal(name=plan.path(row).encode("ascii"), reason=reason) for row in found.conflicts
        ]

    def carry(
        self,
        batches: Iterable[Sequence[RepositoryFile]] | Plan,
        *,
        landing: bytes,
        soft_closes_at_s: float,
        on_progress: Progress = lambda _done, _total: None,
        records: Sequence[tuple[str, bytes]] = (),
        on_settled: Callable[[AdmissionReport], None] = lambda _report: None,
    ) -> AdmissionReport:
        """Carry what the target lacks of a plan, in its order, until the soft deadline.

        ``landing`` is the landing's repository folder, ``soft_closes_at_s`` on the boot clock;
        ``on_progress`` is called in this thread with bytes done and bytes wanted. Unless the medium
        failed, ``records`` are published last, if they can with the barriers of the last group;
        ``on_settled`` gets the report before they are published alone, which may raise.
        """
        plan = batches if isinstance(batches, Plan) else Plan.of(batches)
        _allow_descriptors(GROUP_FILES + _OTHER_DESCRIPTORS)
        with _told("could not open the landing: {error}"):
            landing_fd = open_root(landing)
        publication = self._publication(records)
        try:
            carry = Carry(
                plan,
                target=self._target,
                landing_fd=landing_fd,
                threads=self._threads,
                soft_closes_at_s=soft_closes_at_s,
                on_progress=on_progress,
                records=publication,
            )
            report = carry.run()
        finally:
            publication.close()
            os.close(landing_fd)
        on_settled(report)
        if not report.failure and not carry.published:
            self.publish_all(records)
        return report

    def read_old(
        self,
        files: Iterable[RepositoryFile] | Plan,
        *,
        ends_at_s: float,
        on_progress: Progress = lambda _done, _total: None,
    ) -> OldRead:
        """Read files of earlier carries back from the medium, in order, until ``ends_at_s``.

        On the boot clock. What is wrong with them is in the report, never raised.
        """
        plan = files if isinstance(files, Plan) else Plan.of_list(files)
        if plan.refused_files:
            raise StoreError("{count} unlawful names were asked for", count=plan.refused_files)
        return read_old(
            self._target.root_fd,
            plan,
            ends_at_s=ends_at_s,
            threads=self._threads,
            on_progress=on_progress,
        )

    def publish(self, path: str, content: bytes) -> None:
        """Publish one small file under its final name, with the discipline of a pack."""
        self.publish_all([(path, content)])

    def publish_all(self, files: Sequence[tuple[str, bytes]]) -> None:
        """Publish small files; they share each barrier and get their names in this order.

        Idempotent: the same content there already is fine. TargetFull, ReadBackFailed, StoreError.
        """
        if not files:
            return
        paths = ", ".join(path for path, _ in files)
        with (
            _told("could not publish {path}: {error}", path=paths),
            contextlib.closing(self._publication(files)) as publication,
        ):
            publication.write()
            # Of what stands already a death after its link may have left the name unsynced.
            self._target.sync()
            if publication.differing():
                raise ReadBackFailed(
                    "what was written to the medium reads back differently",
                    hint="stop using this medium until it has been tested?",
                )
            if publication.link():
                self._target.sync()

    def _publication(self, files: Sequence[tuple[str, bytes]]) -> Publication:
        return Publication(target=self._target, files=files, stands=self._stands)

    def _stands(self, path: str, content: bytes) -> bool:
        """Say whether the file is there with this content; StoreError when with another."""
        try:
            found = self._read(path, limit_bytes=len(content) + 1)
        except NotOnTarget:
            return False
        if found != content:
            raise StoreError("{path} is on the target with another content", path=path)
        return True

    def read(self, path: str, *, limit_bytes: int) -> bytes:
        """Read one file given relative to the root; NotOnTarget, or StoreError when over limit."""
        content = self._read(path, limit_bytes=limit_bytes + 1)
        if len(content) > limit_bytes:
            raise StoreError("{path} has more than {limit} bytes", path=path, limit=limit_bytes)
        return content

    def _read(self, path: str, *, limit_bytes: int) -> bytes:
        """Read the beginning of one regular file."""
        folder, name = split_path(path)
        with _told("could not read {path}: {error}", path=path):
            flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
            try:
                with opened_folder(self._target.root_fd, folder) as folder_fd:
                    fd = os.open(name, flags, dir_fd=folder_fd)
            except FileNotFoundError as error:
                raise NotOnTarget("{path} is not on the target", path=path) from error
            with os.fdopen(fd, "rb") as file:
                found = os.fstat(fd)
                if not stat.S_ISREG(found.st_mode):
                    raise StoreError("{path} is not a regular file", path=path)
                return file.read(limit_bytes)

    def names(self, folder: str) -> list[str]:
        """List one folder, sorted; empty when there is none."""
        with _told("could not list {folder}: {error}", folder=folder):
            try:
                with opened_folder(self._target.root_fd, folder) as folder_fd:
                    return sorted(os.listdir(folder_fd))
            except FileNotFoundError:
                return []

    def free(self) -> tuple[int, int]:
        """Give free bytes and free inodes; a file system without a count has no limit."""
        with _told("could not ask for free space: {error}"):
            found = os.statvfs(self._target.root_fd)
        inodes = found.f_favail if found.f_files else sys.maxsize
        return found.f_bavail * found.f_frsize, inodes


@contextlib.contextmanager
def _told(template: str, **values: str) -> Iterator[None]:
    """Turn an error of the system into ours; the template is translated whole."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise TargetFull(
                "the medium has no room left", hint="enrol a larger disk, or retire old cycles?"
            ) from error
        raise StoreError(template, error=error_name(error), **values) from error


def _make_folder(root_fd: int, path: str) -> None:
    folder, _, name = path.rpartition("/")
    with opened_folder(root_fd, folder) as folder_fd, contextlib.suppress(FileExistsError):
        os.mkdir(name, 0o700, dir_fd=folder_fd)
    with opened_folder(root_fd, path):
        pass  # what stood there already must be a folder, not a link to one


def _allow_descriptors(wanted: int) -> None:
    """Raise our own soft limit: a group holds its files open until they have names."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    limit = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < limit:
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
