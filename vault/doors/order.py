"""What a vault side is told to open, and the duties it is given.

Rule 1: an order is checked against the world by the vault side itself, never believed.
Rule 2: a duty says which rights it needs; it gets no others.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from vault.doors.wire import Message

MOUNT_BASE = "/run/coffre"  # empty folders on the host; mounted over in private namespaces only
SOCKET_FD = 3  # where a vault side finds its end


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One opening, as the session asks for it."""

    target: str
    parent_pid: int
    closes_at_s: float  # on the boot clock
    writing: bool
    uuid: str
    fs_type: str  # "folder" for no device
    device: str  # or the folder
    number: int  # st_rdev of the device; 0 for a folder
    mount_point: str
    scratch: str = ""  # where a view is laid without root
    maintenance: bool = False  # opened to take named files off, and for nothing else

    @property
    def is_folder(self) -> bool:
        """Whether there is no device behind this door."""
        return self.fs_type == "folder"

    @property
    def path(self) -> bytes:
        """The device or folder as the kernel takes it."""
        return os.fsencode(self.device)

    def message(self) -> Message:
        """Put the order into a message; paths that are not text survive it."""
        return asdict(self)

    @classmethod
    def of_message(cls, members: Message) -> Order:
        """Read an order back."""
        return cls(**members)


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One request, inside the process that answers it."""

    root: bytes  # the target's root
    members: Message
    fds: Sequence[int]
    plan: object  # as the vault side's own ``load`` read it, before the medium was touched
    tell: Callable[[Message], None]  # something that the session is to know before the answer
    progress: Callable[[int, int], None]
    is_folder: bool


Answer = tuple[dict[str, Any], Sequence[int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Duty:
    """What answers one kind of request, and the rights it needs."""

    run: Callable[[Task], Answer]
    writes: bool = False
    makes_folders: bool = False
    removes: bool = False  # in a maintenance opening only
    carries: bool = False  # never in a maintenance opening


@dataclass(frozen=True, slots=True, kw_only=True)
class Duties:
    """What a vault side can do, and how it reads the plan of an opening."""

    by_name: Mapping[str, Duty]
    load: Callable[[int], object]
