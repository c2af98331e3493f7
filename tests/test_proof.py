"""What a restore test may claim: levels, random choice, bound, due dates."""

from __future__ import annotations

import dataclasses
import hashlib
from datetime import UTC, datetime, timedelta

import pytest

from vault.config import load_shipped_policies
from vault.errors import ExitCode, UsageError
from vault.fiche import People
from vault.policy import Drills, Level
from vault.proof import (
    Check,
    DrillVerdict,
    Outcome,
    bound,
    choose,
    fit,
    judge,
    level_reached,
    nights_to_prove,
    oldest_proof_first,
    owed_levels,
    sample,
)
from vault.results import ManifestEntry

T0 = datetime(2026, 11, 1, tzinfo=UTC)


def check(level: str, outcome: str, verdict: DrillVerdict | None = None) -> Check:
    return Check(
        level=Level(level), name="c", outcome=Outcome(outcome), template="t", verdict=verdict
    )


def entries(count: int, size: int = 10) -> list[ManifestEntry]:
    return [
        ManifestEntry(
            path=b"f%03d" % n,
            size_bytes=size,
            mtime_ns=0,
            sha256=hashlib.sha256(b"%d" % n).hexdigest(),
        )
        for n in range(count)
    ]


@pytest.mark.parametrize(
    ("checks", "asked", "reached", "verdict"),
    [
        ([("L0", "passed"), ("L1", "passed")], "L1", "L1", "sound"),
        ([("L0", "passed"), ("L1", "warned")], "L1", "L1", "sound"),
        ([("L0", "passed"), ("L1", "passed"), ("L2", "skipped")], "L2", "L1", "incomplete"),
        # A pass above a hole claims nothing.
        ([("L0", "passed"), ("L1", "passed"), ("L2", "skipped"), ("L3", "passed")], "L3", "L1",
         "incomplete"),
        ([("L0", "failed"), ("L1", "passed")], "L1", None, "failed"),
        ([("L0", "passed"), ("L1", "passed"), ("L1", "failed")], "L1", "L0", "failed"),
        ([("L0", "passed"), ("L1", "passed"), ("L2", "passed")], "L1", "L1", "sound"),
        ([], "L0", None, "incomplete"),
    ],
)  # fmt: skip
def test_no_test_claims_more_than_the_level_it_reached(checks, asked, reached, verdict):
    """Invariant 9: every level up to it passed; what was skipped is no pass."""
    made = [check(level, outcome) for level, outcome in checks]
    assert level_reached(made, Level(asked)) == (Level(reached) if reached else None)
    assert judge(made, Level(asked)) == verdict


def test_the_worst_failure_names_the_verdict():
    """Corrupt before no evidence before failed; each with its exit code."""
    corrupt = check("L1", "failed", DrillVerdict.CORRUPT)
    unproven = check("L1", "failed", DrillVerdict.NO_EVIDENCE)
    plain = check("L2", "failed")
    assert judge([plain, unproven, corrupt], Level.L2) is DrillVerdict.CORRUPT
    assert judge([plain, unproven], Level.L2) is DrillVerdict.NO_EVIDENCE
    assert judge([plain], Level.L2) is DrillVerdict.FAILED
    assert DrillVerdict.CORRUPT.exit_code is ExitCode.CORRUPT
    codes = {verdict: int(verdict.exit_code) for verdict in DrillVerdict}
    assert [name for name, code in codes.items() if code == 0] == ["sound"]


def test_a_seed_chooses_the_same_again_and_another_seed_does_not():
    """Points and files; whoever has SHA-256 can do it without us."""
    listed = entries(200)
    assert sample(listed, 20, "a") == sample(listed, 20, "a")
    assert sample(listed, 20, "a") != sample(listed, 20, "b")
    by_hand = sorted(listed, key=lambda e: hashlib.sha256(b"a\0" + e.path).digest())[:20]
    assert sample(listed, 20, "a") == sorted(by_hand, key=lambda e: e.path)
    points = list(range(90))
    assert choose(points, "a", "point") == choose(points, "a", "point")
    assert len({choose(points, str(n), "point") for n in range(200)}) > 60  # not always the newest
    assert sample(listed, 999, "a") == listed


def test_the_bound_is_three_by_n_for_a_random_sample_and_nothing_for_a_chosen_one():
    """0 only when every file was compared."""
    assert bound(tested=100, of=1000, is_random=True) == pytest.approx(0.03)
    assert bound(tested=2, of=1000, is_random=True) == 1.0
    assert bound(tested=1000, of=1000, is_random=False) == 0.0
    assert bound(tested=100, of=1000, is_random=False) is None
    assert bound(tested=0, of=1000, is_random=True) is None
    assert bound(tested=0, of=0, is_random=True) is None


def test_the_oldest_proof_comes_first_and_what_was_never_proven_before_it():
    """And what fits is taken, one file at least."""
    a, b, c = entries(3)
    proven = {a.sha256: T0, b.sha256: T0 - timedelta(days=9)}
    assert oldest_proof_first([a, b, c], proven, "s") == [c, b, a]
    assert fit([c, b, a], 25) == [b, c]
    assert fit([c, b, a], 1) == [c]


def policy_with(**every):
    policy = load_shipped_policies()["pmsi"]
    return dataclasses.replace(policy, drills=Drills(**every))


def test_a_level_is_owed_since_its_last_proof_or_since_the_first_point():
    """A test that reached L2 reached L1 too; a level without a cadence is never owed."""
    policy = policy_with(l0_s=86_400, l1_s=10 * 86_400, l2_s=None, l3_s=86_400)
    reached = {Level.L2: T0 + timedelta(days=5)}
    owed = {one.level: one for one in owed_levels("s", policy, reached, T0)}
    assert set(owed) == {Level.L0, Level.L1, Level.L3}
    assert owed[Level.L1].due_at == T0 + timedelta(days=15)
    assert owed[Level.L0].due_at == T0 + timedelta(days=6)
    assert owed[Level.L3].due_at == T0 + timedelta(days=1)
    assert owed[Level.L3].last_at is None


def test_the_days_until_all_is_proven_are_counted_from_the_measured_speed():
    """Rounded up; nothing waiting is no night."""
    assert nights_to_prove(0, bytes_per_second=1, seconds_each=1) == 0
    assert nights_to_prove(1001, bytes_per_second=10, seconds_each=50) == 3
    assert nights_to_prove(1, bytes_per_second=0.0, seconds_each=0.0) == 1


@pytest.mark.parametrize("validator", ["Ada Lovelace", " ada  LOVELACE "])
def test_who_operates_cannot_validate(validator):
    """However the name is typed; a validator without an operator is no pair either."""
    with pytest.raises(UsageError):
        People(by="Ada Lovelace", validated_by=validator).require_apart()
    with pytest.raises(UsageError):
        People(validated_by=validator).require_apart()
    People(by="Grace Hopper", validated_by=validator).require_apart()
