"""A target lets go of files that no kept view names: two persons, after a hold, tried first.

    propose     the views that go and the files that only they name; in the ledger, and the hold
                begins
    refuse      the same person, the hold, another list, an alarm, the clock, a landing not sound
    try         a restore test from the medium: restic's check and a point given back, through a
                view that names none of these files
    remove      in a maintenance opening of its own: its vault side may remove packs, indexes and
                snapshots, and nothing else; then every kept view is asked for, whole
    record      each name before the door moves, the count after it is shut

Rule 1: a file goes when no kept view names it and the landing has let go of it; no key is needed,
    nothing is repacked.
Rule 2: a night that loses a file is not held any more, from before the first file goes.
Rule 3: killed anywhere, it is run again by the same words: what is gone is passed over.
Rule 4: the newest view stays, so what the landing holds stays: the last proven point of a source
    among it.
Source: design, section 8, invariants 4 and 10; ``docs/decisions/0029``.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from vault.airlock import Airlock, Opening
from vault.believing import Believer, SignedFile, Signer
from vault.errors import ReadBackFailed, RetentionRefused
from vault.moments import Moments
from vault.ports import Clock, Medium, OpenVault, Progress
from vault.proposal import Proposal, body_of, hash_files, make_id
from vault.records import CataloguePort, LedgerPort
from vault.results import Exposure, Removed, RepositoryFile, TargetRecord
from vault.retention import Plan

_OPEN_S = 3600.0  # the kernel shuts the door then; what is left goes at the next try
_NAMES_A_LINE = 5000  # of the ledger: a name has 76 characters, a line at most a million


class Book(Protocol):
    """What is asked of the catalogue besides what every story asks."""

    def in_no_list(self, kept: Collection[int]) -> list[RepositoryFile]:
        """Give the files that left the landing and stand in none of these nights' lists."""
        ...

    def drop_holds(self, name: str, cycles: Collection[int]) -> None:
        """Say of a target that it holds these nights no more."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Gone:
    """What a removal came to."""

    proposal: Proposal
    removed: Removed
    nights: tuple[int, ...]  # not held any more
    drill: int
    opening: int
    exposure: Exposure


@dataclass(slots=True, kw_only=True)
class Remover:
    """Takes off targets what they need not keep. Use it only under the vault's lock."""

    airlock: Airlock
    catalogue: CataloguePort
    book: Book
    ledger: LedgerPort
    signer: Signer
    believer: Believer
    moments: Moments
    unsound: Callable[[], Sequence[str]]  # what is not as it should be in the landing
    try_restore: Callable[[str], int]  # a restore test from a target; its number, or refused
    clock: Clock
    progress: Progress

    def files_of(
        self, proposed: Collection[int], *, newest: int, target: str
    ) -> list[RepositoryFile]:
        """Give what no kept view names: neither of ``proposed`` nor later than ``newest``."""
        later = [night for night in self.catalogue.holds(target) if night > newest]
        return self.book.in_no_list({*proposed, *later})

    def propose(self, target: str, plan: Plan, *, by: str, login: str, reason: str) -> Proposal:
        """Write a proposal into the ledger; RetentionRefused when there is nothing to let go of."""
        if plan.stops:
            raise RetentionRefused(
                "nothing is let go of: {reasons}",
                reasons="; ".join(stop.template.format(**stop.values) for stop in plan.stops),
                hint="coffre gaps names the mend of each; then coffre retention plan",
            )
        kept = tuple(sorted(one.point.cycle for one in plan.kept))
        let_go = tuple(sorted(point.cycle for point in plan.let_go))
        files = self.files_of(kept, newest=max(kept, default=0), target=target) if kept else []
        if not (let_go and files):
            raise RetentionRefused(
                "there is nothing that {target} could let go of",
                target=target,
                hint="a target lets go of what the landing has let go of, and no kept view names",
            )
        at, sha256 = self.clock.now(), hash_files(files)
        proposal = Proposal(
            id=make_id(target, let_go, sha256, at),
            target=target,
            by=by,
            login=login,
            reason=reason,
            at=at,
            kept=kept,
            let_go=let_go,
            newest=max(kept),
            files=len(files),
            bytes=sum(file.size_bytes for file in files),
            sha256=sha256,
        )
        self.ledger.append("removal-proposed", **body_of(proposal))
        return proposal

    def remove(
        self, proposal: Proposal, files: Sequence[RepositoryFile], *, by: str, login: str
    ) -> Gone:
        """Try on a view, then take the files off; persons, hold and list were judged before."""
        record = self.catalogue.target(proposal.target)
        if record is None:
            raise RetentionRefused("{target} is not an enrolled target", target=proposal.target)
        nights = self._losing(proposal, files)
        if reasons := [*self._naming(proposal, files), *self.unsound()]:
            raise RetentionRefused(
                "nothing is removed: {reasons}",
                reasons="; ".join(reasons[:5]),
                hint="coffre doctor, coffre gaps and docs/sysadmin.md say what to do",
            )
        drill = self.try_restore(proposal.target)
        self._announce(proposal, files, by=by, login=login, drill=drill)
        wanted = self._wanted(proposal)
        with self.moments.at_door(proposal.target, "maintenance") as find:
            return self._open(_Run(
                record=record, proposal=proposal, files=files, nights=nights, wanted=wanted,
                drill=drill, medium=find(),
            ))  # fmt: skip

    def _losing(self, proposal: Proposal, files: Sequence[RepositoryFile]) -> tuple[int, ...]:
        """Give the held nights whose list names one of the files."""
        gone = {file.path for file in files}
        kept = set(proposal.kept)
        return tuple(
            night
            for night in sorted(self.catalogue.holds(proposal.target))
            if night not in kept
            and any(file.path in gone for file in self.catalogue.landing_list(night))
        )

    def _naming(self, proposal: Proposal, files: Sequence[RepositoryFile]) -> Iterator[str]:
        """Ask every kept list once more whether it names a file; it must not."""
        gone = {file.path for file in files}
        for night in self._kept(proposal):
            if any(file.path in gone for file in self.catalogue.landing_list(night)):
                yield f"night {night} is kept and names a file that is to go"
        if any(file.path in gone for file in self.catalogue.known_paths()):
            yield "the landing holds a file that is to go"

    def _kept(self, proposal: Proposal) -> list[int]:
        holds = self.catalogue.holds(proposal.target)
        return [n for n in sorted(holds) if n in proposal.kept or n > proposal.newest]

    def _announce(
        self,
        proposal: Proposal,
        files: Sequence[RepositoryFile],
        *,
        by: str,
        login: str,
        drill: int,
    ) -> None:
        self.ledger.append(
            "removal-begun",
            id=proposal.id,
            target=proposal.target,
            by=proposal.by,
            seconded_by=by,
            login=login,
            same_login=login == proposal.login,
            drill=drill,
            files=len(files),
            sha256=proposal.sha256,
        )
        for start in range(0, len(files), _NAMES_A_LINE):
            self.ledger.append(
                "removal-names",
                id=proposal.id,
                first=start,
                names=[file.path for file in files[start : start + _NAMES_A_LINE]],
            )

    # -- the opening

    def _open(self, run: _Run) -> Gone:
        opening = Opening(
            target=run.record.name,
            medium=run.medium,
            purpose="maintenance",
            writing=True,
            maintenance=True,
            closes_at_s=self.clock.boot_s() + _OPEN_S,
            prepare=lambda number: self._announce_head(run, number),
        )
        self.progress.step("open", run.record.name)
        with self.airlock.vault_open(opening) as opened:
            marks = opened.vault.read_marks()
            self.believer.believe(run.record, run.medium, marks)
            self._require_kept(run, opened.vault)
            opened.vault.make_writable()
            self.book.drop_holds(run.record.name, run.nights)  # before the first file goes
            self.progress.step("remove", run.record.name)
            removed = opened.vault.remove(run.files, progress=self.progress.advance)
            self._require_kept(run, opened.vault)
            assert run.head is not None
            opened.vault.publish(run.head.path, run.head.content)
        self.progress.step("shut", run.record.name)
        assert opened.exposure is not None
        self.catalogue.record_head(run.record.name, run.number, run.head.sha256, confirmed=True)
        self.ledger.append(
            "removal-ended",
            id=run.proposal.id,
            target=run.record.name,
            opening=opened.number,
            removed=removed.removed,
            removed_bytes=removed.removed_bytes,
            absent=removed.absent,
            refused=len(removed.refused),
            nights=list(run.nights),
            exposure_s=round(opened.exposure.seconds, 6),
        )
        return Gone(
            proposal=run.proposal,
            removed=removed,
            nights=run.nights,
            drill=run.drill,
            opening=opened.number,
            exposure=opened.exposure,
        )

    def _announce_head(self, run: _Run, number: int) -> None:
        run.number = number
        run.head = self.signer.sign_head(
            target=run.record,
            number=number,
            cycle=None,
            ledger=self.ledger.head(),
            view=None,
            purpose="maintenance",
        )
        self.catalogue.record_head(run.record.name, number, run.head.sha256, confirmed=False)

    def _wanted(self, proposal: Proposal) -> list[RepositoryFile]:
        """Give what every kept view that was held whole must find on the medium, by path."""
        holds = self.catalogue.holds(proposal.target)
        wanted: dict[str, RepositoryFile] = {}
        for night in self._kept(proposal):
            if holds[night].complete:
                wanted |= {file.path: file for file in self.catalogue.landing_list(night)}
        return [wanted[path] for path in sorted(wanted)]

    def _require_kept(self, run: _Run, vault: OpenVault) -> None:
        """See on the medium itself that every kept view is whole there."""
        missing = vault.missing(run.wanted)
        if missing:
            raise ReadBackFailed(
                "files that kept nights name and that are not on {target}: {count}",
                count=len(missing),
                target=run.record.name,
                hint="is the medium failing, or was it tampered with? coffre drill run --from it",
            )


@dataclass(slots=True, kw_only=True)
class _Run:
    """One removal, as it goes."""

    record: TargetRecord
    proposal: Proposal
    files: Sequence[RepositoryFile]
    nights: tuple[int, ...]  # lose a file
    wanted: Sequence[RepositoryFile]  # that kept views name
    drill: int
    medium: Medium
    head: SignedFile | None = None
    number: int = 0
