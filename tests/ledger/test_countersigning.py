"""A second person is proven by a key under the very record that the vault made."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from tests.rigs.evidence import private, restore_test
from vault.errors import SignatureError, UsageError
from vault.ledger.cosigning import CosignerKey
from vault.ledger.countersigning import countersign, judge, read_record
from vault.ledger.dsse import Envelope, Statement
from vault.ledger.notes import VaultKey

RECORD = restore_test().to_statement().to_envelope()


def person(tmp_path, name: str) -> CosignerKey:
    return CosignerKey(str(tmp_path / name), name, private(name))


@pytest.fixture
def vault():
    return VaultKey("coffre-990000010", private("vault"))


@pytest.fixture
def dim(tmp_path):
    return person(tmp_path, "dim")


@pytest.fixture
def asked(vault, dim):
    """Give what a vault asks: its keys, its cosigners by role, and who operated."""
    return {"vault": [vault.public], "cosigners": {"dim": dim.public}, "operator": "A. Martin"}


def test_a_cosigners_key_under_the_vaults_record_proves_a_second_person(vault, dim, asked):
    """Role and key id are what is kept, whatever the hints in the file say."""
    signed = countersign(RECORD.signed_by(vault), dim)
    hinted = replace(signed, signatures=tuple(("x", one) for _hint, one in signed.signatures))
    found = judge(Envelope.from_bytes(hinted.to_bytes()), RECORD.payload, **asked)
    assert (found.role, found.key) == ("dim", dim.public)
    assert found.proof == f"dim+{dim.public.key_id.hex()}"
    assert {hint for hint, _signature in found.envelope.signatures} == {vault.public.name, "dim"}


def test_the_record_of_another_test_proves_nothing_of_this_one(vault, dim, asked):
    """Byte for byte: a record that differs in its number, or only in a space, is another."""
    other = replace(restore_test(), drill="2026-0008").to_statement().to_envelope()
    spaced = replace(RECORD, payload=RECORD.payload + b" ")
    for envelope in (other, spaced):
        signed = envelope.signed_by(vault).signed_by(dim)
        with pytest.raises(SignatureError, match="not the record of this restore test"):
            judge(signed, RECORD.payload, **asked)


def test_a_payload_that_was_changed_is_signed_by_nobody(vault, dim, asked):
    """Signatures over one record stand under no other, put there by hand."""
    other = replace(restore_test(), mismatches=1).to_statement().to_envelope()
    signed = other.signed_by(vault).signed_by(dim)
    with pytest.raises(SignatureError, match="the vault's own signature"):
        judge(replace(signed, payload=RECORD.payload), RECORD.payload, **asked)


def test_a_key_that_vault_yaml_does_not_know_proves_nobody(vault, dim, asked, tmp_path):
    """It is refused alone, and left out beside one that is known."""
    stranger = CosignerKey(str(tmp_path / "s"), "dim", private("stranger"))
    signed = RECORD.signed_by(vault).signed_by(stranger)
    with pytest.raises(SignatureError, match=r"no cosigner of vault\.yaml"):
        judge(signed, RECORD.payload, **asked)
    found = judge(signed.signed_by(dim), RECORD.payload, **asked)
    assert len(found.envelope.signatures) == 2
    assert not found.envelope.signers([stranger.public])


def test_without_the_vaults_signature_nothing_is_proven(vault, dim, asked):
    """A key of before an exchange is the vault's too."""
    with pytest.raises(SignatureError, match="the vault's own signature"):
        judge(RECORD.signed_by(dim), RECORD.payload, **asked)
    new = VaultKey("coffre-990000010", private("new"))
    signed = RECORD.signed_by(vault).signed_by(dim)
    asked["vault"] = [new.public, vault.public]
    assert judge(signed, RECORD.payload, **asked).role == "dim"


def test_one_key_is_one_person(vault, tmp_path, asked):
    """The vault's own key, entered as a cosigner's, is no second one, nor is a retired one."""
    same = CosignerKey(str(tmp_path / "k"), "dim", private("vault"))
    asked["cosigners"] = {"dim": same.public}
    with pytest.raises(SignatureError, match=r"no cosigner of vault\.yaml"):
        judge(RECORD.signed_by(vault).signed_by(same), RECORD.payload, **asked)
    new = VaultKey("coffre-990000010", private("new"))
    asked["vault"] = [new.public, vault.public]
    with pytest.raises(SignatureError, match=r"no cosigner of vault\.yaml"):
        judge(RECORD.signed_by(new).signed_by(same), RECORD.payload, **asked)


@pytest.mark.parametrize("operator", ["dim", " DIM ", "data"])
def test_who_operated_does_not_prove_the_test(vault, dim, asked, tmp_path, operator):
    """By role or by the key's name; another cosigner beside it does."""
    asked |= {"operator": operator, "cosigners": {"data": dim.public}}
    signed = RECORD.signed_by(vault).signed_by(dim)
    with pytest.raises(UsageError, match="cannot both operate and validate"):
        judge(signed, RECORD.payload, **asked)
    rssi = person(tmp_path, "rssi")
    asked["cosigners"] |= {"rssi": rssi.public}
    found = judge(signed.signed_by(rssi), RECORD.payload, **asked)
    assert found.role == "rssi"
    assert not found.envelope.signers([dim.public])


def test_a_key_signs_once_and_signs_restore_tests_only(vault, dim):
    """Whatever else a file asks for is refused, and a second signature of the same key."""
    signed = countersign(RECORD.signed_by(vault), dim)
    with pytest.raises(UsageError, match="dim has signed this record already"):
        countersign(signed, dim)
    members = json.loads(RECORD.payload)
    payload = json.dumps(members | {"predicateType": "urn:example:other"}).encode()
    for other in (
        replace(RECORD, payload=payload),
        replace(RECORD, payload_type="application/json"),
        replace(RECORD, payload=b"{}"),
    ):
        with pytest.raises(SignatureError):
            countersign(other, dim)


@pytest.mark.parametrize(
    ("name", "value"),
    [("files", "12"), ("mismatches", True), ("source", 7), ("people", {"by": 1}), ("seed", None)],
)
def test_a_record_shows_values_of_their_kinds_only(name, value):
    """What is shown to the person who signs is what it claims to be."""
    statement = restore_test().to_statement()
    bent = Statement(
        subjects=statement.subjects,
        predicate_type=statement.predicate_type,
        predicate={**statement.predicate, name: value},
    )
    with pytest.raises(SignatureError):
        read_record(bent.to_envelope())


@pytest.mark.parametrize(
    "data", [b"", b"{}", b"[" * 60_000, b"\xff", RECORD.to_bytes() + b" " * 70_000]
)
def test_a_file_that_is_no_envelope_is_refused(data):
    """Empty, of another kind, endless, or no text."""
    with pytest.raises(SignatureError):
        Envelope.from_bytes(data)
