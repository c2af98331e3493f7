"""Signed notes: a text, and under it the signature of the vault's key.

Rule 1: a note is UTF-8 text ending in a newline, an empty line, then one or more lines
    ``— NAME BASE64(key id || signature)``; signatures of unknown keys are passed over.
Rule 2: what is read from a note is only what ``verify`` returns.
Rule 3: a private key never prints and never leaves its file but for signing.
Rule 4: the cryptographic library is loaded only when a key is used.
Source: C2SP signed-note (Ed25519, algorithm 1; algorithm 4 in ``cosigning``); the private
    key's line is that of Go's ``sumdb/note``.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

from vault.errors import SecretError, SignatureError
from vault.ledger.key_file import read_key_file, write_key_file

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

ED25519 = b"\x01"
SIGNATURES_MAX = 16
DASH = "— ".encode()
_PRIVATE = "PRIVATE+KEY"


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicKey:
    """A named Ed25519 public key, as it is pinned and printed."""

    name: str
    raw: bytes  # 32 bytes

    @property
    def key_id(self) -> bytes:
        """The four bytes that say which key a signature is of."""
        return key_id(self.name, self.raw)

    def to_text(self) -> str:
        """Write the key as ``NAME+HEXKEYID+BASE64(1 || key)``, on one line."""
        return public_line(self.name, self.raw, ED25519)

    @classmethod
    def from_text(cls, text: str) -> PublicKey:
        """Read what ``to_text`` writes; SignatureError when it is not a verifier key."""
        found = split_public(text, ED25519)
        if found is None:
            raise SignatureError(
                "this is not a public key of a vault",
                hint="is the line whole: NAME+KEYID+BASE64?",
            )
        return cls(name=found[0], raw=found[1])

    def is_named_in(self, note: bytes) -> bool:
        """Whether a note has a line of this key, right or wrong; SignatureError when it is none."""
        return any(own_signature(line, self.name, self.key_id) for line in split_note(note)[1])

    def verify(self, note: bytes) -> bytes:
        """Give the text of a note that this key signed; SignatureError otherwise."""
        text, signatures = split_note(note)
        for line in signatures:
            signature = own_signature(line, self.name, self.key_id)
            if signature is None:
                continue
            if not is_signed(self.raw, signature, text):
                raise SignatureError(
                    "the signature of {key} does not fit the note: it was changed", key=self.name
                )
            return text
        raise SignatureError(
            "the note is not signed by {key}",
            hint="was it signed by another vault?",
            key=self.name,
        )


class VaultKey:
    """The vault's signing key, from its file of one line, 0600."""

    __slots__ = ("_private", "public")

    def __init__(self, name: str, private: Ed25519PrivateKey) -> None:
        self._private = private
        self.public = PublicKey(name=name, raw=private.public_key().public_bytes_raw())

    @classmethod
    def create(cls, path: str | bytes, name: str) -> VaultKey:
        """Make a key and write its file, synced, under a name that must be free.

        ``name`` stands in every signature: no space, no plus. Raises SecretError.
        """
        return cls(name, create_private(path, name, ED25519))

    @classmethod
    def load(cls, path: str | bytes) -> VaultKey:
        """Read the key from its file; SecretError when absent, open to others or no key."""
        return cls(*load_private(path, ED25519))

    def sign(self, text: bytes) -> bytes:
        """Give the note of a text that ends in a newline and has no control character."""
        why = unlawful_text(text)
        if why:
            raise SignatureError("this text cannot be signed: {reason}", reason=why)
        blob = self.public.key_id + self._private.sign(text)
        return b"".join((text, b"\n", signature_line(self.public.name, blob)))

    def sign_bytes(self, data: bytes) -> bytes:
        """Give the bare signature over bytes that can be no note: they end in no newline."""
        assert not data.endswith(b"\n"), "this could pass for the text of a note"
        return self._private.sign(data)

    def __repr__(self) -> str:
        return f"VaultKey({self.public.name!r}, '***')"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a private key is not serialised")


def key_id(name: str, raw: bytes, kind: bytes = ED25519) -> bytes:
    """Give the four bytes that stand for a named key of one kind of signature."""
    return hashlib.sha256(name.encode() + b"\n" + kind + raw).digest()[:4]


def public_line(name: str, raw: bytes, kind: bytes) -> str:
    """Write a public key as ``NAME+HEXKEYID+BASE64(kind || key)``."""
    return f"{name}+{key_id(name, raw, kind).hex()}+{to_base64(kind + raw)}"


def split_public(text: str, kind: bytes) -> tuple[str, bytes] | None:
    """Read what ``public_line`` writes, as (name, key); None when it is not one of this kind."""
    name, _, rest = text.strip().partition("+")
    given_id, _, encoded = rest.partition("+")
    raw = _key_bytes(encoded, kind)
    if raw is None or not is_key_name(name) or given_id != key_id(name, raw, kind).hex():
        return None
    return name, raw


def own_signature(line: bytes, name: str, own_id: bytes) -> bytes | None:
    """Give what a signature line holds after the key id; None when it is another key's."""
    named, _, encoded = line.partition(b" ")
    blob = from_base64(encoded) if named == name.encode() else None
    return blob[4:] if blob is not None and blob[:4] == own_id else None


def signature_line(name: str, blob: bytes) -> bytes:
    """Write one signature line, ``blob`` being key id and signature."""
    return DASH + f"{name} {to_base64(blob)}\n".encode()


def is_signed(raw: bytes, signature: bytes, data: bytes) -> bool:
    """Judge one Ed25519 signature."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        Ed25519PublicKey.from_public_bytes(raw).verify(signature, data)
    except (InvalidSignature, ValueError):
        return False
    return True


def create_private(path: str | bytes, name: str, kind: bytes) -> Ed25519PrivateKey:
    """Make a private key and write its file; SecretError when the name is unlawful or taken."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    if not is_key_name(name):
        raise SecretError(
            "{name!r} cannot name a key", hint="use letters, digits, . and -?", name=name
        )
    private = Ed25519PrivateKey.generate()
    own_id = key_id(name, private.public_key().public_bytes_raw(), kind).hex()
    seed = to_base64(kind + private.private_bytes_raw())
    write_key_file(path, f"{_PRIVATE}+{name}+{own_id}+{seed}\n".encode())
    return private


def load_private(path: str | bytes, kind: bytes) -> tuple[str, Ed25519PrivateKey]:
    """Read a private key's file, as (name, key); SecretError."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    line = read_key_file(path).decode("utf-8", "replace").strip()
    marked, _, rest = line.partition(_PRIVATE + "+")
    name, _, rest = rest.partition("+")
    given_id, _, encoded = rest.partition("+")
    seed = _key_bytes(encoded, kind)
    if marked or seed is None or not is_key_name(name):
        raise _no_key()
    private = Ed25519PrivateKey.from_private_bytes(seed)
    if key_id(name, private.public_key().public_bytes_raw(), kind).hex() != given_id:
        raise _no_key()
    return name, private


def is_key_name(name: str) -> bool:
    """Whether a name may stand in a key and in a signature line."""
    return bool(name) and "+" not in name and name.isprintable() and not name.count(" ")


def split_note(note: bytes) -> tuple[bytes, list[bytes]]:
    """Split a note into its text and its signature lines without their dash; SignatureError."""
    end = note.rfind(b"\n\n")
    text, below = note[: end + 1], note[end + 2 :]
    lines = below[:-1].split(b"\n")
    lawful = end >= 0 and below.endswith(b"\n") and len(lines) <= SIGNATURES_MAX
    if not lawful or unlawful_text(text) or not all(_is_signature(line) for line in lines):
        raise SignatureError("this is not a signed note", hint="is the file whole?")
    return text, [line[len(DASH) :] for line in lines]


def _is_signature(line: bytes) -> bool:
    name, _, encoded = line.removeprefix(DASH).partition(b" ")
    try:
        is_name = is_key_name(name.decode())
    except UnicodeDecodeError:
        return False
    return line.startswith(DASH) and is_name and from_base64(encoded) is not None


_CONTROLS = bytes(set(range(32)) - {10})


def unlawful_text(text: bytes) -> str:
    """Say why a text cannot be that of a note; empty when it can."""
    if not text.endswith(b"\n"):
        return "it does not end in a newline"
    if len(text.translate(None, _CONTROLS)) != len(text):
        return "it has control characters"
    if not text.isascii():
        try:
            text.decode("utf-8")
        except UnicodeDecodeError:
            return "it is not UTF-8"
    return ""


def to_base64(data: bytes) -> str:
    """Write standard base64."""
    return base64.b64encode(data).decode("ascii")


def from_base64(text: str | bytes) -> bytes | None:
    """Read standard base64; None when it is not, or when its spare bits are not zero."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    written = base64.b64encode(data)
    return data if written == (text.encode() if isinstance(text, str) else text) else None


def _key_bytes(encoded: str, kind: bytes) -> bytes | None:
    """Give the 32 bytes of an encoded key or seed, None when it is not one of this kind."""
    data = from_base64(encoded)
    return data[1:] if data is not None and len(data) == 33 and data[:1] == kind else None


def _no_key() -> SecretError:
    return SecretError(
        "the file of the signing key holds no key", hint="bring the file back from its copy?"
    )
