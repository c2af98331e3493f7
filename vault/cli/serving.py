"""``coffre serve``: the daemon that waits for the windows, and what it says meanwhile.

Rule 1: what it and its children say is for the journal: a line each, at once, on standard error
    where a document is wanted.
"""

from __future__ import annotations

import sys

from vault.cli.session import Session
from vault.cli.words import _

_TOLD = {
    "opens": "{window}: opens {at}",
    "nothing-due": "{window}: nothing is due",
    "unknown": "{window}: nobody can say whether a night is due: {reason}",
    "no-time": "restore tests: a window opens too soon",
    "begun": "{job}: coffre {words}",
    "said": "{line}",
    "ended": "{job}: ended with {code}",
    "failed": "{job}: {reason}",
    "jumped": "the clock jumped by {seconds} s",
    "config-refused": "the configuration is refused, the old schedule goes on: {reason}",
}


def serve_command(session: Session) -> int:
    """Wait for the windows until SIGTERM or SIGINT; then end with 0, every door shut."""
    from vault.scheduler import Daemon

    session.wired().require_founded()
    stream = sys.stderr if session.as_json else sys.stdout

    def tell(sentence: str, **values: object) -> None:
        print(_(_TOLD[sentence]).format(**values), file=stream, flush=True)

    Daemon(session.wired, tell).serve()
    return session.emit({"ended": True})
