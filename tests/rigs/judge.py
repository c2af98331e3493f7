"""A judge of targets and devices that shares no code with Coffre.

Rule 1: it reads a medium with restic, the kernel and its own eyes only, and changes no byte of it.
Rule 2: what it compares restores with are lists taken when the exports were written.
Rule 3: it gives problems, all it finds; none is the only good answer.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import re
import subprocess
import tempfile
import time
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.rigs.attack import run_restic

Files = frozenset[tuple[bytes, str]]  # (path below data/, SHA-256)


def files_of(folder: Path | bytes) -> Files:
    """Give the regular files below a folder, by path and hash."""
    root = os.fsencode(folder)
    found = set()
    for where, _, names in os.walk(root):
        for name in names:
            path = os.path.join(where, name)
            with open(path, "rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            found.add((os.path.relpath(path, root), digest))
    return frozenset(found)


def holders(device: str) -> list[str]:
    """Ask the kernel who holds a device; nothing means that it is free, and thus shut.

    Opening exclusively fails while any mount in any namespace, or any other exclusive opening,
    holds it; the rest only says who.
    """
    try:
        os.close(os.open(device, os.O_RDONLY | os.O_EXCL | os.O_CLOEXEC))
    except OSError as error:
        if error.errno != errno.EBUSY:
            return [f"{device}: {error.strerror}"]
    else:
        return []
    number = os.stat(device).st_rdev
    shown = f"{os.major(number)}:{os.minor(number)}"
    found = [f"{device} is busy"]
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            table = (process / "mountinfo").read_text()
            if any(_names(line, shown, device) for line in table.splitlines()):
                found.append(f"mounted for process {process.name}")
        with contextlib.suppress(OSError):
            if any(os.readlink(fd) == device for fd in (process / "fd").iterdir()):
                found.append(f"held open by process {process.name}")
    return found


def _names(line: str, shown: str, device: str) -> bool:
    row = line.split()
    return row[2] == shown or row[row.index("-") + 2] == device


def wait_free(device: str, *, timeout_s: float = 1.0) -> float:
    """Wait until nobody holds the device; give the seconds it took."""
    began = time.monotonic()
    while found := holders(device):
        assert time.monotonic() - began < timeout_s, found
        time.sleep(0.005)
    return time.monotonic() - began


@contextlib.contextmanager
def opened(target: Path, scratch: Path) -> Iterator[Path]:
    """Give a medium's root, read-only: of a folder, a block device or an image."""
    if target.is_dir():
        yield target
        return
    where = Path(tempfile.mkdtemp(prefix="judge-", dir=scratch))
    with contextlib.ExitStack() as undo:
        device = str(target)
        if not target.is_block_device():
            device = _command("losetup", "-r", "-f", "--show", str(target))
            undo.callback(_command, "losetup", "-d", device)
        kind = _command("blkid", "-p", "-o", "value", "-s", "TYPE", device)
        quiet = {"ext4": "noload", "xfs": "norecovery", "btrfs": "rescue=nologreplay"}[kind]
        _command("mount", "-o", f"ro,nodev,nosuid,noexec,{quiet}", device, str(where))
        undo.callback(_command, "umount", str(where))
        yield where


def _command(*argv: str) -> str:
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, f"{argv}: {done.stderr}"
    return done.stdout.strip()


def soundness(
    target: Path,
    password: bytes,
    *,
    scratch: Path,
    history: Mapping[str, Collection[Files]],
    restic: str = "restic",
) -> list[str]:
    """Judge a target without Coffre; give what is wrong with it, nothing when it is sound.

    Every file's content is its name; ``restic check --read-data`` is content; every snapshot
    listed restores, and what it restores is one of the states its source ever had.
    """
    with opened(target, scratch) as root:
        repository = root / "repository"
        problems = [*misnamed(repository)]
        checked = run_restic(
            restic, repository, password, "check", "--read-data", "--no-lock", check=False
        )
        if checked.returncode:
            problems.append(f"check: {checked.stderr.strip()[-1000:]}")
        for snapshot in list_snapshots(repository, password, restic=restic):
            problems += _judge_snapshot(snapshot, repository, password, restic, scratch, history)
    return problems


def misnamed(repository: Path) -> Iterator[str]:
    """Give the files of a repository that are not the SHA-256 they are named as."""
    for path in sorted(repository.rglob("*")):
        if path.is_dir() or path == repository / "config":
            continue
        with path.open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != path.name:
                yield f"{path.relative_to(repository)} is not what its name says"


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """One snapshot as restic lists it."""

    snapshot_id: str
    source: str


def list_snapshots(repository: Path, password: bytes, *, restic: str = "restic") -> list[Listed]:
    """List the snapshots of a repository with the source each is of."""
    told = run_restic(restic, repository, password, "snapshots", "--json", "--no-lock").stdout
    found = []
    for row in json.loads(told) or []:
        tag = re.search(r"source=([^,]+)", ",".join(row.get("tags") or []))
        found.append(Listed(snapshot_id=row["id"], source=tag.group(1) if tag else ""))
    return found


def _judge_snapshot(
    snapshot: Listed,
    repository: Path,
    password: bytes,
    restic: str,
    scratch: Path,
    history: Mapping[str, Collection[Files]],
) -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="judge-", dir=scratch) as to:
        words = ("restore", snapshot.snapshot_id, "--no-lock", "--target", to)
        done = run_restic(restic, repository, password, *words, check=False)
        name = f"{snapshot.source} {snapshot.snapshot_id[:8]}"
        if done.returncode:
            yield f"{name} does not restore: {done.stderr.strip()[-1000:]}"
            return
        lawful = history.get(snapshot.source)  # the vault's own snapshots have no history
        if lawful is not None and files_of(Path(to, "data")) not in lawful:
            yield f"{name} restores to what its source never was"
