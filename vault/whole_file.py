"""Small files replaced whole: a reader sees the old one or the new one, after a power cut too.

Rule: written aside, synced, renamed, and the folder synced, in that order.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping


def write_json(
    path: str,
    document: Mapping[str, object],
    *,
    mode: int = 0o600,
    group: int | None = None,
    is_durable: bool = True,
) -> None:
    """Replace a small JSON file whole; ``mode`` is set before the content has a name."""
    content = json.dumps(document, ensure_ascii=False, indent=1).encode() + b"\n"
    write_whole(path, content, mode=mode, group=group, is_durable=is_durable)


def write_whole(
    path: str,
    content: bytes,
    *,
    mode: int = 0o600,
    group: int | None = None,
    is_durable: bool = True,
) -> None:
    """Replace a small file whole: written aside, synced, renamed."""
    aside = f"{path}.new"
    fd = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode)
    try:
        if group is not None:
            os.fchown(fd, -1, group)
        os.fchmod(fd, mode)
        view = memoryview(content)
        while view:
            view = view[os.write(fd, view) :]
        if is_durable:
            os.fsync(fd)
    finally:
        os.close(fd)
    os.rename(aside, path)
    if is_durable:
        sync_folder(os.path.dirname(path))


def sync_folder(folder: str) -> None:
    """Make the names in a folder durable."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
