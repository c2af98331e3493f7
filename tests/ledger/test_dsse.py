"""Envelopes are DSSE's and statements in-toto's, to the published vectors."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace

import pytest

from tests.rigs.evidence import restore_test
from vault.errors import SignatureError
from vault.ledger.cosigning import CosignerKey
from vault.ledger.dsse import RESTORE_TEST, Envelope, RestoreTest, Statement, pae

IN_TOTO = "application/vnd.in-toto+json"


@dataclass(frozen=True)
class Person:
    name: str
    raw: bytes


# The two keys of RFC 8032 that DSSE's vectors are signed with.
A = Person("A", bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"))
B = Person("B", bytes.fromhex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"))
STATEMENT = "eyJfdHlwZSI6Imh0dHBzOi8vaW4tdG90by5pby9TdGF0ZW1lbnQvdjEifQ=="
BY_A = "2WAfaHm5jluo0w+0rk8uVkluELJYWjSmU9x7EUzx+AyteDGJ4/nqyJXfmAUVFIAoQafWm7AxBZNw5M9ixNHiCA=="
BY_B = "c1+67/aT0yqEpwx8PsVY3MLHsj9D0CZ014/Fv/QlG59P+9CobUZ7xECJ/V3USG0Ob9CiE5LjReEZUzNF2l7eBw=="
VECTORS = {  # payload, type, signatures, trusted, threshold, supported types, accepted
    "single": (STATEMENT, IN_TOTO, [BY_A], [A], 1, [IN_TOTO], True),
    "url-safe": (
        "-_-_Pj8=", IN_TOTO,
        ["P-_KHICeR7tI6S_YyejJTRtrXhcQyQ2LYPaL8h90KjC9qN8HU_svOQ6TuDOT1HIrsGW886DbWNWcCmX5twLrAw=="],
        [A], 1, [IN_TOTO], True,
    ),
    "type-swapped": (
        STATEMENT, "application/vnd.example.other+json", [BY_A], [A], 1,
        [IN_TOTO, "application/vnd.example.other+json"], False,
    ),
    "non-ascii-type": (
        STATEMENT, "application/vnd.exämple+json",
        ["xmSk/ug66ysT7ayhkCIjhAq42zgZXSsEWuzUaNL7w2eGAdF/NU6/fRXPtmfN+5DNSAs5/i2lUnHjbbjPsu0tAw=="],
        [A], 1, ["application/vnd.exämple+json"], True,
    ),
    "empty-payload": (
        "", IN_TOTO,
        ["gSggCAaTLTYyRH6FIDBem6meyIynsYy8RTHVzwx9tnTb7Bg/1jMWnuVgI/gffqmbsC2VX5/jHfkkDqsj7CDbDg=="],
        [A], 1, [IN_TOTO], True,
    ),
    "empty-type": (
        STATEMENT, "",
        ["iC3q/+3Rm0+lpAJRueDmDh15PnwCfxKmS0NAfKsbv+zgulXQC/WM9trc+j1XEqlwDIg/vf/uNfebeD6sxInrDg=="],
        [A], 1, [IN_TOTO], False,
    ),
    "two-of-two": (STATEMENT, IN_TOTO, [BY_A, BY_B], [A, B], 2, [IN_TOTO], True),
    "one-key-twice": (STATEMENT, IN_TOTO, [BY_A, BY_A], [A, B], 2, [IN_TOTO], False),
}  # fmt: skip


@pytest.mark.parametrize("name", VECTORS)
@pytest.mark.parametrize("hints", [True, False], ids=["keyids", "none"])
def test_the_published_vectors(name, hints):
    """Accepted and refused as published; the hint changes nothing."""
    payload, kind, signatures, trusted, least, types, accepted = VECTORS[name]
    told = [{"sig": one} | ({"keyid": "A"} if hints else {}) for one in signatures]
    envelope = Envelope.from_members({"payload": payload, "payloadType": kind, "signatures": told})
    if accepted:
        assert envelope.open(trusted, least=least, types=types) == envelope.payload
        return
    with pytest.raises(SignatureError):
        envelope.open(trusted, least=least, types=types)


def test_the_encoding_of_the_paper():
    """Lengths are of bytes, in decimal, behind the version."""
    assert pae("http://example.com/HelloWorld", b"hello world") == (
        b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    )
    assert pae("application/vnd.exämple+json", b"").startswith(b"DSSEv1 29 ")


def test_a_record_signed_by_vault_and_person_opens_for_two(key, tmp_path):
    """Each signs the same bytes; the JSON in between may be written anew."""
    dim = CosignerKey.create(str(tmp_path / "dim.key"), "dim")
    envelope = restore_test().to_statement().to_envelope().signed_by(key).signed_by(dim)
    read = Envelope.from_members(json.loads(json.dumps(envelope.to_members(), indent=1)))
    payload = read.open([key.public, dim.public], least=2)
    statement = Statement.from_payload(payload)
    assert statement.predicate_type == RESTORE_TEST
    assert statement.subjects == (("snapshot", "cd" * 32),)
    assert RestoreTest.from_statement(statement) == restore_test()
    with pytest.raises(SignatureError, match="1 of 2 signatures hold"):
        replace(read, signatures=read.signatures[:1]).open([key.public, dim.public], least=2)
    with pytest.raises(SignatureError, match="0 of 1"):
        replace(read, payload=read.payload + b" ").open([key.public, dim.public])


def test_a_key_under_two_names_counts_once(key):
    """A name is not a signer."""
    envelope = restore_test().to_statement().to_envelope().signed_by(key)
    twice = [key.public, Person("another", key.public.raw)]
    with pytest.raises(SignatureError, match="1 of 2"):
        envelope.open(twice, least=2)


def test_in_totos_members_stand_as_in_its_paper():
    """A stranger's tool finds type, subject, digest and predicate where it looks for them."""
    members = json.loads(restore_test().to_statement().to_envelope().payload)
    assert members["_type"] == "https://in-toto.io/Statement/v1"
    assert members["subject"] == [{"name": "snapshot", "digest": {"sha256": "cd" * 32}}]
    assert members["predicate"]["not_tested"]
    assert members["predicate"]["bytes"] == 34_567


def test_a_record_that_says_nothing_of_what_was_not_tested_is_none():
    """No test tests everything."""
    with pytest.raises(ValueError, match="did not test"):
        replace(restore_test(), not_tested=())


@pytest.mark.parametrize(
    "change",
    [
        lambda m: m.pop("_type"),
        lambda m: m.update(_type="https://in-toto.io/Statement/v0.1"),
        lambda m: m.update(subject=[]),
        lambda m: m["subject"][0]["digest"].update(sha256="AB"),
        lambda m: m.update(predicate=[]),
        lambda m: m["predicate"].pop("seed"),
        lambda m: m["predicate"].update(more=1),
        lambda m: m["predicate"].update(not_tested=[]),
        lambda m: m["predicate"].update(snapshot_id="00" * 32),
        lambda m: m.update(predicateType="another"),
    ],
)
def test_a_statement_of_another_shape_is_refused(change):
    """Signed or not: what does not have its shape is not read."""
    members = json.loads(restore_test().to_statement().to_envelope().payload)
    change(members)
    with pytest.raises(SignatureError, match="is not a"):
        RestoreTest.from_statement(Statement.from_payload(json.dumps(members).encode()))


@pytest.mark.parametrize(
    "members", [None, [], {}, {"payload": 1, "payloadType": "t", "signatures": []},
                {"payload": "?", "payloadType": "t", "signatures": []},
                {"payload": "", "payloadType": "t", "signatures": [{}]},
                {"payload": "", "payloadType": "t", "signatures": {}}],
)  # fmt: skip
def test_what_is_no_envelope_is_refused(members):
    """Never a traceback on what a medium or a person brought."""
    with pytest.raises(SignatureError, match="DSSE"):
        Envelope.from_members(members)


def test_the_bare_signature_can_be_no_note(key):
    """The vault's key signs heads and records: neither can pass for the other."""
    with pytest.raises(AssertionError):
        key.sign_bytes(b"coffre-990000010\n3\nAAAA\n")
