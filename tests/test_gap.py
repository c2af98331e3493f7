"""What is missing is judged from what targets hold; each gap by its own facts."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from vault.config import load_shipped_policies
from vault.gap import Gap, Severity, nagios_code
from vault.results import CycleVerdict, Disconnection
from vault.source_gaps import HeldPoint, SourceFacts
from vault.vault_gaps import CosignerFacts, TargetFacts, VaultFacts, find_gaps

NOW = datetime(2026, 3, 2, 8, tzinfo=UTC)
LAST_NIGHT = datetime(2026, 3, 2, 1, tzinfo=UTC)
POLICY = replace(load_shipped_policies()["hr"], copies=1, pdma_s=86_400)
POINT = HeldPoint(target="a", point_at=LAST_NIGHT, disconnection=Disconnection.DETACHED)
SOURCE = SourceFacts(
    name="hr", policy=POLICY, held=(POINT,), first_seen=LAST_NIGHT, last_verdict="saved"
)
TARGET = TargetFacts(
    name="a",
    enrolled_at=LAST_NIGHT,
    last_met=LAST_NIGHT,
    disconnection=Disconnection.DETACHED,
    unproven_since=None,
    max_unseen_s=35 * 86_400,
    last_outcome="admitted",
)
SOUND = VaultFacts(
    founded_at=LAST_NIGHT,
    keys_confirmed=True,
    production_door="link",
    sources=(SOURCE,),
    targets=(TARGET,),
    last_cycle_at=LAST_NIGHT,
    last_verdict=CycleVerdict.SOUND,
    bracketed_within_s=90 * 86_400,
)


def kinds(facts: VaultFacts, now: datetime = NOW) -> dict[str, Gap]:
    return {gap.kind: gap for gap in find_gaps(facts, now)}


def of_source(**changed: object) -> dict[str, Gap]:
    return kinds(replace(SOUND, sources=(replace(SOURCE, **changed),)))


def of_target(**changed: object) -> dict[str, Gap]:
    return kinds(replace(SOUND, targets=(replace(TARGET, **changed),)))


def test_a_vault_that_lacks_nothing_has_no_gap() -> None:
    """And a monitoring host reads 0."""
    assert find_gaps(SOUND, NOW) == ()
    assert nagios_code(()) == 0


@pytest.mark.parametrize(
    ("changed", "kind", "severity"),
    [
        ({"keys_confirmed": False}, "keys-unconfirmed", Severity.CRITICAL),
        ({"production_door": "none"}, "production-door-none", Severity.WARNING),
        ({"secured_since": NOW}, "secured", Severity.CRITICAL),
        ({"degraded_since": NOW}, "door-unproven", Severity.CRITICAL),
        ({"last_cycle_at": NOW - timedelta(hours=51)}, "no-night", Severity.CRITICAL),
    ],
)
def test_a_gap_of_the_vault(changed: dict[str, object], kind: str, severity: Severity) -> None:
    """One fact, one gap."""
    found = kinds(replace(SOUND, **changed))
    assert found[kind].severity is severity
    assert len(found) == 1


@pytest.mark.parametrize("verdict", ["missing", "empty", "failed", "refused", "partial"])
def test_a_source_that_was_not_saved_whole_is_a_gap(verdict: str) -> None:
    """A refusal is the worst of them: it may be an attack in progress."""
    kept = {"refused_since": LAST_NIGHT} if verdict == "refused" else {}
    found = of_source(last_verdict=verdict, **kept)
    severity = Severity.CRITICAL if verdict == "refused" else Severity.WARNING
    assert found[f"source-{verdict}"].severity is severity


def test_a_refusal_is_told_while_what_was_refused_is_kept_as_such() -> None:
    """A night that took another export and then died has ended it, whatever the one before said."""
    assert "source-refused" not in of_source(last_verdict="refused")


@pytest.mark.parametrize("outcome", ["impostor", "full", "refused", "corrupt", "failed"])
def test_a_target_that_took_nothing_is_a_gap(outcome: str) -> None:
    """What the screen said in the night is still said in the morning."""
    assert of_target(last_outcome=outcome)[f"target-{outcome}"].severity is Severity.CRITICAL


def test_the_objective_is_judged_by_the_newest_point_held() -> None:
    """A point a little younger than the objective is none; a little older is."""
    young = replace(POINT, point_at=NOW - timedelta(seconds=POLICY.pdma_s - 60))
    old = replace(POINT, point_at=NOW - timedelta(seconds=POLICY.pdma_s + 60))
    assert "objective-missed" not in of_source(held=(young,))
    assert "objective-missed" in of_source(held=(old,))
    assert "objective-missed" not in of_source(held=(old, young))


def test_what_no_target_holds_was_never_offline() -> None:
    """Whatever the night said of it."""
    assert set(of_source(held=())) == {"never-offline"}


def test_a_copy_that_is_not_disconnected_enough_is_no_copy() -> None:
    """A folder beside the landing does not count as one of the copies promised."""
    folder = replace(POINT, target="b", disconnection=Disconnection.NONE)
    wants_two = replace(POLICY, copies=2)
    assert "too-few-copies" in of_source(policy=wants_two, held=(POINT, folder))
    second = replace(POINT, target="b")
    assert "too-few-copies" not in of_source(policy=wants_two, held=(POINT, second))
    assert "disconnection-too-weak" in of_source(held=(folder,))


def test_unmounted_is_lawful_and_not_offline() -> None:
    """The standing warning of the default."""
    unmounted = replace(POINT, disconnection=Disconnection.UNMOUNTED)
    assert of_source(held=(unmounted,))["not-offline"].severity is Severity.WARNING


def test_gaps_of_a_medium() -> None:
    """Never enrolled, not seen for too long, an opening that was not proven shut."""
    assert set(of_target(enrolled_at=None)) == {"target-not-enrolled"}
    assert "media-unseen" in of_target(last_met=NOW - timedelta(days=36))
    assert "media-unseen" not in of_target(last_met=NOW - timedelta(days=34))
    assert "exposure-unproven" in of_target(unproven_since=NOW)


def test_the_worst_gap_comes_first_and_decides_the_code() -> None:
    """As a monitoring host reads it."""
    found = find_gaps(replace(SOUND, production_door="none", keys_confirmed=False), NOW)
    assert [gap.severity for gap in found] == [Severity.CRITICAL, Severity.WARNING]
    assert nagios_code({gap.severity for gap in found}) == 2
    assert nagios_code({gap.severity for gap in found[1:]}) == 1


def test_a_person_who_has_not_cosigned_in_time_is_named() -> None:
    """From the last time, or from the founding; each by name, and nobody where nobody is due."""
    month_s = 30 * 86_400
    on_time = CosignerFacts(name="dim", cosigned_at=LAST_NIGHT, within_s=month_s)
    late = CosignerFacts(name="rssi", cosigned_at=NOW - timedelta(days=31), within_s=month_s)
    never = CosignerFacts(name="dsi", cosigned_at=None, within_s=3600)
    assert kinds(replace(SOUND, cosigners=(on_time,))) == {}
    gap = kinds(replace(SOUND, cosigners=(on_time, late)))["head-not-cosigned"]
    assert (gap.severity, gap.values) == (Severity.WARNING, {"name": "rssi", "days": 31})
    assert gap.since == late.cosigned_at
    assert kinds(replace(SOUND, cosigners=(never,)))["head-not-cosigned"].since == LAST_NIGHT


def test_a_ledger_that_cannot_be_signed_is_the_loudest_kind() -> None:
    """Since the first time that it could not."""
    gap = kinds(replace(SOUND, unsigned_since=LAST_NIGHT))["ledger-unsigned"]
    assert (gap.severity, gap.since) == (Severity.CRITICAL, LAST_NIGHT)


def test_doors_that_are_not_proven_shut_are_named_each_by_its_own_kind() -> None:
    """The production door is no vault door; a name that could not be kept hides nothing."""
    degraded = replace(SOUND, degraded_since=NOW)
    assert set(kinds(degraded)) == {"door-unproven"}
    production = replace(degraded, unproven_production=LAST_NIGHT)
    assert set(kinds(production)) == {"production-door-unproven"}
    assert kinds(production)["production-door-unproven"].since == LAST_NIGHT
    both = kinds(replace(production, unproven_targets={"a": NOW}))
    assert set(both) == {"production-door-unproven", "door-unproven"}
    assert both["door-unproven"].target == "a"


def test_a_medium_that_was_here_and_lacks_a_point_is_late_after_its_window() -> None:
    """One that was away since is not late but unseen; one that lacks nothing is neither."""
    behind = {"behind_since": LAST_NIGHT - timedelta(hours=50), "last_met": LAST_NIGHT}
    assert "medium-late" in of_target(**behind, late_after_s=50 * 3600)
    assert "medium-late" not in of_target(**behind, late_after_s=57 * 3600)
    away = {**behind, "last_met": LAST_NIGHT - timedelta(hours=51)}
    assert "medium-late" not in of_target(**away, late_after_s=50 * 3600)
    assert "medium-late" not in of_target(last_met=LAST_NIGHT, late_after_s=0)


def test_the_age_of_the_newest_clean_point_is_judged_by_the_policy() -> None:
    """Without any, from the first point on; the owner is named."""
    bound = timedelta(seconds=POLICY.max_clean_age_s)
    assert "clean-point-old" not in of_source(clean_at=NOW - bound)
    old = of_source(clean_at=NOW - bound - timedelta(seconds=1))["clean-point-old"]
    assert (old.severity, old.owner) == (Severity.WARNING, POLICY.owner)
    assert old.since == NOW - timedelta(seconds=1)
    never = of_source(first_seen=NOW - bound - timedelta(days=1))["clean-point-old"]
    assert "no point" in never.template
    assert "clean-point-old" not in of_source(first_seen=None)


def test_a_clock_that_nobody_outside_vouches_for_is_a_gap() -> None:
    """One cosigner in time is enough; where nobody cosigns, nobody is waited for."""
    late = CosignerFacts(name="rssi", cosigned_at=NOW - timedelta(days=91), within_s=10**9)
    on_time = replace(late, name="dim", cosigned_at=NOW - timedelta(days=89))
    assert set(kinds(replace(SOUND, cosigners=(late,)))) == {"clock-unbracketed"}
    assert kinds(replace(SOUND, cosigners=(late, on_time))) == {}
    never = replace(late, cosigned_at=None)
    founded = NOW - timedelta(days=91)
    assert "clock-unbracketed" in kinds(replace(SOUND, cosigners=(never,), founded_at=founded))
    behind = kinds(replace(SOUND, clock_behind_s=301.4))["clock-behind"]
    assert (behind.severity, behind.values) == (Severity.CRITICAL, {"seconds": 301})


def test_a_kind_that_nobody_wrote_down_cannot_be_made() -> None:
    """So that none is missing from the manual, nor from the scenario that makes each."""
    with pytest.raises(AssertionError):
        Gap(kind="source-odd", template="t", mend="m")


def test_every_text_takes_its_values() -> None:
    """No placeholder is left without a value."""
    facts = replace(
        SOUND,
        keys_confirmed=False,
        production_door="none",
        sources=(replace(SOURCE, held=(), last_verdict="missing"), SOURCE),
        targets=(replace(TARGET, last_outcome="full"),),
    )
    for gap in find_gaps(facts, NOW + timedelta(days=90)):
        values = {"source": gap.source, "target": gap.target, **gap.values}
        assert gap.template.format(**values)
        assert "{" not in gap.mend.format(**values).replace("{door: {link: INTERFACE}}", "")


@pytest.mark.parametrize("verdict", [CycleVerdict.FAILED, CycleVerdict.INTERRUPTED])
def test_a_night_that_failed_is_told_before_an_objective_is_missed(verdict) -> None:
    """Unless a source or a target says why; a monitoring host reads a warning."""
    failed = replace(SOUND, last_verdict=verdict)
    gaps = find_gaps(failed, NOW)
    assert [(gap.kind, gap.severity) for gap in gaps] == [("night-failed", Severity.WARNING)]
    assert nagios_code([gap.severity for gap in gaps]) == 1
    for told, is_told in why_of("missing", "failed"):
        kinds_told = {gap.kind for gap in find_gaps(replace(failed, **told), NOW)}
        assert ("night-failed" in kinds_told) is is_told, told


def why_of(verdict: str, outcome: str):
    """Give a source and a target of the newest night, and of the night before, which say nothing.

    Nor does one source of two. Each with whether the night itself is told all the same.
    """
    for at, is_told in ((LAST_NIGHT, False), (LAST_NIGHT - timedelta(days=1), True)):
        source = replace(SOURCE, last_verdict=verdict, last_verdict_at=at, refused_since=at)
        other = replace(SOURCE, last_verdict="sound", last_verdict_at=LAST_NIGHT)
        yield {"sources": (source,)}, is_told
        yield {"sources": (source, other)}, True
        yield {"targets": (replace(TARGET, last_outcome=outcome, last_outcome_at=at),)}, is_told


def test_a_night_refused_for_the_landing_is_told_unless_something_else_says_why():
    """An export, an attack, a medium: each has a gap of its own."""
    refused = replace(SOUND, last_verdict=CycleVerdict.REFUSED)
    kinds = {gap.kind for gap in find_gaps(refused, NOW)}
    assert "night-refused" in kinds
    for told, is_told in (
        *why_of("refused", "impostor"),
        ({"attacked_since": LAST_NIGHT}, False),
        ({"last_verdict": CycleVerdict.SOUND}, False),
    ):
        kinds = {gap.kind for gap in find_gaps(replace(refused, **told), NOW)}
        assert ("night-refused" in kinds) is is_told, told
