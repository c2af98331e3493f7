"""Open a file that decides what root does, and refuse it when somebody else could have written it.

Rule 1: what is judged is the opened descriptor, never the path a second time.
Rule 2: a configuration, policy or secret is a regular file, not a symbolic link, of root or of the
    caller, and writable by nobody else; a secret is readable by nobody else either.
Rule 3: an executable may be reached through links (``/usr/bin`` is full of them); the file that
    runs is judged.
Rule 4: the refusal says path, mode found and the command that mends it.
Guarantee not given: the folders above a file are not judged.
"""

from __future__ import annotations

import errno
import os
import shlex
import stat
from dataclasses import dataclass
from typing import NoReturn

from vault.amount import Amount
from vault.errors import CoffreError, ConfigError, SecretError

MAX_BYTES = 1 << 20
_OPEN = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH
_WORDS = ("written", "read")  # what others may have done to a file
_OTHERS_READ = stat.S_IRGRP | stat.S_IROTH


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """What a file is to us, and whose error it is when it is unsafe."""

    noun: str
    error: type[CoffreError]
    forbidden: int  # mode bits
    chmod: str


CONFIGURATION = Kind(noun="configuration", error=ConfigError, forbidden=_OTHERS_WRITE, chmod="go-w")
POLICY = Kind(noun="policy", error=ConfigError, forbidden=_OTHERS_WRITE, chmod="go-w")
KNOWN_HOSTS = Kind(noun="known hosts", error=ConfigError, forbidden=_OTHERS_WRITE, chmod="go-w")
SECRET = Kind(noun="secret", error=SecretError, forbidden=_OTHERS_WRITE | _OTHERS_READ, chmod="go=")
# systemd shows a credential as 0440 when an access list lets the unit's user read it.
CREDENTIAL = Kind(
    noun="credential",
    error=SecretError,
    forbidden=_OTHERS_WRITE | stat.S_IROTH,
    chmod="go-w,o-r",
)
EXECUTABLE = Kind(noun="executable", error=ConfigError, forbidden=_OTHERS_WRITE, chmod="go-w")


def read_safely(path: str, kind: Kind) -> bytes:
    """Read a small file that nobody else could have written; raises the kind's error."""
    fd = _open(path, kind)
    try:
        _judge(os.fstat(fd), path, kind)
        return _read_all(fd, path, kind)
    finally:
        os.close(fd)


def check_file(path: str, kind: Kind) -> None:
    """Judge a file without reading it; one that is not there, or out of reach, is no fault here."""
    try:
        found = os.lstat(path)
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return  # whoever reads it will say so
    if stat.S_ISLNK(found.st_mode):
        _refuse_link(path, kind)
    _judge(found, path, kind)


def check_executable(path: str, kind: Kind = EXECUTABLE) -> None:
    """Judge the file that runs when ``path`` is run; FileNotFoundError when there is none."""
    found = os.stat(path)
    _judge(found, path, kind)
    if not found.st_mode & 0o111:
        raise kind.error(
            "{noun} {path} cannot be run: mode {mode}",
            hint="chmod +x {quoted}?",
            noun=kind.noun,
            path=path,
            mode=f"{stat.S_IMODE(found.st_mode):04o}",
            quoted=shlex.quote(path),
        )


def _open(path: str, kind: Kind) -> int:
    try:
        return os.open(path, _OPEN)
    except OSError as error:
        if error.errno == errno.ELOOP:
            _refuse_link(path, kind)
        if error.errno in (errno.ENOENT, errno.ENOTDIR):
            raise kind.error(
                "{noun} {path} does not exist",
                hint="make it, or say where it is?",
                noun=kind.noun,
                path=path,
            ) from None
        raise kind.error(
            "{noun} {path} cannot be opened: {reason}",
            hint="may this account read it?",
            noun=kind.noun,
            path=path,
            reason=os.strerror(error.errno or errno.EIO),
        ) from None


def _judge(found: os.stat_result, path: str, kind: Kind) -> None:
    if stat.S_ISDIR(found.st_mode):
        raise kind.error(
            "{noun} {path} is a directory",
            hint="name the file in it?",
            noun=kind.noun,
            path=path,
        )
    if not stat.S_ISREG(found.st_mode):
        raise kind.error(
            "{noun} {path} is not a regular file",
            hint="put a plain file there?",
            noun=kind.noun,
            path=path,
        )
    _judge_owner(found, path, kind)
    if found.st_mode & kind.forbidden:
        raise kind.error(
            "{noun} {path} may be {done} by others: mode {mode}",
            hint="chmod {chmod} {quoted}?",
            noun=kind.noun,
            path=path,
            done=_WORDS[not found.st_mode & kind.forbidden & _OTHERS_WRITE],
            mode=f"{stat.S_IMODE(found.st_mode):04o}",
            chmod=kind.chmod,
            quoted=shlex.quote(path),
        )


def _judge_owner(found: os.stat_result, path: str, kind: Kind) -> None:
    me = os.geteuid()
    if found.st_uid not in (0, me):
        raise kind.error(
            "{noun} {path} belongs to user id {uid}, who is neither root nor you (mode {mode})",
            hint="chown {me} {quoted} && chmod {chmod} {quoted}?",
            noun=kind.noun,
            path=path,
            uid=found.st_uid,
            mode=f"{stat.S_IMODE(found.st_mode):04o}",
            me=me,
            chmod=kind.chmod,
            quoted=shlex.quote(path),
        )


def _refuse_link(path: str, kind: Kind) -> NoReturn:
    raise kind.error(
        "{noun} {path} is a symbolic link",
        hint="name the file itself, or copy it there and chmod {chmod} {quoted}?",
        noun=kind.noun,
        path=path,
        chmod=kind.chmod,
        quoted=shlex.quote(path),
    )


def _read_all(fd: int, path: str, kind: Kind) -> bytes:
    """Read to the end, or refuse what is too large to be what it should be."""
    pieces, left = [], MAX_BYTES + 1
    while left and (piece := os.read(fd, left)):
        pieces.append(piece)
        left -= len(piece)
    if not left:
        raise kind.error(
            "{noun} {path} is larger than {limit}",
            hint="is it the right file?",
            noun=kind.noun,
            path=path,
            limit=Amount(MAX_BYTES),
        )
    return b"".join(pieces)
