"""The tree over the ledger: cheap, rebuilt from the file, and never signed against its past."""

from __future__ import annotations

import os

import pytest

from tests.ledger.test_journal import read_by_the_book
from vault.errors import LedgerError
from vault.ledger import Ledger
from vault.ledger.merkle import leaf_hash, root_of


def by_the_book(path) -> bytes:
    """Give the root over the lines, from RFC 6962's definition."""
    read_by_the_book(path)
    return root_of(leaf_hash(line) for line in path.read_bytes().split(b"\n")[:-1])


@pytest.fixture
def beside(path):
    return path.parent / "ledger.tree"


def test_every_line_is_a_leaf(ledger, path):
    """Size and root are those of the lines, at every length; appended ones are taken in."""
    for size in range(6, 12):
        tree = ledger.tree()
        assert (tree.size, tree.root(), tree.last) == (size, by_the_book(path), ledger.head())
        ledger.append("more")


def test_the_empty_ledger_has_the_root_of_nothing(path, clock):
    """A ledger without an entry has a tree without a leaf."""
    assert Ledger(str(path), clock).tree().root() == root_of([])


def test_a_head_reads_what_is_new_and_not_the_whole_file(ledger, path, monkeypatch):
    """What is kept beside the file spares its beginning."""
    import vault.ledger.tree as module

    ledger.tree()
    ledger.append("more")
    read: list[int] = []
    whole = module.read_lines

    def counted(*words, start: int = 0):
        read.append(start)
        return whole(*words, start=start)

    monkeypatch.setattr(module, "read_lines", counted)
    size_before = path.read_bytes().rstrip(b"\n").rfind(b"\n") + 1
    assert ledger.tree().root() == by_the_book(path)
    assert read == [size_before]


def bend_a_hash(kept: bytes) -> bytes:
    """Change one digit of one hash: all else about it stays lawful."""
    at = kept.index(b'"hashes":["') + len(b'"hashes":["')
    return kept[:at] + (b"1" if kept[at : at + 1] != b"1" else b"2") + kept[at + 1 :]


@pytest.mark.parametrize(
    "damage",
    [
        lambda kept: b"",
        lambda kept: kept[:-1] + b"?",
        lambda kept: kept.replace(b'"size":6', b'"size":7'),
        lambda kept: b"\xff" * 40,
        lambda kept: bend_a_hash(kept),
        lambda kept: None,
    ],
)
def test_what_is_kept_beside_the_file_is_rebuilt_when_it_disagrees(ledger, path, beside, damage):
    """The file is the truth: any damage beside it costs one reading, nothing else."""
    root = ledger.tree().root()
    kept = damage(beside.read_bytes())
    beside.unlink()
    if kept is not None:
        beside.write_bytes(kept)
    assert ledger.tree().root() == root == by_the_book(path)


def test_a_tree_of_another_ledger_beside_this_one_is_not_believed(ledger, path, beside, clock):
    """Whole in itself, and of as many entries: its last line is not ours."""
    ledger.tree()
    foreign = beside.read_bytes()
    path.unlink()
    beside.unlink()
    other = Ledger(str(path), clock)
    for _ in range(9):
        other.append(
            "other", note="longer than those that were there before, so that it ends later"
        )
    beside.write_bytes(foreign)
    assert other.tree().root() == by_the_book(path)


def test_82_a_ledger_that_does_not_begin_with_what_was_signed_is_refused(ledger, path, clock):
    """Changed and chained anew below the signed head, or cut under it: LedgerError either way."""
    tree = ledger.tree()
    signed = (tree.size, tree.root())
    ledger.append("more")
    assert ledger.tree(signed=signed).size == 7
    whole = path.read_bytes()
    for tampered in (b"".join(whole.splitlines(True)[:3]), b""):
        path.write_bytes(tampered)
        again = Ledger(str(path), clock)
        with pytest.raises(LedgerError, match="does not begin with the 6 entries"):
            again.tree(signed=signed)
        for _ in range(9):
            again.append("written anew")
        with pytest.raises(LedgerError, match="does not begin with the 6 entries"):
            again.tree(signed=signed)


def test_a_chain_that_is_broken_is_no_tree(ledger, path, beside, clock):
    """What does not chain is not signed, wherever the break is; the entry is named."""
    lines = path.read_bytes().splitlines(True)
    lines[2] = lines[2].replace(b'"cycle":2', b'"cycle":7')
    path.write_bytes(b"".join(lines))
    with pytest.raises(LedgerError, match="broken at entry 2"):
        ledger.tree()


def test_a_folder_that_takes_no_file_costs_time_and_no_evidence(ledger, path, beside):
    """The tree is given although nothing can be kept beside the file."""
    beside.mkdir()
    assert ledger.tree().root() == by_the_book(path)
    assert sorted(os.listdir(path.parent)) == ["ledger.jsonl", "ledger.tree"]
