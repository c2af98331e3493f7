"""restic's restore, on this host or inside an open vault door."""

from __future__ import annotations

import os
from collections.abc import Sequence

from vault.ports import OpenVault
from vault.process import sealed
from vault.restic import Restic, environment, judge
from vault.restic.commands import restore_argv, split_includes
from vault.secret import Secret
from vault.wiring.landing import PinnedLanding

_PASSWORD_FD = 3
_TAIL_BYTES = 8192


class ResticRestore:
    """Implements ``vault.recovery.RestoreEngine``."""

    def __init__(self, landing: PinnedLanding, restic: Restic, password: Secret, hint: str) -> None:
        self._landing = landing
        self._restic = restic
        self._password = password
        self._hint = hint

    def from_landing(self, snapshot_id: str, to: bytes, includes: Sequence[bytes]) -> None:
        """Restore from the landing."""
        self._landing.restore(snapshot_id, target=to, includes=includes)

    def from_view(
        self, vault: OpenVault, view: str, snapshot_id: str, to: bytes, includes: Sequence[bytes]
    ) -> None:
        """Restore from a view, with the same words inside the door's namespace."""
        env = environment(os.fsencode(view), password_fd=_PASSWORD_FD, key_hint=self._hint)
        for group in split_includes(includes):
            argv = restore_argv(
                self._restic, snapshot_id, target=os.path.abspath(to), includes=group
            )
            self._run(vault, argv, env)

    def _run(self, vault: OpenVault, argv: Sequence[str], env: dict[str, str]) -> None:
        null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
        said = os.memfd_create("stderr", os.MFD_CLOEXEC)
        password = sealed(self._password.reveal())
        try:
            code = vault.run(argv, env=env, fds=(null, null, said, password), timeout_s=None)
            end = os.lseek(said, 0, os.SEEK_END)
            tail = os.pread(said, _TAIL_BYTES, max(0, end - _TAIL_BYTES))
            judge("restore", code, tail.decode("utf-8", "replace"))
        finally:
            for fd in (null, said, password):
                os.close(fd)
