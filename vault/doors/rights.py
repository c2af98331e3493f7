"""What a process of the vault side may still do once its rights are given away.

Rule 1: the one who carries never removes, truncates, renames over or leaves target and landing.
Rule 2: rights are only ever given away; a lock this kernel does not have is told, not assumed.
Rule 3: a command run inside the door keeps what a restore needs, and cannot mount.
Source: design, section 5; landlock(7), capabilities(7).
"""

from __future__ import annotations

import os
import struct
from contextlib import closing, suppress
from dataclasses import dataclass

from vault.doors import kernel

CAP_LINUX_IMMUTABLE = 9
_CAP_LAST_KNOWN = 63

# What a restored tree may need, and nothing that mounts, traces, loads or talks to hardware.
_COMMAND_CAPABILITIES = frozenset({0, 1, 2, 3, 4, 5, 6, 7, 31})

READ_FILE, READ_DIR = 1 << 2, 1 << 3
WRITE_FILE = 1 << 1
REMOVE_FILE = 1 << 5
MAKE_DIR, MAKE_REG = 1 << 7, 1 << 8
REFER = 1 << 13  # from version 2: link from the unnamed file into a folder
_READ = READ_FILE | READ_DIR
_ALL_BY_ABI = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 5: (1 << 16) - 1}
_ALL_TCP = 0b11  # bind, connect; from version 4
_ALL_SCOPES = 0b11  # abstract sockets, signals; from version 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Fence:
    """Where one request may read and write."""

    target: bytes
    landing: bytes | None = None
    writes: bool = False
    makes_folders: bool = False
    removes_temporaries: bool = False  # only where unnamed files are not to be had
    removes: bool = False  # packs, indexes and snapshots, and nothing else; it writes nothing


def confine(fence: Fence) -> None:
    """Give away every right that the request does not need; for this process, for good.

    Without root the capabilities are not there to drop and the call still succeeds.
    """
    kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)
    confine_to_folders(fence)
    _keep_capabilities(frozenset({CAP_LINUX_IMMUTABLE} if fence.writes else ()))


def confine_command() -> None:
    """Give away what a command inside the door must not have; to be called just before exec.

    Root regains at exec what the bounding set holds, so it is the bounding set that is cut.
    """
    kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)
    _keep_capabilities(_COMMAND_CAPABILITIES)


def confine_to_folders(fence: Fence) -> bool:
    """Hold this process to the fence by Landlock; False where the kernel's is too old."""
    abi = kernel.landlock_abi()
    if abi < 2:  # version 1 cannot link an unnamed file into a folder
        return False
    everything = _ALL_BY_ABI[max(known for known in _ALL_BY_ABI if known <= abi)]
    attributes = struct.pack("=Q", everything)
    if abi >= 4:
        attributes += struct.pack("=Q", _ALL_TCP)
    if abi >= 6:
        attributes += struct.pack("=Q", _ALL_SCOPES)
    with closing(_Descriptor(kernel.landlock_ruleset(attributes))) as ruleset:
        for folder, allowed in _allowed(fence):
            _allow(ruleset.number, folder, allowed)
        kernel.landlock_restrict(ruleset.number)
    return True


def _allowed(fence: Fence) -> list[tuple[bytes, int]]:
    on_target = _READ
    if fence.removes:
        kinds = (b"data", b"index", b"snapshots")
        places = [fence.target + b"/repository/" + kind for kind in kinds]
        return [(fence.target, _READ), *((place, _READ | REMOVE_FILE) for place in places)]
    if fence.writes:
        on_target |= WRITE_FILE | MAKE_REG | REFER
    if fence.makes_folders:
        on_target |= MAKE_DIR
    if fence.removes_temporaries:
        on_target |= REMOVE_FILE
    allowed = [(fence.target, on_target), (b"/proc", _READ)]  # /proc/self/fd names unnamed files
    if fence.landing is not None:
        allowed.append((fence.landing, _READ))
    return allowed


def _allow(ruleset_fd: int, folder: bytes, allowed: int) -> None:
    flags = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC
    with closing(_Descriptor(os.open(folder, flags))) as opened:
        kernel.landlock_allow(ruleset_fd, opened.number, allowed)


def _keep_capabilities(kept: frozenset[int]) -> None:
    held = kernel.get_capabilities()
    for capability in range(_CAP_LAST_KNOWN + 1):
        if capability in kept:
            continue
        with suppress(OSError):  # past the last one this kernel knows, or not root
            if kernel.prctl(kernel.PR_CAPBSET_READ, capability):
                kernel.prctl(kernel.PR_CAPBSET_DROP, capability)
    with suppress(OSError):
        kernel.prctl(kernel.PR_CAP_AMBIENT, kernel.PR_CAP_AMBIENT_CLEAR_ALL)
    kernel.set_capabilities(held & sum(1 << capability for capability in kept))


class _Descriptor:
    """A descriptor that ``closing`` can close."""

    def __init__(self, number: int) -> None:
        self.number = number

    def close(self) -> None:
        os.close(self.number)
