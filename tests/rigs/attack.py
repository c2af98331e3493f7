"""What an attack on a landing is, the registry of all, and what attackers have in common.

Rule 1: an attack is run by somebody who is root on the vault host between two nights; where it
    needs the password it is given the password.
Rule 2: *new* is what the newest run added (told by time), *old* what the first one added.
Words of ``expected``, the fence that must stop it:
    gate      the landing does not authenticate: no door opens
    pin       what was pinned differs: no door opens
    alien     listed and alarmed; it is not carried, our own files are
    refuse    refused as it crosses, or before; nothing that depends on it follows
    unharmed  the target stays sound, and the cycle goes on
"""

from __future__ import annotations

import hashlib
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tests.rigs import rcrypt

if TYPE_CHECKING:
    from collections.abc import Callable

Act = Callable[[Path, str, bytes], None] if TYPE_CHECKING else object
Expected = Literal["gate", "pin", "alien", "refuse", "unharmed"]
Answer = Literal["clean", "complains", "either", "hangs"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Attack:
    """One attack, what it is numbered in the catalogue of faults, and what stops it."""

    name: str
    faults: tuple[int, ...]
    expected: Expected
    check: Answer
    act: Act
    poisons: bool | None = False  # a plain restore of the newest snapshot fails; None: not tried
    version: int | None = None  # only on a repository of this version

    def __call__(self, repository: Path, restic: str, password: bytes) -> None:
        """Do it."""
        self.act(repository, restic, password)


ATTACKS: dict[str, Attack] = {}


def attack(
    name: str,
    *faults: int,
    expected: Expected,
    check: Answer,
    poisons: bool | None = False,
    version: int | None = None,
) -> Callable[[Act], Act]:
    """Enter a function into the registry under a name."""

    def enter(act: Act) -> Act:
        ATTACKS[name] = Attack(
            name=name,
            faults=faults,
            expected=expected,
            check=check,
            poisons=poisons,
            version=version,
            act=act,
        )
        return act

    return enter


def run_restic(
    restic: str,
    repository: Path,
    password: bytes,
    *words: str,
    check: bool = True,
    timeout_s: float = 120,
) -> subprocess.CompletedProcess[str]:
    """Run restic as anybody with the password would; the password goes by descriptor."""
    reader, writer = os.pipe()
    os.write(writer, password)
    os.close(writer)
    try:
        done = subprocess.run(
            [restic, "-r", str(repository), "--no-cache", *words],
            pass_fds=[reader],
            env={**os.environ, "RESTIC_PASSWORD_FILE": f"/dev/fd/{reader}", "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout_s,
            check=False,
        )
    finally:
        os.close(reader)
    if check and done.returncode:
        raise AssertionError(f"restic {words} ended with {done.returncode}: {done.stderr}")
    return done


def packs(repository: Path) -> list[Path]:
    """Give the packs, the largest first: data before trees."""
    found = [p for p in (repository / "data").glob("??/*") if len(p.name) == 64]
    return sorted(found, key=lambda path: (-path.stat().st_size, path.name))


def _snapshot_times(repository: Path) -> list[int]:
    return sorted(p.stat().st_mtime_ns for p in (repository / "snapshots").iterdir())


def newest_pack(repository: Path) -> Path:
    """Give the largest pack of the newest run: made after the snapshot before the last one."""
    began = [0, *_snapshot_times(repository)][-2]
    return next(path for path in packs(repository) if path.stat().st_mtime_ns > began)


def oldest_pack(repository: Path) -> Path:
    """Give the largest pack of the first run: made before the first snapshot."""
    ended = _snapshot_times(repository)[0]
    return next(path for path in packs(repository) if path.stat().st_mtime_ns <= ended)


def overwrite(path: Path, content: bytes) -> None:
    """Write over a file that restic made read-only."""
    path.chmod(0o600)
    path.write_bytes(content)


def in_its_shard(repository: Path, content: bytes) -> Path:
    """Give where a pack with this content would lawfully stand."""
    path = rcrypt.place(repository, "data", hashlib.sha256(content).hexdigest())
    path.parent.mkdir(exist_ok=True)
    return path
