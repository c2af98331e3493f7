"""One opening, seen from the orchestrator: what can only be done while a door is open.

Rule 1: the vault side is started and ready before the medium is touched, and has read the plan.
Rule 2: every end of the block shuts: the other side is asked to leave, and killed if it does not.
Rule 3: nothing here can keep a door open: when this process ends the kernel shuts.
Rule 4: one request at a time, from the thread that opened; the vault side dies with that thread.
Source: design, section 5; house rules 11 to 13.
"""

from __future__ import annotations

import fcntl
import os
import select
import signal
import sys
import threading
from base64 import b64decode
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Any

from vault.doors import kernel, wire
from vault.doors.order import SOCKET_FD
from vault.errors import DeadlineReached, DoorError
from vault.ports import Marks, Medium
from vault.results import AdmissionReport, OldRead, Refusal, Removed, RepositoryFile

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from vault.doors.order import Order
    from vault.doors.wire import Message

MODULE = "vault.vault_side"
_READY_S = 60.0
_LEAVE_S = 60.0  # unmounting a slow disk; the hard deadline of the kernel stands behind it
_AFTER_KILL_S = 5.0
_AFTER_DEADLINE_S = 5.0
_STDERR_BYTES = 2000
_ENDED_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE, signal.SIGCHLD)


class Session:
    """A vault door that stands open; made by a door's ``open`` only."""

    def __init__(self, medium: Medium, order: Order, *, python: str, module: str) -> None:
        self.medium = medium
        self.root = b""  # where the target's root is, inside the namespace
        self.private = False  # whether nobody else can see it
        self.touched_at_s = 0.0  # the boot clock when the medium was first touched
        self.vault_side_pid = 0
        self._order = order
        self._argv = [python, "-I", "-m", module]
        self._end: socket.socket | None = None
        self._busy = False
        self._stderr_fd = -1

    # Opening and shutting

    def start(self, plan: Iterable[Sequence[RepositoryFile]] = ()) -> None:
        """Start the vault side and wait until it has read the plan and needs only the medium."""
        assert threading.current_thread() is threading.main_thread()  # it would die with another
        ours, theirs = wire.pair()
        self._end = ours
        self._stderr_fd = os.memfd_create("coffre-stderr", os.MFD_CLOEXEC)
        try:
            self.vault_side_pid = self._spawn(theirs.fileno())
        finally:
            theirs.close()
        with _owned(wire.plan_file(plan)) as plan_fd:  # written while the other side starts
            self._busy = True
            self._send(self._order.message(), [plan_fd])
        answer, _ = self._receive(timeout_s=_READY_S)
        self._busy = False
        wire.raise_error(answer)

    def _spawn(self, socket_fd: int) -> int:
        # Copies far above the numbers they are given, so that none overwrites another.
        with _copy(socket_fd) as end, _copy(self._stderr_fd) as stderr:
            return os.posix_spawn(
                self._argv[0],
                self._argv,
                {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"},
                file_actions=[
                    (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
                    (os.POSIX_SPAWN_OPEN, 1, "/dev/null", os.O_WRONLY, 0),
                    (os.POSIX_SPAWN_DUP2, stderr, 2),
                    (os.POSIX_SPAWN_DUP2, end, SOCKET_FD),
                ],
                setsid=True,  # Ctrl-C is ours to handle, in order
                setsigmask=[],
                setsigdef=_ENDED_SIGNALS,
            )

    def enter(self) -> None:
        """Have the medium opened, read-only."""
        self.touched_at_s = kernel.boot_s()
        answer, _ = self._ask({"op": "enter"})
        self.root = os.fsencode(answer["root"])
        self.private = answer["private"]

    def close(self) -> None:
        """Shut, whatever the state; idempotent, and never raises but for what interrupts it."""
        end, self._end = self._end, None
        try:
            if end is not None:
                if not self._busy:
                    with suppress(OSError):
                        wire.send(end, {"op": "close"})
                end.close()  # its end is the message that nothing can lose
        finally:
            self._end_vault_side()

    def _end_vault_side(self) -> None:
        if not self.vault_side_pid:
            return
        try:
            self._wait_exit(_LEAVE_S)
        finally:
            if self.vault_side_pid:
                with suppress(ProcessLookupError):
                    os.kill(self.vault_side_pid, signal.SIGKILL)
                self._wait_exit(_AFTER_KILL_S)
            if self._stderr_fd >= 0:
                os.close(self._stderr_fd)
                self._stderr_fd = -1

    def _wait_exit(self, timeout_s: float) -> None:
        """Wait for the vault side to end and reap it; what is stuck is left to the proof."""
        try:
            pidfd = os.pidfd_open(self.vault_side_pid)
        except ProcessLookupError:
            self.vault_side_pid = 0
            return
        try:
            if not select.select([pidfd], [], [], timeout_s)[0]:
                return
        finally:
            os.close(pidfd)
        with suppress(ChildProcessError):
            os.waitpid(self.vault_side_pid, 0)
        self.vault_side_pid = 0

    # What an open door offers

    def read_marks(self, provisioned: Iterable[RepositoryFile] = ()) -> Marks:
        """Read identity and newest head, and which of the files that enrolment wrote are gone."""
        wanted = [(file.path, file.size_bytes) for file in provisioned]
        answer, _ = self._ask({"op": "marks", "provisioned": wanted})
        return Marks(
            gone=tuple(RepositoryFile(path=path, size_bytes=size) for path, size in answer["gone"]),
            identity=b64decode(answer["identity"]),
            heads=tuple((number, b64decode(head)) for number, head in answer["heads"]),
            free_bytes=answer["free_bytes"],
            free_inodes=answer["free_inodes"],
        )

    def make_writable(self) -> None:
        """Unmount and mount anew for writing; only after the marks were believed."""
        self._ask({"op": "make-writable"})

    def prepare_repository(self) -> None:
        """Make the folders of an empty target; for the enrolment."""
        self._ask({"op": "prepare"})

    def admit(
        self,
        batches: Iterable[Sequence[RepositoryFile]] | None = None,
        *,
        landing: bytes,
        soft_closes_at_s: float,
        progress: Callable[[int, int], None],
        records: Sequence[tuple[str, bytes]] = (),
        settled: Callable[[AdmissionReport], None] = lambda _report: None,
    ) -> AdmissionReport:
        """Carry what the target lacks, batch by batch in the order given.

        Without ``batches`` the plan of the opening is carried. ``settled`` gets the report when the
        carrying is over; then, unless the medium failed, ``records`` are published in their order.
        """
        with ExitStack() as owned:
            fds = [] if batches is None else [owned.enter_context(_owned(wire.plan_file(batches)))]
            fds += [owned.enter_context(_owned(wire.memory_file(data))) for _, data in records]
            request = {
                "op": "admit",
                "landing": os.fsdecode(landing),
                "soft_closes_at_s": soft_closes_at_s,
                "has_plan": batches is not None,
                "paths": [path for path, _ in records],
            }
            reports: list[AdmissionReport] = []

            def settle(members: Message) -> None:
                reports.append(report_of_message(members))
                settled(reports[0])

            self._ask(request, fds, progress=progress, so_far=settle)
        return reports[0]

    def read_old(
        self,
        files: Sequence[RepositoryFile],
        *,
        ends_at_s: float,
        progress: Callable[[int, int], None],
    ) -> OldRead:
        """Read files of earlier openings back from the medium, in order, until ``ends_at_s``."""
        with _owned(wire.plan_file([file] for file in files)) as plan:
            request = {"op": "read-old", "ends_at_s": ends_at_s}
            answer, _ = self._ask(request, [plan], progress=progress)
        members = {name: answer[name] for name in OldRead.__slots__}
        return OldRead(**{**members, "corrupt": _refusals(answer["corrupt"])})

    def missing(self, wanted: Iterable[RepositoryFile] | None = None) -> Sequence[RepositoryFile]:
        """Give the files that the target does not hold with their size: of a list, or the plan."""
        with ExitStack() as owned:
            plan = []
            if wanted is not None:
                plan.append(owned.enter_context(_owned(wire.list_file(wanted))))
            _, fds = self._ask({"op": "missing"}, plan)
        return [
            RepositoryFile(path=path.decode("ascii"), size_bytes=int(size))
            for path, size in map(bytes.split, wire.read_all(fds[0]).splitlines())
        ]

    def publish(self, path: str, content: bytes) -> None:
        """Publish one small file under its final name; never overwrites."""
        self.publish_all([(path, content)])

    def publish_all(self, files: Sequence[tuple[str, bytes]]) -> None:
        """Publish small files: all synced and read back, then named in this order and synced."""
        with ExitStack() as owned:
            fds = [owned.enter_context(_owned(wire.memory_file(content))) for _, content in files]
            self._ask({"op": "publish", "paths": [path for path, _ in files]}, fds)

    def read(self, path: str, *, limit_bytes: int) -> bytes:
        """Read one file of the target, given relative to its root."""
        _, fds = self._ask({"op": "read", "path": path, "limit_bytes": limit_bytes})
        return wire.read_all(fds[0], limit_bytes=limit_bytes)

    def remove(
        self, files: Iterable[RepositoryFile], *, progress: Callable[[int, int], None]
    ) -> Removed:
        """Take named files off; only in a maintenance opening. Those that are gone are no error."""
        with _owned(wire.list_file(files)) as plan:
            answer, _ = self._ask({"op": "remove"}, [plan], progress=progress)
        return Removed(
            removed=answer["removed"],
            removed_bytes=answer["removed_bytes"],
            absent=answer["absent"],
            refused=tuple(answer["refused"]),
        )

    def lay_view(self, names: Iterable[RepositoryFile]) -> str:
        """Lay a list of files over the repository, read-only; give the path restic reads."""
        with _owned(wire.list_file(names)) as plan:
            answer, _ = self._ask({"op": "lay-view"}, [plan])
        return str(answer["path"])

    def run(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str],
        fds: Sequence[int],
        timeout_s: float | None,
    ) -> int:
        """Run a command inside the door's namespace; ``fds`` become 0, 1, 2, 3 and so on.

        It starts in the target's root, without network, and cannot mount; descriptors not given
        are empty. The status is negative for a signal. ProcessError when it does not start, or
        not end in its time; what it leaves behind is killed.
        """
        request = {"op": "run", "argv": list(argv), "env": dict(env), "timeout_s": timeout_s}
        answer, _ = self._ask(request, fds)
        return int(answer["status"])

    # Asking

    def _ask(
        self,
        request: Message,
        fds: Sequence[int] = (),
        *,
        progress: Callable[[int, int], None] | None = None,
        so_far: Callable[[Message], None] | None = None,
    ) -> tuple[Message, list[int]]:
        """Send one request and wait for its answer; what interrupts the wait ends the session."""
        if self._end is None:
            raise DoorError("the door of {target} is shut", target=self._order.target)
        self._busy = True
        self._send(request, fds)
        while True:
            answer, received = self._receive()
            if "progress" in answer:
                if progress is not None:
                    progress(*answer["progress"])
            elif "so_far" in answer:
                assert so_far is not None
                so_far(answer["so_far"])
            else:
                break
        self._busy = False
        wire.raise_error(answer)
        return answer, received

    def _send(self, request: Message, fds: Sequence[int]) -> None:
        assert self._end is not None
        try:
            wire.send(self._end, request, fds)
        except (BrokenPipeError, ConnectionResetError):
            raise self._lost() from None

    def _receive(self, *, timeout_s: float | None = None) -> tuple[Message, list[int]]:
        assert self._end is not None
        patience_s = self._order.closes_at_s + _AFTER_DEADLINE_S - kernel.boot_s()
        patience_s = max(0.0, patience_s if timeout_s is None else timeout_s)
        if not select.select([self._end], [], [], patience_s)[0]:
            raise self._lost()
        try:
            return wire.receive(self._end)
        except (EOFError, ConnectionResetError):
            raise self._lost() from None

    def _lost(self) -> DoorError:
        """Say why the vault side answers no more."""
        if kernel.boot_s() >= self._order.closes_at_s - 0.1:
            return DeadlineReached(
                "the kernel shut the door of {target} at its deadline",
                hint="what crossed stays; the next window goes on from there?",
                target=self._order.target,
            )
        return DoorError(
            "the vault side of {target} ended before its work was done: {detail}",
            hint="was it killed, or is memory short? run again?",
            target=self._order.target,
            detail=self._last_words(),
        )

    def _last_words(self) -> str:
        size = os.fstat(self._stderr_fd).st_size
        tail = os.pread(self._stderr_fd, _STDERR_BYTES, max(0, size - _STDERR_BYTES))
        lines = tail.decode("utf-8", "replace").strip().splitlines()
        return lines[-1].partition(":")[0] if lines else "no word from it"


def report_of_message(members: dict[str, Any]) -> AdmissionReport:
    """Read an admission's report back."""
    for name in ("refused", "corrupt"):
        members[name] = _refusals(members[name])
    return AdmissionReport(**members)


def _refusals(told: Iterable[tuple[str, str]]) -> tuple[Refusal, ...]:
    return tuple(Refusal(name=b64decode(file), reason=reason) for file, reason in told)


class _owned:  # noqa: N801  # reads as the verb it is
    """Close a descriptor at the end of a block."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def __enter__(self) -> int:
        return self._fd

    def __exit__(self, *_: object) -> None:
        os.close(self._fd)


def _copy(fd: int) -> _owned:
    return _owned(fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 16))


def default_python() -> str:
    """Give the interpreter that runs this code, which finds the same package."""
    return sys.executable
