"""Run one of our own children on restored data, and read the one JSON line it answers with.

Rule 1: the interpreter is ours and isolated (-I); the file is handed over as standard input.
Rule 2: an answer that cannot be read is a failure of the application, never a pass.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence

from vault.fiche import Applied
from vault.policy import Level
from vault.process import run
from vault.proof import Check, DrillVerdict, Outcome
from vault.results import ManifestEntry

_HEAD_BYTES = 4096


def ask(child: str, file: bytes, words: Sequence[str], *, timeout_s: float) -> Mapping[str, object]:
    """Run a child of this folder on a file; give its answer, empty when there was none."""
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), child)
    fd = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        finished = run([sys.executable, "-I", path, *words], stdin=fd, timeout_s=timeout_s)
    finally:
        os.close(fd)
    try:
        answer = json.loads(finished.stdout)
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}


def head_of(file: bytes) -> bytes:
    """Give the first bytes of a restored file; empty when it cannot be read."""
    try:
        fd = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return b""
    try:
        return os.read(fd, _HEAD_BYTES)
    except OSError:
        return b""
    finally:
        os.close(fd)


def path_of(restored: bytes, entry: ManifestEntry) -> bytes:
    """Give where a restored file lies."""
    return os.path.join(restored, b"data", entry.path)


def applied(
    name: str,
    outcome: Outcome,
    *,
    template: str,
    read: tuple[str, ...] = (),
    **values: float | str,
) -> Applied:
    """Give a check of level 3, with the files that it proves."""
    failed = outcome is Outcome.FAILED
    check = Check(
        level=Level.L3,
        name=name,
        outcome=outcome,
        template=template,
        values=values,
        verdict=DrillVerdict.FAILED if failed else None,
    )
    return Applied(check=check, read=read if outcome is Outcome.PASSED else ())
