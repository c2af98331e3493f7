"""The channels of one SFTP pull, lent to one thread at a time.

Rule 1: a connection that drops is made anew once in a pull, by the thread that notices first; the
    second drop ends the pull.
Rule 2: a channel goes back into use only after an answer that left nothing under way on it.
Rule 3: a host that allows fewer channels gets fewer.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Self, TypeVar

from vault.errors import SourceError, SourceUnreachable
from vault.sources.sftp_reader import Dropped, NotAllowed, NotThere, SftpReader
from vault.sources.ssh_session import READ_S, Account, NoChannel, SshSession

if TYPE_CHECKING:
    from collections.abc import Callable

    from vault.sources.origin import Deadline

_Result = TypeVar("_Result")


class Lines:
    """Channels over one connection, lent to one thread at a time."""

    def __init__(self, source: str, account: Account, channels: int) -> None:
        self.channels = channels
        self._source = source
        self._account = account
        self._limit = channels
        self._session: SshSession | None = None
        self._generation = 0
        self._lent = 0
        self._idle: list[SftpReader] = []
        self._was_renewed = False
        self._free = threading.Condition()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._session is not None:
            self._session.close()

    def use(self, act: Callable[[SftpReader], _Result], deadline: Deadline) -> _Result:
        """Do something with a channel; once more over a new connection when the first drops.

        What ``act`` did before the drop must be safe to go on from.
        """
        while True:
            deadline.check()
            try:
                generation, reader = self._borrow(deadline)
            except Dropped:
                self._renew(self._generation, deadline)
                continue
            reader.set_timeout(min(READ_S, deadline.left_s() + 1.0))
            is_sound = False
            try:
                result = act(reader)
                is_sound = True
            except (NotThere, NotAllowed):
                is_sound = True
                raise
            except Dropped:
                self._renew(generation, deadline)
                continue
            finally:
                self._give_back(generation, reader, is_sound=is_sound)
            return result

    def _borrow(self, deadline: Deadline) -> tuple[int, SftpReader]:
        with self._free:
            while True:
                if self._session is None:
                    self._session = SshSession(self._source, self._account)
                if self._idle:
                    reader = self._idle.pop()
                    break
                if self._lent < self._limit:
                    try:
                        reader = self._session.open_reader()
                        break
                    except NoChannel as error:
                        if not self._lent:
                            raise failed(self._source, error) from None
                        self._limit = self._lent
                self._free.wait(1.0)
                deadline.check()
            self._lent += 1
            return self._generation, reader

    def _give_back(self, generation: int, reader: SftpReader, *, is_sound: bool) -> None:
        with self._free:
            self._free.notify()
            if generation != self._generation:
                return
            self._lent -= 1
            if is_sound:
                self._idle.append(reader)
                return
        reader.close()

    def _renew(self, generation: int, deadline: Deadline) -> None:
        """Leave a dropped connection behind; whoever notices first does it for all."""
        deadline.check()
        with self._free:
            if generation != self._generation:
                return
            if self._was_renewed:
                raise SourceUnreachable(
                    "the connection to the host of {source} dropped twice",
                    hint="the next run goes on where it stopped; is the network sound?",
                    source=self._source,
                )
            self._was_renewed = True
            self._generation += 1
            self._lent = 0
            self._idle.clear()
            if self._session is not None:
                self._session.close()
                self._session = None


def failed(name: str, error: Exception) -> SourceError:
    """Give the error for a host that answers and does not do what SFTP says."""
    return SourceUnreachable(
        "the host of {source} does not answer as it must: {reason}",
        hint="may the account of {source} read its path, and is the production door open?",
        source=name,
        reason=str(error) or type(error).__name__,
    )
