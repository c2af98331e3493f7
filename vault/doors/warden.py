"""The warden: the process that holds a door and dies on time.

Rule 1: it is fresh, one thread, nothing inherited; and all that can be done without the medium is
    done before it is touched: the imports, the inner process, its namespaces, its plan.
Rule 2: the kernel kills it when its session ends, and at the hard deadline even when stopped; it
    arms both before it touches the medium.
Rule 3: it opens the device once and from then on trusts only that descriptor.
Rule 4: its lock on the device lasts as long as the exposure: the inner process inherits it.
Rule 5: with it goes the inner process, by the kernel's hand, and with that the mount.
Source: design, section 5; flock(2), prctl(2), timer_create(2), pid_namespaces(7).
"""

from __future__ import annotations

import errno
import fcntl
import os
import select
import socket
import stat
import time
import traceback
from contextlib import suppress

from vault.doors import kernel, mounts, probe, wire
from vault.doors.chamber import Chamber
from vault.doors.order import SOCKET_FD, Duties, Order
from vault.errors import Impostor, MediaAbsent, MediaBusy

_PROBE_PATIENCE_S = 0.2  # somebody's proof of shut holds the device for an instant
_NAMESPACES = kernel.CLONE_NEWPID | kernel.CLONE_NEWIPC | kernel.CLONE_NEWNET


def serve(duties: Duties) -> int:
    """Take one order on the inherited socket, make ready, open when told, stay until it is shut."""
    kernel.die_with_parent()
    kernel.run_first()  # while a door is open nothing on this host matters more than shutting it
    _close_inherited()
    end = socket.socket(fileno=SOCKET_FD)
    end.set_inheritable(False)
    os.umask(0o077)
    try:
        message, (plan_fd,) = wire.receive(end)
    except EOFError:
        return 0
    order = Order.of_message(message)
    if os.getppid() != order.parent_pid:
        return 1  # the session ended before the kernel was asked to watch it
    try:
        kernel.kill_self_at(order.closes_at_s)
        inner, gate = _start_chamber(end, order, duties, plan_fd=plan_fd)
        os.close(plan_fd)
        if not _is_told_to_enter(end, inner):
            return 0  # with us goes the inner process
        anchor_fd = take_folder(order) if order.is_folder else take_device(order)
        wire.send(gate, {}, [anchor_fd])
    except Exception as error:  # noqa: BLE001  # it crosses to the session, which raises it
        wire.send(end, wire.error_message(error))
        return 1
    end.close()  # from here on only the chamber speaks
    _, status = os.waitpid(inner, 0)
    return os.waitstatus_to_exitcode(status)


def _is_told_to_enter(end: socket.socket, inner: int) -> bool:
    """Wait for the session's word; False when it left, or the inner process ended and said why."""
    pidfd = os.pidfd_open(inner)
    try:
        readable, _, _ = select.select([end.fileno(), pidfd], [], [])
    finally:
        os.close(pidfd)
    if pidfd in readable:
        return False
    try:
        message, _ = wire.receive(end)
    except (EOFError, ConnectionResetError):
        return False
    return bool(message["op"] == "enter")


def _close_inherited() -> None:
    """Close what the orchestrator let slip: only the three streams and the socket are ours."""
    for name in os.listdir("/proc/self/fd"):
        if int(name) > SOCKET_FD:
            with suppress(OSError):  # the listing's own descriptor is gone already
                os.close(int(name))


def take_device(order: Order) -> int:
    """Open the device, make sure it is the one that was found, and lock it."""
    try:
        fd = os.open(order.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        raise MediaAbsent(
            "the medium of {target} went away", hint="plug it in again?", target=order.target
        ) from None
    status = os.fstat(fd)
    found = probe.superblock(fd)
    if not stat.S_ISBLK(status.st_mode) or status.st_rdev != order.number:
        raise _changed(order)
    if found is None or found.uuid != order.uuid or found.fs_type != order.fs_type:
        raise _changed(order)
    _lock(fd, order)
    _refuse_held(fd, order)
    return fd


def take_folder(order: Order) -> int:
    """Open and lock the folder that stands for a medium."""
    try:
        fd = os.open(order.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise MediaAbsent(
            "the folder of {target} is not there", hint="create it?", target=order.target
        ) from error
    _lock(fd, order)
    return fd


def _changed(order: Order) -> Impostor:
    return Impostor(
        "the device of {target} became another one while it was being opened",
        hint="were disks being swapped? run again once they are still?",
        target=order.target,
    )


def _lock(fd: int, order: Order) -> None:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise MediaBusy(
            "{target} is being used by another opening",
            hint="wait for it to end, or press the red button?",
            target=order.target,
        ) from None


def _refuse_held(fd: int, order: Order) -> None:
    """Refuse a device that somebody else has mounted or claimed."""
    gives_up_at = time.monotonic() + _PROBE_PATIENCE_S
    while not _opens_exclusively(fd):
        if time.monotonic() > gives_up_at:
            raise MediaBusy(
                "the medium of {target} is already held on this host",
                hint="is it mounted by the desktop or another program? unmount it?",
                target=order.target,
            )
        time.sleep(0.01)


def _opens_exclusively(fd: int) -> bool:
    flags = os.O_RDONLY | os.O_EXCL | os.O_CLOEXEC | os.O_NONBLOCK
    try:
        os.close(os.open(f"/proc/self/fd/{fd}", flags))
    except OSError as error:
        if error.errno == errno.EBUSY:
            return False
        raise
    return True


def _start_chamber(
    end: socket.socket, order: Order, duties: Duties, *, plan_fd: int
) -> tuple[int, socket.socket]:
    """Fork the inner process, as pid 1 of new namespaces where there is root.

    Give its pid, and the socket on which it waits for the medium's descriptor.
    """
    private = _leave_namespaces(order)
    ours, theirs = wire.pair()
    inner = os.fork()
    if inner:
        theirs.close()
        return inner, ours
    code = 1
    try:
        ours.close()
        kernel.die_with_parent()
        if not select.select([theirs], [], [], 0)[0]:  # else the warden died before the call
            Chamber(end, order, duties, gate=theirs, plan_fd=plan_fd, private=private).live()
            code = 0
    except BaseException:  # noqa: BLE001  # a forked child must not run what its parent would
        traceback.print_exc()
    finally:
        os._exit(code)


def _leave_namespaces(order: Order) -> bool:
    try:
        kernel.unshare(_NAMESPACES)
    except OSError as error:
        if order.is_folder:
            return False
        raise mounts.no_namespace(error) from error
    return True
