"""Every restic there is, and scratch repositories that open in milliseconds.

The installed restic serves all tests; a newer one, fetched by ``newer_restic.sh``, serves the long
ones. What both must do is one test with two parameters, so that neither is forgotten.
"""

import atexit
import functools
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from tests.rigs.cheap_key import add_cheap_key, make_keys_cheap
from vault.restic import LandingRepository, Restic, find_restic
from vault.secret import Secret

ROOT = Path(__file__).resolve().parents[2]
NEWER = ROOT / ".tools" / "restic-newer"
MACHINE = Secret(b"machine password of a scratch repository")
RECOVERY = Secret(b"recovery password of a scratch repository")
TIMEOUT_S = 120.0

EVERY = (pytest.param("installed"), pytest.param("newer", marks=pytest.mark.long))


def restics() -> list[Restic]:
    """Give every restic found: the installed one first."""
    return [find_restic(), *([find_restic(str(NEWER))] if NEWER.exists() else [])]


@functools.cache
def restic_named(name: str) -> Restic:
    """Give the restic of a parameter of ``EVERY``; skip with the reason where there is none."""
    if name == "installed":
        return find_restic()
    if not NEWER.exists():
        fetch = subprocess.run(
            [ROOT / "tests/rigs/newer_restic.sh"], capture_output=True, text=True, check=False
        )
        if not NEWER.exists():
            pytest.skip(f"NOT SHOWN on a newer restic: {fetch.stdout.strip()}")
    return find_restic(str(NEWER))


@functools.cache
def _template(restic: Restic) -> bytes:
    """Make an empty repository with two cheap keys, once a process."""
    folder = tempfile.mkdtemp(prefix="coffre-template-").encode()
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    repository = LandingRepository(restic, folder + b"/r", MACHINE, timeout_s=TIMEOUT_S)
    repository.init()
    make_keys_cheap(repository.folder, MACHINE.reveal())
    add_cheap_key(repository.folder, MACHINE.reveal(), RECOVERY.reveal(), user="recovery")
    return repository.folder


def scratch_landing(restic: Restic, folder: str | os.PathLike[str]) -> LandingRepository:
    """Make a landing with cheap keys at ``folder``, which must not be there yet.

    All scratch landings of a process have the same repository id and master key.
    """
    shutil.copytree(_template(restic), os.fsencode(folder))
    return LandingRepository(restic, os.fsencode(folder), MACHINE, timeout_s=TIMEOUT_S)


def write_reception(folder: Path, files: dict[bytes, bytes]) -> bytes:
    """Write what a reception holds: ``data/`` with the files, ``coffre/`` with a manifest."""
    for name, content in files.items():
        path = os.path.join(os.fsencode(folder), b"data", name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(content)
    (folder / "data").mkdir(parents=True, exist_ok=True)
    (folder / "coffre").mkdir(exist_ok=True)
    (folder / "coffre" / "manifest.jsonl.zst").write_bytes(b"a manifest")
    return os.fsencode(folder)
