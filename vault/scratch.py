"""Where restored data lies while it is tested, and nowhere else: private, and gone afterwards.

Rule 1: each test has a folder of its own, 0700, and wipes it whatever happens.
Rule 2: what a killed test left is cleared at the next start, before anything else is restored.
Rule 3: a server that a killed test left is ended by its process id, when its folder is ours.
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress

_PREFIX = b"drill-"


class Scratch:
    """The scratch space of one vault."""

    def __init__(self, folder: bytes) -> None:
        self.folder = folder

    @contextmanager
    def space(self) -> Iterator[bytes]:
        """Hold a private folder; it is wiped at the end, however that comes."""
        os.makedirs(self.folder, mode=0o700, exist_ok=True)
        path = os.path.join(self.folder, _PREFIX + secrets.token_hex(8).encode())
        try:
            os.mkdir(path, 0o700)
            yield path
        finally:
            wipe(path)

    def clear(self) -> int:
        """Wipe what earlier tests left; give how many. Under the vault's lock only."""
        try:
            left = [name for name in os.listdir(self.folder) if name.startswith(_PREFIX)]
        except FileNotFoundError:
            return 0
        for name in left:
            wipe(os.path.join(self.folder, name))
        return len(left)


def wipe(path: bytes) -> None:
    """End what still runs in a folder, and remove it; what is read-only too."""
    for pid in _inside(path):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    shutil.rmtree(path, onerror=_make_way)
    # A process that was dying may have written once more.
    shutil.rmtree(path, ignore_errors=True)


def _make_way(_act: object, path: str, _error: object) -> None:
    """Remove what a folder without write permission would keep; a restore keeps its modes."""
    with suppress(OSError):
        os.chmod(os.path.dirname(path), 0o700)
        if not os.path.isdir(path) or os.path.islink(path):
            os.unlink(path)
            return
        os.chmod(path, 0o700)
        shutil.rmtree(path, ignore_errors=True)


def _inside(path: bytes) -> list[int]:
    """Give the processes whose working folder is in this one: a server's is its data folder."""
    real = os.path.realpath(path)
    found = []
    for name in os.listdir(b"/proc"):
        if not name.isdigit() or int(name) == os.getpid():
            continue
        with suppress(OSError):
            cwd = os.readlink(b"/proc/" + name + b"/cwd")
            if cwd == real or cwd.startswith(real + b"/"):
                found.append(int(name))
    return found
