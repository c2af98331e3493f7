"""A cosigner's word: time and head, never backwards, never a fork."""

from __future__ import annotations

import base64
import hashlib
import pickle

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from vault.errors import SecretError, SignatureError
from vault.ledger.checkpoint import Checkpoint
from vault.ledger.cosigning import Cosigner, CosignerKey, Request
from vault.ledger.merkle import consistency_proof, leaf_hash, root_of
from vault.ledger.notes import VaultKey

LEAVES = [leaf_hash(bytes([k])) for k in range(20)]


@pytest.fixture
def rssi(tmp_path) -> CosignerKey:
    return CosignerKey.create(str(tmp_path / "rssi.key"), "rssi")


def head(size: int, leaves=LEAVES, origin: str = "vault.example.fr") -> Checkpoint:
    return Checkpoint(origin=origin, size=size, root=root_of(leaves[:size]))


def asked(key, size: int, *, since: int = 0, leaves=LEAVES) -> Request:
    proof = tuple(consistency_proof(leaves[:size], since)) if since else ()
    note = head(size, leaves).to_note(key)
    return Request(note=note, checkpoint=head(size, leaves), old_size=since, proof=proof)


def test_a_cosignature_is_byte_for_byte_what_the_paper_says(key, rssi):
    """Verified with the bare library from C2SP's text: nothing of ours is called."""
    note = rssi.cosign(asked(key, 7), at=1679315147).note
    text, _, below = note.rpartition(b"\n\n")
    line = below.decode().split("\n")[1]
    dash, name, encoded = line.split(" ")
    blob = base64.b64decode(encoded)
    printed = rssi.public.to_text().split("+", 2)
    public = base64.b64decode(printed[2])
    assert (dash, name, public[0], len(public), len(blob)) == ("—", "rssi", 4, 33, 76)
    key_id = hashlib.sha256(b"rssi\n\x04" + public[1:]).digest()[:4]
    assert blob[:4] == key_id == bytes.fromhex(printed[1])
    assert int.from_bytes(blob[4:12], "big") == 1679315147
    signed = b"cosignature/v1\ntime 1679315147\n" + text + b"\n"
    Ed25519PublicKey.from_public_bytes(public[1:]).verify(blob[12:], signed)


def test_what_was_cosigned_is_read_with_its_time(key, rssi, tmp_path):
    """By the right key only; a key that did not sign says so without an error."""
    note = rssi.cosign(asked(key, 7), at=99).note
    assert rssi.public.signed_at(note) == 99
    other = CosignerKey.create(str(tmp_path / "other.key"), "rssi")
    assert other.public.signed_at(note) is None
    assert Cosigner.from_text(rssi.public.to_text()) == rssi.public


def test_a_time_that_was_changed_is_refused(key, rssi):
    """The signature covers the time: nobody dates it back."""
    note = rssi.cosign(asked(key, 7), at=99).note
    line = rssi.public.line_in(note)
    blob = bytearray(base64.b64decode(line.split(b" ")[2]))
    blob[11] ^= 1
    forged = note.replace(line.split(b" ")[2].strip(), base64.b64encode(blob))
    with pytest.raises(SignatureError, match="does not fit"):
        rssi.public.signed_at(forged)


def test_79_a_head_that_goes_back_is_refused_also_by_another_run(key, rssi, tmp_path):
    """The memory is a file beside the key; the same head again is no harm."""
    rssi.cosign(asked(key, 7), at=1)
    again = CosignerKey.load(str(tmp_path / "rssi.key"))
    with pytest.raises(
        SignatureError, match="7 entries before, and this one is not later: it has 6"
    ):
        again.cosign(asked(key, 6), at=2)
    assert again.cosign(asked(key, 7), at=3).is_proven
    assert again.cosign(asked(key, 8), at=4).seen_size == 7


def test_82_another_head_of_the_same_size_is_refused(key, rssi):
    """Two roots for one size are a fork."""
    rssi.cosign(asked(key, 7), at=1)
    with pytest.raises(SignatureError, match="is not later"):
        rssi.cosign(asked(key, 7, leaves=LEAVES[::-1]), at=2)


def test_a_wrong_proof_is_refused_and_a_right_one_is_told(key, rssi):
    """From the head seen last; without a proof, or from another head, it stays unproven."""
    rssi.cosign(asked(key, 7), at=1)
    bent = [leaf_hash(b"bent"), *LEAVES[1:]]
    with pytest.raises(SignatureError, match="does not continue"):
        rssi.cosign(asked(key, 12, since=7, leaves=bent), at=2)
    assert not rssi.cosign(asked(key, 12), at=2).is_proven
    assert rssi.cosign(asked(key, 15, since=12), at=3).is_proven
    assert not rssi.cosign(asked(key, 17, since=3), at=4).is_proven


def test_logs_are_remembered_apart(key, rssi):
    """A person may cosign for several vaults."""
    rssi.cosign(asked(key, 7), at=1)
    note = head(3, origin="another.example").to_note(key)
    assert rssi.cosign(Request.from_bytes(note), at=2).seen_size == 0


def test_a_memory_that_cannot_be_read_signs_nothing(key, rssi, tmp_path):
    """Forgetting what was signed is not a way on."""
    rssi.cosign(asked(key, 7), at=1)
    (tmp_path / "rssi.key.seen").write_text("[")
    with pytest.raises(SignatureError, match="cannot be read"):
        rssi.cosign(asked(key, 8), at=2)


def test_a_request_comes_back_as_it_was_written(key):
    """With its proof and without; a lost last newline is given back."""
    for request in (asked(key, 12, since=7), asked(key, 12)):
        assert Request.from_bytes(request.to_bytes()) == request
        assert Request.from_bytes(request.to_bytes().rstrip(b"\n")) == request
    assert asked(key, 12, since=7).to_bytes().startswith(b"old 7\n")


@pytest.mark.parametrize("data", [b"", b"x", b"old 7\n\n", b"old x\n\nnote", b"old 7\n?\n\nnote"])
def test_what_is_no_request_is_refused(data):
    """Pasted amiss, scanned in part."""
    with pytest.raises(SignatureError):
        Request.from_bytes(data)


def test_signing_again_leaves_one_line_of_each(key, rssi):
    """The newer time stands; the vault's line stays."""
    once = rssi.cosign(asked(key, 7), at=1)
    twice = rssi.cosign(Request.from_bytes(once.note), at=2)
    assert twice.note.count("— ".encode()) == 2
    assert rssi.public.signed_at(twice.note) == 2


def test_a_vaults_key_is_no_cosigners_and_the_other_way_round(key, rssi, tmp_path):
    """The kind is in the key: a head is never signed where a cosignature is due."""
    with pytest.raises(SignatureError, match="not a public key of a cosigner"):
        Cosigner.from_text(key.public.to_text())
    with pytest.raises(SecretError, match="holds no key"):
        VaultKey.load(str(tmp_path / "rssi.key"))


def test_a_cosigners_key_neither_prints_nor_pickles(rssi):
    """It never leaves its file but for signing."""
    assert "***" in repr(rssi)
    with pytest.raises(TypeError):
        pickle.dumps(rssi)
