"""Exports on a share of the hospital's network, mounted for the pull and for nothing else.

Rule 1: the pull runs in a child of its own, in a private mount namespace; this process never sees
    the share, and neither does any other of the host.
Rule 2: parent and child speak lines of JSON over pipes; credentials go by a sealed descriptor.
Rule 3: the child dies with this process, and at its deadline; the kernel then unmounts.
"""

from __future__ import annotations

import base64
import json
import os
import sys
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from vault import errors
from vault.errors import ProcessError, SourceError
from vault.names import printable
from vault.process import TimedOut, run
from vault.results import ManifestEntry, Pull, Refusal
from vault.secret import Secret
from vault.sources.folder import FolderSource
from vault.sources.manifest import ManifestError
from vault.sources.mounting import Mount, isolate, mounted, prove_gone
from vault.sources.origin import Deadline
from vault.sources.reception import Reception, ReceptionError

if TYPE_CHECKING:
    from collections.abc import Callable

    from vault import ports
    from vault.ports import Clock, Progress
    from vault.results import ShutReport

PLACE = b"share"  # beside data/, where the private namespace has its mounts
MOUNT_TIMEOUT_S = 60.0
LATE_S = 2.0  # the child ends by itself at the deadline; this much later it is killed
_CREDENTIALS = "COFFRE_SHARE_CREDENTIALS"
_ERRORS: dict[str, type[errors.CoffreError]] = {
    kind.__name__: kind
    for kind in (
        errors.NeedsRoot,
        errors.SourceError,
        errors.SourceMissing,
        errors.SourceUnreachable,
        ManifestError,
        ReceptionError,
    )
}


class MountedFolderSource:
    """Exports in a folder of a share."""

    def __init__(
        self,
        name: str,
        mount: Mount,
        folder: bytes = b"",
        *,
        clock: Clock,
        done_file: str | None = None,
        stable_for_s: float = 0.0,
    ) -> None:
        """Name a ``folder`` relative to the root of the share; the root itself by default."""
        self.name = name
        self._mount = mount
        self._folder = folder
        self._clock = clock
        self._done_file = done_file
        self._stable_for_s = stable_for_s

    def collect(
        self, reception: ports.Reception, *, closes_at_s: float, progress: Progress
    ) -> Pull:
        """Mount, bring the mirror up to date, unmount; call it from the main thread."""
        deadline = Deadline(self.name, self._clock, closes_at_s)
        deadline.check()
        left_s = deadline.left_s()
        answer = _Answer(progress)
        request = self._request(reception.folder, left_s)
        credentials = self._mount.credentials
        try:
            ended = run(
                [sys.executable, "-I", "-m", "vault.sources.mounted"],
                timeout_s=left_s + LATE_S,
                grace_s=1.0,
                stdin=json.dumps(request).encode(),
                secrets={} if credentials is None else {_CREDENTIALS: credentials},
                on_line=answer.take,
            )
        except TimedOut:
            deadline.check()
            raise
        except ProcessError as error:
            raise SourceError(
                "the pull of {source} did not run: {reason}", source=self.name, reason=str(error)
            ) from None
        return answer.pull(self.name, ended.returncode)

    def prove_gone(self) -> ShutReport:
        """Ask the mount table of every process whether the share is still there."""
        return prove_gone(self._mount.what)

    def _request(self, reception: bytes, left_s: float) -> dict[str, Any]:
        return {
            "name": self.name,
            "kind": self._mount.kind,
            "what": self._mount.what,
            "options": self._mount.options,
            "folder": _b64(self._folder),
            "reception": _b64(os.path.abspath(reception)),
            "done_file": self._done_file,
            "stable_for_s": self._stable_for_s,
            "closes_at_s": BootClock().boot_s() + left_s,
        }


class _Answer:
    """What the child says, line by line."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._entries: list[ManifestEntry] = []
        self._deleted: list[bytes] = []
        self._lists: dict[str, list[Refusal]] = {"refused": [], "waiting": []}
        self._end: dict[str, int] | None = None
        self._error: dict[str, Any] | None = None

    def take(self, line: bytes) -> None:
        """Take one line: an event's name and what it carries."""
        event, value = json.loads(line)
        if event == "advance":
            self._progress.advance(*value)
        elif event == "entry":
            path, size_bytes, mtime_ns, sha256 = value
            self._entries.append(
                ManifestEntry(
                    path=_bytes(path), size_bytes=size_bytes, mtime_ns=mtime_ns, sha256=sha256
                )
            )
        elif event == "deleted":
            self._deleted.append(_bytes(value))
        elif event in self._lists:
            self._lists[event].append(Refusal(name=_bytes(value[0]), reason=value[1]))
        elif event == "end":
            self._end = value
        elif event == "error":
            self._error = value

    def pull(self, source: str, code: int) -> Pull:
        """Give the pull, or raise what the child raised."""
        if self._error is not None:
            kind = _ERRORS.get(self._error["kind"], SourceError)
            raise kind(self._error["template"], hint=self._error["hint"], **self._error["values"])
        if self._end is None or code:
            raise SourceError(
                "the pull of {source} ended unexpectedly, with code {code}",
                hint="is there memory left on this host? the next run goes on where it stopped?",
                source=source,
                code=code,
            )
        return Pull(
            entries=tuple(self._entries),
            deleted=tuple(self._deleted),
            refused=tuple(self._lists["refused"]),
            waiting=tuple(self._lists["waiting"]),
            **self._end,
        )


class BootClock:
    """The clock of this host, for the child."""

    def now(self) -> datetime:
        """Give the wall clock, aware, UTC."""
        return datetime.now(UTC)

    def boot_s(self) -> float:
        """Give CLOCK_BOOTTIME in seconds."""
        return time.clock_gettime(time.CLOCK_BOOTTIME)

    def boot_id(self) -> str:
        """Give the id of this boot."""
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            return file.read().strip()


class _Teller:
    """Tell the parent, one line a thing."""

    def tell(self, event: str, value: object) -> None:
        sys.stdout.write(json.dumps([event, value]) + "\n")

    def step(self, name: str, detail: str = "") -> None:
        """Say nothing: steps are the parent's to tell."""

    def advance(self, done_bytes: int, total_bytes: int) -> None:
        self.tell("advance", [done_bytes, total_bytes])
        sys.stdout.flush()


def main() -> None:
    """Be the child: mount, collect, unmount, and tell."""
    request, teller = json.load(sys.stdin), _Teller()
    try:
        _tell_pull(_collect(request, teller), teller.tell)
    except errors.CoffreError as error:
        values = {key: _plain(value) for key, value in error.values.items()}
        teller.tell(
            "error",
            {
                "kind": type(error).__name__,
                "template": error.template,
                "hint": error.hint_template,
                "values": values,
            },
        )


def _collect(request: dict[str, Any], teller: _Teller) -> Pull:
    reception, folder = _bytes(request["reception"]), _bytes(request["folder"])
    clock = BootClock()
    deadline = Deadline(request["name"], clock, request["closes_at_s"])
    place = os.path.join(reception, PLACE)
    os.makedirs(place, mode=0o700, exist_ok=True)
    mount = Mount(
        kind=request["kind"],
        what=request["what"],
        credentials=_credentials(),
        options=tuple(request["options"]),
    )
    isolate()
    timeout_s = min(MOUNT_TIMEOUT_S, deadline.left_s())
    with mounted(mount, place, timeout_s=timeout_s) as share:
        source = FolderSource(
            request["name"],
            os.path.join(share, folder),
            clock=clock,
            done_file=request["done_file"],
            stable_for_s=request["stable_for_s"],
        )
        return source.collect(
            Reception(reception), closes_at_s=request["closes_at_s"], progress=teller
        )


def _tell_pull(pull: Pull, tell: Callable[[str, object], None]) -> None:
    for entry in pull.entries:
        tell("entry", [_b64(entry.path), entry.size_bytes, entry.mtime_ns, entry.sha256])
    for path in pull.deleted:
        tell("deleted", _b64(path))
    for event, refusals in (("refused", pull.refused), ("waiting", pull.waiting)):
        for refusal in refusals:
            tell(event, [_b64(refusal.name), refusal.reason])
    tell("end", {"pulled": pull.pulled, "pulled_bytes": pull.pulled_bytes})


def _credentials() -> Secret | None:
    path = os.environ.get(_CREDENTIALS)
    if path is None:
        return None
    with open(path, "rb") as file:
        return Secret(file.read())


def _plain(value: object) -> object:
    return printable(value) if isinstance(value, bytes) else value


def _b64(value: bytes) -> str:
    return base64.b64encode(value).decode("ascii")


def _bytes(value: str) -> bytes:
    return base64.b64decode(value, validate=True)


if __name__ == "__main__":
    main()
