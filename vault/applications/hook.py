"""The site's own test of restored data: the executable ``hooks/drill``.

Rule 1: an executable that others may write is not run.
Rule 2: it gets one JSON document on standard input and no secret; 0 passes, 77 says that this
    source is not its business, everything else fails.
Source: hooks/README.md.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Sequence

from vault.applications.child import applied
from vault.errors import ProcessError
from vault.fiche import Applied
from vault.process import run
from vault.proof import Outcome
from vault.results import ManifestEntry

_NOT_MINE = 77
_TIMEOUT_S = 3600.0


class HookApplication:
    """Runs the site's executable, when there is one."""

    def __init__(self, path: str) -> None:
        self._path = path

    def test(
        self, restored: bytes, source: str, entries: Sequence[ManifestEntry]
    ) -> Sequence[Applied]:
        """Run it on the restored folder; nothing when there is none, or it does not know it."""
        try:
            facts = os.stat(self._path)
        except OSError:
            return ()
        if not _is_safe(facts):
            return (
                applied(
                    "hook",
                    Outcome.SKIPPED,
                    template="hooks/drill was not run: others may write it, or it is no executable",
                ),
            )
        told = {
            "schema": "coffre/drill-hook/1",
            "source": source,
            "folder": os.fsdecode(os.path.join(restored, b"data")),
            "files": len(entries),
        }
        try:
            code = run(
                [self._path], stdin=json.dumps(told).encode(), cwd=restored, timeout_s=_TIMEOUT_S
            ).returncode
        except ProcessError:
            code = -1
        if code == _NOT_MINE:
            return ()
        if code != 0:
            return (
                applied("hook", Outcome.FAILED, template="hooks/drill said no: {code}", code=code),
            )
        read = tuple(entry.sha256 for entry in entries)
        return (applied("hook", Outcome.PASSED, template="hooks/drill said yes", read=read),)


def _is_safe(facts: os.stat_result) -> bool:
    mine = facts.st_uid in (0, os.geteuid())
    open_to_others = facts.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    return bool(
        stat.S_ISREG(facts.st_mode) and facts.st_mode & stat.S_IXUSR and mine and not open_to_others
    )
