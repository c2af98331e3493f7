"""The head of the ledger as others read it: a checkpoint, signed by the vault and by others.

Rule 1: a checkpoint is a signed note of three lines: origin, size of the tree, its root.
Rule 2: of one size there is one checkpoint; signatures are added to it, none is taken away, and
    another text of the same size is a fork, refused.
Rule 3: what is kept is whole and synced before its name appears.
Source: C2SP tlog-checkpoint and signed-note.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from vault.errors import LedgerError, SignatureError
from vault.ledger.merkle import HASH_BYTES
from vault.ledger.notes import DASH, from_base64, split_note, to_base64

if TYPE_CHECKING:
    from vault.ledger.notes import PublicKey, VaultKey

NOTE_MAX = 1 << 16
_SIZE = re.compile(rb"0|[1-9][0-9]{0,18}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """Size and root of one log's tree."""

    origin: str
    size: int
    root: bytes

    def to_text(self) -> bytes:
        """Write the three lines that are signed."""
        return f"{self.origin}\n{self.size}\n{to_base64(self.root)}\n".encode()

    @classmethod
    def from_text(cls, text: bytes) -> Self:
        """Read the three lines, and nothing else; SignatureError."""
        lines = text.split(b"\n")
        root = from_base64(lines[2]) if len(lines) == 4 else None
        if root is None or len(root) != HASH_BYTES or lines[3] or not lines[0]:
            raise _malformed()
        if not _SIZE.fullmatch(lines[1]):
            raise _malformed()
        read = cls(origin=lines[0].decode("utf-8", "replace"), size=int(lines[1]), root=root)
        if read.to_text() != text:  # base64 has spare bits, and two texts are two checkpoints
            raise _malformed()
        return read

    def to_note(self, key: VaultKey) -> bytes:
        """Give the signed note."""
        return key.sign(self.to_text())

    @classmethod
    def from_note(cls, note: bytes, public: PublicKey) -> Self:
        """Verify with the log's key, and read; SignatureError."""
        if len(note) > NOTE_MAX:
            raise _malformed()
        return cls.from_text(public.verify(note))

    @classmethod
    def peek(cls, note: bytes) -> Self:
        """Read without verifying: for what is to be looked up before a key is known."""
        if len(note) > NOTE_MAX:
            raise _malformed()
        return cls.from_text(split_note(note)[0])


class Checkpoints:
    """The checkpoints kept on the vault host, a file of each size; made when first written to."""

    def __init__(self, folder: str | bytes) -> None:
        self._folder = os.fsencode(folder)

    def sizes(self) -> list[int]:
        """Give the sizes there are, the smallest first."""
        try:
            names = os.listdir(self._folder)
        except FileNotFoundError:
            return []
        return sorted(int(name) for name in names if _SIZE.fullmatch(name))

    def read(self, size: int) -> bytes | None:
        """Give the note of a size, None when there is none."""
        try:
            with open(self._path(size), "rb") as file:
                return file.read(NOTE_MAX)
        except FileNotFoundError:
            return None

    def newest(self) -> bytes | None:
        """Give the note of the largest size."""
        sizes = self.sizes()
        return self.read(sizes[-1]) if sizes else None

    def keep(self, note: bytes) -> bytes:
        """Keep a note, with the signatures that its size has already; give it as kept.

        LedgerError when another text was signed for this size.
        """
        text, lines = split_note(note)
        size = Checkpoint.from_text(text).size
        before = self.read(size)
        if before is not None:
            kept_text, kept = split_note(before)
            if kept_text != text:
                raise LedgerError(
                    "two heads of {size} entries differ: the ledger was forked",
                    hint="which host wrote the other one? keep both, and call the auditor",
                    size=size,
                )
            lines = [*kept, *(line for line in lines if line not in kept)]
        whole = text + b"\n" + b"".join(DASH + line + b"\n" for line in lines)
        if whole != before:
            self._write(size, whole)
        return whole

    def _path(self, size: int) -> bytes:
        return os.path.join(self._folder, b"%d" % size)

    def _write(self, size: int, note: bytes) -> None:
        os.makedirs(self._folder, mode=0o700, exist_ok=True)
        part = self._path(size) + b".part-%d" % os.getpid()
        fd = os.open(part, os.O_CREAT | os.O_TRUNC | os.O_WRONLY | os.O_CLOEXEC, 0o600)
        try:
            os.write(fd, note)
            os.fsync(fd)
        finally:
            os.close(fd)
        os.replace(part, self._path(size))
        into = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(into)
        finally:
            os.close(into)


def _malformed() -> SignatureError:
    return SignatureError(
        "the signed document is not a {kind}",
        hint="is the file whole, and a checkpoint of a ledger?",
        kind="checkpoint",
    )
