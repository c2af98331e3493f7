"""Targets: what is remembered of a medium belongs to that medium."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from vault.catalogue import Catalogue
from vault.errors import CatalogueError
from vault.records import Hold, PublishedHead
from vault.results import (
    Disconnection,
    DoorProof,
    Exposure,
    ShutReport,
)

NOW = datetime(2026, 3, 1, 1, 0, 0, 123456, tzinfo=UTC)
A, B = "aa" * 32, "bb" * 32


def exposure(number, proof=DoorProof.SHUT):
    return Exposure(
        target="disk-a",
        opening=number,
        purpose="carry",
        writing=True,
        seconds=12.5,
        opened_at=NOW,
        shut=ShutReport(
            proof=proof, disconnection=Disconnection.DETACHED, evidence=("no holder", "é")
        ),
    )


def test_a_target_comes_back_as_it_was_enrolled(catalogue, disk):
    """Every pin; its name is taken until it is retired."""
    assert catalogue.target("disk-a") == disk
    assert catalogue.targets() == [disk]
    assert catalogue.target("disk-b") is None
    with pytest.raises(CatalogueError, match="enrolled already"):
        catalogue.add_target(replace(disk, target_id="cd" * 32))


def test_a_retired_target_is_out_of_use_and_not_forgotten(catalogue, disk):
    """It is listed only when asked for."""
    catalogue.retire_target("disk-a", NOW)
    assert catalogue.target("disk-a") is None
    assert catalogue.targets() == []
    assert catalogue.targets(include_retired=True) == [replace(disk, retired_at=NOW)]
    with pytest.raises(CatalogueError, match="not enrolled"):
        catalogue.retire_target("disk-a", NOW)


def test_a_new_medium_under_an_old_name_has_held_nothing(catalogue, disk, cycle):
    """Heads, holds, speed and admissions stay with the retired one."""
    catalogue.record_head("disk-a", 4, A, confirmed=True)
    catalogue.set_holds("disk-a", cycle, complete=True, at=NOW)
    catalogue.set_measured_rate("disk-a", 1e8)
    catalogue.retire_target("disk-a", NOW)
    later = NOW + timedelta(days=1)
    catalogue.add_target(replace(disk, target_id="cd" * 32, enrolled_at=later))
    assert catalogue.newest_head("disk-a") is None
    assert catalogue.holds("disk-a") == {}
    assert catalogue.measured_rate("disk-a") is None


def test_a_target_id_is_never_enrolled_twice(catalogue, disk):
    """Not even under another name."""
    with pytest.raises(CatalogueError):
        catalogue.add_target(replace(disk, name="disk-b"))


def test_an_opening_is_announced_before_its_end_is_known(catalogue, path, disk, cycle):
    """After a death another process finds it open."""
    number = catalogue.announce_opening("disk-a", "carry", writing=True, cycle=cycle, opened_at=NOW)
    with Catalogue.open(str(path)) as other:
        (found,) = other.unclosed_openings()
    assert (found.number, found.target, found.purpose) == (number, "disk-a", "carry")
    assert (found.writing, found.cycle, found.opened_at) == (True, cycle, NOW)
    assert found.exposure is None
    catalogue.close_opening(number, exposure(number))
    assert catalogue.unclosed_openings() == []
    assert catalogue.openings("disk-a")[0].exposure == exposure(number)


def test_openings_have_one_sequence_for_all_targets(catalogue, cycle):
    """Also of a target that is being enrolled and is none yet."""
    numbers = [
        catalogue.announce_opening(
            name, "enrol", writing=True, cycle=None, opened_at=NOW + timedelta(hours=hours)
        )
        for hours, name in enumerate(["x", "y", "x"])
    ]
    assert numbers == [1, 2, 3]
    assert [one.number for one in catalogue.openings("x")] == [1, 3]
    assert [one.number for one in catalogue.openings(since=NOW + timedelta(hours=1))] == [2, 3]


def test_an_opening_that_was_proven_shut_is_not_rewritten(catalogue):
    """One that was not proven may be closed again, and until then counts as open."""
    number = catalogue.announce_opening("x", "carry", writing=True, cycle=None, opened_at=NOW)
    catalogue.close_opening(number, exposure(number, DoorProof.UNKNOWN))
    assert [one.number for one in catalogue.unclosed_openings()] == [number]
    catalogue.close_opening(number, exposure(number))
    with pytest.raises(CatalogueError, match="is not open"):
        catalogue.close_opening(number, exposure(number, DoorProof.OPEN))
    with pytest.raises(CatalogueError, match="is not open"):
        catalogue.close_opening(99, exposure(99))


def test_a_head_is_meant_first_and_confirmed_later(catalogue, disk):
    """The newest meant and the newest confirmed are told apart; confirmed stays confirmed."""
    assert catalogue.newest_head("disk-a") is None
    catalogue.record_head("disk-a", 1, A, confirmed=False)
    assert catalogue.newest_confirmed_head("disk-a") is None
    catalogue.record_head("disk-a", 1, A, confirmed=True)
    catalogue.record_head("disk-a", 3, B, confirmed=False)
    assert catalogue.newest_head("disk-a") == PublishedHead(number=3, sha256=B, confirmed=False)
    confirmed = PublishedHead(number=1, sha256=A, confirmed=True)
    assert catalogue.newest_confirmed_head("disk-a") == confirmed
    catalogue.record_head("disk-a", 1, A, confirmed=False)
    assert catalogue.newest_confirmed_head("disk-a") == confirmed


def test_82_a_confirmed_head_never_takes_another_hash(catalogue, disk):
    """Two histories of one target would hide behind one number."""
    catalogue.record_head("disk-a", 1, A, confirmed=True)
    with pytest.raises(CatalogueError, match="has another head 1"):
        catalogue.record_head("disk-a", 1, B, confirmed=True)


def test_what_a_target_holds_is_the_newest_word_on_each_cycle(catalogue, disk):
    """Partial first, complete after."""
    catalogue.set_holds("disk-a", 1, complete=True, at=NOW)
    catalogue.set_holds("disk-a", 2, complete=False, at=NOW)
    later = NOW + timedelta(days=1)
    catalogue.set_holds("disk-a", 2, complete=True, at=later)
    assert catalogue.holds("disk-a") == {
        1: Hold(complete=True, at=NOW),
        2: Hold(complete=True, at=later),
    }


def test_the_measured_speed_is_the_last_one(catalogue, disk):
    """None before the first."""
    assert catalogue.measured_rate("disk-a") is None
    catalogue.set_measured_rate("disk-a", 1.5e8)
    catalogue.set_measured_rate("disk-a", 1.2e8)
    assert catalogue.measured_rate("disk-a") == 1.2e8


@pytest.mark.parametrize(
    "act",
    [
        lambda c: c.holds("x"),
        lambda c: c.newest_head("x"),
        lambda c: c.measured_rate("x"),
        lambda c: c.set_holds("x", 1, complete=True, at=NOW),
        lambda c: c.record_head("x", 1, A, confirmed=True),
    ],
)
def test_a_target_that_was_never_enrolled_is_an_error(catalogue, act):
    """Never an empty answer about a medium nobody knows."""
    with pytest.raises(CatalogueError, match="target x is not enrolled"):
        act(catalogue)
