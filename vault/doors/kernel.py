"""The kernel's own calls that Python has no name for, each raising OSError when refused.

Rule 1: no policy lives here: a wrapper does its one call and tells the kernel's answer.
Rule 2: numbers that are the same on every 64-bit Linux are written as the manual has them.
Source: mount(2), unshare(2), prctl(2), capset(2), timer_create(2), landlock(7), loop and block
    ioctls of linux/fs.h.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import signal
import struct
import time
from contextlib import suppress

MS_RDONLY = 1
MS_NOSUID = 2
MS_NODEV = 4
MS_NOEXEC = 8
MS_REMOUNT = 32
MS_BIND = 4096
MS_REC = 16384
MS_PRIVATE = 1 << 18

CLONE_NEWNS = 0x00020000
CLONE_NEWIPC = 0x08000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000

PR_SET_PDEATHSIG = 1
PR_CAPBSET_READ = 23
PR_CAPBSET_DROP = 24
PR_SET_NO_NEW_PRIVS = 38
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_CLEAR_ALL = 4

BLKROSET = 0x125D
BLKROGET = 0x125E
BLKGETSIZE64 = 0x80081272

_CAPABILITY_VERSION_3 = 0x20080522
_TIMER_ABSTIME = 1
_FIRST = -20  # the most that setpriority(2) knows
_SIGEV_SIGNAL = 0
_LANDLOCK_CREATE = 444
_LANDLOCK_ADD_RULE = 445
_LANDLOCK_RESTRICT = 446
_LANDLOCK_VERSION_FLAG = 1
_LANDLOCK_PATH_BENEATH = 1

_libc = ctypes.CDLL(None, use_errno=True)
_libc.mount.argtypes = (
    ctypes.c_char_p,
    ctypes.c_char_p,
    ctypes.c_char_p,
    ctypes.c_ulong,
    ctypes.c_char_p,
)
_libc.umount2.argtypes = (ctypes.c_char_p, ctypes.c_int)
_libc.unshare.argtypes = (ctypes.c_int,)
_libc.prctl.argtypes = (ctypes.c_int, *[ctypes.c_ulong] * 4)
_libc.syscall.restype = ctypes.c_long


class _SigEvent(ctypes.Structure):
    _fields_ = (
        ("value", ctypes.c_void_p),
        ("signal", ctypes.c_int),
        ("notify", ctypes.c_int),
        ("rest", ctypes.c_byte * 48),
    )


class _TimerSpec(ctypes.Structure):
    _fields_ = (
        ("interval_s", ctypes.c_long),
        ("interval_ns", ctypes.c_long),
        ("value_s", ctypes.c_long),
        ("value_ns", ctypes.c_long),
    )


def _checked(result: int, call: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), call)
    return result


def mount(
    source: bytes, where: bytes, *, fs_type: bytes | None = None, flags: int, options: bytes = b""
) -> None:
    """Mount ``source`` on the folder ``where``."""
    _checked(_libc.mount(source, where, fs_type, flags, options or None), "mount")


def umount(where: bytes) -> None:
    """Unmount now or fail with EBUSY; never lazily, for a lazy unmount is no seal."""
    _checked(_libc.umount2(where, 0), "umount")


def unshare(flags: int) -> None:
    """Leave the namespaces named by ``flags``; a new PID namespace begins with the next child."""
    _checked(_libc.unshare(flags), "unshare")


def prctl(option: int, first: int = 0, second: int = 0) -> int:
    """Change or ask one trait of this process."""
    return _checked(_libc.prctl(option, first, second, 0, 0), "prctl")


def die_with_parent() -> None:
    """Ask the kernel to kill this process when the thread that made it ends.

    The caller must look afterwards whether the parent was gone already.
    """
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def boot_s() -> float:
    """Give CLOCK_BOOTTIME in seconds: it never steps back and counts a suspended host."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def kill_self_at(boot_time_s: float) -> None:
    """Arm a kernel timer that kills this process at a time of the boot clock, even when stopped.

    A time that is past kills at once. It must not be armed by pid 1 of a namespace, which the
    kernel protects from its own timer's signal.
    """
    timer = ctypes.c_void_p()
    event = _SigEvent(signal=signal.SIGKILL, notify=_SIGEV_SIGNAL)
    _checked(
        _libc.timer_create(time.CLOCK_BOOTTIME, ctypes.byref(event), ctypes.byref(timer)),
        "timer_create",
    )
    at_ns = max(int(boot_time_s * 1e9), 1)  # zero would disarm
    spec = _TimerSpec(0, 0, at_ns // 10**9, at_ns % 10**9)
    _checked(_libc.timer_settime(timer, _TIMER_ABSTIME, ctypes.byref(spec), None), "timer_settime")


def run_first() -> None:
    """Have the scheduler prefer this process and those it makes, where it may be asked to.

    Where processes are grouped by session, as is the default, a priority counts inside the group
    only: the group is given one too. The caller leads a session of its own.
    """
    _prefer(_FIRST)


def run_as_others() -> None:
    """Take back what ``run_first`` asked for; the caller leads a session of its own."""
    _prefer(0)


def _prefer(niceness: int) -> None:
    with suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, niceness)
    with suppress(OSError), open("/proc/self/autogroup", "w") as file:
        file.write(str(niceness))


def set_capabilities(kept: int) -> None:
    """Set permitted and effective to the mask ``kept``, inheritable to none, for this thread."""
    header = struct.pack("=Ii", _CAPABILITY_VERSION_3, 0)
    low, high = kept & 0xFFFFFFFF, kept >> 32
    data = struct.pack("=6I", low, low, 0, high, high, 0)
    _checked(_libc.capset(header, data), "capset")


def get_capabilities() -> int:
    """Give the mask of the effective capabilities of this thread."""
    header = ctypes.create_string_buffer(struct.pack("=Ii", _CAPABILITY_VERSION_3, 0), 8)
    data = ctypes.create_string_buffer(24)
    _checked(_libc.capget(header, data), "capget")
    values = struct.unpack("=6I", data.raw)
    return int(values[0] | values[3] << 32)


def set_read_only(device_fd: int, read_only: bool) -> None:
    """Make the kernel refuse writes to a block device, or allow them again."""
    fcntl.ioctl(device_fd, BLKROSET, struct.pack("=i", int(read_only)))


def is_read_only(device_fd: int) -> bool:
    """Ask whether the kernel refuses writes to a block device."""
    answer = fcntl.ioctl(device_fd, BLKROGET, b"\0" * 4)
    return bool(struct.unpack("=i", answer)[0])


def size_of_device(device_fd: int) -> int:
    """Give the size of a block device in bytes."""
    answer = fcntl.ioctl(device_fd, BLKGETSIZE64, b"\0" * 8)
    return int(struct.unpack("=Q", answer)[0])


def landlock_abi() -> int:
    """Give the version of Landlock this kernel has, 0 when it has none."""
    version = _libc.syscall(_LANDLOCK_CREATE, None, ctypes.c_size_t(0), _LANDLOCK_VERSION_FLAG)
    return max(int(version), 0)


def landlock_ruleset(attributes: bytes) -> int:
    """Make a ruleset; give its descriptor, to be closed by the caller."""
    size = ctypes.c_size_t(len(attributes))
    return _checked(int(_libc.syscall(_LANDLOCK_CREATE, attributes, size, 0)), "landlock_create")


def landlock_allow(ruleset_fd: int, folder_fd: int, rights: int) -> None:
    """Add one rule: ``rights`` beneath a folder."""
    rule = struct.pack("=Qi", rights, folder_fd)
    answer = _libc.syscall(_LANDLOCK_ADD_RULE, ruleset_fd, _LANDLOCK_PATH_BENEATH, rule, 0)
    _checked(int(answer), "landlock_add_rule")


def landlock_restrict(ruleset_fd: int) -> None:
    """Hold this thread, and what it makes from now on, to a ruleset."""
    _checked(int(_libc.syscall(_LANDLOCK_RESTRICT, ruleset_fd, 0)), "landlock_restrict")
