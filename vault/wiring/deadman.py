"""The signed "expected next" of this vault: written with the public status, for the publish hook.

Rule 1: what is missing is as of now; until when is counted from the last night, whenever written.
Rule 2: the next night is expected before the end of the next window of any target, and an hour;
    without windows, before two days and two hours have passed, as ``gaps`` has it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from vault.ledger.checkpoint import Checkpoint
from vault.ledger.expected import Expected
from vault.ledger.notes import to_base64
from vault.vault_gaps import SILENCE_S
from vault.window import next_opening

if TYPE_CHECKING:
    from vault.config import Settings
    from vault.wiring.wired import Wired

NAME = "expected-next"
_MARGIN = timedelta(hours=1)


def publish_expected(wired: Wired, status: Mapping[str, Any]) -> None:
    """Sign and write it, where the state group reads it; nothing before the first night."""
    last = wired.catalogue.last_cycle()
    if last is None:
        return
    loud = [gap["severity"] for gap in status["gaps"] if not gap["acknowledged"]]
    newest = wired.checkpoints.newest()
    head = Checkpoint.peek(newest) if newest else None
    expected = Expected(
        vault=wired.key.public.name,
        site=wired.settings.site.finess,
        cycle=last.cycle,
        verdict=str(last.verdict),
        status=str(status["status"]),
        critical=loud.count("critical"),
        warning=loud.count("warning"),
        ended_at=last.ended_at,
        next_before=expected_before(wired.settings, last.ended_at),
        ledger=f"{head.size} {to_base64(head.root)}" if head else "0 -",
    )
    note = wired.key.sign(expected.to_text())
    wired.state.publish_text(NAME, note.decode())


def expected_before(settings: Settings, after: datetime) -> datetime:
    """Give the instant before which another night must have ended."""
    names = [name for name, target in settings.targets.items() if target.window]
    windows = {window.name: window for name in names if (window := settings.window_of(name))}
    ends = [
        next_opening(window, after, settings.time_zone) + timedelta(seconds=window.for_s)
        for window in windows.values()
    ]
    return min(ends) + _MARGIN if ends else after + timedelta(seconds=SILENCE_S)
