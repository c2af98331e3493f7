"""What the ledger says of time, as retention takes it: a day's cap, and whose word counts."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from vault.elapsed import Tick
from vault.wiring.retention import Dates, vouches

BEGUN = datetime(2026, 3, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


def dates(after: Tick) -> Dates:
    """Two points of HR went at entry 0; this is now."""
    first = Tick(n=0, at=BEGUN, boot="a", mono=1000.0)
    gone = [(0, ["hr", "hr"])]
    return Dates(nights={}, ticks=[first], now=after, proposed={}, forgotten=gone)


@pytest.mark.parametrize(
    ("boot", "ran_h", "wall_h", "gone"),
    [
        pytest.param("a", 19, 19, 2, id="the-same-day"),
        pytest.param("a", 21, 21, 0, id="the-next-day"),
        pytest.param("a", 0, 400, 2, id="the-date-was-set-ahead"),
        pytest.param("b", 0.1, 21, 2, id="a-reboot-with-the-date-ahead"),
        pytest.param("b", 11, 400, 0, id="a-host-that-ran-half-a-day-since"),
    ],
)
def test_a_day_s_cap_is_counted_by_the_boot_clock(boot, ran_h, wall_h, gone):
    """Time off counts for half a day at most: a reboot gives no second cap."""
    mono = ran_h * 3600.0 + (1000.0 if boot == "a" else 0.0)
    now = Tick(n=1, at=BEGUN + wall_h * HOUR, boot=boot, mono=mono)
    assert dates(now).gone_today() == Counter({"hr": gone} if gone else {})


@pytest.mark.parametrize(("hours", "counts"), [(0, True), (23, True), (-23, True), (93, False)])
def test_a_cosigner_s_clock_vouches_for_no_more_than_a_clock_may_be_ahead(hours, counts):
    """A day: what was set ahead by two would be settled by a clock that disagrees."""
    body = {"at": (BEGUN + hours * HOUR).isoformat()}
    assert vouches("head-cosigned", body, BEGUN) is counts
    assert vouches("clock-confirmed", {}, BEGUN)
    assert not vouches("cycle-begun", body, BEGUN)
