"""An export that a command writes to its standard output: a dump of a database, say.

Rule 1: the output goes to a part; only exit code 0 with something written gives it its name.
Rule 2: the same bytes as last time change nothing: neither the mirror nor the manifest.
Rule 3: what the command says on standard error is never shown: it may hold data.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from vault.errors import ProcessError, SourceError
from vault.names import unlawful
from vault.process import TimedOut, run
from vault.results import ManifestEntry, Pull
from vault.sources.origin import Deadline
from vault.sources.placing import Mirror
from vault.sources.reception import is_held
from vault.sources.tree import Seen

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from vault.ports import Clock, Progress, Reception
    from vault.secret import Secret
    from vault.sources.part import Part

_NS = 10**9


class SourceEmpty(SourceError):
    """A source answered, and gave nothing."""

    reference = "source-empty"


class CommandSource:
    """Exports that a command writes."""

    def __init__(
        self,
        name: str,
        argv: Sequence[str],
        output: bytes,
        *,
        timeout_s: float,
        clock: Clock,
        secrets: Mapping[str, Secret] | None = None,
    ) -> None:
        """Name the file ``output`` that standard output becomes.

        Each of ``secrets`` reaches the command as the path of a file, in the variable named.
        """
        assert not unlawful(output), "the name of the output is checked with the configuration"
        self.name = name
        self._argv = tuple(argv)
        self._output = output
        self._timeout_s = timeout_s
        self._clock = clock
        self._secrets = dict(secrets or {})

    def collect(self, reception: Reception, *, closes_at_s: float, progress: Progress) -> Pull:
        """Run the command; call it from the main thread."""
        deadline = Deadline(self.name, self._clock, closes_at_s)
        deadline.check()
        with Mirror(reception.folder) as mirror:
            mirror.clear_partial()  # a dump cannot be continued
            seen = Seen(path=self._output, size_bytes=0, mtime_ns=self._now_ns())
            part = mirror.begin(seen, boot_id=self._clock.boot_id(), step=lambda _: None)
            try:
                self._run(part, deadline)
                part.rehash()
                entry = part.finish()
            except BaseException:
                part.discard()
                raise
            progress.advance(entry.size_bytes, entry.size_bytes)
            return self._place(entry, reception.manifest(), mirror)

    def _now_ns(self) -> int:
        return int(self._clock.now().timestamp() * _NS)

    def _run(self, part: Part, deadline: Deadline) -> None:
        """Run the command into the part; SourceError for every end but a good one."""
        try:
            ended = run(
                self._argv,
                timeout_s=min(self._timeout_s, deadline.left_s()),
                secrets=self._secrets,
                stdout=part.fileno(),
            )
        except TimedOut:
            deadline.check()
            raise SourceError(
                "the command of {source} did not end within {timeout_s:g} s",
                hint="does it wait for something, or does it need a longer timeout?",
                source=self.name,
                timeout_s=self._timeout_s,
            ) from None
        except ProcessError as error:
            raise SourceError(
                "the command of {source} did not run: {reason}",
                hint="does it work when it is started by hand, as root?",
                source=self.name,
                reason=str(error),
            ) from None
        if ended.returncode:
            raise SourceError(
                "the command of {source} ended with code {code}",
                hint="run it by hand, as root, to see what it says: it is not repeated here, "
                "since it may hold data?",
                source=self.name,
                code=ended.returncode,
            )
        if not os.fstat(part.fileno()).st_size:
            raise SourceEmpty(
                "the command of {source} wrote nothing",
                hint="does it write to standard output?",
                source=self.name,
            )

    def _place(self, entry: ManifestEntry, sealed: Sequence[ManifestEntry], mirror: Mirror) -> Pull:
        held = mirror.survey()
        there = {*held.files, *(alien.name for alien in held.refused)}
        before = next((old for old in sealed if old.path == entry.path), None)
        deleted = tuple(sorted(there - {entry.path}))
        if before is not None and before.sha256 == entry.sha256 and is_held(before, held.files):
            mirror.clear_partial()
            return Pull(entries=(before,), deleted=deleted)
        mirror.sync()
        mirror.place(entry.path)
        return Pull(entries=(entry,), pulled=1, pulled_bytes=entry.size_bytes, deleted=deleted)
