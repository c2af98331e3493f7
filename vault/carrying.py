"""Steps 7 to 10 of a night, for one target: open, believe, carry, publish, shut.

    nothing new       the door stays shut
    find, open        read-only first
    believe           identity, size, newest signed head, room
    make writable     carry batch by batch, then the cycle's list and a new head
    shut              and ask the world

Rule 1: which file to skip is asked of the target itself; the records answer one question only:
    whether the last complete cycle there names every file of the landing.
Rule 2: no write before the medium was believed; and what needs no medium is done before it is
    touched: the list and the head are signed, the plan is with the vault side.
Rule 3: an outcome is a value with reasons; only a door that is not proven shut is raised.
Source: design, sections 4 and 5.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from vault.admission import is_carried
from vault.airlock import Airlock, Opening
from vault.amount import told_apart
from vault.believing import Believer, Signer, refuse_tampered
from vault.errors import CoffreError, DoorError, DoorUnproven, Interrupted, Secured, TargetFull
from vault.forecast import Forecast, foretell
from vault.holding import Night, complete_older, keep_free, keep_whole, lacking
from vault.moments import Moments
from vault.ports import Clock, Marks, Medium, OpenVault, Progress
from vault.records import CataloguePort, LedgerPort
from vault.rereading import choose_old
from vault.results import RepositoryFile, TargetRecord, TargetResult
from vault.trip import Trip
from vault.window import soft_deadline

_ROOM_KEPT_BYTES = 16 << 20  # left free on a medium for its own records


@dataclass(slots=True, kw_only=True)
class Carrier:
    """Carries what is new to one target after the other."""

    airlock: Airlock
    catalogue: CataloguePort
    ledger: LedgerPort
    signer: Signer
    believer: Believer
    clock: Clock
    progress: Progress
    moments: Moments
    foretold: Callable[[Forecast], object] = bool  # hears what is to come, before the door opens
    broken_off: TargetResult | None = None  # what a carry that raised had come to

    def carry(self, target: TargetRecord, night: Night) -> TargetResult:
        """Bring one target up to date; DoorUnproven, Interrupted and Secured pass through."""
        trip = Trip(target=target, night=night, proof=self.airlock.proofs.get(target.name))
        trip.new = self._find_new(target, night)
        if trip.new is not None and not trip.new:
            trip.has_nothing_new = True
            return trip.result(None)
        self.foretold(self._forecast(trip))
        with self.moments.at_door(target.name, "carry", cycle=night.cycle) as find:
            # A signal while the hook of the shut door runs must not lose what was carried.
            self.broken_off = self._go(trip, find)
        result, self.broken_off = self.broken_off, None
        return result

    def _forecast(self, trip: Trip) -> Forecast:
        """Say how long this will take, from what lacks by the records and the measured speed."""
        new = trip.night.files if trip.new is None else trip.new
        left_s = trip.night.closes_at_s - self.clock.boot_s()
        return foretell(
            trip.target.name,
            sum(file.size_bytes for file in new),
            closes_at=self.clock.now() + timedelta(seconds=left_s),
            left_s=left_s,
            window_s=trip.night.window_s,
            bytes_per_s=self.catalogue.measured_rate(trip.target.name),
        )

    def _go(self, trip: Trip, find: Callable[[], Medium]) -> TargetResult:
        """Find the medium, cross, and keep what it came to."""
        target = trip.target
        try:
            trip.medium = find()
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

    def _cross(self, trip: Trip) -> None:
        """Open, believe, carry, publish; the airlock shuts on every way out."""
        target, night, medium = trip.target, trip.night, trip.medium
        assert medium is not None
        trip.view = self.signer.sign_view(cycle=night.cycle, files=night.files)
        trip.old = choose_old(self.catalogue, target, night.read_back_old_s)
        provisioned = [file for file in night.files if not is_carried(file.path)]
        opening = Opening(
            target=target.name,
            medium=medium,
            purpose="carry",
            writing=True,
            closes_at_s=night.closes_at_s,
            cycle=night.cycle,
            prepare=lambda number: self._announce_head(trip, number),
            plan=(batch.files for batch in self.catalogue.batches()),
        )
        self.progress.step("open", target.name)
        with self.airlock.vault_open(opening) as opened:
            trip.opened = opened
            marks = opened.vault.read_marks(provisioned)
            self.believer.believe(target, medium, marks)
            refuse_tampered(target, marks)
            trip.free_bytes = marks.free_bytes
            self._require_room(trip, opened.vault, marks)
            opened.vault.make_writable()
            self._admit(trip, opened.vault)
        self.progress.step("shut", target.name)

    # -- carry and publish

    def _require_room(self, trip: Trip, vault: OpenVault, marks: Marks) -> None:
        """Refuse to begin what cannot end: TargetFull before the first write."""
        room = marks.free_bytes - _ROOM_KEPT_BYTES
        if sum(file.size_bytes for file in trip.night.files) <= room:
            return
        lacks = vault.missing()
        needed = sum(file.size_bytes for file in lacks)
        if needed > room:
            trip.lacks = lacks
            told_room, told_needed = told_apart(max(room, 0), needed)
            raise TargetFull(
                "{target} has room for {room} and {needed} are to be carried",
                target=trip.target.name,
                room=told_room,
                needed=told_needed,
                hint="is it time for a larger medium, or for retention on this one?",
            )

    def _admit(self, trip: Trip, vault: OpenVault) -> None:
        """Carry, then publish the cycle's list and the head that names it."""
        assert trip.view is not None
        assert trip.head is not None
        target, night = trip.target, trip.night
        rate = self.catalogue.measured_rate(target.name)
        largest = max((file.size_bytes for file in night.files), default=0)
        soft = soft_deadline(night.closes_at_s, largest_left_bytes=largest, bytes_per_s=rate)
        self.progress.step("carry", target.name)
        report = vault.admit(
            landing=night.landing,
            soft_closes_at_s=soft,
            progress=self.progress.advance,
            records=[(file.path, file.content) for file in (trip.view, trip.head)],
            settled=trip.settle,
        )
        trip.published = not report.failure
        if trip.published and not report.is_complete:
            trip.lacks = vault.missing()  # a night that is left partial may have ended older ones
        if trip.old is not None and report.is_complete:
            trip.old.read(vault, soft_closes_at_s=soft, clock=self.clock, progress=self.progress)

    def _announce_head(self, trip: Trip, number: int) -> None:
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

    # -- records

    def _keep(self, trip: Trip) -> None:
        """Keep what the opening came to; after the door is shut."""
        target, report = trip.target, trip.report
        exposure = trip.opened.exposure if trip.opened else None
        if trip.published and trip.head is not None:
            self.catalogue.record_head(target.name, trip.number, trip.head.sha256, confirmed=True)
        if report is not None and exposure is not None and trip.published:
            is_whole = report.is_complete and not trip.old_read.corrupt
            self.catalogue.set_holds(
                target.name, trip.night.cycle, complete=is_whole, at=exposure.opened_at
            )
            if is_whole:
                complete_older(self.catalogue, target.name, trip.night, at=self.clock.now())
        if trip.lacks and exposure is not None:
            at = exposure.opened_at
            keep_whole(self.catalogue, target.name, trip.night, trip.lacks, at=at)
        if report is not None and report.bytes_per_second > 0 and report.admitted_bytes >= 1 << 20:
            self.catalogue.set_measured_rate(target.name, report.bytes_per_second)
        if trip.old is not None and exposure is not None:
            trip.old.keep(
                self.catalogue, self.ledger, cycle=trip.night.cycle, at=exposure.opened_at
            )
        result = trip.result(None)
        if trip.free_bytes is not None:
            left = trip.free_bytes - result.admitted_bytes
            keep_free(self.catalogue, target, left, at=self.clock.now())
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
