"""The signed documents of a target, made and read for the stories."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from datetime import datetime

from vault.admission import Pins
from vault.believing import ReadMarks, SignedFile
from vault.ledger.documents import Head, Identity, View
from vault.ledger.notes import PublicKey, VaultKey
from vault.ports import Marks
from vault.records import LedgerHead
from vault.results import RepositoryFile, TargetRecord


class DocumentSigner:
    """Implements ``vault.believing.Signer`` and ``vault.enrolment.IdentitySigner``."""

    def __init__(
        self,
        key: VaultKey,
        *,
        retired: Sequence[PublicKey],
        site: str,
        pins: Pins,
        now: Callable[[], datetime],
        sign_ledger: Callable[[], str],
    ) -> None:
        self._key = key
        self._keys = (key.public, *retired)  # a medium may carry what an earlier key signed
        self._sign_ledger = sign_ledger
        self._site = site
        self._pins = pins
        self._now = now

    def read_marks(self, marks: Marks) -> ReadMarks:
        """Verify the identity and the newest head that verifies as a head; SignatureError."""
        identity = Identity.from_note(marks.identity, self._signer_of(marks.identity))
        number, digest = 0, ""
        if marks.heads:
            number, note = max(marks.heads)
            head = Head.from_note(note, self._signer_of(note))
            digest = hashlib.sha256(note).hexdigest()
            if head.number != number or head.target_id != identity.target_id:
                digest = "its name and its content disagree"
        return ReadMarks(
            target_id=identity.target_id,
            uuid=identity.uuid,
            size_bytes=identity.size_bytes,
            repository_id=identity.repository_id,
            newest_head=number,
            newest_head_sha256=digest,
        )

    def _signer_of(self, note: bytes) -> PublicKey:
        """Give the key of ours that a note names; the one in force when it names none."""
        for key in self._keys:
            if key.is_named_in(note):
                return key
        return self._key.public

    def sign_view(self, *, cycle: int, files: Sequence[RepositoryFile]) -> SignedFile:
        """Make ``coffre/views/N.zst``."""
        return _file(f"coffre/views/{cycle}.zst", View.of(cycle, files).to_note(self._key))

    def sign_head(
        self,
        *,
        target: TargetRecord,
        number: int,
        cycle: int | None,
        ledger: LedgerHead,
        view: SignedFile | None,
        purpose: str = "carry",
    ) -> SignedFile:
        """Make ``coffre/heads/N``."""
        head = Head(
            target_id=target.target_id,
            number=number,
            cycle=cycle,
            purpose=purpose,
            ledger_n=ledger.n,
            ledger_sha256=ledger.sha256,
            view_sha256=view.sha256 if view else "",
            at=self._now(),
            checkpoint=self._sign_ledger(),
        )
        return _file(f"coffre/heads/{number}", head.to_note(self._key))

    def sign_identity(self, target: TargetRecord, *, repository_id: str) -> SignedFile:
        """Make ``coffre/identity``."""
        identity = Identity(
            target=target.name,
            target_id=target.target_id,
            uuid=target.uuid,
            fs_type=target.fs_type,
            size_bytes=target.size_bytes,
            repository_id=repository_id,
            config_sha256=self._pins.config_sha256,
            keys=tuple(self._pins.keys),
            vault_key=self._key.public.to_text(),
            site=self._site,
            enrolled_at=target.enrolled_at,
        )
        return _file("coffre/identity", identity.to_note(self._key))


def _file(path: str, content: bytes) -> SignedFile:
    return SignedFile(path=path, content=content, sha256=hashlib.sha256(content).hexdigest())
