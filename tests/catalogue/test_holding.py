"""Which nights a target holds whole, from what it says that it lacks."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from vault.holding import Night, complete_older, keep_whole
from vault.results import RepositoryFile

NOW = datetime(2026, 3, 1, 1, tzinfo=UTC)


def files(*numbers):
    """Give files as one run each made them."""
    return [RepositoryFile(path=f"data/00/{n:064x}", size_bytes=n + 1) for n in numbers]


def tonight(cycle, *numbers):
    return Night(cycle=cycle, closes_at_s=0, window_s=1, landing=b"", files=files(*numbers))


@pytest.fixture
def nights(catalogue, disk):
    """Give four nights of a target; each brought the file of its number."""
    assert disk.name == "disk-a"
    cycles = [catalogue.begin_cycle(NOW, forced=False) for _ in range(4)]
    for number, cycle in enumerate(cycles):
        catalogue.add_batch(cycle, "a", files(number))
        catalogue.put_landing_list(cycle, files(*range(number + 1)))
    return cycles


def whole(catalogue):
    return {cycle for cycle, hold in catalogue.holds("disk-a").items() if hold.complete}


def test_a_night_that_is_left_partial_may_have_ended_an_older_one(catalogue, nights):
    """Also one in which the medium was away: the newest of which nothing lacks."""
    catalogue.set_holds("disk-a", nights[0], complete=True, at=NOW)
    catalogue.set_holds("disk-a", nights[3], complete=False, at=NOW)
    keep_whole(catalogue, "disk-a", tonight(nights[3], 0, 1, 2, 3), files(3), at=NOW)
    assert whole(catalogue) == {nights[0], nights[2]}


def test_what_a_target_held_and_lacks_now_is_held_no_more(catalogue, nights):
    """Whoever had the medium; the newest night that is still whole stands."""
    for cycle in nights[:3]:
        catalogue.set_holds("disk-a", cycle, complete=True, at=NOW)
    keep_whole(catalogue, "disk-a", tonight(nights[3], 0, 1, 2, 3), files(3, 1), at=NOW)
    assert whole(catalogue) == {nights[0]}


def test_a_list_with_files_that_the_landing_let_go_is_not_called_whole(catalogue, nights):
    """They are in no plan, so that nobody asked for them."""
    keep_whole(catalogue, "disk-a", tonight(nights[3], 1, 2, 3), files(3), at=NOW)
    assert whole(catalogue) == set()


def test_a_whole_night_ends_the_older_ones_that_it_holds(catalogue, nights):
    """As far as the landing still names their files."""
    catalogue.set_holds("disk-a", nights[1], complete=False, at=NOW)
    catalogue.set_holds("disk-a", nights[3], complete=True, at=NOW)
    complete_older(catalogue, "disk-a", tonight(nights[3], 0, 1, 2, 3), at=NOW)
    assert whole(catalogue) == {nights[1], nights[3]}
