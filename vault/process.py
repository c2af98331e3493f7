"""Run a child process to its end, and leave nothing of it behind.

Rule 1: the argument vector is a list, never a shell line; the deadline has no default.
Rule 2: the child has a session of its own, dies when we die, and its whole group is gone when
    ``run`` returns or raises: asked, waited for, killed.
Rule 3: the environment is what is written here plus what the caller names; nothing is inherited
    wholesale, and no descriptor but those named.
Rule 4: a secret reaches a child through a sealed descriptor in memory; never argv, never the
    value of a variable, never a file.
Rule 5: an exit code is not judged here: its meaning belongs to the program that was run.
Source: prctl(2) PR_SET_PDEATHSIG, memfd_create(2), pidfd_open(2); this is the one module that
    imports subprocess.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import selectors
import signal
import subprocess
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vault.errors import ProcessError
from vault.held_signals import RAISING, HeldSignals

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from vault.secret import Secret

STDERR_TAIL_BYTES = 16 * 1024
STDOUT_LIMIT_BYTES = 256 * 1024 * 1024
LINE_LIMIT_BYTES = 4 * 1024 * 1024
GRACE_S = 10.0
KILL_WAIT_S = 10.0
DRAIN_S = 1.0
DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

_INHERITED = ("HOME", "TZ")
_PR_SET_PDEATHSIG = 1
_SEALS = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE
_libc = ctypes.CDLL(None, use_errno=True)  # loaded now: a child between fork and exec loads nothing


class TimedOut(ProcessError):
    """A child did not end in its time and was killed."""

    reference = "process-timeout"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """How a child ended."""

    argv: tuple[str | bytes, ...]
    returncode: int  # as subprocess gives it: minus the signal's number when one ended it
    stdout: bytes
    stderr_tail: str  # the last 16 KiB
    duration_s: float


def base_environment() -> dict[str, str]:
    """Give the little that every child gets: PATH, a neutral locale, HOME and TZ when set."""
    env = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    return {"PATH": os.environ.get("PATH", DEFAULT_PATH), "LANG": "C.UTF-8", **env}


def sealed(content: bytes, name: str = "coffre") -> int:
    """Put bytes into a sealed descriptor in memory, at offset 0; the caller closes it."""
    fd = os.memfd_create(name, os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        left = memoryview(content)
        while left:
            left = left[os.write(fd, left) :]
        os.lseek(fd, 0, os.SEEK_SET)
        fcntl.fcntl(fd, fcntl.F_ADD_SEALS, _SEALS)
    except BaseException:
        os.close(fd)
        raise
    return fd


def run(
    argv: Sequence[str | bytes],
    *,
    timeout_s: float,
    cwd: str | bytes | None = None,
    env: Mapping[str, str] | None = None,
    secrets: Mapping[str, Secret] | None = None,
    stdin: int | bytes | None = None,
    stdout: int | None = None,
    on_line: Callable[[bytes], None] | None = None,
    pass_fds: Sequence[int] = (),
    end_signal: signal.Signals = signal.SIGTERM,
    grace_s: float = GRACE_S,
    stdout_limit_bytes: int = STDOUT_LIMIT_BYTES,
) -> Finished:
    """Run a program and wait for its end.

    ``env`` is laid over ``base_environment``. Each of ``secrets`` becomes a sealed descriptor
    whose path is the variable's value. ``stdin`` is nothing, a descriptor or bytes. Standard
    output is captured up to ``stdout_limit_bytes``, or goes to the descriptor ``stdout``, or line
    by line, without the line's end, to ``on_line``. ``end_signal`` asks the child to end; what
    has not ended ``grace_s`` later is killed.

    Call it from the main thread only: the kernel ties the child's life to the calling thread.
    Raises ProcessError when the program cannot be started, says too much or cannot be killed,
    TimedOut at the deadline, and what a signal's handler raises, once the group is gone.
    """
    assert threading.current_thread() is threading.main_thread(), "run children from main"
    assert stdout is None or on_line is None, "one receiver of standard output"
    with contextlib.ExitStack() as held:
        variables = base_environment() | dict(env or {})
        fds = list(pass_fds)
        for name, secret in (secrets or {}).items():
            fds.append(sealed(secret.reveal()))
            held.callback(os.close, fds[-1])
            variables[name] = f"/proc/self/fd/{fds[-1]}"
        if isinstance(stdin, bytes):
            stdin = sealed(stdin)
            held.callback(os.close, stdin)
        signals = held.enter_context(HeldSignals())
        receiver = _Receiver(on_line, stdout_limit_bytes)
        child = _Child(argv, signals, end_signal=end_signal, grace_s=grace_s)
        started_s = _boot_s()
        try:
            child.start(cwd=cwd, env=variables, stdin=stdin, stdout=stdout, fds=fds)
            child.follow(receiver, closes_at_s=started_s + timeout_s, timeout_s=timeout_s)
        finally:
            child.end()
        receiver.close()
        assert child.returncode is not None
        return Finished(
            argv=tuple(argv),
            returncode=child.returncode,
            stdout=bytes(receiver.captured),
            stderr_tail=receiver.stderr.decode("utf-8", "backslashreplace"),
            duration_s=_boot_s() - started_s,
        )


def run_together(
    argvs: Sequence[Sequence[str | bytes]],
    *,
    stdins: Sequence[bytes],
    stdouts: Sequence[int],
    timeout_s: float,
) -> None:
    """Run programs at the same time and wait for the end of all; none outlives this call.

    Of each, standard input is bytes and standard output a file's descriptor: nobody reads while
    they run. How a program ended is not told: its answer says whether it said all.
    Raises as ``run`` does, and has its other conditions.
    """
    assert threading.current_thread() is threading.main_thread(), "run children from main"
    closes_at_s = _boot_s() + timeout_s
    with contextlib.ExitStack() as held:
        signals = held.enter_context(HeldSignals())
        children = []
        for argv, words, answer in zip(argvs, stdins, stdouts, strict=True):
            child = _Child(argv, signals, end_signal=signal.SIGTERM, grace_s=GRACE_S)
            held.callback(child.end)
            stdin = sealed(words)
            held.callback(os.close, stdin)
            child.start(cwd=None, env=base_environment(), stdin=stdin, stdout=answer, fds=())
            children.append(child)
        for child in children:
            receiver = _Receiver(None, STDOUT_LIMIT_BYTES)
            child.follow(receiver, closes_at_s=closes_at_s, timeout_s=timeout_s)


def _boot_s() -> float:
    """Read the clock that counts a suspended host too."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def _watch(popen: subprocess.Popen[bytes]) -> int:
    """Open the descriptor that tells of a child's end; no such descriptor, no child."""
    try:
        return os.pidfd_open(popen.pid)
    except OSError:
        os.killpg(popen.pid, signal.SIGKILL)
        popen.wait(KILL_WAIT_S)
        raise


def _program(argv: Sequence[str | bytes]) -> str:
    return os.fsdecode(argv[0])


class _Receiver:
    """Take what a child says, within bounds."""

    def __init__(self, on_line: Callable[[bytes], None] | None, limit_bytes: int) -> None:
        self.captured = bytearray()
        self.stderr = bytearray()
        self._on_line = on_line
        self._limit_bytes = limit_bytes if on_line is None else LINE_LIMIT_BYTES

    def take_stdout(self, piece: bytes) -> None:
        self.captured += piece
        if self._on_line is not None and b"\n" in piece:
            *lines, rest = self.captured.split(b"\n")
            self.captured = bytearray(rest)
            for line in lines:
                self._on_line(bytes(line))
        if len(self.captured) > self._limit_bytes:
            raise ProcessError("a program said more than {limit} bytes", limit=self._limit_bytes)

    def take_stderr(self, piece: bytes) -> None:
        self.stderr += piece
        del self.stderr[:-STDERR_TAIL_BYTES]

    def close(self) -> None:  # a last line may have no end
        if self._on_line is not None and self.captured:
            self._on_line(bytes(self.captured))
            self.captured.clear()


class _Child:
    """One child, from before its start to after its end."""

    def __init__(
        self,
        argv: Sequence[str | bytes],
        signals: HeldSignals,
        *,
        end_signal: signal.Signals,
        grace_s: float,
    ) -> None:
        self.returncode: int | None = None
        self._argv = argv
        self._signals = signals
        self._end_signal = end_signal
        self._grace_s = grace_s
        self._popen: subprocess.Popen[bytes] | None = None
        self._pidfd = -1

    def start(
        self,
        *,
        cwd: str | bytes | None,
        env: Mapping[str, str],
        stdin: int | None,
        stdout: int | None,
        fds: Sequence[int],
    ) -> None:
        """Start the child; nothing raises between its start and our knowing whom to kill."""
        try:
            self._popen = subprocess.Popen(
                list(self._argv),
                cwd=cwd,
                env=env,
                stdin=subprocess.DEVNULL if stdin is None else stdin,
                stdout=subprocess.PIPE if stdout is None else stdout,
                stderr=subprocess.PIPE,
                pass_fds=fds,
                start_new_session=True,
                # It calls the kernel twice and loads nothing, so a lock held by a thread that
                # the fork did not copy cannot stop it.
                preexec_fn=_die_with(os.getpid()),  # noqa: PLW1509
            )
            self._pidfd = _watch(self._popen)
        except (OSError, subprocess.SubprocessError) as error:
            raise ProcessError(
                "{program} could not be started: {reason}",
                hint="is {program} installed, and may it be executed?",
                program=_program(self._argv),
                reason=getattr(error, "strerror", None) or type(error).__name__,
            ) from None

    def follow(self, receiver: _Receiver, *, closes_at_s: float, timeout_s: float) -> None:
        """Take what the child says until it ends; TimedOut when it does not."""
        with self._listening(receiver.take_stdout, receiver.take_stderr) as selector:
            while self._pidfd in selector.get_map():
                self._signals.deliver()
                left_s = closes_at_s - _boot_s()
                if left_s <= 0:
                    raise TimedOut(
                        "{program} did not end within {timeout_s:g} s and was killed",
                        program=_program(self._argv),
                        timeout_s=timeout_s,
                    )
                self._take(selector, min(left_s, 1.0))
            # What the child left behind in its group would hold the pipes open: it goes first,
            # while the unreaped child still keeps the group's number from being given away.
            self._kill_group(signal.SIGKILL)
            drained_at_s = _boot_s() + DRAIN_S
            while len(selector.get_map()) > 1 and _boot_s() < drained_at_s:
                self._take(selector, DRAIN_S)

    def end(self) -> None:
        """Ask, wait, kill the group, reap, in any state; a further signal ends the waiting."""
        if self._popen is None or self._pidfd < 0:
            return
        try:
            if not self._has_ended(0):
                self._kill_group(self._end_signal)
                self._has_ended(self._grace_s)
        finally:
            self._kill_group(signal.SIGKILL)
            self._reap()

    def _has_ended(self, wait_s: float) -> bool:
        """Say whether the child ended, reading on so that a full pipe does not hold it back."""
        closes_at_s, signals = _boot_s() + wait_s, self._signals.count
        with self._listening(len, len) as selector:
            while self._pidfd in selector.get_map():
                self._take(selector, max(0.0, min(0.5, closes_at_s - _boot_s())))
                if _boot_s() >= closes_at_s or self._signals.count > signals:
                    return self._pidfd not in selector.get_map()
        return True

    @contextlib.contextmanager
    def _listening(
        self, on_stdout: Callable[[bytes], object], on_stderr: Callable[[bytes], object]
    ) -> Iterator[selectors.BaseSelector]:
        """Watch the child's end, what it says, and the signals that come for us."""
        assert self._popen is not None
        with selectors.DefaultSelector() as selector:
            selector.register(self._pidfd, selectors.EVENT_READ)
            selector.register(self._signals.fd, selectors.EVENT_READ)
            for pipe, take in ((self._popen.stdout, on_stdout), (self._popen.stderr, on_stderr)):
                if pipe is not None:
                    selector.register(pipe, selectors.EVENT_READ, take)
            yield selector

    def _take(self, selector: selectors.BaseSelector, wait_s: float) -> None:
        """Take what is there, or wait for it."""
        for key, _ in selector.select(wait_s):
            if key.fd == self._pidfd:
                selector.unregister(key.fd)
            elif key.fd == self._signals.fd:
                os.eventfd_read(key.fd)
            else:
                piece = os.read(key.fd, 65536)
                if piece:
                    key.data(piece)
                else:
                    selector.unregister(key.fd)

    def _kill_group(self, number: signal.Signals) -> None:
        assert self._popen is not None
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._popen.pid, number)

    def _reap(self) -> None:
        assert self._popen is not None
        try:
            self.returncode = self._popen.wait(KILL_WAIT_S)
        except subprocess.TimeoutExpired:
            raise ProcessError(
                "{program} hangs in the kernel and cannot be killed",
                hint="does a disk or a share no longer answer?",
                program=_program(self._argv),
            ) from None
        finally:
            os.close(self._pidfd)
            self._pidfd = -1
            for pipe in (self._popen.stdout, self._popen.stderr):
                if pipe is not None:
                    pipe.close()


def _die_with(parent: int) -> Callable[[], None]:
    """Give what the child does between fork and exec, so that it does not outlive us."""

    def prepare() -> None:
        _libc.prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
        if os.getppid() != parent:  # we died before the kernel was told
            os._exit(127)
        for number in RAISING:
            signal.signal(number, signal.SIG_DFL)  # ignored ones would stay so through exec

    return prepare
