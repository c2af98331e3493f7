"""The landing as the stories see it: restic's adapter with the pins it is held to.

Rule 1: the repository's id is bound by the hash of its ``config``: it is asked of restic once,
    when the vault is founded, and not every night.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from vault.admission import Pins
from vault.restic import LandingRepository, Restic, content
from vault.results import Refusal, RepositoryFile
from vault.secret import Secret

_RESTIC_S = 12 * 3600.0  # a first snapshot of a large hospital; the window bounds the doors


class PinnedLanding(LandingRepository):
    """Implements the landing's ports for nights, founding and enrolment."""

    def __init__(
        self, restic: Restic, folder: bytes, password: Secret, *, pinned: Pins | None, hint: str
    ) -> None:
        super().__init__(restic, folder, password, timeout_s=_RESTIC_S, key_hint=hint)
        self._pinned = pinned

    def exists(self) -> bool:
        """Whether the repository is there."""
        return os.path.lexists(os.path.join(self.folder, b"config"))

    def read_pins(self) -> Pins:
        """Read what is pinned; restic is asked for the id only while nothing is pinned yet."""
        config = self.config_sha256()
        if self._pinned is None:
            repository_id = self.repository_id()
        else:
            same = config == self._pinned.config_sha256
            repository_id = self._pinned.repository_id if same else ""
        return Pins(repository_id=repository_id, config_sha256=config, keys=self.key_ids())

    def provision(self) -> Sequence[tuple[str, bytes]]:
        """Give ``config`` and the key files."""
        return content.provision(self.folder, self.list_files())

    def damaged(self, files: Sequence[RepositoryFile]) -> Sequence[Refusal]:
        """Hash files whole against their names."""
        return content.damaged(self.folder, files)

    def disown(self, before: set[str]) -> Sequence[RepositoryFile]:
        """Forget the snapshots that are not in ``before``; give what else is new there."""
        return self._disown(before) or ()

    def sweep(self, files: Sequence[RepositoryFile]) -> int:
        """Remove what a run that died left and nothing names."""
        return content.sweep(self.folder, files)

    def settle(self) -> None:
        """Sync the landing's file system."""
        content.settle(self.folder)
