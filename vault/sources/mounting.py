"""A share that is mounted for one pull, where no other process sees it.

Rule 1: the mount exists in a private namespace of its own, made by a child that ends with the
    pull; when the child dies, by any signal, the kernel unmounts.
Rule 2: the share is mounted ``ro,nosuid,nodev,noexec``, whatever else is asked for.
Rule 3: credentials stand in a file system in memory inside that namespace, never on a disk,
    never in an argument vector.
Rule 4: gone is proven by reading the mount table of every process; a table that cannot be read
    proves nothing.
Source: unshare(2), mount_namespaces(7), proc(5) mountinfo.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vault.errors import NeedsRoot, ProcessError, SourceError, SourceUnreachable
from vault.mount_tables import processes, read_table
from vault.names import printable
from vault.process import run
from vault.results import Disconnection, DoorProof, ShutReport

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from vault.secret import Secret

LOCKED = ("ro", "nosuid", "nodev", "noexec")
_CLONE_NEWNS = 0x00020000
_MS_REC, _MS_PRIVATE = 0x4000, 1 << 18
_MS_NOSUID, _MS_NODEV, _MS_NOEXEC = 2, 4, 8
_UMOUNT_TRIES = 20
_UMOUNT_PAUSE_S = 0.1
_OCTAL = re.compile(rb"\\([0-7]{3})")
_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    """What to mount: ``kind`` is the file system type, ``what`` the share or device."""

    kind: str
    what: str
    credentials: Secret | None = None  # the content of a file as mount.cifs reads it
    options: tuple[str, ...] = ()


def isolate() -> None:
    """Leave the host's mount namespace; what is mounted from now on dies with this process."""
    if _libc.unshare(_CLONE_NEWNS):
        raise NeedsRoot(
            "a private mount namespace cannot be made: {reason}",
            hint="is coffre run as root, outside a container that forbids it?",
            reason=os.strerror(ctypes.get_errno()),
        )
    _mount(None, b"/", None, _MS_REC | _MS_PRIVATE, None)


@contextlib.contextmanager
def mounted(mount: Mount, place: bytes, *, timeout_s: float) -> Iterator[bytes]:
    """Mount a share at a folder under ``place``, inside the private namespace; then unmount."""
    _mount(b"tmpfs", place, b"tmpfs", _MS_NOSUID | _MS_NODEV | _MS_NOEXEC, b"size=1m,mode=0700")
    share = os.path.join(place, b"share")
    os.mkdir(share, 0o700)
    run_mount(mount, share, place, timeout_s=timeout_s)
    try:
        yield share
    finally:
        _unmount(share)


def run_mount(mount: Mount, share: bytes, place: bytes, *, timeout_s: float) -> None:
    """Run mount(8), since shares need its helpers."""
    options = [*LOCKED, *mount.options]
    if mount.credentials is not None:
        credentials = os.path.join(place, b"credentials")
        fd = os.open(credentials, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(fd, "wb") as file:
            file.write(mount.credentials.reveal() + b"\n")
        options.append("credentials=" + os.fsdecode(credentials))
    argv = ["mount", "-t", mount.kind, "-o", ",".join(options)]
    try:
        ended = run([*argv, "--", mount.what, share], timeout_s=timeout_s)
    except ProcessError as error:
        raise SourceUnreachable(
            "the share could not be mounted: {reason}",
            hint="does its server answer, and is mount.{kind} installed?",
            reason=str(error),
            kind=mount.kind,
        ) from None
    if ended.returncode:
        raise SourceUnreachable(
            "the share could not be mounted: mount ended with code {code}: {said}",
            hint="does its server answer, are the credentials right, and is mount.{kind} "
            "installed?",
            code=ended.returncode,
            said=_first_line(ended.stderr_tail),
            kind=mount.kind,
        )


def _first_line(said: str) -> str:
    """Give the first line of what mount said: it names shares and errors, never a credential."""
    lines = said.strip().splitlines()
    return printable(lines[0].encode())[:200] if lines else "nothing said"


def prove_gone(what: str) -> ShutReport:
    """Ask every process's mount table whether a share is mounted anywhere on this host."""
    wanted, tables, unread = os.fsencode(what).rstrip(b"/"), 0, 0
    found: list[int] = []
    for pid in processes():
        try:
            table = read_table(pid)
        except OSError:
            unread += 1
            continue
        if table is None:
            continue
        tables += 1
        if any(source == wanted for source in _sources(table)):
            found.append(pid)
    evidence = (
        f"{tables} mount tables read",
        f"{unread} could not be read",
        f"{len(found)} name the share",
    )
    proof = DoorProof.OPEN if found else DoorProof.UNKNOWN if unread else DoorProof.SHUT
    return ShutReport(proof=proof, disconnection=Disconnection.UNMOUNTED, evidence=evidence)


def _sources(table: Iterable[bytes]) -> Iterator[bytes]:
    """Give the third field after the dash of each line, unescaped: the mount's source."""
    for line in table:
        after = line.rstrip(b"\n").partition(b" - ")[2].split(b" ")
        if len(after) >= 2:
            source = _OCTAL.sub(lambda found: bytes([int(found[1], 8)]), after[1])
            yield source.rstrip(b"/")


def _mount(
    what: bytes | None, where: bytes, kind: bytes | None, flags: int, data: bytes | None
) -> None:
    if _libc.mount(what, where, kind, ctypes.c_ulong(flags), data):
        raise SourceError(
            "the private namespace could not be prepared: {reason}",
            reason=os.strerror(ctypes.get_errno()),
        )


def _unmount(share: bytes) -> None:
    """Unmount, never lazily; what stays busy goes with the namespace."""
    for _ in range(_UMOUNT_TRIES):
        if not _libc.umount2(share, 0):
            return
        time.sleep(_UMOUNT_PAUSE_S)
