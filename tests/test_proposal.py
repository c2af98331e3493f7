"""When a proposed removal may be carried out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from vault.errors import RetentionRefused
from vault.proposal import LAPSES, Proposal, require_held, require_not_kept

NOW = datetime(2026, 3, 2, 8, tzinfo=UTC)
DAY = timedelta(days=1)
PROPOSAL = Proposal(
    id="a", target="disk-a", by="Ana", login="", reason="room", at=NOW, kept=(5,), let_go=(1, 2),
    newest=5, files=3, bytes=9, sha256="",
)  # fmt: skip


def hold(after: timedelta, *, passed: timedelta) -> None:
    passed_s = passed.total_seconds()
    require_held(PROPOSAL, hold_s=2 * 86_400, now=NOW + after, passed_s=passed_s)


@pytest.mark.parametrize(
    ("after", "may"),
    [
        pytest.param(DAY, False, id="in-its-hold"),
        pytest.param(2 * DAY, True, id="after-its-hold"),
        pytest.param(2 * DAY + LAPSES, True, id="on-its-last-day"),
        pytest.param(3 * DAY + LAPSES, False, id="lapsed"),
    ],
)
def test_a_proposal_waits_for_its_hold_and_lapses(after: timedelta, may: bool) -> None:
    """Neither in haste nor when everybody has forgotten it."""
    if may:
        hold(after, passed=after)
        return
    with pytest.raises(RetentionRefused):
        hold(after, passed=after)


def test_a_date_set_ahead_does_not_end_a_hold() -> None:
    """What counts is what passed for certain; the message says until when, and what helps."""
    with pytest.raises(RetentionRefused, match="waits until 2026-03-06T07:00") as caught:
        hold(3 * DAY, passed=timedelta(hours=25))
    assert "clock confirm" in str(caught.value.hint)


def test_what_is_kept_by_now_does_not_go() -> None:
    """One night of those that were to go is enough to refuse all."""
    require_not_kept(PROPOSAL, [3, 5])
    with pytest.raises(RetentionRefused, match="night 2"):
        require_not_kept(PROPOSAL, [2, 5])
