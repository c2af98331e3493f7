"""Facts and cycles are remembered as they were, and history is not rewritten."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vault.errors import CatalogueError
from vault.results import (
    CycleResult,
    CycleVerdict,
    Disconnection,
    Refusal,
    SourceResult,
    SourceVerdict,
    TargetOutcome,
    TargetResult,
    VaultStatus,
)

NOW = datetime(2026, 3, 1, 1, tzinfo=UTC)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
reasons = st.lists(texts, max_size=3).map(tuple)
counts = st.integers(0, 2**50)
hashes = st.binary(min_size=32, max_size=32).map(bytes.hex)
sources = st.builds(
    SourceResult,
    name=texts,
    verdict=st.sampled_from(SourceVerdict),
    files=counts,
    bytes=counts,
    pulled_files=counts,
    pulled_bytes=counts,
    snapshot_id=st.none() | hashes,
    reasons=reasons,
)
targets = st.builds(
    TargetResult,
    name=texts,
    outcome=st.sampled_from(TargetOutcome),
    admitted_files=counts,
    admitted_bytes=counts,
    read_back_bytes=counts,
    refused_files=counts,
    exposure_s=st.floats(0, 1e6),
    disconnection=st.sampled_from(Disconnection),
    left_bytes=counts,
    nights_left=st.none() | counts,
    reasons=reasons,
)
aliens = st.builds(Refusal, name=st.binary(max_size=30), reason=texts)
results = st.builds(
    CycleResult,
    cycle=st.just(0),
    verdict=st.sampled_from(CycleVerdict),
    status=st.sampled_from(VaultStatus),
    started_at=st.just(NOW),
    ended_at=st.just(NOW + timedelta(hours=1)),
    sources=st.lists(sources, max_size=4).map(tuple),
    targets=st.lists(targets, max_size=4).map(tuple),
    aliens=st.lists(aliens, max_size=4).map(tuple),
    reasons=reasons,
    warnings=reasons,
)


def ended(number, verdict=CycleVerdict.SOUND, hours=1, **parts):
    return CycleResult(
        cycle=number,
        verdict=verdict,
        status=VaultStatus.LOCKED,
        started_at=NOW,
        ended_at=NOW + timedelta(hours=hours),
        **parts,
    )


def saved(name, verdict=SourceVerdict.SAVED):
    return (SourceResult(name=name, verdict=verdict),)


def met(name, outcome=TargetOutcome.ADMITTED):
    return (TargetResult(name=name, outcome=outcome),)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(result=results)
def test_a_cycle_comes_back_as_it_ended(catalogue, result):
    """Every field, every part, in its order; alien names are bytes."""
    from dataclasses import replace

    number = catalogue.begin_cycle(NOW, forced=True)
    whole = replace(result, cycle=number)
    catalogue.end_cycle(whole)
    assert catalogue.cycle(number) == catalogue.last_cycle() == whole


def test_numbers_go_up_and_are_never_given_twice(catalogue):
    """1, 2, 3, also when a cycle was never ended."""
    assert [catalogue.begin_cycle(NOW, forced=False) for _ in range(3)] == [1, 2, 3]
    assert catalogue.unfinished_cycles() == (1, 2, 3)


def test_a_step_is_there_for_who_opens_after_a_death(catalogue, path, cycle):
    """Committed before its act: another process sees it at once."""
    from vault.catalogue import Catalogue

    catalogue.set_step(cycle, 7)
    with Catalogue.open(str(path)) as other:
        assert other.step(cycle) == 7
        assert other.unfinished_cycles() == (cycle,)
        assert other.cycle(cycle) is None


def test_a_cycle_that_ended_is_not_rewritten(catalogue):
    """Neither ended again, nor closed, nor stepped; an unknown one is an error too."""
    cycle = catalogue.begin_cycle(NOW, forced=False)
    catalogue.end_cycle(ended(cycle))
    for act in (
        lambda: catalogue.end_cycle(ended(cycle, CycleVerdict.FAILED)),
        lambda: catalogue.close_unfinished(cycle, CycleVerdict.INTERRUPTED, NOW),
        lambda: catalogue.set_step(cycle, 1),
        lambda: catalogue.end_cycle(ended(99)),
    ):
        with pytest.raises(CatalogueError, match="is not running"):
            act()
    assert catalogue.cycle(cycle) == ended(cycle)


def test_an_end_that_cannot_be_stored_whole_is_not_stored_at_all(catalogue, cycle):
    """One transaction: the cycle is still unfinished."""
    bad = SourceResult(name="a", verdict=SourceVerdict.SAVED, snapshot_id="not hex")
    with pytest.raises(CatalogueError):
        catalogue.end_cycle(ended(cycle, sources=(*saved("b"), bad)))
    assert catalogue.unfinished_cycles() == (cycle,)


@pytest.mark.parametrize(
    ("verdict", "status"),
    [
        (CycleVerdict.INTERRUPTED, VaultStatus.LOCKED),
        (CycleVerdict.DEGRADED, VaultStatus.DEGRADED),
        (CycleVerdict.SECURED, VaultStatus.SECURED),
    ],
)
def test_a_cycle_that_died_is_closed_as_what_it_was(catalogue, cycle, verdict, status):
    """Its sources stay unknown and it is in the history."""
    catalogue.close_unfinished(cycle, verdict, NOW)
    found = catalogue.cycle(cycle)
    assert (found.verdict, found.status, found.sources) == (verdict, status, ())
    assert catalogue.unfinished_cycles() == ()


def test_cycles_come_newest_first_and_as_many_as_asked(catalogue):
    """The running one is not among them."""
    for _ in range(4):
        catalogue.end_cycle(ended(catalogue.begin_cycle(NOW, forced=False)))
    catalogue.begin_cycle(NOW, forced=False)
    assert [one.cycle for one in catalogue.cycles(3)] == [4, 3, 2]
    assert catalogue.last_cycle().cycle == 4


def test_a_source_was_seen_when_it_was_saved_or_found_unchanged(catalogue):
    """Not when it was missing, refused or not due, and not in a night that never ended."""
    nights = [
        saved("a"),
        saved("a", SourceVerdict.UNCHANGED),
        saved("a", SourceVerdict.MISSING) + saved("b"),
        saved("a", SourceVerdict.NOT_DUE),
    ]
    assert catalogue.last_seen("a") is None
    for hours, parts in enumerate(nights, start=1):
        number = catalogue.begin_cycle(NOW, forced=False)
        catalogue.end_cycle(ended(number, hours=hours, sources=parts))
    catalogue.begin_cycle(NOW, forced=False)
    assert catalogue.last_seen("a") == NOW + timedelta(hours=2)
    assert catalogue.last_seen("b") == NOW + timedelta(hours=3)


def test_a_night_for_others_says_nothing_new_of_a_source_or_of_a_medium(catalogue):
    """What was told stands until the source is due again, or the medium is met again."""
    source, target = SourceVerdict, TargetOutcome
    nights = [
        (saved("a", source.MISSING) + saved("b"), met("x", target.FULL) + met("y")),
        (saved("a", source.NOT_DUE) + saved("b"), met("x", target.NOT_OPENED)),
        (saved("b", source.EMPTY), met("x", target.MEDIA_ABSENT) + met("y", target.NOTHING_NEW)),
    ]
    for hours, (sources, targets) in enumerate(nights, start=1):
        number = catalogue.begin_cycle(NOW, forced=False)
        catalogue.end_cycle(ended(number, hours=hours, sources=sources, targets=targets))
    after = [NOW + timedelta(hours=hours) for hours in range(4)]
    assert catalogue.newest_verdicts(["a", "b", "c"]) == {
        "a": (source.MISSING, after[1]),
        "b": (source.EMPTY, after[3]),
    }
    assert catalogue.newest_outcomes(["x", "y", "z"]) == {
        "x": (target.FULL, after[1]),
        "y": (target.NOTHING_NEW, after[3]),
    }


def test_facts_are_set_over(catalogue):
    """The last one counts; an unset one is None."""
    assert catalogue.fact("x") is None
    catalogue.set_fact("x", "1")
    catalogue.set_fact("x", "é")
    assert catalogue.fact("x") == "é"
