"""Mount a medium so that nobody else sees it: first to look, then to write.

Rule 1: the first mount cannot change the medium: the device is read-only and no journal is
    replayed.
Rule 2: writing takes a new mount, never a remount: after ``noload`` a remount runs without a
    journal.
Rule 3: an unmount is never lazy; one that is refused is left to the end of the namespace.
Source: design, section 5; ext4(5), xfs(5), btrfs(5).
"""

from __future__ import annotations

import errno
import os
import time
from contextlib import suppress

from vault.doors import kernel, probe
from vault.errors import DoorError, MediaBusy, MediaDamaged, NeedsRoot

FLAGS = kernel.MS_NODEV | kernel.MS_NOSUID | kernel.MS_NOEXEC
# ``errors=`` overrides a superblock that asks for a panic.
_LOOK = {
    "ext4": b"noload,errors=remount-ro",
    "xfs": b"norecovery",
    "btrfs": b"rescue=nologreplay",
}
_WRITE = {"ext4": b"errors=remount-ro", "xfs": b"", "btrfs": b""}
_PLACES = (b"target", b"lower", b"hidden", b"view")


def enter_private_namespace(base: bytes) -> None:
    """Leave the host's mount namespace, and make the places of this opening in it."""
    os.makedirs(base, mode=0o700, exist_ok=True)
    try:
        before = os.readlink("/proc/self/ns/mnt")
        kernel.unshare(kernel.CLONE_NEWNS)
        # Some sandboxes answer yes and do nothing; mounting then would be done to the host.
        if os.readlink("/proc/self/ns/mnt") == before:
            raise OSError(errno.EPERM, "unshare had no effect")
        kernel.mount(b"none", b"/", flags=kernel.MS_REC | kernel.MS_PRIVATE)
        kernel.mount(b"proc", b"/proc", fs_type=b"proc", flags=FLAGS)
        kernel.mount(b"coffre", base, fs_type=b"tmpfs", flags=FLAGS, options=b"mode=0700")
    except OSError as error:
        raise no_namespace(error) from error
    for place in _PLACES:
        os.mkdir(base + b"/" + place, 0o700)


def no_namespace(error: OSError) -> NeedsRoot:
    """Say that the kernel refused a private namespace."""
    return NeedsRoot(
        "the kernel refused a private namespace: {reason}",
        hint="run as root, outside a container that forbids unshare and mount?",
        reason=os.strerror(error.errno or 0),
    )


def mount_to_look(device_fd: int, where: bytes, *, fs_type: str, target: str) -> None:
    """Mount read-only, on a device that is read-only too, without replaying a journal."""
    if fs_type not in _LOOK:
        raise DoorError(
            "{target} has a file system that is not carried to: {fs_type}",
            hint="use a medium with ext4, xfs or btrfs?",
            target=target,
            fs_type=fs_type,
        )
    kernel.set_read_only(device_fd, True)
    _mount(
        device_fd,
        where,
        fs_type=fs_type,
        flags=FLAGS | kernel.MS_RDONLY,
        options=_LOOK[fs_type],
        target=target,
    )


def mount_to_write(device_fd: int, where: bytes, *, fs_type: str, target: str) -> None:
    """Mount anew for writing, unless the file system says that it has errors.

    A journal is replayed here: the caller has believed the medium's marks before.
    """
    refuse_damaged(device_fd, target=target)
    unmount(where)
    kernel.set_read_only(device_fd, False)
    _mount(
        device_fd,
        where,
        fs_type=fs_type,
        flags=FLAGS,
        options=_WRITE[fs_type],
        target=target,
    )
    refuse_damaged(device_fd, target=target)  # the journal may have brought an error with it


def refuse_damaged(device_fd: int, *, target: str) -> None:
    """Raise MediaDamaged when the superblock records an error."""
    found = probe.superblock(device_fd)
    if found is None or found.error_state:
        raise MediaDamaged(
            "the file system of {target} is damaged: {state}",
            hint="check the medium with fsck on another host, or retire it?",
            target=target,
            state=found.error_state if found else "its superblock is gone",
        )


def _mount(
    device_fd: int, where: bytes, *, fs_type: str, flags: int, options: bytes, target: str
) -> None:
    # By the descriptor, not by name: a name may have been given to another disk meanwhile.
    source = b"/proc/self/fd/%d" % device_fd
    try:
        kernel.mount(source, where, fs_type=fs_type.encode(), flags=flags, options=options)
    except OSError as error:
        if error.errno == errno.EBUSY:
            raise MediaBusy(
                "somebody else holds the medium of {target}",
                hint="is it mounted by the desktop or another program?",
                target=target,
            ) from error
        raise MediaDamaged(
            "the file system of {target} does not mount: {reason}",
            hint="check the medium with fsck on another host, or retire it?",
            target=target,
            reason=os.strerror(error.errno or 0),
        ) from error


def bind_read_only(source: bytes, where: bytes) -> None:
    """Show a folder at a second place, where it cannot be written to."""
    kernel.mount(source, where, flags=kernel.MS_BIND)
    flags = kernel.MS_BIND | kernel.MS_REMOUNT | kernel.MS_RDONLY | FLAGS
    kernel.mount(b"none", where, flags=flags)


def unmount(where: bytes, *, patience_s: float = 5.0) -> None:
    """Unmount; waits a little for those who were just killed to let go."""
    gives_up_at = time.monotonic() + patience_s
    while True:
        try:
            kernel.umount(where)
        except OSError as error:
            if error.errno != errno.EBUSY or time.monotonic() > gives_up_at:
                raise
            time.sleep(0.005)
        else:
            return


def unmount_all(base: bytes) -> None:
    """Unmount everything of this opening, the last mounted first."""
    with open("/proc/self/mountinfo", "rb") as file:
        points = [line.split(b" ", 5)[4] for line in file]
    for point in reversed(points):
        if point == base or point.startswith(base + b"/"):
            unmount(point)


def unmount_if_there(where: bytes) -> None:
    """Unmount, or do nothing when it is no mount point."""
    with suppress(OSError):
        kernel.umount(where)
