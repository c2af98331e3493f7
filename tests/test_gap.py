"""What is missing is judged from what targets hold; each gap by its own facts."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from vault.config import load_shipped_policies
from vault.gap import (
    Gap,
    HeldPoint,
    Severity,
    SourceFacts,
    TargetFacts,
    VaultFacts,
    find_gaps,
    nagios_code,
)
from vault.results import CycleVerdict, Disconnection

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
    last_opened=LAST_NIGHT,
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
    found = of_source(last_verdict=verdict)
    severity = Severity.CRITICAL if verdict == "refused" else Severity.WARNING
    assert found[f"source-{verdict}"].severity is severity


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
    assert "media-unseen" in of_target(last_opened=NOW - timedelta(days=36))
    assert "media-unseen" not in of_target(last_opened=NOW - timedelta(days=34))
    assert "exposure-unproven" in of_target(unproven_since=NOW)


def test_the_worst_gap_comes_first_and_decides_the_code() -> None:
    """As a monitoring host reads it."""
    found = find_gaps(replace(SOUND, production_door="none", keys_confirmed=False), NOW)
    assert [gap.severity for gap in found] == [Severity.CRITICAL, Severity.WARNING]
    assert nagios_code({gap.severity for gap in found}) == 2
    assert nagios_code({gap.severity for gap in found[1:]}) == 1


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
