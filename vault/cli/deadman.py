"""``coffre deadman``: the check of a monitoring host, and the same as a file of its own."""

from __future__ import annotations

import contextlib
import io
import os
from typing import TYPE_CHECKING

from vault.cli.reporting import write_new

if TYPE_CHECKING:
    from vault.cli.session import Session


def check_command(session: Session, file: str, *, key: str, grace: int) -> int:
    """Judge a signed note as the stand-alone checker does; give its Nagios code."""
    from vault.ledger import check_expected

    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        words = [file, "--key", key, "--grace", str(grace)]
        code = int(check_expected.main(words))  # type: ignore[no-untyped-call]
    session.say(said.getvalue().rstrip("\n"))
    return session.emit({"says": said.getvalue().rstrip("\n")}, code)


def checker_command(session: Session, to: str) -> int:
    """Write the stand-alone checker."""
    from vault.ledger import expected

    path = os.path.join(os.path.dirname(expected.__file__), "check_expected.py")
    with open(path, "rb") as source:
        write_new(to, source.read())
    session.say(to)
    return session.emit({"file": to})
