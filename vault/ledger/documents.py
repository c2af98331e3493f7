"""What the vault signs on a target: its identity, its heads, and (in ``views``) its views.

Rule 1: the text of each is one line of canonical JSON with exactly the members named here.
Rule 2: nothing is believed before the signature was verified with the pinned key.
Rule 3: a document that is signed and does not have its shape is refused like a wrong signature.
Source: contract, "On a target"; ``docs/ledger.md`` for an auditor.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, ClassVar, Self

from vault.errors import SignatureError
from vault.ledger.canonical import from_json, instant_from_text, instant_to_text, to_json
from vault.ledger.views import View

if TYPE_CHECKING:
    from datetime import datetime

    from vault.ledger.notes import PublicKey, VaultKey

__all__ = ["Head", "Identity", "View"]

NOTE_MAX = 1 << 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """What a target was pinned to when it was enrolled; never rewritten."""

    FORMAT: ClassVar[str] = "coffre identity v1"

    target: str
    target_id: str
    uuid: str  # of the file system
    fs_type: str
    size_bytes: int
    repository_id: str
    config_sha256: str
    keys: tuple[str, ...]  # the names of the repository's key files, sorted
    vault_key: str  # the public key, as text
    site: str
    enrolled_at: datetime

    def __post_init__(self) -> None:
        object.__setattr__(self, "keys", tuple(sorted(self.keys)))

    def to_note(self, key: VaultKey) -> bytes:
        """Give the signed note."""
        members = _members(self) | {
            "keys": list(self.keys),
            "enrolled_at": instant_to_text(self.enrolled_at),
        }
        return key.sign(to_json(members) + b"\n")

    @classmethod
    def from_note(cls, note: bytes, public: PublicKey) -> Self:
        """Verify and read; SignatureError when it is not ours or not an identity."""
        members = _read(cls, note, public)
        try:
            size = _number(members, "size_bytes")
            names = members.pop("keys")
            if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
                raise ValueError("keys")
            if names != sorted(names):
                raise ValueError("keys")
            at = instant_from_text(members.pop("enrolled_at"))
            texts = _texts(members)
        except ValueError:
            raise _malformed(cls.FORMAT) from None
        return cls(size_bytes=size, keys=tuple(names), enrolled_at=at, **texts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """One opening for writing, signed on the target: which cycle, and the ledger's head then."""

    FORMAT: ClassVar[str] = "coffre head v2"
    BEFORE: ClassVar[str] = "coffre head v1"  # without a checkpoint

    target_id: str
    number: int
    cycle: int | None
    purpose: str
    ledger_n: int
    ledger_sha256: str
    view_sha256: str  # of the published file; empty when the opening published no view
    at: datetime
    checkpoint: str = (
        ""  # the ledger's, a signed note of its own; empty when it could not be signed
    )

    def to_note(self, key: VaultKey) -> bytes:
        """Give the signed note."""
        return key.sign(to_json(_members(self) | {"at": instant_to_text(self.at)}) + b"\n")

    @classmethod
    def from_note(cls, note: bytes, public: PublicKey) -> Self:
        """Verify and read, also an older one; SignatureError when it is not ours or not a head."""
        members = _read(cls, note, public)
        try:
            number = _number(members, "number")
            ledger_n = _number(members, "ledger_n", least=-1)
            cycle = _number(members, "cycle") if members["cycle"] is not None else None
            members.pop("cycle", None)
            at = instant_from_text(members.pop("at"))
            texts = _texts(members)
        except ValueError:
            raise _malformed(cls.FORMAT) from None
        return cls(number=number, cycle=cycle, ledger_n=ledger_n, at=at, **texts)


def _members(document: Identity | Head) -> dict[str, object]:
    named = {field.name: getattr(document, field.name) for field in fields(document)}
    return named | {"format": document.FORMAT}


def _read(kind: type[Identity | Head], note: bytes, public: PublicKey) -> dict[str, object]:
    """Verify a note and give the members of its one line, ``format`` checked and left out."""
    if len(note) > NOTE_MAX:
        raise _malformed(kind.FORMAT)
    text = public.verify(note)
    try:
        members = from_json(text)
    except ValueError:
        raise _malformed(kind.FORMAT) from None
    named = {field.name for field in fields(kind)}
    one_line = text.count(b"\n") == 1
    if not one_line or not isinstance(members, dict):
        raise _malformed(kind.FORMAT)
    if kind is Head and members.get("format") == Head.BEFORE and "checkpoint" not in members:
        members |= {"format": Head.FORMAT, "checkpoint": ""}
    if set(members) != named | {"format"} or members.pop("format") != kind.FORMAT:
        raise _malformed(kind.FORMAT)
    return members


def _number(members: dict[str, object], name: str, *, least: int = 0) -> int:
    value = members.pop(name)
    if type(value) is not int or value < least:
        raise ValueError(name)
    return value


def _texts(members: dict[str, object]) -> dict[str, str]:
    texts = {name: value for name, value in members.items() if isinstance(value, str)}
    if len(texts) != len(members):
        raise ValueError("a text is not a text")
    return texts


def _malformed(kind: str) -> SignatureError:
    return SignatureError(
        "the signed document is not a {kind}", hint="was it written by a newer coffre?", kind=kind
    )
