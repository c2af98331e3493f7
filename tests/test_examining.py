"""Many files are examined by several processes, and nobody can tell from what is found."""

from __future__ import annotations

import hashlib
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.inspection.specimens import SPECIMENS
from vault.config import load_formats
from vault.errors import SourceError
from vault.inspection import FileExaminer, load_registry
from vault.results import ManifestEntry
from vault.wiring import examining
from vault.wiring.examining import SharedExaminer, shares_of
from vault.wiring.formats import pmsi_inspectors

SEED = b"a seed of a test"


@pytest.fixture(scope="module")
def own() -> FileExaminer:
    registry = load_registry(pmsi_inspectors(load_formats()))
    return FileExaminer(registry, seed=SEED, clock_s=time.monotonic)


@pytest.fixture
def shared(own: FileExaminer, monkeypatch: pytest.MonkeyPatch) -> SharedExaminer:
    monkeypatch.setattr(examining, "_LEAST_S", 0.0)
    return SharedExaminer(own, seed=SEED, policies=None, children=2)


def lay(folder: Path) -> list[ManifestEntry]:
    """Lay a specimen of every format in a reception; give the manifest."""
    entries = []
    for number, (name, _, make) in enumerate(SPECIMENS):
        content = make()
        path = f"{number:02}/\udce9 {name}"
        file = folder / "data" / path
        file.parent.mkdir(parents=True)
        file.write_bytes(content)
        entries.append(
            ManifestEntry(
                path=path.encode("utf-8", "surrogateescape"),
                size_bytes=len(content),
                mtime_ns=file.stat().st_mtime_ns,
                sha256=hashlib.sha256(content).hexdigest(),
            )
        )
    return entries


@given(st.lists(st.integers(0, 1000)), st.integers(1, 9))
def test_every_file_is_in_one_share_and_shares_are_even(sizes: list[int], children: int) -> None:
    """No child has more than another by more than one file."""
    shares = shares_of(sizes, children)
    assert sorted(number for share in shares for number in share) == list(range(len(sizes)))
    assert all(share == sorted(share) for share in shares)
    loads = [sum(sizes[number] + 1 for number in share) for share in shares]
    loads += [0] * (children - len(shares))
    assert max(loads) - min(loads) <= max(sizes, default=0) + 1


def test_children_find_what_one_process_finds_in_the_same_order(
    own: FileExaminer, shared: SharedExaminer, tmp_path: Path
) -> None:
    """Names in any bytes; signs too, as the catalogue keeps them."""
    entries = lay(tmp_path)
    found = list(shared.examine_each(bytes(tmp_path), entries))
    alone = list(own.examine_each(bytes(tmp_path), entries))
    assert [(one.kind, one.counts, one.remarks, one.periods, one.inside) for one in found] == [
        (one.kind, one.counts, one.remarks, one.periods, one.inside) for one in alone
    ]
    for one, other in zip(found, alone, strict=True):
        assert one.signs is not None
        assert other.signs is not None
        assert one.signs.chi_square == pytest.approx(other.signs.chi_square, abs=1e-3)


def test_what_is_not_the_manifests_is_an_error_as_in_one_process(
    own: FileExaminer, shared: SharedExaminer, tmp_path: Path
) -> None:
    """In the same words, whoever met it."""
    entries = lay(tmp_path)
    (tmp_path / "data" / entries[3].path.decode("utf-8", "surrogateescape")).write_bytes(b"other")
    for examiner in (own, shared):
        with pytest.raises(SourceError, match="not what the manifest says") as told:
            list(examiner.examine_each(bytes(tmp_path), entries))
        assert told.value.hint.startswith("does another program write")


def test_a_child_that_ends_early_keeps_the_export_out(
    shared: SharedExaminer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was not examined is never taken for examined."""
    monkeypatch.setattr(examining, "_CHILD", "vault.errors")
    with pytest.raises(SourceError, match="ended before its time, after 0 of"):
        list(shared.examine_each(bytes(tmp_path), lay(tmp_path)))


def test_a_child_with_other_tables_examines_nothing(own: FileExaminer, tmp_path: Path) -> None:
    """An update in the midst of a night."""
    entries = lay(tmp_path)
    plain = FileExaminer(load_registry(), seed=SEED, clock_s=time.monotonic)
    shared = SharedExaminer(plain, seed=SEED, policies=None, children=2)
    with pytest.raises(SourceError, match="tables of formats changed"):
        shared._spread(bytes(tmp_path), entries)
