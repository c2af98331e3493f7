"""File names as the kernel has them: bytes, never normalised.

Rule 1: a name is bytes from the source to the restored file; text is only for showing.
Rule 2: what is shown is escaped, so that no name can move a cursor or forge a line.
Rule 3: a name that would leave its folder is refused, never mended.
Source: issue facts in ``docs/decisions/`` and POSIX path resolution.
"""

from __future__ import annotations

import base64

NAME_MAX = 255
PATH_MAX = 4096


def printable(name: bytes) -> str:
    r"""Show a name: UTF-8 where it is, ``\xNN`` elsewhere, control characters escaped."""
    shown = []
    for char in name.decode("utf-8", "surrogateescape"):
        code = ord(char)
        if 0xDC80 <= code <= 0xDCFF:
            shown.append(f"\\x{code - 0xDC00:02x}")
        elif char == "\\":
            shown.append("\\\\")
        elif char.isprintable():
            shown.append(char)
        elif code < 0x100:
            shown.append(f"\\x{code:02x}")
        else:
            shown.append(f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}")
    return "".join(shown)


def unlawful(path: bytes) -> str | None:
    """Say why a relative path may not enter a reception, or None when it may.

    The path is relative, ``/`` between components, not normalised.
    """
    if not path:
        return "empty name"
    if b"\0" in path:
        return "NUL in the name"
    if path.startswith(b"/"):
        return "absolute path"
    if len(path) >= PATH_MAX:
        return "path longer than 4095 bytes"
    for part in path.split(b"/"):
        if part in (b"", b".", b".."):
            return "path that leaves or bends its folder"
        if len(part) > NAME_MAX:
            return "name longer than 255 bytes"
    return None


def to_json(path: bytes) -> dict[str, str]:
    """Give the JSON members of a path: ``path`` when it is UTF-8, else ``path_b64``."""
    try:
        return {"path": path.decode("utf-8")}
    except UnicodeDecodeError:
        return {"path_b64": base64.b64encode(path).decode("ascii")}


def from_json(members: dict[str, object]) -> bytes:
    """Read a path from ``path`` or ``path_b64``; KeyError or ValueError when neither is right."""
    encoded = members.get("path_b64")
    if isinstance(encoded, str):
        return base64.b64decode(encoded, validate=True)
    path = members["path"]
    if not isinstance(path, str):
        raise ValueError("path is not text")
    return path.encode("utf-8")
