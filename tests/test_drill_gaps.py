"""Gaps of restore tests: overdue by level, failed, too slow; each with since when and whose."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta

from vault.config import load_shipped_policies
from vault.gap import Severity
from vault.policy import Drills, Level
from vault.proof import DrillFacts, owed_levels
from vault.source_gaps import SourceFacts
from vault.vault_gaps import VaultFacts, find_gaps

NOW = datetime(2026, 11, 25, tzinfo=UTC)
DAY_S = 86_400
POLICY = dataclasses.replace(
    load_shipped_policies()["pmsi"], drills=Drills(l0_s=None, l1_s=30 * DAY_S, l4_s=365 * DAY_S)
)


def gaps_of(drills: DrillFacts) -> dict[str, object]:
    source = SourceFacts(name="pmsi", policy=POLICY, held=(), first_seen=NOW, drills=drills)
    facts = VaultFacts(
        founded_at=NOW, keys_confirmed=True, production_door="link", sources=(source,),
        targets=(), last_cycle_at=NOW, last_verdict=None,
    )  # fmt: skip
    kinds = ("drill-overdue", "drill-failed", "restore-too-slow")
    return {gap.kind: gap for gap in find_gaps(facts, NOW) if gap.kind in kinds}


def test_a_test_that_is_overdue_is_a_gap_from_the_day_it_was_owed():
    """One for each level that the policy asks for; a newer proof of a higher level closes it."""
    since = NOW - timedelta(days=100)
    owed = tuple(owed_levels("pmsi", POLICY, {}, since))
    gap = gaps_of(DrillFacts(owed=owed))["drill-overdue"]
    assert (gap.severity, gap.since) == (Severity.WARNING, since + timedelta(days=30))
    assert (gap.values, gap.owner) == ({"level": "L1"}, POLICY.owner)
    assert "coffre drill run" in gap.mend
    fresh = {Level.L2: NOW - timedelta(days=1)}
    assert gaps_of(DrillFacts(owed=tuple(owed_levels("pmsi", POLICY, fresh, since)))) == {}


def test_a_test_that_failed_is_critical_until_one_passes():
    """It names the test and who answers for the data."""
    facts = DrillFacts(bad_verdict="corrupt", bad_at=NOW, bad_drill=7)
    gap = gaps_of(facts)["drill-failed"]
    assert (gap.severity, gap.since) == (Severity.CRITICAL, NOW)
    assert gap.owner == POLICY.owner
    assert "coffre drill show {drill}" in gap.mend
    assert gap.values["drill"] == 7
    assert gaps_of(DrillFacts()) == {}


def test_a_restore_slower_than_its_objective_is_a_gap():
    """With both figures."""
    facts = DrillFacts(slow_s=POLICY.dmia_s + 1, slow_at=NOW)
    gap = gaps_of(facts)["restore-too-slow"]
    assert gap.values["seconds"] == POLICY.dmia_s + 1
    assert gap.values["dmia_s"] == POLICY.dmia_s
