"""What people must keep doing, and what is said when they stop."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from vault.config import load_shipped_policies
from vault.gap import Severity
from vault.policy import Retention
from vault.practice import (
    EXERCISES,
    YEAR_S,
    OpeningFacts,
    PracticeFacts,
    Review,
    find_practice_gaps,
)

FOUNDED = datetime(2025, 1, 1, tzinfo=UTC)
NOW = datetime(2026, 6, 1, tzinfo=UTC)
POLICY = load_shipped_policies()["pmsi"]
KEPT = PracticeFacts(
    founded_at=FOUNDED,
    exercised=dict.fromkeys(EXERCISES, NOW - timedelta(days=10)),
    exercise_every_s=YEAR_S,
    policies={"pmsi": "a"},
    review=Review(at=NOW - timedelta(days=9), by="RSSI", policies={"pmsi": "a"}),
    dwell_days=90,
    retained={"pmsi": POLICY},
    homes={"disk-a": "safe", "disk-b": "town hall"},
)


def kinds(**changed) -> list[str]:
    return [gap.kind for gap in find_practice_gaps(replace(KEPT, **changed), NOW)]


def test_a_vault_that_is_looked_after_has_none_of_these_gaps():
    """The near miss of every rule at once."""
    assert kinds() == []


@pytest.mark.parametrize("name", EXERCISES)
def test_an_exercise_is_overdue_a_second_after_its_year(name):
    """Not a second before; what was never done counts from the founding."""
    just = NOW - timedelta(seconds=YEAR_S)
    assert kinds(exercised={**KEPT.exercised, name: just}) == []
    late = just - timedelta(seconds=1)
    assert kinds(exercised={**KEPT.exercised, name: late}) == [f"{name}-not-exercised"]
    assert kinds(exercised={**KEPT.exercised, name: None}) == [f"{name}-not-exercised"]
    assert kinds(exercised={**KEPT.exercised, name: None}, founded_at=NOW) == []


def test_a_policy_that_changed_is_told_by_its_name():
    """Changed, gone and new alike."""
    assert kinds(policies={"pmsi": "b"}) == ["policy-changed"]
    assert kinds(policies={}) == ["policy-changed"]
    (gap,) = find_practice_gaps(replace(KEPT, policies={"pmsi": "a", "hr": "x"}), NOW)
    assert gap.values == {"names": "hr"}
    assert kinds(review=None) == ["policies-unreviewed"]


def test_points_kept_for_less_than_an_intruder_stays_are_a_gap():
    """The bound itself is enough."""
    at_bound = replace(POLICY, retention=Retention(nightly_days=90))
    below = replace(POLICY, retention=Retention(nightly_days=89))
    assert kinds(retained={"pmsi": at_bound}) == []
    assert kinds(retained={"pmsi": below}) == ["retention-short"]


def test_all_media_in_one_place_are_a_gap_and_an_unsaid_home_is_asked_for():
    """One medium alone is in one place and is no gap of this kind."""
    assert kinds(homes={"disk-a": "safe", "disk-b": "safe"}) == ["media-in-one-place"]
    assert kinds(homes={"disk-a": "safe"}) == []
    (gap,) = find_practice_gaps(replace(KEPT, homes={"disk-a": "safe", "disk-b": None}), NOW)
    assert (gap.kind, gap.severity) == ("medium-home-unsaid", Severity.INFO)


def test_an_opening_over_its_bound_is_told_with_both_figures():
    """At the bound it is not."""
    at = NOW - timedelta(days=1)
    good = OpeningFacts(target="disk-a", longest_s=600, bound_s=600, at=at)
    assert kinds(openings=(good,)) == []
    assert kinds(openings=(replace(good, longest_s=601),)) == ["exposure-over-bound"]


def test_every_gap_can_be_told():
    """Its sentence and its mend take their values."""
    worst = replace(
        KEPT,
        exercised={},
        review=None,
        retained={"pmsi": replace(POLICY, retention=Retention(nightly_days=1))},
        homes={"a": "safe", "b": "safe"},
        openings=(OpeningFacts(target="a", longest_s=9e9, bound_s=1, at=NOW),),
    )
    found = find_practice_gaps(worst, NOW)
    assert len(found) == 7
    for gap in found:
        values = {"source": gap.source, "target": gap.target, **gap.values}
        assert "{" not in gap.template.format(**values)
        assert gap.mend.format(**values)
