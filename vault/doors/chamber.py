"""The chamber: pid 1 of the private namespaces, in which the medium is mounted.

Rule 1: nobody else sees the medium; when this process ends the kernel kills what is left inside
    and unmounts.
Rule 2: the end of the socket means the session is gone: leave at once, whatever is running.
Rule 3: each request runs in a process of its own, with the rights of its duty and no others.
Rule 4: leaving kills first, unmounts second, answers last.
Rule 5: what needs no medium, the namespace and the plan, is ready before the medium is there: its
    descriptor comes from the warden, which opened and locked it.
Source: design, section 5; pid_namespaces(7), pidfd_open(2).
"""

from __future__ import annotations

import errno
import fcntl
import gc
import os
import select
import signal
import time
import traceback
from contextlib import suppress
from typing import TYPE_CHECKING

from vault.doors import kernel, mounts, rights, view, wire
from vault.errors import DoorError, ProcessError

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Sequence

    from vault.doors.order import Answer, Duties, Duty, Order
    from vault.doors.wire import Message

_GRACE_S = 5.0
_PROGRESS_EVERY_S = 0.05
_FIRST_SAFE_FD = 64  # above every number a command may ask for
_CANNOT_EXEC = 127


class SessionGone(Exception):  # an event, not an error
    """The other end of the socket closed while something was running."""


class Chamber:
    """Serve the requests of one opening, until it is closed or the session is gone."""

    def __init__(
        self,
        end: socket.socket,
        order: Order,
        duties: Duties,
        *,
        gate: socket.socket,
        plan_fd: int,
        private: bool,
    ) -> None:
        self._end = end
        self._order = order
        self._duties = duties
        self._gate = gate
        self._plan_fd = plan_fd
        self._plan: object = None
        self._anchor_fd = -1  # the device, or the folder; carries the lock
        self._private = private
        self._writable = False
        self._base = os.fsencode(order.mount_point)
        self._root = order.path if order.is_folder else self._base + b"/target"

    def live(self) -> None:
        """Open, serve, leave."""
        try:
            try:
                self._prepare()
                self._open()
                self._serve()
            finally:
                self._leave()
        except SessionGone:
            return
        except Exception as error:  # noqa: BLE001  # it crosses to the session, which raises it
            self._answer_error(error)
            return
        self._answer({"ok": True})  # to the request to close; nobody listens after an end

    def _prepare(self) -> None:
        """Do what needs no medium."""
        os.chdir("/")
        if self._private:
            mounts.enter_private_namespace(self._base)
        self._plan = self._duties.load(self._plan_fd)
        os.close(self._plan_fd)
        gc.freeze()  # the processes to come share what is here instead of copying it
        self._answer({"ok": True})

    def _open(self) -> None:
        """Wait for the medium, and mount it to look."""
        try:
            _, (self._anchor_fd,) = wire.receive(self._gate)
        except EOFError:
            raise SessionGone from None  # the warden was told to leave, or could not open it
        if not self._order.is_folder:
            mounts.mount_to_look(
                self._anchor_fd,
                self._root,
                fs_type=self._order.fs_type,
                target=self._order.target,
            )
        self._answer({"ok": True, "root": os.fsdecode(self._root), "private": self._private})

    def _serve(self) -> None:
        """Answer one request after the other; return when asked to close."""
        while True:
            try:
                message, fds = wire.receive(self._end)
            except EOFError:
                raise SessionGone from None
            try:
                if message["op"] == "close":
                    return
                self._serve_one(message, fds)
            except SessionGone:
                raise
            except Exception as error:  # noqa: BLE001  # it crosses to the session
                self._answer_error(error)
            finally:
                wire.close_all(fds)

    def _serve_one(self, message: Message, fds: Sequence[int]) -> None:
        op = message["op"]
        if op == "make-writable":
            self._make_writable()
            self._answer({"ok": True})
        elif op == "run":
            self._answer({"ok": True, "status": self._run(message, fds)})
        elif op == "lay-view":
            self._in_child(lambda: self._lay_view(fds[0]))
        else:
            self._in_child(lambda: self._do(self._duties.by_name[op], message, fds))

    def _make_writable(self) -> None:
        if not self._order.writing:
            raise DoorError("{target} was opened for reading only", target=self._order.target)
        if self._writable:
            return
        if not self._order.is_folder:
            mounts.mount_to_write(
                self._anchor_fd,
                self._root,
                fs_type=self._order.fs_type,
                target=self._order.target,
            )
        self._writable = True

    # Requests that a child answers

    def _in_child(self, work: Callable[[], Answer]) -> None:
        """Fork; the child answers the session itself and ends; wait for it."""
        child = os.fork()
        if child == 0:
            self._live_child(work)
        status = self._wait(child)
        if status:
            raise DoorError(
                "the process that served {target} ended by itself ({status})",
                hint="is memory short on this host?",
                target=self._order.target,
                status=status,
            )

    def _live_child(self, work: Callable[[], Answer]) -> None:
        code = 1
        try:
            kernel.die_with_parent()
            try:
                members, fds = work()
                wire.send(self._end, {"ok": True, **members}, fds)
            except Exception as error:  # noqa: BLE001  # it crosses to the session
                traceback.print_exc()
                wire.send(self._end, wire.error_message(error))
            code = 0
        finally:
            os._exit(code)

    def _do(self, duty: Duty, message: Message, fds: Sequence[int]) -> Answer:
        from vault.doors.order import Task

        if duty.writes and not self._writable:
            raise DoorError("{target} is not open for writing", target=self._order.target)
        if duty.removes and not self._order.maintenance:
            raise DoorError("{target} is not open for maintenance", target=self._order.target)
        if duty.carries and self._order.maintenance:
            raise DoorError("{target} is open for maintenance only", target=self._order.target)
        landing = message.get("landing")
        fence = rights.Fence(
            target=self._root,
            landing=os.fsencode(landing) if landing is not None else None,
            writes=duty.writes,
            makes_folders=duty.makes_folders,
            removes_temporaries=duty.writes and not self._has_unnamed_files(),
            removes=duty.removes,
        )
        rights.confine(fence)
        task = Task(
            root=self._root,
            members=message,
            fds=fds,
            plan=self._plan,
            tell=self._tell,
            progress=self._progress(),
            is_folder=self._order.is_folder,
        )
        return duty.run(task)

    def _has_unnamed_files(self) -> bool:
        if not self._order.is_folder:
            return True
        try:
            os.close(os.open(self._root, os.O_TMPFILE | os.O_WRONLY | os.O_CLOEXEC, 0o600))
        except OSError:
            return False
        return True

    def _tell(self, members: Message) -> None:
        """Send what a worker came to before its answer."""
        wire.send(self._end, {"so_far": members})

    def _progress(self) -> Callable[[int, int], None]:
        told_at = 0.0

        def tell(done: int, total: int) -> None:
            nonlocal told_at
            now = time.monotonic()
            if now - told_at < _PROGRESS_EVERY_S and done != total:
                return
            told_at = now
            with suppress(OSError):  # a session that does not listen must not hold the door open
                wire.send(self._end, {"progress": [done, total]}, may_drop=True)

        return tell

    def _lay_view(self, plan_fd: int) -> Answer:
        names = view.Names.of_plan(plan_fd)
        repository = self._root + b"/repository"
        if self._private:
            path = view.lay_overlay(repository, names, base=self._base)
        else:
            scratch = os.fsencode(self._order.scratch)
            path = view.lay_links(repository, names, scratch=scratch)
        return {"path": os.fsdecode(path)}, ()

    # Commands

    def _run(self, message: Message, fds: Sequence[int]) -> int:
        """Run a command; give its status, negative for a signal, as a shell would not."""
        argv = [os.fsencode(word) for word in message["argv"]]
        failed_read, failed_write = os.pipe()
        child = os.fork()
        if child == 0:
            self._exec(argv, message["env"], fds, failed_write)
        os.close(failed_write)
        with os.fdopen(failed_read, "rb") as pipe:
            failed = pipe.read()  # ends at exec, or with the reason
        try:
            status = self._wait(child, timeout_s=message["timeout_s"])
        finally:
            self._kill_all()  # what the command left behind ends with it
        if failed:
            raise ProcessError(
                "{command} could not be started: {reason}",
                hint="is it installed, and on the path?",
                command=message["argv"][0],
                reason=os.strerror(int(failed)),
            )
        return status

    def _exec(
        self, argv: list[bytes], env: dict[str, str], fds: Sequence[int], failed_fd: int
    ) -> None:
        try:
            kernel.die_with_parent()
            os.setsid()
            kernel.run_as_others()
            failed_fd = fcntl.fcntl(failed_fd, fcntl.F_DUPFD_CLOEXEC, _FIRST_SAFE_FD)
            moved = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, _FIRST_SAFE_FD) for fd in fds]
            for number, fd in enumerate(moved):
                os.dup2(fd, number)
            for number in (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGINT):
                signal.signal(number, signal.SIG_DFL)
            os.chdir(self._root)
            os.umask(0o022)
            if self._private:
                rights.confine_command()
            os.execvpe(argv[0], argv, env)  # noqa: S606  # a list, from a pure function
        except OSError as error:
            os.write(failed_fd, b"%d" % (error.errno or errno.EIO))
        finally:
            os._exit(_CANNOT_EXEC)

    # Waiting and leaving

    def _wait(self, child: int, *, timeout_s: float | None = None) -> int:
        """Wait for a child; SessionGone when the session ends first."""
        pidfd = os.pidfd_open(child)
        try:
            poll = select.poll()
            poll.register(pidfd, select.POLLIN)
            poll.register(self._end.fileno(), select.POLLRDHUP)
            if not self._poll(poll, timeout_s):
                self._end_group(child, pidfd)
                raise ProcessError(
                    "a command inside the door did not end within {seconds} s",
                    hint="is the medium slow, or the deadline too short?",
                    seconds=timeout_s,
                )
        finally:
            os.close(pidfd)
        _, status = os.waitpid(child, 0)
        return os.waitstatus_to_exitcode(status)

    def _poll(self, poll: select.poll, timeout_s: float | None) -> bool:
        events = poll.poll(None if timeout_s is None else timeout_s * 1000)
        if any(fd == self._end.fileno() for fd, _ in events):
            raise SessionGone
        return bool(events)

    def _end_group(self, child: int, pidfd: int) -> None:
        """End a command that made its own session: ask, wait, kill."""
        with suppress(ProcessLookupError):
            os.killpg(child, signal.SIGTERM)
        select.select([pidfd], [], [], _GRACE_S)
        with suppress(ProcessLookupError):
            os.killpg(child, signal.SIGKILL)
        os.waitpid(child, 0)

    def _kill_all(self) -> None:
        """Kill whatever lives in the namespace, and reap it.

        Without a namespace of our own there is only the child that was forked: it dies with us.
        """
        if not (self._private and os.getpid() == 1):  # -1 would reach the whole host
            return
        with suppress(ProcessLookupError):
            os.kill(-1, signal.SIGKILL)
        with suppress(ChildProcessError):
            while True:
                os.waitpid(-1, 0)

    def _leave(self) -> None:
        self._kill_all()
        os.chdir("/")
        if self._private:
            mounts.unmount_all(self._base)
        elif self._order.scratch:
            view.remove_links(os.fsencode(self._order.scratch))
        if not self._order.is_folder and self._anchor_fd >= 0:
            with suppress(OSError):  # the device may be gone
                kernel.set_read_only(self._anchor_fd, False)

    def _answer(self, message: Message) -> None:
        with suppress(OSError):
            wire.send(self._end, message)

    def _answer_error(self, error: Exception) -> None:
        traceback.print_exception(error)
        self._answer(wire.error_message(error))
