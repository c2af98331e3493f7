"""The airlock's state, the red button, the vault's lock and the public status: small files.

    state/lock            flock: one cycle, ceremony or opening at a time
    state/airlock.json    the last committed state
    state/secured.json    there while the red button is pressed
    state/public/         0750 for the state group: status.json, read without root

Rule 1: a file is written aside, synced, renamed, and its folder synced: a reader sees the old or
    the new, after a power cut too.
Rule 2: nothing here needs a database, a ledger or a report; shutting waits for none of them.
Rule 3: nothing in ``public/`` names a file of an export.
"""

from __future__ import annotations

import contextlib
import fcntl
import grp
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Self

from vault.errors import ConfigError, LockHeld
from vault.records import AirlockRecord, Pressed
from vault.state import State, status_of

AIRLOCK = "airlock.json"
SECURED = "secured.json"
LOCK = "lock"
PUBLIC = "public"
STATUS = "status.json"
_UNREADABLE = (OSError, ValueError, KeyError)  # torn, foreign, or on a disk that fails
_LONG_AGO = datetime.fromtimestamp(0, UTC)
_PUBLIC_FOLDER_MODE = 0o750
_PUBLIC_FILE_MODE = 0o640


@dataclass(frozen=True, slots=True)
class StateFolder:
    """Implements ``vault.records.AirlockStore`` over the vault's state folder."""

    folder: str
    group: str | None = None  # who may read ``public/``

    def load(self) -> AirlockRecord | None:
        """Give the last committed state; an unreadable record counts as an open vault door."""
        try:
            document = _read_json(os.path.join(self.folder, AIRLOCK))
            return None if document is None else _airlock_record(document)
        except _UNREADABLE:
            return AirlockRecord(state=State.SHUTTING, since=_LONG_AGO)

    def commit(self, record: AirlockRecord) -> None:
        """Make the state durable."""
        document = {
            "state": str(record.state),
            "since": record.since.isoformat(),
            "cycle": record.cycle,
            "target": record.target,
            "reason": record.reason,
        }
        write_json(os.path.join(self.folder, AIRLOCK), document)
        self._tell_public(record.state)

    def _tell_public(self, state: State) -> None:
        """Keep the public status true while a night runs; never in the way of the state itself."""
        path = os.path.join(self.folder, PUBLIC, STATUS)
        with contextlib.suppress(OSError, ValueError, ConfigError):
            public = _read_json(path)
            if public is not None:
                told = {**public, "status": str(status_of(state)), "state": str(state)}
                told["pid"] = os.getpid()
                mode, group = _PUBLIC_FILE_MODE, os.stat(path).st_gid
                write_json(path, told, mode=mode, group=group, is_durable=False)

    def pressed(self) -> Pressed | None:
        """Give the red button's record; one that cannot be read counts as pressed."""
        try:
            document = _read_json(os.path.join(self.folder, SECURED))
            return None if document is None else _pressed(document)
        except _UNREADABLE:
            return Pressed(by="?", reason="?", at=_LONG_AGO)

    def press(self, pressed: Pressed) -> None:
        """Press the red button; pressing again keeps who pressed first."""
        if self.pressed() is not None:
            return
        document = {
            "by": pressed.by,
            "reason": pressed.reason,
            "at": pressed.at.isoformat(),
            "login": pressed.login,
        }
        write_json(os.path.join(self.folder, SECURED), document)

    def release(self) -> None:
        """Take the red button's record away, durably."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(os.path.join(self.folder, SECURED))
        _sync_folder(self.folder)

    def publish(self, status: Mapping[str, object]) -> None:
        """Write ``public/status.json``, readable by the state group."""
        public = os.path.join(self.folder, PUBLIC)
        os.makedirs(public, exist_ok=True)
        self._open_to_group(public, _PUBLIC_FOLDER_MODE)
        path = os.path.join(public, STATUS)
        write_json(path, dict(status), mode=_PUBLIC_FILE_MODE, group=self._gid())

    def _open_to_group(self, path: str, mode: int) -> None:
        gid = self._gid()
        if gid is not None:
            os.chown(path, -1, gid)
        os.chmod(path, mode)

    def _gid(self) -> int | None:
        if self.group is None or os.geteuid() != 0:
            return None
        try:
            return grp.getgrnam(self.group).gr_gid
        except KeyError:
            raise ConfigError(
                "state_group names the group {group}, which this host does not have",
                group=self.group,
                hint="is it to be made? addgroup --system {group}",
            ) from None

    def lock(self) -> VaultLock:
        """Give the lock, not yet taken."""
        return VaultLock(os.path.join(self.folder, LOCK))


class VaultLock:
    """One cycle, ceremony or opening at a time on this host; the kernel lets go at our death."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._fd = -1

    def take(self) -> None:
        """Take the lock or raise LockHeld with the holder's process id."""
        fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(fd, 32, 0).decode("ascii", "replace").strip() or "?"
            os.close(fd)
            raise LockHeld(
                "another coffre is at work on this vault, process {holder}",
                holder=holder,
                hint="is it last night's run? coffre status tells; coffre secure stops it",
            ) from None
        os.ftruncate(fd, 0)
        os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
        self._fd = fd

    def holder(self) -> int | None:
        """Give the process id of who holds the lock; None when nobody does."""
        try:
            fd = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        except (FileNotFoundError, PermissionError):
            return None
        try:
            fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            text = os.pread(fd, 32, 0).decode("ascii", "replace").strip()
            return int(text) if text.isdigit() else 0
        finally:
            os.close(fd)
        return None

    def let_go(self) -> None:
        """Let go; idempotent."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def __enter__(self) -> Self:
        self.take()
        return self

    def __exit__(self, *_: object) -> None:
        self.let_go()


def write_json(
    path: str,
    document: Mapping[str, object],
    *,
    mode: int = 0o600,
    group: int | None = None,
    is_durable: bool = True,
) -> None:
    """Replace a small JSON file whole; ``mode`` is set before the content has a name."""
    content = json.dumps(document, ensure_ascii=False, indent=1).encode() + b"\n"
    aside = f"{path}.new"
    fd = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode)
    try:
        if group is not None:
            os.fchown(fd, -1, group)
        os.fchmod(fd, mode)
        view = memoryview(content)
        while view:
            view = view[os.write(fd, view) :]
        if is_durable:
            os.fsync(fd)
    finally:
        os.close(fd)
    os.rename(aside, path)
    if is_durable:
        _sync_folder(os.path.dirname(path))


def _airlock_record(document: Mapping[str, object]) -> AirlockRecord:
    return AirlockRecord(
        state=State(str(document["state"])),
        since=_instant(document["since"]),
        cycle=document.get("cycle"),  # type: ignore[arg-type]
        target=document.get("target"),  # type: ignore[arg-type]
        reason=str(document.get("reason", "")),
    )


def _pressed(document: Mapping[str, object]) -> Pressed:
    return Pressed(
        by=str(document["by"]),
        reason=str(document["reason"]),
        at=_instant(document["at"]),
        login=str(document.get("login", "")),
    )


def _instant(text: object) -> datetime:
    at = datetime.fromisoformat(str(text))
    if at.tzinfo is None:
        raise ValueError(text)
    return at


def _read_json(path: str) -> dict[str, object] | None:
    try:
        with open(path, "rb") as file:
            document = json.load(file)
    except FileNotFoundError:
        return None
    if not isinstance(document, dict):
        raise ValueError(path)
    return document


def _sync_folder(folder: str) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
