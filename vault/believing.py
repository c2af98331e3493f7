"""Whether the medium in the bay is the one that was enrolled, as it was left when it was last shut.

    marks of the medium  ->  signatures hold  ->  identity, size, file system, landing
                                              ->  newest head: the one that this host wrote last

Rule 1: an impostor, a clone and an old copy are each refused by name, before the first write.
Rule 2: a head that was announced and not confirmed is ours: its opening died before saying so.
Source: design, section 5.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from vault.errors import Impostor, RolledBack
from vault.holding import SEEN_FACT
from vault.ports import Clock, Marks, Medium
from vault.records import CataloguePort, LedgerHead
from vault.results import RepositoryFile, TargetRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadMarks:
    """What a medium's marks say, once their signatures hold."""

    target_id: str
    uuid: str
    size_bytes: int
    repository_id: str
    newest_head: int  # 0 when there is none
    newest_head_sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedFile:
    """A signed document and where it belongs on a target."""

    path: str
    content: bytes
    sha256: str


class Signer(Protocol):
    """Makes and reads the signed documents of a target."""

    def read_marks(self, marks: Marks) -> ReadMarks:
        """Verify identity and heads against the vault's key; SignatureError."""
        ...

    def sign_view(self, *, cycle: int, files: Sequence[RepositoryFile]) -> SignedFile:
        """Make the list of a cycle."""
        ...

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
        """Make the head of one opening for writing; without a view when it publishes none."""
        ...


@dataclass(slots=True, kw_only=True)
class Believer:
    """Compares what a medium says of itself with what is pinned and recorded."""

    catalogue: CataloguePort
    signer: Signer
    clock: Clock

    def believe(self, target: TargetRecord, medium: Medium, marks: Marks) -> ReadMarks:
        """Compare what the medium says of itself with the pins; Impostor, RolledBack."""
        read = self.signer.read_marks(marks)
        if read.target_id != target.target_id:
            raise Impostor(
                "the medium attached as {target} is another target of this vault",
                target=target.name,
                hint="which disk is in the bay? its label names it",
            )
        pinned = (target.uuid, target.size_bytes)
        if (read.uuid, read.size_bytes) != pinned or (medium.uuid, medium.size_bytes) != pinned:
            raise Impostor(
                "the medium attached as {target} does not have the pinned size or file system",
                target=target.name,
                hint="was it copied onto another disk? only the enrolled one is written to",
            )
        if read.repository_id != (self.catalogue.fact("repository_id") or ""):
            raise Impostor(
                "the medium attached as {target} belongs to another landing repository",
                target=target.name,
                hint="was the landing made anew? enrol the medium again",
            )
        self._believe_head(target, read)
        self.catalogue.set_fact(SEEN_FACT + target.name, self.clock.now().isoformat())
        return read

    def _believe_head(self, target: TargetRecord, read: ReadMarks) -> None:
        found = (read.newest_head, read.newest_head_sha256)
        confirmed = self.catalogue.newest_confirmed_head(target.name)
        number, digest = (confirmed.number, confirmed.sha256) if confirmed else (0, "")
        if found == (number, digest):
            return
        announced = self.catalogue.head(target.name, read.newest_head)
        if read.newest_head > number and announced and announced.sha256 == found[1]:
            # an opening died between publishing its head and saying so
            self.catalogue.record_head(target.name, *found, confirmed=True)
            return
        if read.newest_head < number:
            raise RolledBack(
                "the medium of {target} is older than when it was last shut: head {found}, "
                "not {expected}",
                target=target.name,
                found=read.newest_head,
                expected=number,
                hint="is it an old copy of the disk? look for the real one",
            )
        raise Impostor(
            "the medium of {target} carries a head that this host never wrote: {found}",
            target=target.name,
            found=read.newest_head,
            hint="was it written by another host, or is this host's catalogue an old copy?",
        )


def refuse_tampered(target: TargetRecord, marks: Marks) -> None:
    """Refuse a repository that is not as enrolment made it; Impostor."""
    if marks.gone:
        raise Impostor(
            "files that enrolment wrote and that are gone from {target} or have another size: "
            "{count}",
            count=len(marks.gone),
            target=target.name,
            hint="who had the medium? it was tampered with outside the vault",
        )
