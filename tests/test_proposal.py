"""When a proposed removal may be carried out."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from vault.errors import RetentionRefused
from vault.proposal import LAPSES, Proposal, body_of, open_proposals, require_held, require_not_kept

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


def test_a_day_after_its_lapse_is_not_told_as_one_to_wait_for() -> None:
    """A host that is off most of the time would wait for longer than a proposal stands."""
    with pytest.raises(RetentionRefused, match="waits until") as caught:
        hold(2 * DAY + LAPSES, passed=timedelta(hours=1))
    assert "lapses before that" in str(caught.value.hint)
    with pytest.raises(RetentionRefused, match="lapsed 30 days"):
        hold(3 * DAY + LAPSES, passed=timedelta(hours=1))


def entry(kind: str, **body: object) -> tuple[str, datetime, dict[str, object]]:
    return kind, NOW, {"id": "a", "target": "disk-a", **body}


def test_a_proposal_whose_removal_began_is_told_as_such_until_it_ends() -> None:
    """Killed with a few files gone it stands as before; nobody may say that none went."""
    proposed = ("removal-proposed", NOW, body_of(PROPOSAL))
    begun = entry("removal-begun")
    assert open_proposals([proposed]) == {"disk-a": PROPOSAL}
    assert open_proposals([proposed, begun]) == {"disk-a": replace(PROPOSAL, has_begun=True)}
    assert open_proposals([proposed, entry("removal-begun", id="b")]) == {"disk-a": PROPOSAL}
    for kind in ("removal-ended", "removal-withdrawn"):
        assert open_proposals([proposed, begun, entry(kind)]) == {}


def test_what_is_kept_by_now_does_not_go() -> None:
    """One night of those that were to go is enough to refuse all."""
    require_not_kept(PROPOSAL, [3, 5])
    with pytest.raises(RetentionRefused, match="night 2"):
        require_not_kept(PROPOSAL, [2, 5])
