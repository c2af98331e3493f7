"""Whether a block device is shut: asked of the kernel, with the evidence.

Rule 1: shut means three answers: the device opens exclusively, nothing is stacked on it, and no
    mount namespace names it.
Rule 2: an error while asking is UNKNOWN, and UNKNOWN counts as open.
Rule 3: when it is not shut the evidence names processes by number, never files; of folders only
    the one where the host itself has it mounted, which somebody must unmount.
Rule 4: asking depends on no record and changes nothing.
Source: open(2) O_EXCL on block devices, proc_pid_mountinfo(5).
"""

from __future__ import annotations

import errno
import os
import re
import shlex
import time
from contextlib import suppress
from dataclasses import dataclass

from vault.mount_tables import processes, read_table
from vault.names import printable
from vault.results import Disconnection, DoorProof, ShutReport

_GONE = {errno.ENOENT, errno.ENXIO, errno.ENODEV}
_MOST_NAMED = 8
_ESCAPED = re.compile(rb"\\([0-7]{3})")  # a space, a tab, a newline or a backslash in mountinfo


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What is to be proven shut."""

    device: str
    number: int  # st_rdev, by which the kernel knows the device
    mount_point: bytes  # where a vault side mounts this medium, in its own namespace

    @property
    def major_minor(self) -> str:
        """The number as mountinfo writes it."""
        return f"{os.major(self.number)}:{os.minor(self.number)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    """One line of a mountinfo, with a process that has it."""

    pid: int
    mount_id: int
    major_minor: str
    mount_point: bytes


def prove_shut(
    place: Place, *, timeout_s: float = 5.0, when_gone: Disconnection = Disconnection.REMOVED
) -> ShutReport:
    """Ask until the device is shut or the time is over; the kernel may need 0.3 s to let go."""
    gives_up_at = time.monotonic() + timeout_s
    pause_s = 0.002
    while True:
        report = ask_once(place, when_gone=when_gone)
        if report.is_shut or time.monotonic() >= gives_up_at:
            break
        time.sleep(pause_s)
        pause_s = min(pause_s * 1.5, 0.1)
    if report.is_shut:
        return report
    return ShutReport(
        proof=report.proof,
        disconnection=Disconnection.NONE,
        evidence=(*report.evidence, *_who_holds(place)),
    )


def ask_once(place: Place, *, when_gone: Disconnection) -> ShutReport:
    """Ask the three questions once."""
    try:
        if _is_gone(place):
            return _judge_gone(place, when_gone)
        return _ask_present(place)
    except OSError as error:
        reason = errno.errorcode.get(error.errno or 0, "error")
        return _report(DoorProof.UNKNOWN, f"asking about {place.major_minor} failed: {reason}")


def _is_gone(place: Place) -> bool:
    try:
        return os.stat(place.device).st_rdev != place.number
    except OSError as error:
        if error.errno in _GONE:
            return True
        raise


def _judge_gone(place: Place, when_gone: Disconnection) -> ShutReport:
    mounts, namespaces = read_mounts()
    if names_place(mounts, place):
        return _report(DoorProof.OPEN, f"{place.major_minor} is gone but still mounted")
    return _report(
        DoorProof.SHUT,
        f"no device node for {place.major_minor}",
        f"none of {namespaces} mount namespaces names it",
        disconnection=when_gone,
    )


def _ask_present(place: Place) -> ShutReport:
    try:
        os.close(os.open(place.device, os.O_RDONLY | os.O_EXCL | os.O_CLOEXEC | os.O_NONBLOCK))
    except OSError as error:
        if error.errno == errno.EBUSY:
            return _report(DoorProof.OPEN, f"exclusive open of {place.major_minor}: busy")
        raise
    if holders := read_holders(place):
        return _report(DoorProof.OPEN, f"held by {', '.join(holders)}")
    mounts, namespaces = read_mounts()
    if names_place(mounts, place):
        return _report(DoorProof.OPEN, f"a mount namespace names {place.major_minor}")
    return _report(
        DoorProof.SHUT,
        f"exclusive open of {place.major_minor}: granted",
        "nothing stacked on it",
        f"none of {namespaces} mount namespaces names it",
        disconnection=Disconnection.UNMOUNTED,
    )


def _report(
    proof: DoorProof, *evidence: str, disconnection: Disconnection = Disconnection.NONE
) -> ShutReport:
    return ShutReport(proof=proof, disconnection=disconnection, evidence=evidence)


def read_holders(place: Place, *, sys_root: str = "/sys") -> list[str]:
    """List the devices stacked on this one, or on the whole disk of this partition."""
    folder = os.path.realpath(f"{sys_root}/dev/block/{place.major_minor}")
    folders = [folder]
    if os.path.exists(f"{folder}/partition"):
        folders.append(os.path.dirname(folder))
    found: list[str] = []
    for each in folders:
        with suppress(FileNotFoundError):
            found += os.listdir(f"{each}/holders")
    return found


def read_mounts() -> tuple[list[Mount], int]:
    """Read every mount of every mount namespace that has a process; and count the namespaces."""
    mounts: list[Mount] = []
    seen = set()
    for pid in processes():
        namespace = _namespace(pid) or f"of process {pid}"  # unnamed: read it all the same
        if namespace in seen:
            continue
        table = read_table(pid)
        if table is not None:
            mounts += [_mount(pid, line) for line in table]
            seen.add(namespace)
    return mounts, len(seen)


def _mount(pid: int, line: bytes) -> Mount:
    fields = line.split(b" ", 5)
    return Mount(
        pid=pid,
        mount_id=int(fields[0]),
        major_minor=fields[2].decode("ascii"),
        mount_point=fields[4],
    )


def names_place(mounts: list[Mount], place: Place) -> list[Mount]:
    """Pick the mounts of this medium: by its number, or by its mount point.

    btrfs gives its mounts a number of their own, so the number alone would miss them.
    """
    return [
        mount
        for mount in mounts
        if mount.major_minor == place.major_minor or mount.mount_point == place.mount_point
    ]


def _who_holds(place: Place) -> list[str]:
    """Say what may keep the medium open, as far as /proc tells.

    A mount of the host itself is told once, by its folder: every process of the host has it. One of
    another namespace is told by a process that lives there.
    """
    try:
        mounts, _ = read_mounts()
        named = names_place(mounts, place)
        host = _namespace(os.getpid())
        folders = {one.mount_point for one in named if _namespace(one.pid) == host}
        clauses = [_why_busy(_told(folder)) for folder in sorted(folders)]
        elsewhere = {_namespace(mount.pid) for mount in named} - {"", host}
        known = {mount.mount_id for mount in mounts}
        live = {_namespace(pid) for pid in processes()}
        for pid in processes():
            namespace = _namespace(pid)
            if namespace in elsewhere:
                elsewhere.remove(namespace)
                clauses.append(f"process {pid} has it mounted")
            elif why := _holds_open(pid, place, known, live):
                clauses.append(f"process {pid} {why}")
    except OSError:
        return ["who holds it could not be asked"]
    more = len(clauses) - _MOST_NAMED
    return clauses[:_MOST_NAMED] + ([f"and {more} more"] if more > 0 else [])


def _why_busy(folder: str) -> str:
    return f"this host has it mounted: umount {folder}"


def _told(mount_point: bytes) -> str:
    """Give a folder of a mount table as it may be typed."""
    return shlex.quote(printable(_ESCAPED.sub(_byte, mount_point)))


def _byte(found: re.Match[bytes]) -> bytes:
    return bytes([int(found[1], 8)])


def _namespace(pid: int) -> str:
    try:
        return os.readlink(f"/proc/{pid}/ns/mnt")
    except OSError:
        return ""


def _holds_open(pid: int, place: Place, known: set[int], live: set[str]) -> str:
    """Say what a process holds of a mount that no living namespace shows."""
    with suppress(OSError):
        for fd in os.listdir(f"/proc/{pid}/fd"):
            with suppress(OSError):
                link = os.readlink(f"/proc/{pid}/fd/{fd}")
                if link.startswith("mnt:[") and link not in live:
                    return "holds a mount namespace open"
                if _is_unseen(pid, fd, link, known) and _is_on(f"/proc/{pid}/fd/{fd}", place):
                    return "holds something open on it"
        for link in ("cwd", "root"):
            with suppress(OSError):
                if _is_on(f"/proc/{pid}/{link}", place):
                    return "stands in it"
    return ""


def _is_unseen(pid: int, fd: str, link: str, known: set[int]) -> bool:
    """Whether a descriptor is a file on a mount of no living namespace; asks no file system."""
    if not link.startswith("/") or link.startswith("/memfd:"):
        return False
    with open(f"/proc/{pid}/fdinfo/{fd}") as file:
        for line in file:
            if line.startswith("mnt_id:"):
                return int(line.split()[1]) not in known
    return False


def _is_on(path: str, place: Place) -> bool:
    return os.stat(path).st_dev == place.number
