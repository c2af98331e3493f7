"""Level 2: a restored file is judged beside what the source's own was found to be."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest

from vault.errors import SourceError
from vault.finding import Finding, Soundness
from vault.policy import Level
from vault.proof import Outcome
from vault.recognition import judge_findings
from vault.results import ManifestEntry

ENTRY = ManifestEntry(path=b"a", size_bytes=1, mtime_ns=0, sha256="aa" * 32)


class Says:
    """An examiner that finds what it is told to find."""

    tables = "t"

    def __init__(self, soundness: Soundness | None) -> None:
        self._soundness = soundness

    def examine(self, reception: bytes, entry: ManifestEntry) -> Finding:
        if self._soundness is None:
            raise SourceError("not the manifest's")
        return Finding(kind="k", soundness=self._soundness)

    def examine_each(self, reception: bytes, entries: Sequence[ManifestEntry]) -> Iterator[Finding]:
        return (self.examine(reception, entry) for entry in entries)


@pytest.mark.parametrize(
    ("found", "kept", "outcome", "proven"),
    [
        ("sound", None, "passed", True),
        ("sound", "sound", "passed", True),
        ("doubtful", None, "passed", True),
        ("malformed", None, "failed", False),
        ("malformed", "sound", "failed", False),
        ("malformed", "malformed", "warned", True),  # it came back as it was taken
        ("opaque", None, "skipped", False),
        ("opaque", "sound", "failed", False),
        (None, None, "failed", False),
    ],
)
def test_a_restored_file_is_as_sound_as_it_was_at_the_source(found, kept, outcome, proven):
    """What no inspector knows proves nothing; worse than at the source fails."""
    examiner = Says(Soundness(found) if found else None)
    known = {b"a": Soundness(kept)} if kept else {}
    checks, opened = judge_findings(examiner, b"", [ENTRY], known)
    assert [(check.level, check.outcome) for check in checks] == [(Level.L2, Outcome(outcome))]
    assert opened == ([ENTRY.sha256] if proven else [])
