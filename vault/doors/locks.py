"""Which of the door's locks hold on this host, for ``coffre doctor``.

Rule 1: each lock is tried, not looked up by version; a trial changes nothing and leaves nothing.
Rule 2: the list is always whole: a lock that does not hold is told with what is lost by it.
Source: design, section 5.
"""

from __future__ import annotations

import errno
import fcntl
import os
import tempfile
from typing import TYPE_CHECKING

from vault.doors import kernel, mounts, proof, rights

if TYPE_CHECKING:
    from collections.abc import Callable

Lock = tuple[str, bool, str]  # name, whether it holds, what it gives or why it is missing

_FAR_FUTURE_S = 3600.0
_FS_IOC_GETFLAGS = 0x80086601


def locks(root: bytes | None = None) -> list[Lock]:
    """Try every lock; ``root`` is a folder on the target's file system, when one is known."""
    tried = [
        _lock("root", "a disk can be mounted", _try_root),
        _lock("namespaces", "nobody else sees the medium", _try_namespaces),
        _lock("kernel-timer", "the kernel shuts at the deadline", _try_timer),
        _lock("exclusive-open", "shut can be proven", _try_mounts_readable),
        _lock("flock", "one opening at a time", _try_flock),
        _lock("landlock", "what is on a target cannot be removed", _try_landlock),
        _lock("capabilities", "the one who carries has none to spare", _try_capabilities),
        _lock("overlay", "views can be laid for restic", _try_overlay),
    ]
    if root is not None:
        folder = root
        tried += [
            _lock("unnamed-files", "a death leaves no debris", lambda: _try_unnamed(folder)),
            _lock("direct-io", "read back from the medium itself", lambda: _try_direct(folder)),
            _lock("immutable", "what was admitted stays", lambda: _try_flags(folder)),
        ]
    return tried


def _lock(name: str, gives: str, trial: Callable[[], None]) -> Lock:
    """Run a trial in a child, so that whatever it changes dies with it."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        why = b"the trial did not end well"
        try:
            trial()
            why = b""
        except OSError as error:
            why = f"{error.strerror} ({errno.errorcode.get(error.errno or 0, '?')})".encode()
        finally:
            os.write(writer, why or b"holds")
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        answer = pipe.read().decode()
    os.waitpid(child, 0)
    return (name, True, gives) if answer == "holds" else (name, False, answer or "it was killed")


def _fail(reason: str) -> None:
    raise OSError(errno.EPERM, reason)


def _try_root() -> None:
    if os.geteuid() != 0:
        _fail("not root")


def _try_namespaces() -> None:
    kernel.unshare(
        kernel.CLONE_NEWNS | kernel.CLONE_NEWPID | kernel.CLONE_NEWIPC | kernel.CLONE_NEWNET
    )
    kernel.mount(b"none", b"/", flags=kernel.MS_REC | kernel.MS_PRIVATE)


def _try_timer() -> None:
    kernel.kill_self_at(kernel.boot_s() + _FAR_FUTURE_S)


def _try_mounts_readable() -> None:
    proof.read_mounts()


def _try_flock() -> None:
    with tempfile.TemporaryFile() as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _try_landlock() -> None:
    kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)
    if not rights.confine_to_folders(rights.Fence(target=b"/usr")):
        _fail("this kernel has no Landlock, or only its first version")
    try:
        os.close(os.open("/etc/passwd", os.O_RDONLY))
    except PermissionError:
        return
    _fail("Landlock is there and does not hold")


def _try_capabilities() -> None:
    rights.confine_command()
    rights.confine(rights.Fence(target=b"/"))
    if kernel.get_capabilities():
        _fail("some capabilities stayed")


def _try_overlay() -> None:
    _try_namespaces()
    options = b"lowerdir=/usr/bin:/usr/lib"
    kernel.mount(
        b"coffre",
        b"/usr/lib",
        fs_type=b"overlay",
        flags=mounts.FLAGS | kernel.MS_RDONLY,
        options=options,
    )


def _try_unnamed(folder: bytes) -> None:
    os.close(os.open(folder, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600))


def _try_direct(folder: bytes) -> None:
    os.close(os.open(folder, os.O_TMPFILE | os.O_RDWR | os.O_DIRECT | os.O_CLOEXEC, 0o600))


def _try_flags(folder: bytes) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.ioctl(fd, _FS_IOC_GETFLAGS, b"\0" * 8)
        if not kernel.get_capabilities() >> rights.CAP_LINUX_IMMUTABLE & 1:
            _fail("the capability to make files immutable is missing")
    finally:
        os.close(fd)
