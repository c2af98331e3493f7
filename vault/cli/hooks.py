"""The site's hooks at the end of an act, and what a person and a machine read of them.

Rule 1: the hooks that come last are fired when everything is written, the doors' state first.
Rule 2: people and monitoring are told after the hooks, whatever became of those.
Rule 3: a hook that did not do its work is a line to look at, and changes no exit code.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from vault.cli.notifying import tell_look, tell_night, warned, write_metrics
from vault.cli.reporting import publish_reports
from vault.cli.session import Session
from vault.cli.shown import wrapped
from vault.cli.standing import publish, read_public
from vault.cli.words import _, retell
from vault.errors import Interrupted
from vault.results import HookResult

if TYPE_CHECKING:
    from vault.wiring.wired import Wired


def publish_all(wired: Wired, night: Mapping[str, object] | None = None) -> None:
    """Publish status and pages, then fire the hooks that come last.

    ``night`` is the document of a night that ended, for ``after-cycle``.
    """
    from vault.wiring.moments import tell_gaps, tell_pages

    publish(wired)
    is_written = publish_reports(wired)
    # Everything is written, so that not even a signal changes what the act came to; and nobody goes
    # untold because something before could not be done.
    with suppress(Interrupted):
        with warned("last"):
            told = len(wired.moments.fired)
            if night is not None:
                wired.moments.fire("after-cycle", **night)
            tell_gaps(wired, read_public(wired.settings.state)["gaps"])
            if is_written:
                tell_pages(wired)
            if any(result.outcome.is_told for result in wired.moments.fired[told:]):
                publish(wired)  # signs what they added to the ledger
        with warned("last"):
            status = read_public(wired.settings.state)
            if night is not None:
                tell_night(wired, night, status)
            else:
                tell_look(wired, status)
            write_metrics(wired, status)


def hook_members(results: Sequence[HookResult]) -> list[dict[str, Any]]:
    """Give hooks as members of a document, in the order of their moments."""
    return [
        {
            "moment": result.moment,
            "outcome": str(result.outcome),
            "detail": result.detail,
            "duration_s": round(result.duration_s, 3),
        }
        for result in results
    ]


def hook_lines(results: Sequence[HookResult]) -> list[str]:
    """Give a line for each hook that did not do its work."""
    line = _("the hook {moment}: {reason}")
    return [
        line.format(moment=result.moment, reason=retell(result.detail))
        for result in results
        if result.outcome.is_trouble
    ]


def tell_hooks(session: Session, wired: Wired) -> None:
    """Say which hooks did not do their work."""
    for line in hook_lines(wired.moments.fired):
        session.say(wrapped(f"  ! {line}", indent=4))
