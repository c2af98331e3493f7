"""The child that mounts a share, pulls from it, and takes the mount with it when it ends.

Rule 1: the private namespace comes first, then the mount, then the pull; all of it in one thread
    of one short process.
Rule 2: standard output carries lines of JSON for the parent and nothing else.
"""

from __future__ import annotations

import base64
import json
import os
import sys
from typing import TYPE_CHECKING, Any

from vault.clock import SystemClock
from vault.errors import CoffreError
from vault.names import printable
from vault.secret import Secret
from vault.sources.folder import FolderSource
from vault.sources.mounting import Mount, isolate, mounted
from vault.sources.reception import Reception

if TYPE_CHECKING:
    from collections.abc import Callable

    from vault.results import Pull

CREDENTIALS = "COFFRE_SHARE_CREDENTIALS"
PLACE = b"share"  # beside data/, where the private namespace has its mounts
MOUNT_TIMEOUT_S = 60.0


class _Teller:
    """Tell the parent, one line a thing."""

    def tell(self, event: str, value: object) -> None:
        sys.stdout.write(json.dumps([event, value]) + "\n")

    def step(self, name: str, detail: str = "") -> None:
        """Say nothing: steps are the parent's to tell."""

    def advance(self, done_bytes: int, total_bytes: int) -> None:
        self.tell("advance", [done_bytes, total_bytes])
        sys.stdout.flush()


def main() -> None:
    """Be the child: mount, collect, unmount, and tell."""
    request, teller = json.load(sys.stdin), _Teller()
    try:
        _tell_pull(_collect(request, teller), teller.tell)
    except CoffreError as error:
        values = {key: _plain(value) for key, value in error.values.items()}
        teller.tell(
            "error",
            {
                "kind": type(error).__name__,
                "template": error.template,
                "hint": error.hint_template,
                "values": values,
            },
        )


def _collect(request: dict[str, Any], teller: _Teller) -> Pull:
    reception, folder = decoded(request["reception"]), decoded(request["folder"])
    clock = SystemClock()
    closes_at_s = clock.boot_s() + request["left_s"]
    os.umask(0o077)
    Reception(reception).prepare()
    place = os.path.join(reception, PLACE)
    os.makedirs(place, mode=0o700, exist_ok=True)
    mount = Mount(
        kind=request["kind"],
        what=request["what"],
        credentials=_credentials(),
        options=tuple(request["options"]),
    )
    isolate()
    with mounted(mount, place, timeout_s=min(MOUNT_TIMEOUT_S, request["left_s"])) as share:
        source = FolderSource(
            request["name"],
            os.path.join(share, folder),
            clock=clock,
            done_file=request["done_file"],
            stable_for_s=request["stable_for_s"],
        )
        return source.collect(Reception(reception), closes_at_s=closes_at_s, progress=teller)


def _tell_pull(pull: Pull, tell: Callable[[str, object], None]) -> None:
    for entry in pull.entries:
        tell("entry", [encoded(entry.path), entry.size_bytes, entry.mtime_ns, entry.sha256])
    for path in pull.deleted:
        tell("deleted", encoded(path))
    for event, refusals in (("refused", pull.refused), ("waiting", pull.waiting)):
        for refusal in refusals:
            tell(event, [encoded(refusal.name), refusal.reason])
    tell("end", {"pulled": pull.pulled, "pulled_bytes": pull.pulled_bytes})


def _credentials() -> Secret | None:
    path = os.environ.get(CREDENTIALS)
    if path is None:
        return None
    with open(path, "rb") as file:
        return Secret(file.read())


def _plain(value: object) -> object:
    return printable(value) if isinstance(value, bytes) else value


def encoded(value: bytes) -> str:
    """Write bytes so that JSON carries them."""
    return base64.b64encode(value).decode("ascii")


def decoded(value: str) -> bytes:
    """Read what ``encoded`` wrote."""
    return base64.b64decode(value, validate=True)


if __name__ == "__main__":
    main()
