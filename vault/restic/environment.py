"""The environment restic runs in, as a pure function.

Rule 1: every variable is written here; none of the caller's own RESTIC_* gets through.
Rule 2: the password is a path to a descriptor, never a value.
Rule 3: restic speaks the C locale and keeps no cache anywhere.
"""

from __future__ import annotations

import os

from vault.process import DEFAULT_PATH

PASSWORD = "RESTIC_PASSWORD_FILE"  # noqa: S105, the name of a variable
PROGRESS_PER_S = "1"


def environment(
    repository: bytes, *, password_fd: int | None = None, key_hint: str = ""
) -> dict[str, str]:
    """Give the whole environment for one run on a repository.

    ``password_fd`` is the number the descriptor has in the child; without it the caller sets
    ``PASSWORD`` itself. ``key_hint`` is the full id of the key to try first: without it restic
    tries all keys in the order of their names, at a whole key derivation each.
    """
    assert repository.startswith(b"/"), "a relative repository could be read as a URL"
    variables = {
        "PATH": DEFAULT_PATH,
        "LANG": "C",
        "LC_ALL": "C",
        "RESTIC_REPOSITORY": os.fsdecode(repository),
        "RESTIC_PROGRESS_FPS": PROGRESS_PER_S,
    }
    if password_fd is not None:
        variables[PASSWORD] = f"/proc/self/fd/{password_fd}"
    if key_hint:
        variables["RESTIC_KEY_HINT"] = key_hint
    return variables
