"""The vault's key is exchanged: a statement that the old key and the new one both sign.

Rule 1: the old key says who follows it, the new one that it is held: neither alone is enough.
Rule 2: from the entry of the rotation on, the old key signs nothing that is believed.
Rule 3: any key of the chain, held by an auditor, vouches for all of it.
Source: ``docs/ledger.md``; fault 81 of the catalogue of faults.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vault.errors import SignatureError
from vault.ledger.notes import PublicKey, split_note

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from vault.ledger.lines import Entry
    from vault.ledger.notes import VaultKey

KIND = "key-rotated"
_TITLE = "coffre key rotation v1"


def rotation_note(old: VaultKey, new: VaultKey) -> bytes:
    """Give the statement, signed by both."""
    text = f"{_TITLE}\n{old.public.to_text()}\n{new.public.to_text()}\n".encode()
    return old.sign(text) + new.sign(text)[len(text) + 1 :]


def read_rotation(note: bytes) -> tuple[PublicKey, PublicKey]:
    """Give (old, new) of a statement that both signed; SignatureError."""
    lines = split_note(note)[0].decode().split("\n")
    if len(lines) != 4 or lines[0] != _TITLE:
        raise SignatureError(
            "the signed document is not a {kind}", hint="is it whole?", kind="key rotation"
        )
    old, new = PublicKey.from_text(lines[1]), PublicKey.from_text(lines[2])
    old.verify(note)
    new.verify(note)
    return old, new


class KeyChain:
    """Which key of the vault signs which sizes of the ledger."""

    def __init__(self, given: Iterable[PublicKey]) -> None:
        self._given = tuple(given)
        self._chain: list[tuple[int, PublicKey]] = []

    def take(self, entry: Entry) -> None:
        """Take a rotation's entry; SignatureError when it is not lawful."""
        note = entry.body.get("note")
        if not isinstance(note, str):
            raise SignatureError(
                "the signed document is not a {kind}", hint="is it whole?", kind="key rotation"
            )
        old, new = read_rotation(note.encode())
        if self._chain and self._chain[-1][1] != old:
            raise SignatureError("the rotation is from a key that was not in force")
        self._chain = self._chain or [(0, old)]
        self._chain.append((entry.n + 1, new))

    @property
    def is_ours(self) -> bool:
        """Whether a key that was given is one of the chain."""
        return not self._chain or any(key in self._given for _size, key in self._chain)

    def all(self) -> Sequence[PublicKey]:
        """Give every key that was ever in force."""
        return [key for _size, key in self._chain] or self._given

    def signing(self, size: int) -> Sequence[PublicKey]:
        """Give the keys that may sign a head of ``size`` entries: one, once there is a chain."""
        known = [key for first, key in self._chain if first <= size]
        return known[-1:] or self._given
