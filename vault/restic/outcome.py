"""What restic's end means: an error of ours, or nothing.

Rule 1: an exit code we do not know is a failure.
Rule 2: up to 0.16 one code stands for everything, so restic's words are asked too; where both
    speak, either is enough.
Rule 3: no file name gets into a message: of what restic says only known reasons are repeated.
Source: restic manual, "Scripting", exit codes; the wording of 0.14.0 and 0.18.0.
"""

from __future__ import annotations

import errno
import os
import signal

from vault.errors import (
    RepositoryLocked,
    RepositoryMissing,
    ResticError,
    SpaceError,
    WrongPassword,
)
from vault.names import printable

INCOMPLETE = 3
NO_REPOSITORY = 10
LOCKED = 11
WRONG_PASSWORD = 12
INTERRUPTED = 130

_SAYS_NO_REPOSITORY = "unable to open config file"
_SAYS_LOCKED = "repository is already locked"
_SAYS_WRONG_PASSWORD = "wrong password or no key found"  # noqa: S105, restic's words
_SAYS_FULL = (os.strerror(errno.ENOSPC).lower(), os.strerror(errno.EDQUOT).lower())
_REASONS = (
    *sorted({os.strerror(code).lower() for code in errno.errorcode}),
    "ciphertext verification failed",
    "no matching id",
    "index is damaged",
)


def judge(command: str, returncode: int, stderr: str, *, repository: bytes = b"") -> None:
    """Raise what a run's end means; return when it ended well.

    ``command`` is restic's own word for what was asked.
    """
    if returncode == 0:
        return
    place = printable(repository)
    if returncode == NO_REPOSITORY or _SAYS_NO_REPOSITORY in stderr:
        raise RepositoryMissing(
            "there is no restic repository at {repository}",
            hint="was the vault initialised, and is its disk there?",
            repository=place,
        )
    if returncode == LOCKED or _SAYS_LOCKED in stderr:
        raise RepositoryLocked(
            "another restic holds the repository at {repository}",
            hint="is a restic started by hand still running?",
            repository=place,
        )
    if returncode == WRONG_PASSWORD or _SAYS_WRONG_PASSWORD in stderr:
        raise WrongPassword(
            "the password opens no key of the repository at {repository}",
            hint="is it still the one that coffre init made? its sealed copy opens it, and so does"
            " the recovery password in its place",
            repository=place,
        )
    if any(words in stderr.lower() for words in _SAYS_FULL):
        raise SpaceError("no room left for restic {command}", command=command)
    raise ResticError(
        "restic {command} failed: {reason}",
        command=command,
        reason=_reason(returncode, stderr),
        returncode=returncode,
    )


def _reason(returncode: int, stderr: str) -> str:
    """Say what we may repeat of a failure."""
    said = stderr.lower()
    known = [reason for reason in _REASONS if reason in said][:3]
    return "; ".join([_ending(returncode), *known])


def _ending(returncode: int) -> str:
    """Say how the process ended."""
    if returncode < 0:
        return f"ended by {signal.strsignal(-returncode) or 'a signal'}"
    if returncode == INTERRUPTED:
        return "it was interrupted (exit code 130)"
    if returncode == INCOMPLETE:
        return "some files could not be read (exit code 3)"
    return f"exit code {returncode}"
