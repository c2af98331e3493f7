"""When a source is due, by its policy."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vault.policy import (
    Drills,
    Due,
    Level,
    Monthly,
    Nightly,
    Policy,
    Retention,
    Titles,
    Weekly,
    is_due,
)
from vault.results import Disconnection

PARIS = ZoneInfo("Europe/Paris")


def _policy(due: Due) -> Policy:
    return Policy(
        name="p",
        titles=Titles(fr="P", en="P"),
        owner="somebody",
        priority=1,
        due=due,
        pdma_s=1,
        dmia_s=1,
        drills=Drills(l0_s=7, l1_s=30, l4_s=365),
        retention=Retention(),
        copies=1,
        min_disconnection=Disconnection.UNMOUNTED,
        max_medium_age_s=1,
        allow_empty=False,
        max_shrink_percent=30,
        max_refusals=0,
    )


NIGHTLY = _policy(Nightly())
MONDAYS = _policy(Weekly(weekday=0))
MONTHLY = _policy(Monthly(by_day=25))
THE_31ST = _policy(Monthly(by_day=31))


def _at(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=PARIS)


@pytest.mark.parametrize(
    ("policy", "saved", "now", "due"),
    [
        (NIGHTLY, _at(2026, 11, 22, 1), _at(2026, 11, 22, 2), True),
        # 2026-11-23 is a Monday
        (MONDAYS, _at(2026, 11, 16, 1), _at(2026, 11, 22, 23), False),
        (MONDAYS, _at(2026, 11, 16, 1), _at(2026, 11, 23, 1), True),
        (MONDAYS, _at(2026, 11, 16, 1), _at(2026, 11, 26, 1), True),  # Monday was missed
        (MONDAYS, _at(2026, 11, 26, 1), _at(2026, 11, 29, 1), False),  # caught up on Thursday
        (MONDAYS, _at(2026, 11, 23, 1), _at(2026, 11, 23, 2), False),
        (MONTHLY, _at(2026, 11, 1, 1), _at(2026, 11, 2, 1), True),
        (MONTHLY, _at(2026, 11, 24, 1), _at(2026, 11, 25, 1), True),
        (MONTHLY, _at(2026, 11, 25, 1), _at(2026, 11, 26, 1), False),
        (MONTHLY, _at(2026, 10, 25, 1), _at(2026, 11, 28, 1), True),  # the month was missed
        (THE_31ST, _at(2027, 2, 27, 1), _at(2027, 2, 28, 1), True),
        (THE_31ST, _at(2027, 2, 28, 1), _at(2027, 2, 28, 2), True),
    ],
)
def test_a_source_is_due_until_it_is_saved(policy, saved, now, due):
    """What was due and not saved stays due; what was saved waits for its next day."""
    assert is_due(policy, saved, now, PARIS) is due


@pytest.mark.parametrize("policy", [NIGHTLY, MONDAYS, MONTHLY])
def test_what_was_never_saved_is_due(policy):
    """A new source is collected in its first night."""
    assert is_due(policy, None, _at(2026, 11, 28), PARIS)


@pytest.mark.parametrize("policy", [NIGHTLY, MONDAYS, MONTHLY])
def test_fault_70_a_point_from_the_future_makes_a_source_due(policy):
    """A clock that stepped back never postpones a collection."""
    now = _at(2026, 11, 28)
    assert is_due(policy, now + timedelta(days=365), now, PARIS)


def test_the_calendar_is_that_of_the_site():
    """At 23:30 UTC on Sunday it is Monday in Paris."""
    sunday_late = datetime(2026, 11, 22, 23, 30, tzinfo=ZoneInfo("UTC"))
    assert is_due(MONDAYS, _at(2026, 11, 16, 1), sunday_late, PARIS)
    assert not is_due(MONDAYS, _at(2026, 11, 16, 1), sunday_late, ZoneInfo("UTC"))


@given(
    st.sampled_from([MONDAYS, MONTHLY, THE_31ST]),
    st.datetimes(datetime(2025, 1, 1), datetime(2030, 1, 1)),  # noqa: DTZ001
)
def test_nothing_waits_longer_than_its_interval(policy, saved):
    """However the last point fell, the source is due again within its interval and a day."""
    at = saved.replace(tzinfo=PARIS)
    later = at + timedelta(seconds=policy.due.interval_s) + timedelta(days=1)
    assert is_due(policy, at, later, PARIS)


def test_a_level_that_is_not_named_is_not_owed():
    """Intervals are looked up by the level's name."""
    assert [NIGHTLY.drills.every_s(level) for level in Level] == [7, 30, None, None, 365]
