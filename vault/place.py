"""Where a restore test restores from, and what reads the restored data, as protocols.

Rule 1: the same for the landing and for a view of an open target.
Rule 2: what cannot be given back is an answer; what keeps us from asking is an error.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from vault.fiche import Applied, Metadata
from vault.results import ManifestEntry, Refusal


class Streaming(Protocol):
    """What a stream came to; ``broken`` says why it ended too early."""

    @property
    def mismatches(self) -> Sequence[Refusal]:
        """What differs."""
        ...

    @property
    def broken(self) -> str:
        """Why the stream ended too early; empty when it did not."""
        ...

    @property
    def unreached(self) -> frozenset[bytes]:
        """The files after the point where the stream broke off."""
        ...

    @property
    def metadata(self) -> Metadata:
        """What else was compared."""
        ...

    @property
    def manifest(self) -> bytes | None:
        """The manifest inside the snapshot, as it came."""
        ...


class Place(Protocol):
    """Where is restored from."""

    def check(self) -> Sequence[str]:
        """Check the repository; give its complaints, none when it is sound."""
        ...

    def stream(self, snapshot_id: str, entries: Sequence[ManifestEntry]) -> Streaming:
        """Compare a whole snapshot without laying anything down."""
        ...

    def restore(self, snapshot_id: str, to: bytes, includes: Sequence[bytes]) -> str:
        """Restore paths; give what could not be given back, nothing when all was."""
        ...


class Application(Protocol):
    """Something that reads restored data as its users would."""

    def test(
        self, restored: bytes, source: str, entries: Sequence[ManifestEntry]
    ) -> Sequence[Applied]:
        """Test what it knows below ``restored/data``; nothing when it knows none of it."""
        ...
