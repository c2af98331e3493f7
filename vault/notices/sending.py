"""One notice handed to a child, which has a deadline: a server that hangs holds nobody up.

Rule 1: every end is a value; the child's own words are not repeated: they may hold the address.
Rule 2: the deadline is for the sending alone; starting the child has its own, longer one.
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from vault.errors import CoffreError, Interrupted
from vault.process import TimedOut, run

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vault.notices.spool import Notice
    from vault.secret import Secret

LONGEST_START_S = 30.0  # a child may take so long to start on a busy host
_GRACE_S = 1.0
_UNKNOWN_ADDRESS = 3


def send(address: Secret, notice: Notice, *, timeout_s: float) -> str:
    """Send a notice; give why it was not taken, empty when it was."""
    told = {
        "address": address.reveal().decode("utf-8", "replace"),
        "subject": notice.subject,
        "body": notice.body,
        "timeout_s": timeout_s,
    }
    return reason(in_child("vault.notices.mail_child", told, timeout_s=timeout_s), timeout_s)


def in_child(module: str, told: object, *, timeout_s: float, words: Sequence[str] = ()) -> int:
    """Run one of our children on what it is told; give its exit code, minus 1 when it hung."""
    try:
        return run(
            [sys.executable, "-I", "-m", module, *words],
            stdin=json.dumps(told).encode(),
            timeout_s=timeout_s + LONGEST_START_S,
            grace_s=_GRACE_S,
        ).returncode
    except Interrupted:
        raise
    except TimedOut:
        return -1
    except (CoffreError, OSError):
        return 1


def reason(ended: int, timeout_s: float) -> str:
    """Say why a child did not do its work; empty when it did."""
    if ended == 0:
        return ""
    if ended == _UNKNOWN_ADDRESS:
        return "its address is not understood"
    if ended < 0:
        return f"no answer came in {timeout_s:g} s"
    return "nobody there took it"
