"""Re-wrap the master key of a scratch repository with a cheap key derivation.

restic calibrates scrypt to half a second a call, which a test suite cannot pay hundreds of times.
The master key stays; only the derivation that wraps it becomes cheap. For scratch repositories
with a throw-away password only: never for one that holds anything.
"""

import base64
import hashlib
import json
import os
from typing import Any

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.poly1305 import Poly1305

N, R, P = 1024, 8, 1
NONCE_BYTES = MAC_BYTES = 16


def make_keys_cheap(repository: str | bytes, *passwords: bytes) -> dict[str, str]:
    """Re-wrap every key that opens with one of the passwords; give old id -> new id."""
    folder = os.path.join(os.fsdecode(repository), "keys")
    renamed = {}
    for name in sorted(os.listdir(folder)):
        with open(os.path.join(folder, name), "rb") as file:
            key = json.load(file)
        for password in passwords:
            master = _open(_derive(password, key), base64.b64decode(key["data"]))
            if master is not None:
                renamed[name] = _write_cheap(folder, key, password, master)
                os.unlink(os.path.join(folder, name))
    return renamed


def add_cheap_key(repository: str | bytes, opens: bytes, password: bytes, *, user: str) -> str:
    """Add a cheap key with another password, as ``restic key add`` would; give its id."""
    folder = os.path.join(os.fsdecode(repository), "keys")
    for name in sorted(os.listdir(folder)):
        with open(os.path.join(folder, name), "rb") as file:
            key = json.load(file)
        master = _open(_derive(opens, key), base64.b64decode(key["data"]))
        if master is not None:
            return _write_cheap(folder, key | {"username": user}, password, master)
    raise ValueError("no key opens with this password")


def _write_cheap(folder: str, key: dict[str, Any], password: bytes, master: bytes) -> str:
    cheap = key | {"N": N, "r": R, "p": P, "salt": base64.b64encode(os.urandom(64)).decode()}
    cheap["data"] = base64.b64encode(_seal(_derive(password, cheap), master)).decode()
    content = json.dumps(cheap, separators=(",", ":")).encode()
    name = hashlib.sha256(content).hexdigest()
    with open(os.path.join(folder, name), "wb") as file:
        file.write(content)
    os.chmod(os.path.join(folder, name), 0o400)
    return name


def _derive(password: bytes, key: dict[str, Any]) -> bytes:
    """Give 32 bytes for AES-256-CTR, then 16 + 16 for Poly1305-AES."""
    n, r, p = key["N"], key["r"], key["p"]
    salt = base64.b64decode(key["salt"])
    return hashlib.scrypt(password, salt=salt, n=n, r=r, p=p, maxmem=512 * n * r * 2, dklen=64)


def _mac(key: bytes, nonce: bytes, text: bytes) -> bytes:
    aes_key, r = key[32:48], key[48:64]
    # The construction enciphers one block: there is no mode to choose.
    s = Cipher(algorithms.AES(aes_key), modes.ECB()).encryptor().update(nonce)
    return Poly1305.generate_tag(r + s, text)


def _open(key: bytes, data: bytes) -> bytes | None:
    nonce, text, mac = data[:NONCE_BYTES], data[NONCE_BYTES:-MAC_BYTES], data[-MAC_BYTES:]
    if _mac(key, nonce, text) != mac:
        return None
    return Cipher(algorithms.AES(key[:32]), modes.CTR(nonce)).decryptor().update(text)


def _seal(key: bytes, plain: bytes) -> bytes:
    nonce = os.urandom(NONCE_BYTES)
    text = Cipher(algorithms.AES(key[:32]), modes.CTR(nonce)).encryptor().update(plain)
    return nonce + text + _mac(key, nonce, text)
