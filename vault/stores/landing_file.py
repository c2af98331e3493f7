"""One file of the landing, opened without trusting what stands under its name.

Rule 1: nothing is believed before the descriptor is in hand: kind, links and size are asked of
    the open file, never of its path.
Rule 2: a file that is not lawful is refused before a byte of it is read.
Rule 3: a fault of the landing is a refusal, never a fault of the target.
Source: faults 16, 17, 19 and 20 of the catalogue.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat

from vault.stores.folders import error_name, opened_folder

_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_HASH_CHUNK_BYTES = 1 << 20


class Refused(Exception):
    """The landing's file is not what the plan says; the reason is the argument."""


def open_landing_file(root_fd: int, folder: str, name: str, size_bytes: int) -> int:
    """Open a file of the landing for reading, or raise Refused with the reason."""
    try:
        with opened_folder(root_fd, folder) as folder_fd:
            fd = os.open(name, _FLAGS, dir_fd=folder_fd)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise Refused("is a symbolic link") from error
        raise Refused(f"cannot be opened: {error_name(error)}") from error
    try:
        reason = _unlawful(os.fstat(fd), size_bytes)
    except OSError as error:
        reason = f"cannot be read: {error_name(error)}"
    if reason:
        os.close(fd)
        raise Refused(reason)
    return fd


def _unlawful(found: os.stat_result, size_bytes: int) -> str:
    if not stat.S_ISREG(found.st_mode):
        return "not a regular file"
    if found.st_nlink != 1:
        return f"has {found.st_nlink} links"
    if found.st_size != size_bytes:
        return f"has {found.st_size} bytes where {size_bytes} were planned"
    return ""


def hash_landing_file(root_fd: int, folder: str, name: str, size_bytes: int) -> str:
    """Hash a file of the landing anew, to tell whose fault a mismatch is; Refused as on opening.

    It reads through the page cache: what the copy was made from is what is judged here.
    """
    digest = hashlib.sha256()
    fd = open_landing_file(root_fd, folder, name, size_bytes)
    try:
        while chunk := os.read(fd, _HASH_CHUNK_BYTES):
            digest.update(chunk)
    except OSError as error:
        raise Refused(f"cannot be read: {error_name(error)}") from error
    finally:
        os.close(fd)
    return digest.hexdigest()
