"""Cosignatures: another person's key and clock under a checkpoint of the vault.

Rule 1: a cosignature says "at this time of my clock I saw this head of this log"; it covers the
    time and the whole text of the checkpoint.
Rule 2: a cosigner remembers, beside the key, the newest head of each log; a smaller one, or
    another of the same size, is refused, and a larger one whose proof of consistency is wrong.
Rule 3: the private key never prints and never leaves its file but for signing.
Source: C2SP tlog-cosignature (Ed25519, algorithm 4); the request with a proof is the body of
    C2SP tlog-witness.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

from vault.errors import SignatureError
from vault.ledger.checkpoint import Checkpoint
from vault.ledger.merkle import is_consistent
from vault.ledger.notes import (
    DASH,
    create_private,
    from_base64,
    is_signed,
    key_id,
    load_private,
    own_signature,
    public_line,
    signature_line,
    split_note,
    split_public,
    to_base64,
)

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

COSIGNATURE = b"\x04"
_TIME_BYTES = 8
_PROOF_MAX = 63  # a tree has no more levels


@dataclass(frozen=True, slots=True, kw_only=True)
class Cosigner:
    """A named public key of a person who cosigns."""

    name: str
    raw: bytes

    @property
    def key_id(self) -> bytes:
        """The four bytes that say which key a signature is of."""
        return key_id(self.name, self.raw, COSIGNATURE)

    def to_text(self) -> str:
        """Write the key as ``NAME+HEXKEYID+BASE64(4 || key)``, on one line."""
        return public_line(self.name, self.raw, COSIGNATURE)

    @classmethod
    def from_text(cls, text: str) -> Cosigner:
        """Read what ``to_text`` writes; SignatureError when it is no cosigner's key."""
        found = split_public(text, COSIGNATURE)
        if found is None:
            raise SignatureError(
                "this is not a public key of a cosigner",
                hint="is it the line that coffre evidence keygen printed?",
            )
        return cls(name=found[0], raw=found[1])

    def signed_at(self, note: bytes) -> int | None:
        """Give when this key cosigned a note, in seconds of POSIX; None when it did not.

        SignatureError when the line of this key does not fit the note.
        """
        text, lines = split_note(note)
        for line in lines:
            blob = own_signature(line, self.name, self.key_id)
            if blob is None:
                continue
            at = int.from_bytes(blob[:_TIME_BYTES], "big")
            if not is_signed(self.raw, blob[_TIME_BYTES:], message(text, at)):
                raise SignatureError(
                    "the signature of {key} does not fit the note: it was changed", key=self.name
                )
            return at
        return None

    def line_in(self, note: bytes) -> bytes | None:
        """Give this key's own signature line in a note, with its dash and newline."""
        for line in split_note(note)[1]:
            blob = own_signature(line, self.name, self.key_id)
            if blob is not None:
                return signature_line(self.name, self.key_id + blob)
        return None


class CosignerKey:
    """A cosigner's private key, from its file of one line, 0600."""

    __slots__ = ("_path", "_private", "public")

    def __init__(self, path: str, name: str, private: Ed25519PrivateKey) -> None:
        self._path = path
        self._private = private
        self.public = Cosigner(name=name, raw=private.public_key().public_bytes_raw())

    @classmethod
    def create(cls, path: str, name: str) -> CosignerKey:
        """Make a key and write its file under a name that must be free; SecretError."""
        return cls(path, name, create_private(path, name, COSIGNATURE))

    @classmethod
    def load(cls, path: str) -> CosignerKey:
        """Read the key from its file; SecretError."""
        return cls(path, *load_private(path, COSIGNATURE))

    def cosign(self, request: Request, *, at: int) -> Cosigned:
        """Put this key's line under a checkpoint; SignatureError when it is refused.

        ``at`` is this machine's clock, in seconds of POSIX. What was seen is remembered before
        the signature is given away.
        """
        found = request.checkpoint
        memory = self._remembered()
        seen = memory.get(found.origin)
        if seen is not None:
            _refuse_backwards(found, seen)
            _refuse_unproven(request, seen)
        memory[found.origin] = (found.size, found.root)
        self._remember(memory)
        text, lines = split_note(request.note)
        mine = [one for one in lines if own_signature(one, self.public.name, self.public.key_id)]
        kept = b"".join(DASH + one + b"\n" for one in lines if one not in mine)
        blob = at.to_bytes(_TIME_BYTES, "big") + self._private.sign(message(text, at))
        line = signature_line(self.public.name, self.public.key_id + blob)
        return Cosigned(
            note=text + b"\n" + kept + line,
            seen_size=seen[0] if seen else 0,
            is_proven=seen is not None and seen[0] in (request.old_size, found.size),
        )

    def sign_bytes(self, data: bytes) -> bytes:
        """Give the bare signature over bytes that can be no cosignature: a record, not a head."""
        assert not data.startswith(b"cosignature/"), "this could pass for a cosignature"
        return self._private.sign(data)

    def _remembered(self) -> dict[str, tuple[int, bytes]]:
        try:
            with open(self._path + ".seen", "rb") as file:
                members = json.load(file)
            return {name: (int(n), bytes.fromhex(root)) for name, (n, root) in members.items()}
        except FileNotFoundError:
            return {}
        except (ValueError, TypeError, AttributeError):
            raise SignatureError(
                "what this key has seen before cannot be read: {path}",
                path=self._path + ".seen",
                hint="move it away only if you know why: the key forgets what it signed",
            ) from None

    def _remember(self, memory: dict[str, tuple[int, bytes]]) -> None:
        members = {name: (size, root.hex()) for name, (size, root) in memory.items()}
        part = self._path + ".seen.part"
        with open(part, "w", encoding="utf-8") as file:
            json.dump(members, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, self._path + ".seen")

    def __repr__(self) -> str:
        return f"CosignerKey({self.public.name!r}, '***')"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a private key is not serialised")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cosigned:
    """A checkpoint with one signature more, and what the cosigner knew of the log before."""

    note: bytes
    seen_size: int  # of the head seen last; 0 when there was none
    is_proven: bool  # that this head continues the one seen last


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A checkpoint to be cosigned, and, when it came with one, its proof of consistency."""

    note: bytes
    checkpoint: Checkpoint
    old_size: int = 0
    proof: tuple[bytes, ...] = ()

    @classmethod
    def from_bytes(cls, data: bytes) -> Request:
        """Read a bare note, or a note behind ``old SIZE``, a proof and an empty line."""
        old_size: int = 0
        proof: tuple[bytes, ...] = ()
        if data.startswith(b"old "):
            head, _, data = data.partition(b"\n\n")
            old_size, proof = _read_proof(head)
        if data and not data.endswith(b"\n"):
            data += b"\n"  # what is pasted or scanned often loses its last newline
        return cls(note=data, checkpoint=Checkpoint.peek(data), old_size=old_size, proof=proof)

    def to_bytes(self) -> bytes:
        """Write it as ``from_bytes`` reads it."""
        if not self.old_size:
            return self.note
        steps = "".join(f"{to_base64(step)}\n" for step in self.proof)
        return f"old {self.old_size}\n{steps}\n".encode() + self.note


def message(text: bytes, at: int) -> bytes:
    """Give what a cosignature is made over."""
    return b"cosignature/v1\ntime %d\n" % at + text


def _read_proof(head: bytes) -> tuple[int, tuple[bytes, ...]]:
    first, *lines = head.decode("ascii", "replace").split("\n")
    steps = [from_base64(line) for line in lines]
    size = first.removeprefix("old ")
    if not (size.isascii() and size.isdigit()) or None in steps or len(steps) > _PROOF_MAX:
        raise SignatureError("this is no request to cosign", hint="is the file whole?")
    return int(size), tuple(step for step in steps if step is not None)


def _refuse_backwards(found: Checkpoint, seen: tuple[int, bytes]) -> None:
    size, root = seen
    if found.size > size or (found.size, found.root) == (size, root):
        return
    raise SignatureError(
        "this key saw a head of {origin} with {size} entries before, and this one is not later: "
        "it has {found}",
        origin=found.origin,
        size=size,
        found=found.size,
        hint="is it an old head, or was the ledger cut or written anew? ask who brought it",
    )


def _refuse_unproven(request: Request, seen: tuple[int, bytes]) -> None:
    """Refuse a wrong proof from the head seen last; a proof from another head says nothing."""
    found = request.checkpoint
    if request.old_size != seen[0] or found.size == seen[0]:
        return
    if not is_consistent(seen, (found.size, found.root), request.proof):
        raise SignatureError(
            "the new head of {origin} does not continue the one that this key saw last",
            origin=found.origin,
            hint="the ledger was changed below it: keep both heads, and call the auditor",
        )
