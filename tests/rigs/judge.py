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
    """Give what a medium holds: the folder itself, or a copy from a block device or an image.

    The medium is mounted read-only in a namespace of its own and copied out, because a mount in
    this one would be pinned by whoever clones it meanwhile, and the device with it.
    """
    if target.is_dir():
        yield target
        return
    with (
        tempfile.TemporaryDirectory(prefix="judge-", dir=scratch) as folder,
        _device(target) as device,
    ):
        where, copy = Path(folder, "mnt"), Path(folder, "copy")
        where.mkdir()
        kind = _command("blkid", "-p", "-o", "value", "-s", "TYPE", device)
        quiet = {"ext4": "noload", "xfs": "norecovery", "btrfs": "rescue=nologreplay"}[kind]
        options = f"ro,nodev,nosuid,noexec,{quiet}"
        script = 'mount -o "$1" "$2" "$3" && cp -a "$3" "$4" && umount "$3"'
        words = ("sh", "-c", script, "sh", options, device, str(where), str(copy))
        _command("unshare", "--mount", "--propagation", "private", *words)
        yield copy


@contextlib.contextmanager
def _device(target: Path) -> Iterator[str]:
    if target.is_block_device():
        yield str(target)
        return
    device = _command("losetup", "-r", "-f", "--show", str(target))
    try:
        yield device
    finally:
        _command("losetup", "-d", device)


def _command(*argv: str) -> str:
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, f"{argv}: {done.stderr}"
    return done.stdout.strip()


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What was found on a target."""

    problems: tuple[str, ...]
    states: frozenset[tuple[str, Files]]  # source, and what a snapshot of it restores to


def look(
    target: Path,
    password: bytes,
    *,
    scratch: Path,
    history: Mapping[str, Collection[Files]],
    restic: str = "restic",
) -> Seen:
    """Judge a target without Coffre.

    Every file's content is its name; ``restic check --read-data`` is content; every snapshot
    listed restores, and what it restores is one of the states its source ever had.
    """
    states = set()
    with opened(target, scratch) as root:
        repository = root / "repository"
        problems = [*misnamed(repository)]
        checked = run_restic(
            restic, repository, password, "check", "--read-data", "--no-lock", check=False
        )
        if checked.returncode:
            problems.append(f"check: {checked.stderr.strip()[-1000:]}")
        for snapshot in list_snapshots(repository, password, restic=restic):
            name = f"{snapshot.source} {snapshot.snapshot_id[:8]}"
            try:
                files = _restored(snapshot.snapshot_id, repository, password, restic, scratch)
            except (AssertionError, subprocess.TimeoutExpired) as error:
                problems.append(f"{name} does not restore: {str(error)[-1000:]}")
                continue
            states.add((snapshot.source, files))
            # The vault's own snapshots have no history.
            if files not in history.get(snapshot.source, [files]):
                problems.append(f"{name} restores to what its source never was")
    return Seen(problems=tuple(problems), states=frozenset(states))


def soundness(
    target: Path,
    password: bytes,
    *,
    scratch: Path,
    history: Mapping[str, Collection[Files]],
    restic: str = "restic",
) -> list[str]:
    """Give what is wrong with a target, nothing when it is sound; see ``look``."""
    seen = look(target, password, scratch=scratch, history=history, restic=restic)
    return list(seen.problems)


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


def _restored(
    snapshot_id: str, repository: Path, password: bytes, restic: str, scratch: Path
) -> Files:
    with tempfile.TemporaryDirectory(prefix="judge-", dir=scratch) as to:
        # A missing pack makes 0.14 try again for minutes; a sound restore of ours takes a second.
        words = ("restore", snapshot_id, "--no-lock", "--target", to)
        run_restic(restic, repository, password, *words, timeout_s=20)
        return files_of(Path(to, "data"))
