"""Records that several people sign: a DSSE envelope around an in-toto statement.

Rule 1: what is signed is the payload's bytes with their type, never JSON written again.
Rule 2: a key counts once, however many signatures it made; the hint ``keyid`` decides nothing.
Rule 3: a payload is read only after enough keys have signed it, and only when it is of a type
    that was asked for.
Rule 4: a record of a restore test says what was not tested, and names no file and no patient.
Source: DSSE 1.0 (protocol and envelope); in-toto attestation, Statement v1.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol, Self

from vault.errors import SignatureError
from vault.ledger.canonical import from_json, to_json
from vault.ledger.notes import is_signed

STATEMENT_PAYLOAD = "application/vnd.in-toto+json"
STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
RESTORE_TEST = "urn:coffre:restore-test:v1"
ENVELOPE_MAX = 1 << 16  # bytes of its file; the record of a restore test has about 1,700
_SHA256 = re.compile(r"[0-9a-f]{64}")


class Public(Protocol):
    """A named Ed25519 public key, of the vault or of a person."""

    @property
    def name(self) -> str:
        """Whose it is."""
        ...

    @property
    def raw(self) -> bytes:
        """Its 32 bytes."""
        ...


class Signer(Protocol):
    """A private key that signs bytes."""

    @property
    def public(self) -> Public:
        """Its public half."""
        ...

    def sign_bytes(self, data: bytes) -> bytes:
        """Give the bare signature."""
        ...


def pae(payload_type: str, payload: bytes) -> bytes:
    """Give what is signed: type and payload, each behind its length in bytes."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """A payload and the signatures over it, as (hint, signature)."""

    payload_type: str
    payload: bytes
    signatures: tuple[tuple[str, bytes], ...] = ()

    def signed_by(self, key: Signer) -> Self:
        """Give the envelope with one signature more."""
        signature = key.sign_bytes(pae(self.payload_type, self.payload))
        return type(self)(
            payload_type=self.payload_type,
            payload=self.payload,
            signatures=(*self.signatures, (key.public.name, signature)),
        )

    def signers(self, keys: Iterable[Public]) -> frozenset[Public]:
        """Give the keys that signed; signatures of others and wrong ones are passed over."""
        data = pae(self.payload_type, self.payload)
        found: dict[bytes, Public] = {}
        for key in keys:
            if any(is_signed(key.raw, signature, data) for _hint, signature in self.signatures):
                found.setdefault(key.raw, key)
        return frozenset(found.values())

    def open(
        self,
        keys: Iterable[Public],
        *,
        least: int = 1,
        types: Iterable[str] = (STATEMENT_PAYLOAD,),
    ) -> bytes:
        """Give the payload when at least so many of the keys signed it; SignatureError."""
        signers = self.signers(keys)
        if len(signers) < least:
            raise SignatureError(
                "{count} of {least} signatures hold", count=len(signers), least=least
            )
        if self.payload_type not in types:
            raise SignatureError("what was signed is of another type: {kind}", kind="DSSE")
        return self.payload

    def only_by(self, keys: Iterable[Public]) -> Self:
        """Give the envelope without the signatures of others: one of each key, under its name."""
        data = pae(self.payload_type, self.payload)
        kept = {
            key.raw: (key.name, signature)
            for key in keys
            for _hint, signature in self.signatures
            if is_signed(key.raw, signature, data)
        }
        return type(self)(
            payload_type=self.payload_type,
            payload=self.payload,
            signatures=tuple(kept.values()),
        )

    def to_members(self) -> dict[str, object]:
        """Give the envelope as the members of its JSON."""
        return {
            "payload": _base64(self.payload),
            "payloadType": self.payload_type,
            "signatures": [
                {"keyid": hint, "sig": _base64(signature)} for hint, signature in self.signatures
            ],
        }

    def to_bytes(self) -> bytes:
        """Write the envelope as a file."""
        return json.dumps(self.to_members(), indent=1).encode() + b"\n"

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read what ``to_bytes`` writes; SignatureError when it is no envelope or too long."""
        try:
            if len(data) > ENVELOPE_MAX:
                raise ValueError("too long")
            return cls.from_members(from_json(data))
        except ValueError:
            raise SignatureError(
                "the signed document is not a {kind}", hint="is the file whole?", kind="DSSE"
            ) from None

    @classmethod
    def from_members(cls, members: object) -> Self:
        """Read the members; SignatureError when they are no envelope."""
        try:
            assert isinstance(members, dict)
            signatures = members["signatures"]
            kind = members["payloadType"]
            assert isinstance(signatures, list)
            assert isinstance(kind, str)
            return cls(
                payload_type=kind,
                payload=_bytes(members["payload"]),
                signatures=tuple(_signature(one) for one in signatures),
            )
        except (AssertionError, KeyError, ValueError):
            raise SignatureError(
                "the signed document is not a {kind}", hint="is the file whole?", kind="DSSE"
            ) from None


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """Something said about things that are named by their SHA-256."""

    subjects: tuple[tuple[str, str], ...]  # name, lower-case hex
    predicate_type: str
    predicate: Mapping[str, object]

    def to_envelope(self) -> Envelope:
        """Give the envelope, not signed yet."""
        members = {
            "_type": STATEMENT_TYPE,
            "subject": [
                {"name": name, "digest": {"sha256": digest}} for name, digest in self.subjects
            ],
            "predicateType": self.predicate_type,
            "predicate": dict(self.predicate),
        }
        return Envelope(payload_type=STATEMENT_PAYLOAD, payload=to_json(members))

    @classmethod
    def from_payload(cls, payload: bytes) -> Self:
        """Read what ``Envelope.open`` gave; SignatureError when it is no statement."""
        try:
            members = from_json(payload)
            assert isinstance(members, dict)
            assert members["_type"] == STATEMENT_TYPE
            kind, predicate = members["predicateType"], members["predicate"]
            assert isinstance(kind, str)
            assert isinstance(predicate, dict)
            subjects = tuple(_subject(one) for one in members["subject"])
            assert subjects
        except (AssertionError, KeyError, TypeError, ValueError):
            raise SignatureError(
                "the signed document is not a {kind}", hint="is it whole?", kind="in-toto"
            ) from None
        return cls(subjects=subjects, predicate_type=kind, predicate=predicate)


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoreTest:
    """One restore test as it is signed: what a fiche de restauration is printed from."""

    drill: str
    source: str
    snapshot_id: str  # restic's, which is a SHA-256
    cycle: int
    origin: str  # the landing, or a target
    level_reached: str  # L0 to L4
    verdict: str
    files: int
    size_bytes: int
    mismatches: int
    duration_s: float
    started_at: str
    ended_at: str
    seed: str
    bound: str
    people: Mapping[str, str]  # role: name as declared
    not_tested: tuple[str, ...]  # never empty: no test tests everything

    def __post_init__(self) -> None:
        if not self.not_tested:
            raise ValueError("a restore test says what it did not test")

    def _require_kinds(self) -> None:
        """See that what came from outside is of the kinds a person is shown; ValueError."""
        for name in self.__slots__:
            value = getattr(self, name)
            if name in ("cycle", "files", "size_bytes", "mismatches"):
                lawful = type(value) is int
            elif name == "duration_s":
                lawful = type(value) in (int, float)
            elif name == "people":
                lawful = isinstance(value, dict) and all(
                    isinstance(one, str) for one in value.values()
                )
            else:
                lawful = isinstance(value, tuple if name == "not_tested" else str)
            if not lawful:
                raise ValueError("of another kind")

    def to_statement(self) -> Statement:
        """Give the statement about the snapshot that was restored."""
        members = {name: getattr(self, name) for name in self.__slots__ if name != "size_bytes"}
        members |= {
            "bytes": self.size_bytes,
            "people": dict(self.people),
            "not_tested": list(self.not_tested),
        }
        return Statement(
            subjects=(("snapshot", self.snapshot_id),),
            predicate_type=RESTORE_TEST,
            predicate=members,
        )

    @classmethod
    def from_statement(cls, statement: Statement) -> Self:
        """Read it back; SignatureError when the statement is about something else."""
        members = dict(statement.predicate)
        try:
            if statement.predicate_type != RESTORE_TEST:
                raise ValueError("another predicate")
            members["size_bytes"] = members.pop("bytes")
            members["not_tested"] = tuple(_list(members["not_tested"]))
            read = cls(**members)  # type: ignore[arg-type]
            read._require_kinds()
            if statement.subjects != (("snapshot", read.snapshot_id),):
                raise ValueError("another subject")
        except (KeyError, TypeError, ValueError):
            raise SignatureError(
                "the signed document is not a {kind}", hint="is it whole?", kind="restore test"
            ) from None
        return read


def _signature(one: object) -> tuple[str, bytes]:
    if not isinstance(one, dict):
        raise ValueError("a signature is an object")
    hint = one.get("keyid", "")
    return hint if isinstance(hint, str) else "", _bytes(one["sig"])


def _subject(one: object) -> tuple[str, str]:
    assert isinstance(one, dict)
    name, digest = one["name"], one["digest"]["sha256"]
    assert isinstance(name, str)
    assert isinstance(digest, str)
    assert _SHA256.fullmatch(digest)
    return name, digest


def _list(value: object) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise ValueError("a list of texts")
    return value


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _bytes(text: object) -> bytes:
    """Read base64 of either alphabet, as a verifier must; ValueError."""
    if not isinstance(text, str):
        raise ValueError("base64 is a text")
    try:
        return base64.b64decode(text.replace("-", "+").replace("_", "/"), validate=True)
    except binascii.Error:
        raise ValueError("no base64") from None
