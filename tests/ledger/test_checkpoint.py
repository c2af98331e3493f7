"""Checkpoints are those of the C2SP paper, and of one size there is one."""

from __future__ import annotations

import pytest

from vault.errors import LedgerError, SignatureError
from vault.ledger.checkpoint import Checkpoint, Checkpoints
from vault.ledger.cosigning import CosignerKey, Request

# The example of the C2SP paper on checkpoints.
PAPER = b"example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
HEAD = Checkpoint(origin="vault.example.fr", size=3, root=bytes(range(32)))


@pytest.fixture
def kept(tmp_path):
    return Checkpoints(str(tmp_path / "checkpoints"))


def test_the_example_of_the_paper_is_read_and_written():
    """Origin, size, root, byte for byte."""
    head = Checkpoint.from_text(PAPER)
    assert (head.origin, head.size) == ("example.com/behind-the-sofa", 20852163)
    assert head.root.hex().startswith("0ac5186a91863e8e1d90")
    assert head.to_text() == PAPER


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"o\n3\n",
        PAPER + b"an extension\n",
        PAPER.replace(b"\n2085", b"\n02085"),
        PAPER.replace(b"\n2085", b"\n-2085"),
        PAPER.replace(b"q2I=", b"q2J="),
        PAPER.replace(b"q2I=", b"q2I"),
        PAPER.replace(b"example.com/behind-the-sofa", b""),
        b"\xff\n3\n" + PAPER.split(b"\n")[2] + b"\n",
    ],
)
def test_a_text_of_another_shape_is_no_checkpoint(text):
    """More or fewer lines, another way to write the same number or root."""
    with pytest.raises(SignatureError, match="not a checkpoint"):
        Checkpoint.from_text(text)


def test_a_checkpoint_comes_back_as_it_was_signed(key, other_key):
    """With the log's key, and with no other."""
    assert Checkpoint.from_note(HEAD.to_note(key), key.public) == HEAD
    with pytest.raises(SignatureError, match="not signed by"):
        Checkpoint.from_note(HEAD.to_note(other_key), key.public)


def test_checkpoints_are_kept_by_size_and_the_largest_is_the_newest(key, kept, tmp_path):
    """By number, not by name: ten is more than nine; half-written files are none."""
    assert (kept.sizes(), kept.newest(), kept.read(1)) == ([], None, None)
    for size in (9, 10, 2):
        kept.keep(Checkpoint(origin="o", size=size, root=HEAD.root).to_note(key))
    (tmp_path / "checkpoints" / "11.part-1").write_bytes(b"x")
    assert kept.sizes() == [2, 9, 10]
    assert Checkpoint.peek(kept.newest()).size == 10


def test_signatures_are_added_and_none_is_taken_away(key, other_key, kept):
    """Kept twice it is the same; a second signer's line goes below."""
    first = HEAD.to_note(key)
    assert kept.keep(first) == first
    both = kept.keep(HEAD.to_note(other_key))
    assert both.startswith(first)
    assert kept.keep(first) == both == kept.read(3)


def test_82_another_head_of_the_same_size_is_a_fork_and_refused(key, kept):
    """The one that was there stays."""
    note = kept.keep(HEAD.to_note(key))
    other = Checkpoint(origin=HEAD.origin, size=3, root=bytes(32)).to_note(key)
    with pytest.raises(LedgerError, match="forked"):
        kept.keep(other)
    assert kept.read(3) == note


def test_a_cosigned_checkpoint_is_the_vaults_own_with_a_line_more(key, kept, tmp_path):
    """Whoever knows the vault's key alone reads it as before."""
    rssi = CosignerKey.create(str(tmp_path / "rssi.key"), "rssi")
    note = kept.keep(rssi.cosign(Request.from_bytes(HEAD.to_note(key)), at=5).note)
    assert Checkpoint.from_note(note, key.public) == HEAD
    assert rssi.public.signed_at(note) == 5
