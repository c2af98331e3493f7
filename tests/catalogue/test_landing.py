"""The landing's files: whose they are, and which were there at each cycle."""

from __future__ import annotations

import hashlib
import tracemalloc
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vault.catalogue.packing import Bits, file_to_name, name_to_file
from vault.errors import CatalogueError
from vault.results import RepositoryFile

NOW = datetime(2026, 3, 1, 1, tzinfo=UTC)
hashes = st.binary(min_size=32, max_size=32).map(bytes.hex)


def path_of(place: str, name: str) -> str:
    return f"{place}/{name[:2]}/{name}" if place == "data" else f"{place}/{name}"


paths = st.builds(path_of, st.sampled_from(["data", "index", "keys", "snapshots"]), hashes)
files = st.builds(RepositoryFile, path=paths | st.just("config"), size_bytes=st.integers(0, 2**62))


def in_order(some) -> list[RepositoryFile]:
    return sorted(some, key=lambda file: file.path)


def made(*numbers: int, place: str = "data") -> list[RepositoryFile]:
    """Give files of a repository, the same for the same numbers."""
    return in_order(
        RepositoryFile(
            path=path_of(place, hashlib.sha256(b"%d" % n).hexdigest()), size_bytes=1000 + n
        )
        for n in numbers
    )


@given(some=st.lists(files, unique_by=lambda file: file.path))
def test_packed_names_sort_as_paths_do(some):
    """So a stream in the one order is a stream in the other."""
    names = sorted(file_to_name(file) for file in some)
    back = [name_to_file(name, 0).path for name in names]
    assert back == sorted(file.path for file in some)


@given(numbers=st.sets(st.integers(0, 5000)), other=st.integers(0, 6000))
def test_a_set_of_bits_is_a_set(numbers, other):
    """Also after it was written and read."""
    bits = Bits()
    bits.update(numbers)
    again = Bits(bits.to_bytes())
    assert {n for n in range(6001) if n in again} == numbers
    assert (other in bits) == (other in numbers)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(pool=st.lists(files, unique_by=lambda file: file.path, max_size=20), data=st.data())
def test_every_list_comes_back_whatever_came_and_went_between(catalogue, pool, data):
    """Files appear, vanish, come back, change size; each night keeps its own list."""
    kept = {}
    for _ in range(data.draw(st.integers(1, 6))):
        subset = data.draw(st.lists(st.sampled_from(pool), unique=True)) if pool else []
        number = catalogue.begin_cycle(NOW, forced=False)
        if data.draw(st.booleans()):
            catalogue.add_batch(number, "a", subset)
        kept[number] = in_order(subset)
        catalogue.put_landing_list(number, iter(kept[number]))
    for number, some in kept.items():
        assert list(catalogue.landing_list(number)) == some


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(runs=st.lists(st.lists(files, unique_by=lambda file: file.path, max_size=8), max_size=5))
def test_batches_come_back_in_the_order_they_were_made(catalogue, cycle, runs):
    """Each file in the batch that brought it first; all of them sorted by path."""
    old = {batch.number for batch in catalogue.batches()}
    given_back = [catalogue.add_batch(cycle, "a", run) for run in runs]
    numbers = [batch.number for batch in given_back]
    assert numbers == sorted(set(numbers))
    found = [batch for batch in catalogue.batches() if batch.number not in old]
    assert found == [batch for batch in given_back if batch.files]
    everything = [file for batch in catalogue.batches() for file in batch.files]
    assert list(catalogue.known_paths()) == sorted(
        everything, key=lambda file: (file.path, file.size_bytes)
    )


def test_a_file_never_moves_behind_the_snapshot_that_needs_it(catalogue, cycle):
    """A second batch that names it again goes without it."""
    first = catalogue.add_batch(cycle, "a", made(1, 2))
    second = catalogue.add_batch(cycle, "b", made(2, 3))
    assert [first.files, second.files] == [tuple(made(1, 2)), tuple(made(3))]
    assert [batch.files for batch in catalogue.batches()] == [first.files, second.files]


def test_the_nights_before_a_file_came_are_found(catalogue):
    """By its first batch, newest night first; a file of no batch came in none."""
    cycles = [catalogue.begin_cycle(NOW, forced=False) for _ in range(3)]
    for number, cycle in enumerate(cycles):
        catalogue.add_batch(cycle, "a", made(number))
        catalogue.put_landing_list(cycle, made(*range(number + 1)))
    assert catalogue.first_cycle(made(2, 1)) == cycles[1]
    assert catalogue.first_cycle(made(7)) == 0
    assert catalogue.listed_cycles(before=cycles[2]) == cycles[1::-1]


def test_a_list_reads_as_before_when_later_files_sort_between(catalogue):
    """Numbers are given once: what comes later changes no older list."""
    for number in range(1, 40):
        cycle = catalogue.begin_cycle(NOW, forced=False)
        catalogue.put_landing_list(cycle, made(*range(number)))
    for number in (1, 17, 39):
        assert list(catalogue.landing_list(number)) == made(*range(number))


def test_a_year_of_lists_costs_little_more_than_its_files(catalogue):
    """A night's list takes under 200 bytes beside the files themselves."""
    for number in range(60):
        cycle = catalogue.begin_cycle(NOW, forced=False)
        catalogue.add_batch(cycle, "a", made(*range(number * 20, number * 20 + 20)))
        catalogue.put_landing_list(cycle, made(*range(number * 20 + 20)))
    with catalogue._reading() as connection:
        kept = connection.exec_driver_sql("SELECT sum(length(bits)) FROM landing_list")
        assert kept.scalar() < 60 * 200


def test_a_list_is_kept_once_and_in_order(catalogue, cycle):
    """Twice, unsorted, doubled, or with an unlawful name: an error, and nothing kept."""
    for odd in (made(1, 2)[::-1], made(1) * 2, [RepositoryFile(path="data/x", size_bytes=1)]):
        with pytest.raises(CatalogueError):
            catalogue.put_landing_list(cycle, odd)
    with pytest.raises(CatalogueError):
        list(catalogue.landing_list(cycle))
    catalogue.put_landing_list(cycle, made(1))
    with pytest.raises(CatalogueError):
        catalogue.put_landing_list(cycle, made(1, 2))
    assert list(catalogue.landing_list(cycle)) == made(1)


def test_the_list_of_an_unknown_cycle_is_an_error(catalogue):
    """Never an empty list."""
    with pytest.raises(CatalogueError, match="no list is kept of cycle 9"):
        list(catalogue.landing_list(9))


@pytest.mark.parametrize(
    "name", ["", "locks/" + "0a" * 32, "data/0b/" + "0a" * 32, "index/" + "0A" * 32, "config/"]
)
def test_a_name_without_a_lawful_place_enters_no_batch(catalogue, cycle, name):
    """It is refused by name."""
    with pytest.raises(CatalogueError, match="cannot be kept"):
        catalogue.add_batch(cycle, "a", [RepositoryFile(path=name, size_bytes=1)])
    assert list(catalogue.batches()) == []


def test_a_stream_goes_on_while_something_is_written(catalogue, cycle):
    """It shows what was there when it began, and blocks nobody."""
    catalogue.add_batch(cycle, "a", made(1, 2))
    stream = catalogue.known_paths()
    first = next(stream)
    catalogue.add_batch(cycle, "a", made(3))
    catalogue.put_landing_list(cycle, catalogue.known_paths())
    assert [first, *stream] == made(1, 2)
    assert list(catalogue.landing_list(cycle)) == made(1, 2, 3)


def test_streams_hold_one_batch_at_a_time(catalogue, cycle):
    """Reading 20 batches of 600 takes the memory of one or two."""
    for number in range(20):
        catalogue.add_batch(cycle, "a", made(*range(number * 600, number * 600 + 600)))
    tracemalloc.start()
    try:
        for _ in catalogue.batches():
            pass
        batches = tracemalloc.get_traced_memory()[1]
        tracemalloc.reset_peak()
        for _ in catalogue.known_paths():
            pass
        known = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    # All 12,000 at once take over 3.5 MB; a chunk of 5,000 packed rows under 1.5 MB.
    assert batches < 2_500_000
    assert known < 2_500_000
