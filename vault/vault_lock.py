"""The vault's lock: one coffre at a time moves a door or writes a record.

Rule 1: the kernel lets go of it at our death; what the file says counts only while it is held.
Rule 2: the holder says what it does and, where it knows, how long at most: who comes next decides
    by that whether to wait. Nobody but a night waits for what may last: no night is lost to a look.
Source: flock(2).
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Self

from vault.errors import LockHeld

BRIEF_S = 180.0  # what says so holds the lock no longer; everyone waits for it
_LOOK_EVERY_S = 0.1
_WRITING_S = 1.0  # to say who holds it takes no longer


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """Who holds the vault's lock, as it says itself."""

    pid: int
    for_s: float  # held no longer than that; 0: nobody knows
    is_night: bool
    since: datetime


def no_patience(_: Holder) -> float:
    """Wait for nobody."""
    return 0.0


class VaultLock:
    """One cycle, ceremony or opening at a time on this host; the kernel lets go at our death.

    ``patience`` gives the seconds that we wait for a holder, counted from when we asked first.
    """

    def __init__(
        self,
        path: str,
        *,
        for_s: float = 0.0,
        is_night: bool = False,
        patience: Callable[[Holder], float] = no_patience,
    ) -> None:
        self._path = path
        self._said = f"{os.getpid()} {for_s:g} {'night' if is_night else 'work'}\n".encode()
        self._patience = patience
        self._fd = -1

    def take(self) -> None:
        """Take the lock or raise LockHeld with the holder's process id."""
        asked_at = time.monotonic()
        while not self._try():
            holder = self._held_by()
            patience_s = self._patience(holder) if holder else _WRITING_S
            if time.monotonic() - asked_at >= patience_s:
                raise LockHeld(
                    "another coffre is at work on this vault, process {holder}",
                    holder=holder.pid if holder else "?",
                    hint="is it last night's run? coffre status tells; coffre secure stops it",
                ) from None
            time.sleep(_LOOK_EVERY_S)

    def _try(self) -> bool:
        fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(fd)
            return False
        try:
            os.ftruncate(fd, 0)
            os.pwrite(fd, self._said, 0)
        except BaseException:
            os.close(fd)  # a full disk must not leave it held by nobody
            raise
        self._fd = fd
        return True

    def _held_by(self) -> Holder | None:
        """Read who has it; None in the moment between taking it and saying so."""
        try:
            with open(self._path, "rb") as file:
                since = datetime.fromtimestamp(os.fstat(file.fileno()).st_mtime, UTC)
                pid, for_s, work = file.read(64).decode("ascii", "replace").split()
            return Holder(pid=int(pid), for_s=float(for_s), is_night=work == "night", since=since)
        except (OSError, ValueError):
            return None

    def holder(self) -> int | None:
        """Give the process id of who holds the lock; None when nobody does."""
        try:
            fd = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        except (FileNotFoundError, PermissionError):
            return None
        try:
            fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = self._held_by()
            return holder.pid if holder else 0
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


def brief_patience(holder: Holder) -> float:
    """Wait for what says that it is brief, and for nothing else."""
    return BRIEF_S if 0 < holder.for_s <= BRIEF_S else 0.0


def night_patience(left_s: float, opened_at: datetime) -> Callable[[Holder], float]:
    """Wait for whatever holds the lock while the night is worth it, ``left_s`` seconds.

    A night that began in the opening of this one serves it: nobody waits for that. One that began
    before belongs to the opening before, and ends soon.
    """

    def patience(holder: Holder) -> float:
        return 0.0 if holder.is_night and holder.since >= opened_at else left_s

    return patience
