"""Exports on a share of the hospital's network, mounted for the pull and for nothing else.

Rule 1: the pull runs in a child of its own, in a private mount namespace; this process never sees
    the share, and neither does any other of the host.
Rule 2: parent and child speak lines of JSON over pipes; credentials go by a sealed descriptor.
Rule 3: the child dies with this process, and at its deadline; the kernel then unmounts.
"""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING, Any

from vault import errors
from vault.errors import ProcessError, SourceError
from vault.process import TimedOut, run
from vault.results import ManifestEntry, Pull, Refusal
from vault.sources.manifest import ManifestError
from vault.sources.mounted_child import CREDENTIALS, decoded, encoded
from vault.sources.mounting import prove_gone
from vault.sources.origin import Deadline
from vault.sources.reception import ReceptionError

if TYPE_CHECKING:
    from vault import ports
    from vault.ports import Clock, Progress
    from vault.results import ShutReport
    from vault.sources.mounting import Mount

LATE_S = 2.0  # the child ends by itself at the deadline; this much later it is killed
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
                [sys.executable, "-I", "-m", "vault.sources.mounted_child"],
                timeout_s=left_s + LATE_S,
                grace_s=1.0,
                stdin=json.dumps(request).encode(),
                secrets={} if credentials is None else {CREDENTIALS: credentials},
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
            "folder": encoded(self._folder),
            "reception": encoded(os.path.abspath(reception)),
            "done_file": self._done_file,
            "stable_for_s": self._stable_for_s,
            "left_s": left_s,
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
                    path=decoded(path), size_bytes=size_bytes, mtime_ns=mtime_ns, sha256=sha256
                )
            )
        elif event == "deleted":
            self._deleted.append(decoded(value))
        elif event in self._lists:
            self._lists[event].append(Refusal(name=decoded(value[0]), reason=value[1]))
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
