"""What travels inside the package: policies, hooks, the example; and its way out.

Rule 1: in an installed package it stands under ``vault/shipped``, in a source tree at the top.
Rule 2: copying out never overwrites and never follows a link; what is there belongs to the site.
"""

from __future__ import annotations

import contextlib
import os

import vault
from vault.errors import ConfigError

_PACKAGE = os.path.dirname(os.path.abspath(vault.__file__ or ""))
_COPIED = ("policies", "policies/formats", "hooks")


def shipped(name: str) -> str:
    """Give the path of something that travels with the package: a folder or a file."""
    packed = os.path.join(_PACKAGE, "shipped")
    path = os.path.join(packed if os.path.isdir(packed) else os.path.dirname(_PACKAGE), name)
    if os.path.exists(path):
        return path
    raise ConfigError("the package lacks {name}", hint="install coffre again, whole?", name=name)


def copy_out(folder: str) -> list[str]:
    """Copy policies and hooks beside a vault.yaml; give the paths that were made, sorted.

    A file that is there stays as it is; run twice, the second run makes nothing. Each file gets
    its name only when it is complete and synced.
    """
    made = []
    for name in _COPIED:
        there = os.path.join(folder, name)
        try:
            if not os.path.isdir(there):
                os.mkdir(there)
                os.chmod(there, 0o755)  # noqa: S103, nothing secret stands here; the umask is ours
            if os.path.islink(there):
                raise NotADirectoryError("a symbolic link")
            made += _copy_folder(shipped(name), there)
        except OSError as error:
            raise ConfigError(
                "cannot copy {name} to {there}: {reason}",
                hint="is there room, and may this account write there?",
                name=name,
                there=there,
                reason=error.strerror or error.args[0],
            ) from None
    return sorted(made)


def _copy_folder(source: str, there: str) -> list[str]:
    made = []
    for entry in sorted(os.listdir(source)):
        path = os.path.join(source, entry)
        if entry.startswith((".", "__")) or not os.path.isfile(path):
            continue
        with open(path, "rb") as file:
            mode = 0o755 if os.fstat(file.fileno()).st_mode & 0o100 else 0o644
            if _publish(os.path.join(there, entry), file.read(), mode):
                made.append(os.path.join(there, entry))
    return made


def _publish(path: str, content: bytes, mode: int) -> bool:
    """Write under a temporary name, sync, then link; whether the name was free."""
    if os.path.lexists(path):
        return False
    part = f"{path}.part-{os.getpid()}"
    fd = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        with open(fd, "wb") as file:
            file.write(content)
            file.flush()
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
        os.link(part, path)
    except FileExistsError:
        return False  # somebody was faster; theirs stays
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(part)
    return True
