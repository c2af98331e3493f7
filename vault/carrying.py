"""Steps 7 to 10 of a night, for one target: open, believe, carry, publish, shut.

    nothing new       the door stays shut
    find, open        read-only first
    believe           identity, size, newest signed head, room
    make writable     carry batch by batch
    publish           the cycle's list and a new head
    shut              and ask the world

Rule 1: which file to skip is asked of the target itself; the records answer one question only:
    whether the last complete cycle there names every file of the landing.
Rule 2: no write before the medium was believed.
Rule 3: an outcome is a value with reasons; only a door that is not proven shut is raised.
Source: design, sections 4 and 5.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from vault.admission import is_carried
from vault.airlock import Airlock, Opened, Opening
from vault.errors import (
    CoffreError,
    DeadlineReached,
    DoorError,
    DoorUnproven,
    Impostor,
    Interrupted,
    MediaAbsent,
    ReadBackFailed,
    RolledBack,
    Secured,
    SignatureError,
    StoreError,
    TargetFull,
)
from vault.names import printable
from vault.ports import Clock, Marks, Medium, OpenVault, Progress
from vault.records import CataloguePort, LedgerHead, LedgerPort
from vault.results import (
    AdmissionReport,
    Disconnection,
    RepositoryFile,
    ShutReport,
    TargetOutcome,
    TargetRecord,
    TargetResult,
)
from vault.window import soft_deadline

REPOSITORY = "repository"
_ROOM_KEPT_BYTES = 16 << 20  # left free on a medium for its own records
_SHOWN = 10  # names of repository files, which are hashes


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
        self, *, target: TargetRecord, number: int, cycle: int, ledger: LedgerHead, view: SignedFile
    ) -> SignedFile:
        """Make the head of one opening for writing."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Night:
    """What is the same for every target of one night."""

    cycle: int
    closes_at_s: float  # hard, on the boot clock
    window_s: float  # how long such a window is, for the nights left
    landing: bytes  # the repository's folder
    files: Sequence[RepositoryFile]  # the landing's whole list, sorted by path


@dataclass(slots=True, kw_only=True)
class Carrier:
    """Carries what is new to one target after the other."""

    airlock: Airlock
    catalogue: CataloguePort
    ledger: LedgerPort
    signer: Signer
    clock: Clock
    progress: Progress
    broken_off: TargetResult | None = None  # what a carry that raised had come to

    def carry(self, target: TargetRecord, night: Night) -> TargetResult:
        """Bring one target up to date; DoorUnproven, Interrupted and Secured pass through."""
        trip = _Trip(target=target, night=night, proof=self.airlock.proofs.get(target.name))
        trip.new = self._find_new(target, night)
        if trip.new is not None and not trip.new:
            trip.has_nothing_new = True
            return trip.result(None)
        try:
            trip.medium = self.airlock.doors[target.name].find()
            self._cross(trip)
        except (DoorUnproven, Interrupted, Secured) as error:
            trip.error = error
            self.broken_off = trip.result(None)
            self._keep(trip)
            raise
        except CoffreError as error:
            trip.error = error
        except OSError as error:
            trip.error = DoorError("the crossing failed: {reason}", reason=error.strerror)
        self._keep(trip)
        return trip.result(self.catalogue.measured_rate(target.name))

    def _find_new(self, target: TargetRecord, night: Night) -> list[RepositoryFile] | None:
        """Give what the target's last complete cycle does not name; None when it has none."""
        holds = self.catalogue.holds(target.name)
        complete = [cycle for cycle, hold in holds.items() if hold.complete]
        if not complete:
            return None
        return list(lacking(night.files, self.catalogue.landing_list(max(complete))))

    def _cross(self, trip: _Trip) -> None:
        """Open, believe, carry, publish; the airlock shuts on every way out."""
        target, night, medium = trip.target, trip.night, trip.medium
        assert medium is not None
        trip.view = self.signer.sign_view(cycle=night.cycle, files=night.files)
        opening = Opening(
            target=target.name,
            medium=medium,
            purpose="carry",
            writing=True,
            closes_at_s=night.closes_at_s,
            cycle=night.cycle,
            prepare=lambda number: self._announce_head(trip, number),
        )
        self.progress.step("open", target.name)
        with self.airlock.vault_open(opening) as opened:
            trip.opened = opened
            marks = opened.vault.read_marks()
            self.believe(target, medium, marks)
            self._require_room(trip, opened.vault, marks)
            opened.vault.make_writable()
            trip.report = self._admit(trip, opened.vault)
            self._publish(trip, opened.vault)
        self.progress.step("shut", target.name)

    # -- believe

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

    # -- carry and publish

    def _require_room(self, trip: _Trip, vault: OpenVault, marks: Marks) -> None:
        """Refuse to begin what cannot end: TargetFull before the first write."""
        room = marks.free_bytes - _ROOM_KEPT_BYTES
        if sum(file.size_bytes for file in trip.night.files) <= room:
            return
        carried = [file for file in trip.night.files if is_carried(file.path)]
        needed = sum(file.size_bytes for file in vault.missing(carried))
        if needed > room:
            raise TargetFull(
                "{target} has room for {room} bytes and {needed} are to be carried",
                target=trip.target.name,
                room=max(room, 0),
                needed=needed,
                hint="is it time for a larger medium, or for retention on this one?",
            )

    def _admit(self, trip: _Trip, vault: OpenVault) -> AdmissionReport:
        target, night = trip.target, trip.night
        self._refuse_a_stranger(target, vault, night)
        rate = self.catalogue.measured_rate(target.name)
        largest = max((file.size_bytes for file in night.files), default=0)
        soft = soft_deadline(night.closes_at_s, largest_left_bytes=largest, bytes_per_s=rate)
        self.progress.step("carry", target.name)
        return vault.admit(
            (batch.files for batch in self.catalogue.batches()),
            landing=night.landing,
            soft_closes_at_s=soft,
            progress=self.progress.advance,
        )

    def _refuse_a_stranger(self, target: TargetRecord, vault: OpenVault, night: Night) -> None:
        """Refuse a repository that is not the one enrolment made."""
        provisioned = [file for file in night.files if not is_carried(file.path)]
        if gone := vault.missing(provisioned):
            raise Impostor(
                "{count} file(s) that enrolment wrote are gone from {target} or have another size",
                count=len(gone),
                target=target.name,
                hint="who had the medium? it was tampered with outside the vault",
            )

    def _announce_head(self, trip: _Trip, number: int) -> None:
        """Sign the head of the opening to come and keep it as announced, door still shut."""
        assert trip.view is not None
        trip.number = number
        trip.head = self.signer.sign_head(
            target=trip.target,
            number=number,
            cycle=trip.night.cycle,
            ledger=self.ledger.head(),
            view=trip.view,
        )
        self.catalogue.record_head(trip.target.name, number, trip.head.sha256, confirmed=False)

    def _publish(self, trip: _Trip, vault: OpenVault) -> None:
        """Publish the cycle's list, then the head that names it."""
        assert trip.report is not None
        assert trip.view is not None
        assert trip.head is not None
        if trip.report.failure:
            return
        vault.publish_all([(file.path, file.content) for file in (trip.view, trip.head)])
        trip.published = True

    # -- records

    def _keep(self, trip: _Trip) -> None:
        """Keep what the opening came to; after the door is shut."""
        target, report = trip.target, trip.report
        exposure = trip.opened.exposure if trip.opened else None
        if trip.published and trip.head is not None:
            self.catalogue.record_head(target.name, trip.number, trip.head.sha256, confirmed=True)
        if report is not None and exposure is not None and trip.published:
            self.catalogue.set_holds(
                target.name, trip.night.cycle, complete=report.is_complete, at=exposure.opened_at
            )
            if report.is_complete:
                self._complete_older(target, trip.night)
        if report is not None and report.bytes_per_second > 0 and report.admitted_bytes >= 1 << 20:
            self.catalogue.set_measured_rate(target.name, report.bytes_per_second)
        result = trip.result(None)
        self.ledger.append(
            "carried",
            target=target.name,
            cycle=trip.night.cycle,
            outcome=str(result.outcome),
            admitted_files=result.admitted_files,
            admitted_bytes=result.admitted_bytes,
            refused_files=result.refused_files,
            left_bytes=result.left_bytes,
            exposure_s=round(result.exposure_s, 6),
            reasons=list(result.reasons),
        )

    def _complete_older(self, target: TargetRecord, night: Night) -> None:
        """Mark as held the lists that were left partial and are whole now."""
        for cycle, hold in dict(self.catalogue.holds(target.name)).items():
            if hold.complete or cycle == night.cycle:
                continue
            if not any(lacking(self.catalogue.landing_list(cycle), night.files)):
                self.catalogue.set_holds(target.name, cycle, complete=True, at=self.clock.now())


def lacking(
    wanted: Iterable[RepositoryFile], held: Iterable[RepositoryFile]
) -> Iterator[RepositoryFile]:
    """Give what is wanted and not held; both sorted by path, in constant memory."""
    held_iter = iter(held)
    there = next(held_iter, None)
    for file in wanted:
        while there is not None and there.path < file.path:
            there = next(held_iter, None)
        if there is None or there != file:
            yield file


@dataclass(slots=True, kw_only=True)
class _Trip:
    """One target in one night, as it goes."""

    target: TargetRecord
    night: Night
    medium: Medium | None = None
    opened: Opened | None = None
    report: AdmissionReport | None = None
    view: SignedFile | None = None
    head: SignedFile | None = None
    number: int = 0  # of the opening
    published: bool = False
    error: CoffreError | None = None
    proof: ShutReport | None = None  # before the night, for a door that is not opened
    has_nothing_new: bool = False
    new: list[RepositoryFile] | None = None  # None: no cycle is complete there yet

    def result(self, rate: float | None) -> TargetResult:
        """Say what it came to."""
        report = self.report or AdmissionReport()
        exposure = self.opened.exposure if self.opened else None
        shut = exposure.shut if exposure else self.proof
        outcome, reasons = self._outcome(report)
        left = report.left_bytes
        if self.report is None and outcome is TargetOutcome.PARTIAL:  # the kernel shut: count all
            files = self.night.files if self.new is None else self.new
            left = sum(file.size_bytes for file in files)
        return TargetResult(
            name=self.target.name,
            outcome=outcome,
            admitted_files=report.admitted_files,
            admitted_bytes=report.admitted_bytes,
            read_back_bytes=report.read_back_bytes,
            refused_files=len(report.refused),
            exposure_s=exposure.seconds if exposure else 0.0,
            disconnection=shut.disconnection if shut else Disconnection.NONE,
            left_bytes=left,
            nights_left=_nights(left, rate or report.bytes_per_second, self.night.window_s),
            reasons=reasons,
        )

    def _outcome(self, report: AdmissionReport) -> tuple[TargetOutcome, tuple[str, ...]]:
        if self.has_nothing_new:
            return TargetOutcome.NOTHING_NEW, ()
        if self.opened is None and isinstance(self.error, DoorUnproven | Interrupted | Secured):
            return TargetOutcome.NOT_OPENED, (str(self.error),)
        if self.error is not None and not isinstance(self.error, DeadlineReached):
            return _outcome_of(self.error), (str(self.error),)
        if report.corrupt:
            return TargetOutcome.CORRUPT, _reasons(report)
        if report.refused:
            return TargetOutcome.REFUSED, _reasons(report)
        if report.failure:
            full = report.failure == "full"
            return (TargetOutcome.FULL if full else TargetOutcome.FAILED), _reasons(report)
        if self.error is not None:
            return TargetOutcome.PARTIAL, (str(self.error),)
        if report.left_files:
            return TargetOutcome.PARTIAL, (
                f"the window ends: {report.left_files} file(s) are left for the next one",
            )
        gone = 0 if self.new is None else report.wanted_files - len(self.new)
        if gone > 0:
            return TargetOutcome.ADMITTED, (
                f"{gone} file(s) that crossed before were gone from the medium: carried again",
            )
        return TargetOutcome.ADMITTED, ()


def _outcome_of(error: CoffreError) -> TargetOutcome:
    for kind, outcome in (
        (MediaAbsent, TargetOutcome.MEDIA_ABSENT),
        (Impostor, TargetOutcome.IMPOSTOR),
        (SignatureError, TargetOutcome.IMPOSTOR),
        (TargetFull, TargetOutcome.FULL),
        (ReadBackFailed, TargetOutcome.CORRUPT),
        (StoreError, TargetOutcome.FAILED),
    ):
        if isinstance(error, kind):
            return outcome
    return TargetOutcome.FAILED


def _reasons(report: AdmissionReport) -> tuple[str, ...]:
    things = report.corrupt + report.refused
    shown = [f"{printable(thing.name)}: {thing.reason}" for thing in things[:_SHOWN]]
    if len(things) > _SHOWN:
        shown.append(f"and {len(things) - _SHOWN} more")
    if report.failure_detail:
        shown.append(report.failure_detail)
    return tuple(shown)


def _nights(left_bytes: int, rate: float, window_s: float) -> int | None:
    """How many more windows the bytes left need at the measured speed; None when unknown."""
    if not left_bytes:
        return 0
    if rate <= 0 or window_s <= 0:
        return None
    return math.ceil(left_bytes / rate / window_s)
