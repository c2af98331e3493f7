"""What a clock that was ahead has dated, once a person said that the clock is right."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from tests.rigs.small_world import Clock
from vault.holding import SEEN_FACT
from vault.ledger import Ledger
from vault.timekeeping import confirm_clock, true_instant

NOW = datetime(2026, 3, 1, 1, tzinfo=UTC)
AHEAD = NOW + timedelta(days=30)


def test_a_point_dated_ahead_ages_from_the_word_that_the_clock_is_right(
    catalogue, disk, tmp_path
) -> None:
    """It hides no missed objective for as long as the clock leapt; later points are as they say."""
    clock = Clock(at=AHEAD)
    ledger = Ledger(str(tmp_path / "ledger.jsonl"), clock)
    before = catalogue.begin_cycle(AHEAD, forced=False)
    ledger.append("cycle-begun")
    catalogue.set_fact(SEEN_FACT + disk.name, AHEAD.isoformat())
    assert true_instant(catalogue)(before, AHEAD) == AHEAD
    confirm_clock(catalogue, ledger, replace(clock, at=NOW), by="a", login="", reason="b")
    after = catalogue.begin_cycle(NOW, forced=False)
    anew = true_instant(catalogue)
    assert anew(before, AHEAD) == NOW
    assert anew(before, NOW - timedelta(days=1)) == NOW - timedelta(days=1)
    assert anew(after, AHEAD) == AHEAD
    assert catalogue.fact(SEEN_FACT + disk.name) == NOW.isoformat()
