"""Where a restore test restores from, with restic: the landing, or a view over an open target.

Rule 1: the same words run on this host and inside a door's namespace.
Rule 2: what restic cannot give back is an answer; what keeps restic from running is an error.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from vault.errors import ResticError
from vault.ports import OpenVault
from vault.process import sealed
from vault.restic import Restic, environment, judge
from vault.restic.answers import SOUND_WORDS, read_complaints
from vault.restic.commands import check_argv, dump_argv
from vault.results import ManifestEntry
from vault.secret import Secret
from vault.streamed import Streamed, read_stream
from vault.wiring.engine import ResticRestore
from vault.wiring.landing import PinnedLanding

_PASSWORD_FD = 3
_SAID_BYTES = 64 * 1024
_DAMAGE = ("ciphertext verification failed", "index is damaged", "no matching id")
_UNSOUND = 1  # restic's exit code for what it found, and could not give back


class LandingPlace:
    """Implements ``vault.place.Place`` over the landing."""

    def __init__(self, landing: PinnedLanding) -> None:
        self._landing = landing

    def check(self) -> Sequence[str]:
        """Run restic's check; give its complaints."""
        return self._landing.check()

    def stream(self, snapshot_id: str, entries: Sequence[ManifestEntry]) -> Streamed:
        """Compare a whole snapshot as it flows by."""
        return _streamed(entries, lambda fd: self._landing.dump(snapshot_id, to=fd))

    def restore(self, snapshot_id: str, to: bytes, includes: Sequence[bytes]) -> str:
        """Restore paths; give what restic could not give back, nothing when it gave all."""
        return _told(lambda: self._landing.restore(snapshot_id, target=to, includes=includes))


class ViewPlace:
    """Implements ``vault.place.Place`` over a view of an open target."""

    def __init__(
        self, vault: OpenVault, view: str, *, engine: ResticRestore, restic: Restic,
        password: Secret, hint: str,
    ) -> None:  # fmt: skip
        self._vault = vault
        self._view = view
        self._engine = engine
        self._restic = restic
        self._password = password
        self._hint = hint

    def check(self) -> Sequence[str]:
        """Run restic's check on the view; give its complaints."""
        with _memory("stdout") as out:
            code, said = self._run(check_argv(self._restic), stdout=out)
            answer = _tail(out)
        if code == 0 and SOUND_WORDS in answer:
            return ()
        try:
            judge("check", code, said)
        except ResticError as error:
            if type(error) is not ResticError or code != _UNSOUND:
                raise
        return read_complaints(answer, said) or ("restic check did not say that all is sound",)

    def stream(self, snapshot_id: str, entries: Sequence[ManifestEntry]) -> Streamed:
        """Compare a whole snapshot as it flows by, out of the door's namespace."""

        def dump(fd: int) -> None:
            code, said = self._run(dump_argv(self._restic, snapshot_id), stdout=fd)
            judge("dump", code, said)

        return _streamed(entries, dump)

    def restore(self, snapshot_id: str, to: bytes, includes: Sequence[bytes]) -> str:
        """Restore paths; give what restic could not give back, nothing when it gave all."""
        return _told(
            lambda: self._engine.from_view(self._vault, self._view, snapshot_id, to, includes)
        )

    def _run(self, argv: Sequence[str], *, stdout: int) -> tuple[int, str]:
        view = os.fsencode(self._view)
        env = environment(view, password_fd=_PASSWORD_FD, key_hint=self._hint)
        null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
        password = sealed(self._password.reveal())
        try:
            with _memory("stderr") as said:
                code = self._vault.run(
                    argv, env=env, fds=(null, stdout, said, password), timeout_s=None
                )
                return code, _tail(said)
        finally:
            os.close(null)
            os.close(password)


def _streamed(entries: Sequence[ManifestEntry], dump: Callable[[int], None]) -> Streamed:
    """Run restic into a pipe and compare at its other end, in a thread of its own."""
    reader, writer = os.pipe2(os.O_CLOEXEC)
    found: list[Streamed] = []

    def compare() -> None:
        try:
            found.append(read_stream(reader, entries))
        finally:
            os.close(reader)  # a writer that goes on meets a closed pipe

    thread = threading.Thread(target=compare, name="compare")
    thread.start()
    try:
        failure = _told(lambda: dump(writer))
    finally:
        os.close(writer)
        thread.join()
    streamed = found[0]
    if failure and not streamed.broken:
        streamed.broken = failure
    elif failure:
        streamed.broken = f"{streamed.broken}; {failure}"
    return streamed


def _told(act: Callable[[], None]) -> str:
    """Do it; give in words what the repository could not give back. Other errors pass."""
    try:
        act()
    except ResticError as error:
        code = error.values.get("returncode")
        # A closed pipe ends restic by a signal: who closed it knows why. 0.14 ends with 2, the
        # code of a panic, where a pack was altered.
        is_damage = code in (_UNSOUND, -signal.SIGPIPE) or any(w in str(error) for w in _DAMAGE)
        if type(error) is not ResticError or not is_damage:
            raise
        return str(error)
    return ""


@contextmanager
def _memory(name: str) -> Iterator[int]:
    fd = os.memfd_create(name, os.MFD_CLOEXEC)
    try:
        yield fd
    finally:
        os.close(fd)


def _tail(fd: int) -> str:
    end = os.lseek(fd, 0, os.SEEK_END)
    return os.pread(fd, _SAID_BYTES, max(0, end - _SAID_BYTES)).decode("utf-8", "replace")
