"""Fetch a secret from where the configuration says it is.

Rule 1: the order is a systemd credential of the secret's name, then the file, then the command.
Rule 2: no byte of a secret, and nothing that a command printed, ever enters an error.
Rule 3: the command is run by the caller's runner; how processes are run is not known here.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Sequence

from vault.config.fields import SecretRef
from vault.config.safety import (
    CREDENTIAL,
    EXECUTABLE,
    SECRET,
    Kind,
    check_executable,
    read_safely,
)
from vault.errors import SecretError
from vault.secret import Secret

CREDENTIALS = "CREDENTIALS_DIRECTORY"
_CREDENTIAL_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,100}")
_PROGRAM = Kind(
    noun="program of a secret",
    error=SecretError,
    forbidden=EXECUTABLE.forbidden,
    chmod=EXECUTABLE.chmod,
)

Runner = Callable[[Sequence[str]], bytes]  # runs an argument vector, gives its standard output


def read_secret(ref: SecretRef, *, name: str, folder: str, run: Runner) -> Secret:
    """Read one secret; raises SecretError when it is missing, empty or open to others.

    ``name`` is what the secret is called, and the systemd credential that goes before everything
    else (``landing.password``). Relative paths are relative to ``folder``. One newline at the end
    is not part of the secret.
    """
    value = _from_credential(ref.credential or name, required=ref.credential is not None)
    if value is None and ref.file is not None:
        value = read_safely(os.path.join(folder, ref.file), SECRET)
    if value is None and ref.command is not None:
        value = run(_checked(ref.command, name, folder))
    value = value or b""
    value = value.removesuffix(b"\r\n" if value.endswith(b"\r\n") else b"\n")
    if not value:
        raise SecretError("the secret {name} is empty", hint="write it anew?", name=name)
    return Secret(value)


def _from_credential(name: str, *, required: bool) -> bytes | None:
    """Read a systemd credential; None when this run has none of that name."""
    directory = os.environ.get(CREDENTIALS, "")
    if directory and _CREDENTIAL_NAME.fullmatch(name):
        path = os.path.join(directory, name)
        if os.path.lexists(path):
            return read_safely(path, CREDENTIAL)
    if required:
        raise SecretError(
            "there is no credential {name}",
            hint="run it from its systemd unit, with LoadCredential={name}:...?",
            name=name,
        )
    return None


def _checked(command: Sequence[str], name: str, folder: str) -> list[str]:
    """Find the program of a command and judge it; give the vector with its absolute path."""
    program = command[0]
    path = os.path.join(folder, program) if "/" in program else shutil.which(program)
    try:
        if path is None:
            raise FileNotFoundError(program)
        check_executable(path, _PROGRAM)
    except OSError:
        raise SecretError(
            "the program of the secret {name} cannot be found: {program}",
            hint="write its whole path?",
            name=name,
            program=program,
        ) from None
    return [path, *command[1:]]
