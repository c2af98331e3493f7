"""The words between a session and its vault side: one JSON object a packet, with descriptors.

Rule 1: what may be large travels in a memory file beside the packet, never in it.
Rule 2: the end of the socket is a message too: the other side is gone.
Rule 3: an error crosses as its class, template and values, so that it is raised again as it was.
Source: unix(7), memfd_create(2).
"""

from __future__ import annotations

import json
import os
import socket
from array import array
from typing import TYPE_CHECKING, Any

from vault import errors
from vault.names import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from vault.results import RepositoryFile

Message = dict[str, Any]

_PACKET_BYTES = 32 * 1024
_LARGEST_BYTES = 256 * 1024 * 1024
_MOST_DESCRIPTORS = 32
_INLINE, _IN_FILE = b"i", b"f"


def pair() -> tuple[socket.socket, socket.socket]:
    """Make the two ends; packets keep their borders."""
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)


def send(
    end: socket.socket, message: Message, fds: Sequence[int] = (), *, may_drop: bool = False
) -> None:
    """Send one message; ``may_drop`` gives it up rather than wait for a slow reader."""
    payload = json.dumps(message).encode()
    flags = socket.MSG_NOSIGNAL | (socket.MSG_DONTWAIT if may_drop else 0)
    if len(payload) <= _PACKET_BYTES:
        _send_packet(end, _INLINE + payload, fds, flags)
        return
    large = memory_file(payload)
    try:
        _send_packet(end, _IN_FILE, [large, *fds], flags)
    finally:
        os.close(large)


def receive(end: socket.socket) -> tuple[Message, list[int]]:
    """Wait for one message and its descriptors, which the caller closes; EOFError at the end."""
    packet, fds, flags = _receive_packet(end)
    if not packet:
        raise EOFError("the other side is gone")
    if flags & (socket.MSG_TRUNC | socket.MSG_CTRUNC):
        close_all(fds)
        raise errors.DoorError("a message of the vault side was cut short")
    payload = packet[1:]
    if packet[:1] == _IN_FILE:
        payload = read_all(fds.pop(0))
    message = json.loads(payload)
    assert isinstance(message, dict)
    return message, fds


# The standard library's send_fds and recv_fds take flags and drop them (3.11): not used.


def _send_packet(end: socket.socket, packet: bytes, fds: Sequence[int], flags: int) -> None:
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array("i", fds))] if fds else []
    end.sendmsg([packet], rights, flags)


def _receive_packet(end: socket.socket) -> tuple[bytes, list[int], int]:
    fds = array("i")
    room = socket.CMSG_LEN(_MOST_DESCRIPTORS * fds.itemsize)
    packet, received, flags, _ = end.recvmsg(_PACKET_BYTES + 1, room, socket.MSG_CMSG_CLOEXEC)
    for level, kind, content in received:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            fds.frombytes(content[: len(content) - len(content) % fds.itemsize])
    return packet, list(fds), flags


def memory_file(content: bytes) -> int:
    """Put bytes into a file that has no name; give its descriptor, at the beginning."""
    return memory_file_of([content])


def memory_file_of(parts: Iterable[bytes]) -> int:
    """Put many parts into a file that has no name; give its descriptor, at the beginning."""
    made = os.memfd_create("coffre", os.MFD_CLOEXEC)
    with os.fdopen(made, "wb", closefd=False) as file:
        file.writelines(parts)
    os.lseek(made, 0, os.SEEK_SET)
    return made


def read_all(fd: int, *, limit_bytes: int = _LARGEST_BYTES) -> bytes:
    """Read a memory file from its beginning, and close it."""
    with os.fdopen(fd, "rb") as file:
        file.seek(0)
        content = file.read(limit_bytes + 1)
    if len(content) > limit_bytes:
        raise errors.DoorError("a message of the vault side is too large")
    return content


def close_all(fds: Iterable[int]) -> None:
    """Close descriptors that came with a message."""
    for fd in fds:
        os.close(fd)


def plan_file(batches: Iterable[Iterable[RepositoryFile]]) -> int:
    """Write a plan, one line ``BATCH PATH SIZE`` a file; give its descriptor.

    Batches keep their order and are never held in memory together; within one, paths are sorted,
    which puts packs before indexes before snapshots.
    """
    return memory_file_of(
        _plan_line(number, file)
        for number, files in enumerate(batches)
        for file in sorted(files, key=lambda file: file.path)
    )


def list_file(files: Iterable[RepositoryFile]) -> int:
    """Write a list of any order and length in the same form, as one batch; give its descriptor."""
    return memory_file_of(_plan_line(0, file) for file in files)


def _plan_line(batch: int, file: RepositoryFile) -> bytes:
    path = file.path.encode("utf-8", "surrogateescape")
    if b" " in path or b"\n" in path:
        raise errors.DoorError("{path} cannot stand in a plan", path=printable(path))
    return b"%d %b %d\n" % (batch, path, file.size_bytes)


def error_message(error: BaseException) -> Message:
    """Put an error into a message."""
    if isinstance(error, errors.CoffreError):
        values = {key: _plain(value) for key, value in error.values.items()}
        return {
            "error": [
                kind.reference
                for kind in type(error).__mro__
                if issubclass(kind, errors.CoffreError)
            ],
            "template": error.template,
            "hint": error.hint_template,
            "values": values,
        }
    if isinstance(error, OSError) and error.errno is not None:
        return error_message(
            errors.DoorError(
                "the kernel refused a step of the vault side: {call}: {reason}",
                call=_call_of(error),
                reason=os.strerror(error.errno),
            )
        )
    return error_message(
        errors.DoorError("the vault side stopped on a bug: {kind}", kind=type(error).__name__)
    )


def raise_error(message: Message) -> None:
    """Raise the error that a message carries, if it carries one.

    A class that this process has not loaded becomes the nearest one above it.
    """
    if "error" not in message:
        return
    known = _tree(errors.CoffreError)
    kind = next(known[name] for name in message["error"] if name in known)
    raise kind(message["template"], hint=message["hint"], **message["values"])


def _call_of(error: OSError) -> str:
    name = error.filename  # our own wrappers put the call's name here; a path is never repeated
    return name if isinstance(name, str) and "/" not in name else "open or read"


def _plain(value: object) -> object:
    return value if isinstance(value, int | float | str) else str(value)


def _tree(top: type[errors.CoffreError]) -> dict[str, type[errors.CoffreError]]:
    found = {top.reference: top}
    for kind in top.__subclasses__():
        found |= {name: kind for name, kind in _tree(kind).items() if name not in found}
    return found
