"""How long a carry will take: from what was measured, and nothing guessed."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vault.forecast import foretell

AT = datetime(2026, 6, 2, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("size_bytes", "takes_s", "nights"),
    [(0, 0, 1), (100, 10, 1), (36_000, 3600, 1), (36_001, 3600.1, 2), (108_001, 10_800.1, 3)],
)
def test_a_carry_takes_as_many_nights_as_its_bytes_need(size_bytes, takes_s, nights):
    """Ten bytes a second, an hour left of tonight, windows of two hours."""
    said = foretell("a", size_bytes, closes_at=AT, left_s=3600, window_s=7200, bytes_per_s=10.0)
    assert (said.takes_s, said.nights, said.closes_at) == (takes_s, nights, AT)


@pytest.mark.parametrize("speed", [None, 0.0, -1.0])
def test_what_was_never_measured_is_not_guessed(speed):
    """Neither a time nor nights."""
    said = foretell("a", 10**12, closes_at=AT, left_s=60, window_s=60, bytes_per_s=speed)
    assert (said.takes_s, said.nights) == (None, None)


@given(st.integers(0, 10**13), st.floats(-10, 1e5), st.floats(60, 86_400), st.floats(1, 1e9))
def test_the_nights_told_suffice_and_one_less_would_not(size_bytes, left_s, window_s, speed):
    """What is left of tonight, and whole windows after it."""
    said = foretell(
        "a", size_bytes, closes_at=AT, left_s=left_s, window_s=window_s, bytes_per_s=speed
    )
    room_s = max(left_s, 0.0) + (said.nights - 1) * window_s
    assert size_bytes / speed <= room_s * (1 + 1e-9) + 1e-6
    assert said.nights == 1 or size_bytes / speed > room_s - window_s - 1e-6 * room_s
