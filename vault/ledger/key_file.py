"""The file of a private key: written once, whole, readable by its owner alone.

Rule 1: the name appears only when the bytes are synced; an existing file is never overwritten.
Rule 2: a file that others can read, or that is not a plain file of ours, is refused.
"""

from __future__ import annotations

import os
import stat

from vault.errors import SecretError

_LIMIT_BYTES = 4096


def write_key_file(path: str | bytes, content: bytes) -> None:
    """Write the file 0600 and sync it and its folder; SecretError when the name is taken."""
    final = os.fsencode(path)
    folder = os.path.dirname(final) or b"."
    part = final + b".part-%d" % os.getpid()
    try:
        fd = os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
        try:
            os.write(fd, content)
            os.fsync(fd)
        finally:
            os.close(fd)
        try:
            os.link(part, final)  # refuses a name that is taken, unlike rename
        finally:
            os.unlink(part)
        _sync_folder(folder)
    except FileExistsError:
        raise SecretError(
            "{file} is there already, and a key is never overwritten",
            file=os.fsdecode(final),
            hint="another name for this one? or is that the key that was wanted?",
        ) from None
    except OSError as error:
        raise SecretError("the key cannot be written: {reason}", reason=error.strerror) from error


def read_key_file(path: str | bytes) -> bytes:
    """Read the file; SecretError when it is absent, too long, or open to others."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        fd = os.open(path, flags)
        try:
            _refuse_unsafe(os.fstat(fd))
            content = os.read(fd, _LIMIT_BYTES)
        finally:
            os.close(fd)
    except OSError as error:
        raise SecretError(
            "the signing key cannot be read: {reason}",
            hint="was it made, and may this account read it?",
            reason=error.strerror,
        ) from error
    return content


def _refuse_unsafe(found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise SecretError("the signing key is not a plain file")
    if found.st_mode & 0o077:
        raise SecretError(
            "the signing key is open to others (mode {mode:o})",
            hint="chmod 600, and was it copied meanwhile?",
            mode=stat.S_IMODE(found.st_mode),
        )
    if found.st_uid not in (0, os.geteuid()):
        raise SecretError("the signing key belongs to user {uid}", uid=found.st_uid)


def _sync_folder(folder: bytes) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
