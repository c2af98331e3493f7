"""Find the restic program and know its version.

Rule 1: restic is what the configuration names, or the first on the path.
Rule 2: it is asked for its version once, before anything depends on it.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass

from vault.errors import ProcessError, ResticMissing
from vault.process import run
from vault.restic.capabilities import OLDEST, Capabilities, Version, capabilities, parse_version

VERSION_TIMEOUT_S = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Restic:
    """One restic program."""

    path: str  # absolute
    version: Version

    @property
    def capabilities(self) -> Capabilities:
        """What this version can do."""
        return capabilities(self.version)


def find_restic(configured: str | None = None, *, timeout_s: float = VERSION_TIMEOUT_S) -> Restic:
    """Find restic and ask its version; ResticMissing when there is none or it is too old."""
    path = shutil.which(configured or "restic")
    if path is None:
        raise ResticMissing(
            "restic was not found: {program}",
            hint="install restic {oldest} or newer from the system's packages?",
            program=configured or "restic",
            oldest=str(OLDEST),
        )
    path = os.path.abspath(path)
    version = _read_version(path, timeout_s)
    if version < OLDEST:
        raise ResticMissing(
            "restic {version} is too old: {oldest} or newer is needed",
            hint="install restic {oldest} or newer from the system's packages?",
            version=str(version),
            oldest=str(OLDEST),
        )
    return Restic(path=path, version=version)


def _read_version(path: str, timeout_s: float) -> Version:
    try:
        finished = run([path, "version"], timeout_s=timeout_s, stdout_limit_bytes=64 * 1024)
    except ProcessError as error:
        raise ResticMissing(
            "{path} does not run: {reason}", path=path, reason=str(error)
        ) from error
    version = parse_version(finished.stdout.decode("utf-8", "replace"))
    if finished.returncode != 0 or version is None:
        raise ResticMissing(
            "{path} does not answer as restic does",
            hint="is {path} really restic?",
            path=path,
        )
    return version
