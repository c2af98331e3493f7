"""Manifests come back whole and proven, at the price of their differences."""

from __future__ import annotations

import hashlib
import itertools
import random
import sqlite3
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vault.catalogue import manifests, packing
from vault.errors import CatalogueError
from vault.results import (
    ManifestEntry,
    SnapshotRecord,
)

NOW = datetime(2026, 3, 1, 1, tzinfo=UTC)
FRESH = itertools.count()  # examples of one test share a catalogue
hashes = st.binary(min_size=32, max_size=32).map(bytes.hex)
entries = st.builds(
    ManifestEntry,
    path=st.binary(min_size=1, max_size=12).map(lambda raw: raw.replace(b"\0", b"\xe9")),
    size_bytes=st.integers(0, 2**63),
    mtime_ns=st.integers(-(2**62), 2**62),
    sha256=hashes,
)
lists = st.lists(entries, unique_by=lambda entry: entry.path, max_size=25).map(
    lambda some: tuple(sorted(some, key=lambda entry: entry.path))
)


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def night(source: str, number: int, files: int, rng: random.Random, before=()):
    """Give a manifest of which three files in a hundred changed since the night before."""
    if not before:
        return tuple(
            ManifestEntry(
                path=b"exports/2026/%06d.txt" % i,
                size_bytes=rng.randrange(10**6),
                mtime_ns=10**18 + i,
                sha256=digest(f"{source} {i}"),
            )
            for i in range(files)
        )
    changed = set(rng.sample(range(files), max(1, files * 3 // 100)))
    return tuple(
        replace(entry, mtime_ns=10**18 + number, sha256=digest(f"{source} {number} {i}"))
        if i in changed
        else entry
        for i, entry in enumerate(before)
    )


@given(some=lists)
def test_what_was_packed_is_unpacked(some):
    """Any path but NUL, any size, times before 1970."""
    assert packing.unpack_entries(packing.pack_entries(some)) == some


@given(old=lists, new=lists)
def test_a_difference_turns_the_old_into_the_new(old, new):
    """Changed, added, gone."""
    assert packing.apply_deltas(old, [packing.pack_delta(old, new)]) == new


@given(some=lists, cut=st.integers(0, 10**6), more=st.binary(min_size=1, max_size=3))
def test_packed_entries_that_are_cut_or_grown_are_refused(some, cut, more):
    """Never half a manifest, and no other exception."""
    packed = packing.pack_entries(some)
    for damaged in (packed[: cut % len(packed)], packed + more):
        with pytest.raises(ValueError):
            packing.unpack_entries(damaged)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(nights=st.lists(st.tuples(st.sampled_from("ab"), lists), max_size=8))
def test_every_manifest_that_was_put_comes_back(catalogue, nights):
    """Whatever came between, and whichever source."""
    put = {}
    for source, some in nights:
        identity = digest(f"fresh {next(FRESH)}")
        catalogue.put_manifest(source, identity, some)
        put[identity] = some
    for identity, some in put.items():
        assert catalogue.manifest(identity) == some


def test_a_manifest_is_kept_once(catalogue):
    """Putting it again does nothing, also for another source."""
    some = night("a", 0, 5, random.Random(1))
    for source in ("a", "a", "b"):
        catalogue.put_manifest(source, digest("x"), some)
    assert catalogue.manifest(digest("x")) == some
    assert catalogue.has_manifest(digest("x"))
    assert not catalogue.has_manifest(digest("y"))
    with catalogue._reading() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM manifest").scalar() == 1


def test_a_year_of_nights_costs_a_few_bytes_a_file(catalogue, path):
    """3 % a night: under 3 bytes a file and night, where a full copy has over 40."""
    files, nights, rng, some = 600, 60, random.Random(2), ()
    identities = []
    for number in range(nights):
        some = night("a", number, files, rng, some)
        identities.append(digest(f"a {number}"))
        catalogue.put_manifest("a", identities[-1], some)
    assert catalogue.manifest(identities[-1]) == some
    with catalogue._reading() as connection:
        kept = connection.exec_driver_sql("SELECT sum(length(data)), max(links) FROM manifest")
        total, links = kept.one()
    assert total / (files * nights) < 3
    assert 5 < links <= manifests.LINKS_MAX


def test_a_chain_of_small_differences_ends(catalogue, monkeypatch):
    """Reading one manifest never walks more than so many."""
    monkeypatch.setattr(manifests, "LINKS_MAX", 4)
    some = night("a", 0, 400, random.Random(3))
    for number in range(12):
        some = (*some[:-1], replace(some[-1], mtime_ns=number))
        catalogue.put_manifest("a", digest(str(number)), some)
    assert catalogue.manifest(digest("11")) == some
    with catalogue._reading() as connection:
        links = connection.exec_driver_sql("SELECT links FROM manifest ORDER BY id")
        assert [row[0] for row in links] == [0, 1, 2, 3, 4] * 2 + [0, 1]


def test_84_a_manifest_that_was_damaged_is_no_manifest(catalogue, path):
    """A changed byte under any manifest of a chain is told, not restored against."""
    rng, some = random.Random(4), ()
    for number in range(4):
        some = night("a", number, 200, rng, some)
        catalogue.put_manifest("a", digest(str(number)), some)
    catalogue.close()
    raw = sqlite3.connect(path)
    (data,) = raw.execute("SELECT data FROM manifest WHERE id = 1").fetchone()
    whole = packing.expand(data)
    forged = packing.shrink(whole[:-1] + bytes([whole[-1] ^ 1]))
    raw.execute("UPDATE manifest SET data = ? WHERE id = 1", (forged,))
    raw.commit()
    raw.close()
    for number in range(4):
        with pytest.raises(CatalogueError, match="damaged"):
            catalogue.manifest(digest(str(number)))


def test_an_unknown_manifest_is_an_error(catalogue):
    """Never an empty one."""
    with pytest.raises(CatalogueError, match="no manifest is kept"):
        catalogue.manifest(digest("?"))


def test_a_manifest_out_of_order_is_refused(catalogue):
    """Its order is part of what it promises."""
    some = night("a", 0, 3, random.Random(5))
    with pytest.raises(CatalogueError, match="not sorted"):
        catalogue.put_manifest("a", digest("x"), some[::-1])


@pytest.mark.parametrize(
    "odd", [{"path": b"a\0b"}, {"size_bytes": -1}, {"mtime_ns": 2**70}, {"sha256": "ab"}]
)
def test_an_entry_that_no_file_system_has_is_refused(catalogue, odd):
    """With one clear error, and nothing kept."""
    (entry,) = night("a", 0, 1, random.Random(6))
    with pytest.raises(CatalogueError, match="cannot be kept"):
        catalogue.put_manifest("a", digest("x"), [replace(entry, **odd)])
    assert not catalogue.has_manifest(digest("x"))


def snapshot(source, number, cycle, *, warned=False):
    return SnapshotRecord(
        source=source,
        snapshot_id=digest(f"{source} {number}"),
        taken_at=NOW + timedelta(minutes=number),
        cycle=cycle,
        manifest=digest("m"),
        files=3,
        bytes=2**40,
        tree=digest("tree") if number % 2 else "",
        warned=warned,
    )


def test_a_clean_point_is_one_that_inspection_took_without_a_warning(catalogue):
    """A later night that finds a warned point unchanged does not clean it; no death spoils one."""
    points = []
    for number, warned in enumerate((False, True, True), start=1):
        points.append(
            snapshot("a", number, catalogue.begin_cycle(NOW, forced=False), warned=warned)
        )
        catalogue.record_snapshot(points[-1])  # and no cycle ends
        assert catalogue.clean_points() == {"a": points[0]}
    taken = [point.taken_at for point in points]
    assert catalogue.first_taken_after([0, 1, 3]) == {0: taken[0], 1: taken[1]}
    assert catalogue.first_taken_after([]) == {}


def test_snapshots_come_back_oldest_first_and_the_newest_by_cycle(catalogue):
    """By cycle, then by the order they were stored in; never by their own date."""
    first, second = (catalogue.begin_cycle(NOW, forced=False) for _ in range(2))
    given = [
        snapshot("a", 9, first),
        snapshot("a", 1, second),
        snapshot("b", 5, second),
        snapshot("a", 0, second),
    ]
    for record in given:
        catalogue.record_snapshot(record)
    assert catalogue.snapshots() == given
    assert catalogue.snapshots("a") == [given[0], given[1], given[3]]
    assert catalogue.newest_snapshot("a") == given[3]
    assert catalogue.newest_snapshot("c") is None


def test_a_snapshot_is_recorded_once_and_in_a_cycle_that_began(catalogue, cycle):
    """Its full id is unique."""
    catalogue.record_snapshot(snapshot("a", 1, cycle))
    with pytest.raises(CatalogueError):
        catalogue.record_snapshot(snapshot("a", 1, cycle))
    with pytest.raises(CatalogueError):
        catalogue.record_snapshot(snapshot("a", 2, 99))
