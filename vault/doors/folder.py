"""The door ``folder``: no door at all, for trying out.

Rule 1: it disconnects nothing and says so: its class is NONE, always.
Rule 2: it behaves like a door all the same: a process of its own, a deadline of the kernel, one
    opening at a time, and what may be done is bounded as on a disk.
Rule 3: shut means that no vault side holds the folder's lock.
"""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import contextmanager
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING

from vault.doors.order import MOUNT_BASE, Order
from vault.doors.session import MODULE, Session, default_python
from vault.errors import MediaAbsent
from vault.ports import Medium
from vault.results import Disconnection, DoorProof, ShutReport

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from vault.results import RepositoryFile


@dataclass(slots=True)
class FolderDoor:
    """A folder that plays the medium."""

    target: str
    folder: bytes
    _: KW_ONLY
    scratch: bytes = b""  # where views are laid without root; beside the folder when empty
    python: str = ""
    module: str = MODULE
    shut_timeout_s: float = 5.0

    def find(self) -> Medium:
        """Find the folder; MediaAbsent when it is not there."""
        if not os.path.isdir(self.folder):
            raise MediaAbsent(
                "the folder of {target} is not there", hint="create it?", target=self.target
            )
        return Medium(
            device=os.fsdecode(os.path.abspath(self.folder)),
            uuid="folder",
            fs_type="folder",
            size_bytes=0,
        )

    @contextmanager
    def open(
        self,
        medium: Medium,
        *,
        writing: bool,
        closes_at_s: float,
        plan: Iterable[Sequence[RepositoryFile]] = (),
        maintenance: bool = False,
    ) -> Iterator[Session]:
        """Open until ``closes_at_s`` on the boot clock, when the kernel ends the opening."""
        order = Order(
            target=self.target,
            parent_pid=os.getpid(),
            closes_at_s=closes_at_s,
            writing=writing,
            maintenance=maintenance,
            uuid=medium.uuid,
            fs_type="folder",
            device=medium.device,
            number=0,
            mount_point=f"{MOUNT_BASE}/folder",
            scratch=os.fsdecode(self.scratch or os.path.dirname(os.fsencode(medium.device))),
        )
        session = Session(medium, order, python=self.python or default_python(), module=self.module)
        try:
            session.start(plan)
            session.enter()
            yield session
        finally:
            session.close()

    def shut(self, reason: str) -> ShutReport:
        """Wait until no vault side holds the folder; nothing more can be proven of a folder."""
        del reason
        gives_up_at = time.monotonic() + self.shut_timeout_s
        report = self._ask()
        while not report.is_shut and time.monotonic() < gives_up_at:
            time.sleep(0.02)
            report = self._ask()
        return report

    def _ask(self) -> ShutReport:
        try:
            fd = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except FileNotFoundError:
            return _report(DoorProof.SHUT, "the folder is not there")
        except OSError as error:
            return _report(DoorProof.UNKNOWN, f"the folder cannot be asked: {error.strerror}")
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return _report(DoorProof.OPEN, "a vault side holds the folder")
        finally:
            os.close(fd)
        return _report(DoorProof.SHUT, "no vault side holds the folder")


def _report(proof: DoorProof, clause: str) -> ShutReport:
    return ShutReport(proof=proof, disconnection=Disconnection.NONE, evidence=(clause,))
