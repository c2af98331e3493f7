"""The landing: the restic repository on the vault host.

Rule 1: what a run added is seen on disk, before against after; restic is not believed about it.
Rule 2: a backup counts when its exit code, its words and the one new snapshot on disk agree.
Rule 3: a snapshot that is not whole does not stay: it is forgotten at once, and never among what
    a run is said to have added.
Rule 4: restic is asked to end by SIGINT, which every version cleans up after (0.14 not in the
    0.2 s after it made its lock); a lock left by a dead one goes with a plain ``unlock``, under
    the vault's own lock.
Rule 5: passwords travel by descriptor; the key to try first is named, because restic tries keys
    in the order of their names, a whole derivation each.
"""

from __future__ import annotations

import os
import signal
import stat
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from vault.errors import ProcessError, ResticError, SpaceError, WrongPassword
from vault.ports import Backup, Pruned
from vault.process import run, sealed
from vault.restic import answers, commands, walk
from vault.restic.environment import PASSWORD, environment
from vault.restic.outcome import LOCKED, judge

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from vault.ports import SnapshotFacts
    from vault.process import Finished
    from vault.restic.binary import Restic
    from vault.results import RepositoryFile
    from vault.secret import Secret

SHORT_TIMEOUT_S = 300.0  # what only opens the repository; restic's key derivation is half a second
GRACE_S = 20.0
DYING_S = 10.0
_FORGOTTEN_AT_ONCE = 500  # a word of 64 letters each
UNSOUND = 1  # restic's exit code for a check that found something


class BackupIncomplete(ResticError):
    """A backup did not make a whole snapshot; the reason is in the message and the cause.

    ``added`` are the packs and indexes the run left in the repository. They are our own, and a
    later snapshot may build on them.
    """

    reference = "backup-incomplete"
    added: tuple[RepositoryFile, ...] = ()


class LandingRepository:
    """A restic repository on local disk; see ``vault.ports.LandingRepository``.

    The caller holds the vault's lock: no other restic of ours runs on ``folder``. ``timeout_s``
    bounds each backup, check and restore. ``key_hint`` is the full id of the password's key.
    ``on_progress`` gets the bytes a running backup has read.
    """

    def __init__(
        self,
        restic: Restic,
        folder: bytes,
        password: Secret,
        *,
        timeout_s: float,
        key_hint: str = "",
        on_progress: Callable[[int], None] | None = None,
    ) -> None:
        self.folder = os.path.abspath(folder)
        self.restic = restic
        self._password = password
        self._timeout_s = timeout_s
        self._key_hint = key_hint
        self._on_progress = on_progress

    # -- making it ---------------------------------------------------------------------------

    def init(self) -> frozenset[str]:
        """Make the repository with its one key; give the key's id, alone in a set."""
        os.makedirs(self.folder, mode=0o700, exist_ok=True)
        self._do("init", commands.init_argv(self.restic))
        keys = self.key_ids()
        self._key_hint = next(iter(keys)) if len(keys) == 1 else ""
        return keys

    def add_key(self, password: Secret, *, user: str) -> frozenset[str]:
        """Add a key that opens with another password; give the ids of all keys."""
        fd = sealed(password.reveal())
        try:
            argv = commands.add_key_argv(self.restic, new_password_fd=fd, user=user)
            self._do("key add", argv, fds=(fd,))
        finally:
            os.close(fd)
        return self.key_ids()

    def key_ids(self) -> frozenset[str]:
        """Give the ids of the keys on disk: their file names."""
        return frozenset(f.name for f in self.list_files() if f.path.startswith("keys/"))

    def opens_with(self, password: Secret) -> bool:
        """Say whether a password opens the repository."""
        try:
            self._do("cat config", commands.cat_config_argv(self.restic), password=password)
        except WrongPassword:
            return False
        return True

    # -- a night -----------------------------------------------------------------------------

    def backup(self, reception: bytes, *, source: str, parent: str | None) -> Backup:
        """Snapshot ``data`` and ``coffre`` of a reception, in one run.

        Raises BackupIncomplete when the run added something and made no whole snapshot.
        """
        _require_folders(reception)
        before = walk.list_names(self.folder)
        argv = commands.backup_argv(self.restic, source=source, parent=parent)
        heard = _Heard(self._on_progress)
        try:
            finished = self._run(argv, cwd=reception, on_line=heard.take)
            judge("backup", finished.returncode, finished.stderr_tail, repository=self.folder)
            return self._believe(heard, finished, before)
        except (ResticError, ProcessError, SpaceError) as error:  # an interruption goes its way
            added = self._disown(before)
            if added is None:
                raise
            incomplete = BackupIncomplete(
                "the snapshot of {source} is not whole: {reason}",
                hint=error.hint_template,
                **(error.values | {"source": source, "reason": str(error)}),
            )
            incomplete.added = added
            raise incomplete from error

    def _believe(self, heard: _Heard, finished: Finished, before: set[str]) -> Backup:
        """Give what a run added, when all that speaks of it agrees."""
        if answers.SKIPPED_WORDS in finished.stderr_tail:
            raise ResticError("restic passed over a folder that was not there")
        if heard.summary is None:
            raise ResticError("restic backup ended well and told no summary")
        added = tuple(walk.read_files(self.folder, walk.list_names(self.folder) - before))
        snapshots = [file.name for file in added if file.path.startswith("snapshots/")]
        if len(snapshots) != 1 or not snapshots[0].startswith(heard.summary.snapshot_id):
            raise ResticError(
                "restic backup left {count} new snapshots where one was told",
                count=len(snapshots),
            )
        return Backup(snapshot_id=snapshots[0], added=added)

    def _disown(self, before: set[str]) -> tuple[RepositoryFile, ...] | None:
        """Forget what snapshots a failed run made; give the rest of what it added, None if nil.

        A snapshot that cannot be forgotten is left out all the same: it stays as an alien.
        """
        new = walk.list_names(self.folder) - before
        snapshots = sorted(path for path in new if path.startswith("snapshots/"))
        with suppress(ResticError, ProcessError, SpaceError):
            self.unlock_stale()
            for path in snapshots:
                forget = commands.forget_argv(self.restic, path.rpartition("/")[2])
                self._do("forget", forget)
        if not new:
            return None
        return tuple(walk.read_files(self.folder, new.difference(snapshots)))

    def check(self) -> tuple[str, ...]:
        """Run ``restic check`` without a lock; give its complaints, none when it is sound."""
        finished = self._run(commands.check_argv(self.restic))
        said = finished.stdout.decode("utf-8", "replace")
        try:
            judge("check", finished.returncode, finished.stderr_tail, repository=self.folder)
        except ResticError as error:
            if type(error) is not ResticError or finished.returncode != UNSOUND:
                raise
            return answers.read_complaints(said, finished.stderr_tail) or (str(error),)
        if answers.SOUND_WORDS not in said:
            raise ResticError("restic check ended well and did not say that all is sound")
        return ()

    # -- letting go

    def forget(self, snapshot_ids: Sequence[str]) -> None:
        """Forget snapshots by their full ids; ResticError when not just these are gone then.

        What is gone is seen on disk: restic is not believed about it.
        """
        before = walk.list_names(self.folder)
        for start in range(0, len(snapshot_ids), _FORGOTTEN_AT_ONCE):
            some = snapshot_ids[start : start + _FORGOTTEN_AT_ONCE]
            self._do("forget", commands.forget_argv(self.restic, *some))
        after = walk.list_names(self.folder)
        if before ^ after != {f"snapshots/{one}" for one in snapshot_ids}:
            raise ResticError(
                "restic forget took away {found} files where {wanted} snapshots were named",
                found=len(before ^ after),
                wanted=len(snapshot_ids),
            )

    def prune(self) -> Pruned:
        """Remove the packs that nothing needs; give what is gone and what was written."""
        before = {file.path: file for file in walk.list_files(self.folder)}
        self._do("prune", commands.prune_argv(self.restic), timeout_s=self._timeout_s)
        after = {file.path: file for file in walk.list_files(self.folder)}
        return Pruned(
            removed=tuple(file for path, file in before.items() if path not in after),
            written=tuple(file for path, file in after.items() if path not in before),
        )

    def unlock_stale(self) -> None:
        """Remove the locks of dead restics; RepositoryLocked when one is not dead.

        One that was killed a moment ago still has its process id until it is reaped.
        """
        gives_up_at = time.monotonic() + DYING_S
        while walk.has_locks(self.folder):
            self._do("unlock", commands.unlock_argv(self.restic))
            if not walk.has_locks(self.folder):
                return
            if time.monotonic() >= gives_up_at:
                judge("unlock", LOCKED, "", repository=self.folder)
            time.sleep(DYING_S / 20)

    # -- looking at it -----------------------------------------------------------------------

    def list_files(self) -> Iterator[RepositoryFile]:
        """Walk the lawful files, sorted by path; locks are left out."""
        return walk.list_files(self.folder)

    def list_aliens(self) -> Iterator[tuple[bytes, str]]:
        """Give what has no lawful name, place or kind, and why."""
        return walk.list_aliens(self.folder)

    def repository_id(self) -> str:
        """Ask restic for the id in ``config``, at a whole key derivation: to pin, not nightly."""
        return answers.read_config_id(
            self._do("cat config", commands.cat_config_argv(self.restic)).stdout
        )

    def config_sha256(self) -> str:
        """Hash ``config`` on disk; no password, no restic."""
        return walk.config_sha256(self.folder)

    def snapshots(self) -> tuple[SnapshotFacts, ...]:
        """List all snapshots; ``source`` is empty where none or several are named."""
        return answers.read_snapshots(
            self._do("snapshots", commands.snapshots_argv(self.restic)).stdout
        )

    def restore(self, snapshot_id: str, *, target: bytes, includes: Sequence[bytes] = ()) -> None:
        """Restore a snapshot, or some paths of it, below ``target``.

        What was restored is for the caller to verify: a path that is in no snapshot is no error.
        """
        for group in commands.split_includes(includes) if includes else ((),):
            argv = commands.restore_argv(
                self.restic, snapshot_id, target=os.path.abspath(target), includes=group
            )
            self._do("restore", argv, timeout_s=self._timeout_s)

    def dump(self, snapshot_id: str, *, to: int) -> None:
        """Write a snapshot as a tar to a descriptor; ResticError when it cannot be given whole."""
        finished = self._run(commands.dump_argv(self.restic, snapshot_id), stdout=to)
        judge("dump", finished.returncode, finished.stderr_tail, repository=self.folder)

    # -- running restic ----------------------------------------------------------------------

    def _do(
        self,
        command: str,
        argv: Sequence[str],
        *,
        timeout_s: float = SHORT_TIMEOUT_S,
        password: Secret | None = None,
        fds: Sequence[int] = (),
    ) -> Finished:
        """Run restic and judge its end."""
        finished = self._run(argv, timeout_s=timeout_s, password=password, fds=fds)
        judge(command, finished.returncode, finished.stderr_tail, repository=self.folder)
        return finished

    def _run(
        self,
        argv: Sequence[str],
        *,
        cwd: bytes | None = None,
        timeout_s: float | None = None,
        password: Secret | None = None,
        fds: Sequence[int] = (),
        on_line: Callable[[bytes], None] | None = None,
        stdout: int | None = None,
    ) -> Finished:
        hint = "" if password is not None else self._key_hint
        return run(
            argv,
            cwd=cwd,
            timeout_s=self._timeout_s if timeout_s is None else timeout_s,
            env=environment(self.folder, key_hint=hint),
            secrets={PASSWORD: password or self._password},
            pass_fds=fds,
            on_line=on_line,
            stdout=stdout,
            end_signal=signal.SIGINT,
            grace_s=GRACE_S,
        )


class _Heard:
    """What a running backup has told so far."""

    def __init__(self, on_progress: Callable[[int], None] | None) -> None:
        self.summary: answers.Summary | None = None
        self._on_progress = on_progress

    def take(self, line: bytes) -> None:
        message = answers.read_message(line)
        self.summary = answers.read_summary(message) or self.summary
        done_bytes = answers.read_progress(message)
        if done_bytes is not None and self._on_progress is not None:
            self._on_progress(done_bytes)


def _require_folders(reception: bytes) -> None:
    """Refuse what 0.14 would pass over with exit code 0."""
    for name in commands.FOLDERS:
        try:
            mode = os.lstat(os.path.join(reception, name.encode())).st_mode
        except OSError:
            mode = 0
        if not stat.S_ISDIR(mode):
            raise ResticError("the reception has no folder {name}", name=name)
