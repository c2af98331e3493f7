"""restic's own cryptography, in the hands of somebody who has the password.

Rule 1: only for attacking scratch repositories; Coffre itself never opens a pack.
Rule 2: what is put is named by its own SHA-256, as restic names it: the name is lawful.
Source: restic's design document, "Keys, Encryption and MAC": scrypt, then AES-256-CTR and
    Poly1305-AES; nonce || ciphertext || MAC.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.poly1305 import Poly1305

NONCE = 16
MAC = 16


class WrongKey(Exception):
    """The MAC does not hold: not this key, or not these bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """A key pair of restic: one to encrypt, one (k, r) to authenticate."""

    encrypt: bytes  # 32 bytes
    mac_k: bytes  # 16 bytes
    mac_r: bytes  # 16 bytes, clamped by Poly1305 itself

    def _mac(self, nonce: bytes, ciphertext: bytes) -> bytes:
        # Poly1305-AES: the nonce, encrypted by AES-128 under k, is what the polynomial ends on.
        once = Cipher(algorithms.AES(self.mac_k), modes.ECB()).encryptor()
        return Poly1305.generate_tag(self.mac_r + once.update(nonce), ciphertext)

    def _stream(self, nonce: bytes, data: bytes) -> bytes:
        return Cipher(algorithms.AES(self.encrypt), modes.CTR(nonce)).encryptor().update(data)

    def seal(self, plaintext: bytes) -> bytes:
        """Encrypt and authenticate under a fresh nonce."""
        nonce = os.urandom(NONCE)
        ciphertext = self._stream(nonce, plaintext)
        return nonce + ciphertext + self._mac(nonce, ciphertext)

    def open(self, sealed: bytes) -> bytes:
        """Check the MAC and decrypt; WrongKey when it does not hold."""
        nonce, ciphertext, mac = sealed[:NONCE], sealed[NONCE:-MAC], sealed[-MAC:]
        if self._mac(nonce, ciphertext) != mac:
            raise WrongKey
        return self._stream(nonce, ciphertext)


def key_from_password(password: bytes, slot: dict[str, Any]) -> Key:
    """Derive the key that wraps the master key in one key file."""
    cost = {"n": slot["N"], "r": slot["r"], "p": slot["p"], "maxmem": 1 << 30}
    salt = base64.b64decode(slot["salt"])
    raw = hashlib.scrypt(password, salt=salt, dklen=64, **cost)
    return Key(encrypt=raw[:32], mac_k=raw[32:48], mac_r=raw[48:])


def master_key(repository: Path, password: bytes) -> Key:
    """Open the repository with a password, as restic does: the first key file that fits."""
    for path in sorted((repository / "keys").iterdir()):
        slot = json.loads(path.read_bytes())
        try:
            master = json.loads(
                key_from_password(password, slot).open(base64.b64decode(slot["data"]))
            )
        except WrongKey:
            continue
        return Key(
            encrypt=base64.b64decode(master["encrypt"]),
            mac_k=base64.b64decode(master["mac"]["k"]),
            mac_r=base64.b64decode(master["mac"]["r"]),
        )
    raise WrongKey("no key file opens with this password")


def name_of(content: bytes) -> str:
    """Give the name restic gives to a file with this content."""
    return hashlib.sha256(content).hexdigest()


def place(repository: Path, kind: str, name: str) -> Path:
    """Give where a file of a kind lives: packs in the folder of their first two digits."""
    return repository / kind / name[:2] / name if kind == "data" else repository / kind / name


def put(repository: Path, kind: str, content: bytes) -> Path:
    """Put bytes into the repository under the name of their own hash."""
    path = place(repository, kind, name_of(content))
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    return path


def put_json(repository: Path, kind: str, document: object, key: Key) -> Path:
    """Put a sealed JSON document: an index or a snapshot with a MAC that holds.

    Plain JSON is what version 1 writes and what version 2 still reads.
    """
    return put(repository, kind, key.seal(json.dumps(document).encode()))


def read_json(path: Path, key: Key) -> Any:
    """Read a sealed JSON document of either version of the format."""
    plain = key.open(path.read_bytes())
    if plain[:1] == b"\x02":
        import zstandard

        plain = zstandard.ZstdDecompressor().decompress(plain[1:], max_output_size=1 << 28)
    return json.loads(plain)
