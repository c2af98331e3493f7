"""Signed notes: a text, and under it the signature of the vault's key.

Rule 1: a note is UTF-8 text ending in a newline, an empty line, then one or more lines
    ``— NAME BASE64(key id || signature)``; signatures of unknown keys are passed over.
Rule 2: what is read from a note is only what ``verify`` returns.
Rule 3: a private key never prints and never leaves its file but for signing.
Rule 4: the cryptographic library is loaded only when a key is used.
Source: C2SP signed-note (Ed25519, algorithm 1); the private key's line is that of Go's
    ``sumdb/note``.
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
_DASH = "— ".encode()
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
        return f"{self.name}+{self.key_id.hex()}+{_base64(ED25519 + self.raw)}"

    @classmethod
    def from_text(cls, text: str) -> PublicKey:
        """Read what ``to_text`` writes; SignatureError when it is not a verifier key."""
        name, _, rest = text.strip().partition("+")
        given_id, _, encoded = rest.partition("+")
        raw = _key_bytes(encoded)
        if raw is None or not is_key_name(name) or given_id != key_id(name, raw).hex():
            raise SignatureError(
                "this is not a public key of a vault",
                hint="is the line whole: NAME+KEYID+BASE64?",
            )
        return cls(name=name, raw=raw)

    def verify(self, note: bytes) -> bytes:
        """Give the text of a note that this key signed; SignatureError otherwise."""
        text, signatures = split_note(note)
        for line in signatures:
            signature = self._own_signature(line)
            if signature is not None:
                self._check(signature, text)
                return text
        raise SignatureError(
            "the note is not signed by {key}",
            hint="was it signed by another vault?",
            key=self.name,
        )

    def _own_signature(self, line: bytes) -> bytes | None:
        name, _, encoded = line.partition(b" ")
        if name != self.name.encode():
            return None
        blob = _from_base64(encoded)
        if blob is None or blob[:4] != self.key_id:
            return None
        return blob[4:]

    def _check(self, signature: bytes, text: bytes) -> None:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

        try:
            Ed25519PublicKey.from_public_bytes(self.raw).verify(signature, text)
        except (InvalidSignature, ValueError):
            raise SignatureError(
                "the signature of {key} does not fit the note: it was changed", key=self.name
            ) from None


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
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        if not is_key_name(name):
            raise SecretError(
                "{name!r} cannot name a key", hint="use letters, digits, . and -?", name=name
            )
        key = cls(name, Ed25519PrivateKey.generate())
        write_key_file(path, key._to_line().encode() + b"\n")
        return key

    @classmethod
    def load(cls, path: str | bytes) -> VaultKey:
        """Read the key from its file; SecretError when absent, open to others or no key."""
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        line = read_key_file(path).decode("utf-8", "replace").strip()
        marked, _, rest = line.partition(_PRIVATE + "+")
        name, _, rest = rest.partition("+")
        given_id, _, encoded = rest.partition("+")
        seed = _key_bytes(encoded)
        if marked or seed is None or not is_key_name(name):
            raise _no_key()
        key = cls(name, Ed25519PrivateKey.from_private_bytes(seed))
        if key.public.key_id.hex() != given_id:
            raise _no_key()
        return key

    def sign(self, text: bytes) -> bytes:
        """Give the note of a text that ends in a newline and has no control character."""
        why = unlawful_text(text)
        if why:
            raise SignatureError("this text cannot be signed: {reason}", reason=why)
        blob = _base64(self.public.key_id + self._private.sign(text))
        return b"".join((text, b"\n", _DASH, f"{self.public.name} {blob}\n".encode()))

    def _to_line(self) -> str:
        seed = _base64(ED25519 + self._private.private_bytes_raw())
        return f"{_PRIVATE}+{self.public.name}+{self.public.key_id.hex()}+{seed}"

    def __repr__(self) -> str:
        return f"VaultKey({self.public.name!r}, '***')"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a private key is not serialised")


def key_id(name: str, raw: bytes) -> bytes:
    """Give the four bytes that stand for a named Ed25519 key."""
    return hashlib.sha256(name.encode() + b"\n" + ED25519 + raw).digest()[:4]


def is_key_name(name: str) -> bool:
    """Whether a name may stand in a key and in a signature line."""
    return bool(name) and "+" not in name and name.isprintable() and not name.count(" ")


def split_note(note: bytes) -> tuple[bytes, list[bytes]]:
    """Split a note into its text and its signature lines without their dash; SignatureError."""
    end = note.rfind(b"\n\n")
    text, below = note[: end + 1], note[end + 2 :]
    lines = below[:-1].split(b"\n")
    lawful = end >= 0 and below.endswith(b"\n") and len(lines) <= SIGNATURES_MAX
    if not lawful or not all(line.startswith(_DASH) for line in lines) or unlawful_text(text):
        raise SignatureError("this is not a signed note", hint="is the file whole?")
    return text, [line[len(_DASH) :] for line in lines]


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


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _from_base64(text: str | bytes) -> bytes | None:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None


def _key_bytes(encoded: str) -> bytes | None:
    """Give the 32 bytes of an encoded Ed25519 key or seed, None when it is not one."""
    data = _from_base64(encoded)
    return data[1:] if data is not None and len(data) == 33 and data[:1] == ED25519 else None


def _no_key() -> SecretError:
    return SecretError(
        "the file of the vault's key holds no key", hint="bring the file back from its copy?"
    )
