"""Both doors, the interlock between them, and recovery after a death.

    open production:  commit PULLING, open, yield, shut, ask the world
    open vault:       prove production shut, number the opening, ledger, commit CARRYING,
                      open under the kernel's deadline, yield, shut, ask the world
    recover:          shut both doors, ask the world, say what was found

Rule 1: door 2 opens only after the world said that door 1 is shut, in this very call.
Rule 2: a state is committed before the act it announces; when it cannot be, nothing opens.
Rule 3: every end of every path goes through ``shut`` of the door, which depends on no record:
    a failure to write one is kept as a warning and never stops a shutting.
Rule 4: what the world does not answer is open, and open is DEGRADED.
Rule 5: a signal waits until a shutting is done and recorded; it is never taken for an answer.
Source: design, sections 2 and 3.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from vault.errors import DoorUnproven, Interrupted, Secured, reason_of
from vault.ports import Clock, Medium, OpenVault, ProductionDoor, VaultDoor
from vault.records import (
    AirlockRecord,
    AirlockStore,
    CataloguePort,
    DoorList,
    LedgerPort,
    OpeningRecord,
    Pressed,
)
from vault.results import Disconnection, Exposure, RepositoryFile, ShutReport, VaultStatus
from vault.shutting import PRODUCTION, AllDoors, asked, evidence_of, undisturbed
from vault.state import Event, State, after, status_of

PROVEN_FACT = "disconnection."  # before a target's name: the class it proved last
UNPROVEN_FACT = "unproven."  # before a door's name: since when it is not proven shut, or nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovery:
    """What a start found and shut."""

    found: State
    shut: Mapping[str, ShutReport]  # by door: "production" and the targets' names

    @property
    def was_needed(self) -> bool:
        """Whether an earlier run had left a door's state open."""
        return self.found not in (State.LOCKED, State.SECURED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """Why and how a vault door is opened."""

    target: str
    medium: Medium
    purpose: str
    writing: bool
    closes_at_s: float  # on the boot clock: the kernel shuts then
    cycle: int | None = None
    prepare: Callable[[int], None] | None = None  # with the opening's number, door still shut
    maintenance: bool = False  # to take named files off; carries nothing
    plan: Iterable[Sequence[RepositoryFile]] = ()  # what is to be carried, read before the opening


@dataclass(slots=True, kw_only=True)
class Opened:
    """An opening as it goes: its number at once, its exposure when it is over."""

    number: int
    vault: OpenVault
    exposure: Exposure | None = None


def ended_by(record: AirlockRecord | None, opening: OpeningRecord) -> datetime | None:
    """Give by when an opening that was never closed in the records was over, as committed.

    A state that says that every door is shut is newer than the opening, or its door never moved.
    None when no such state was committed: the door may be open still.
    """
    if record is None or record.state not in (State.LOCKED, State.SECURED):
        return None
    return max(record.since, opening.opened_at)


@dataclass(slots=True, kw_only=True)
class Airlock:
    """The two doors of one vault host. Use it only under the vault's lock."""

    production: ProductionDoor
    doors: Mapping[str, VaultDoor]
    store: AirlockStore
    catalogue: CataloguePort
    ledger: LedgerPort
    clock: Clock
    shares_gone: Callable[[str], ShutReport] | None = None  # shares mounted for the pulls
    warnings: list[str] = field(default_factory=list)
    proofs: dict[str, ShutReport] = field(default_factory=dict)  # the newest answer a door gave
    _state: State = State.LOCKED

    @property
    def state(self) -> State:
        """Where the doors are."""
        return self._state

    @property
    def status(self) -> VaultStatus:
        """What a person reads of it."""
        return status_of(self._state)

    @property
    def is_proven_shut(self) -> bool:
        """Whether every vault door was asked in this run and is shut, with nothing moving."""
        proofs = (self.proofs.get(name) for name in self.doors)
        return self._state is State.LOCKED and all(proof and proof.is_shut for proof in proofs)

    @property
    def _all(self) -> AllDoors:
        return AllDoors(production=self.production, vault=self.doors, shares_gone=self.shares_gone)

    # -- recovery

    def recover(self) -> Recovery:
        """Shut whatever an earlier death left open and ask the world, before anything else."""
        record = self.store.load()
        pressed = self.store.pressed()
        found = record.state if record else State.LOCKED
        self._state = State.LOCKED if found is State.SECURED else found
        self._state = after(self._state, Event.RECOVER)
        reports = self._shut_all("recovery at the start")
        self._settle(reports.values(), reason="recovery")
        if pressed and self._state is State.LOCKED:
            self._move(Event.SECURE, reason=pressed.reason)
        if pressed and found is not State.SECURED:
            self._tell_pressed(pressed)  # the press may have come when nothing could be written
        self._close_dead_openings(record)
        self._forget_dead_enrolments(reports)
        recovery = Recovery(found=found, shut=reports)
        if recovery.was_needed or self._state is State.DEGRADED:
            self.ledger.append(
                "recovered",
                found=str(found),
                state=str(self._state),
                doors={name: evidence_of(report) for name, report in reports.items()},
            )
        return recovery

    def _close_dead_openings(self, record: AirlockRecord | None) -> None:
        """End the openings whose process died; how long they lasted is known as a bound only.

        The kernel's deadline bounds one that nobody has found open since. A door moves only after
        that was committed: one that was announced and no more never did.
        """
        for opening in self.catalogue.unclosed_openings():
            report = self.proofs.get(opening.target)
            if report is None or not report.is_shut:
                continue
            ended_at = self.clock.now()
            if opening.exposure is None and record is not None:
                is_its = record.target == opening.target
                bounds = (ended_by(record, opening), record.closes_at if is_its else None)
                ended_at = min([ended_at, *(at for at in bounds if at is not None)])
            at_most_s = max(0.0, (ended_at - opening.opened_at).total_seconds())
            exposure = Exposure(
                target=opening.target,
                opening=opening.number,
                purpose=opening.purpose,
                writing=opening.writing,
                seconds=at_most_s,
                opened_at=opening.opened_at,
                shut=report,
            )
            self.catalogue.close_opening(opening.number, exposure)
            self.ledger.append(
                "opening-died",
                opening=opening.number,
                target=opening.target,
                at_most_s=round(at_most_s, 3),
            )

    def _forget_dead_enrolments(self, reports: Mapping[str, ShutReport]) -> None:
        """Take off the list the doors of media that never became targets, once proven shut."""
        with contextlib.suppress(DoorUnproven):  # a list that is spoilt is written anew
            self._forget(self.store.read_doors(), reports)

    def _forget(self, listed: DoorList, reports: Mapping[str, ShutReport]) -> None:
        dead = [
            name
            for name in listed.vault
            if name in reports and reports[name].is_shut and self.catalogue.target(name) is None
        ]
        if dead:
            left = {name: door for name, door in listed.vault.items() if name not in dead}
            self._kept(lambda: self.store.write_doors(replace(listed, vault=left)))

    def _shut_all(self, reason: str) -> dict[str, ShutReport]:
        reports = self._all.shut_all(reason)
        for name in self.doors:
            self._keep_proof(name, reports[name])
        self._keep_unproven(PRODUCTION, reports[PRODUCTION])
        return reports

    def _keep_proof(self, target: str, report: ShutReport) -> None:
        """Remember the class of disconnection that a target proved; gaps are judged by it."""
        self.proofs[target] = report
        proven = report.disconnection if report.is_shut else Disconnection.NONE
        self._kept(lambda: self.catalogue.set_fact(PROVEN_FACT + target, str(proven)))
        self._keep_unproven(target, report)

    def _keep_unproven(self, door: str, report: ShutReport) -> None:
        """Remember since when a door is not proven shut, so that the one it is can be named."""

        def write() -> None:
            since = self.catalogue.fact(UNPROVEN_FACT + door)
            if report.is_shut and since:
                self.catalogue.set_fact(UNPROVEN_FACT + door, "")
            elif not (report.is_shut or since):
                self.catalogue.set_fact(UNPROVEN_FACT + door, self.clock.now().isoformat())

        self._kept(write)

    # -- door 1

    @contextmanager
    def production_open(self, *, cycle: int) -> Iterator[None]:
        """Hold the production door open for the pulls of one cycle.

        Raises Secured, and DoorUnproven when the door cannot be proven shut afterwards.
        """
        self._refuse_when_closed_to_all()
        self._move(Event.OPEN_PRODUCTION, cycle=cycle)
        try:
            self.production.open()
            yield
        finally:
            with undisturbed():
                report = self._all.shut_production("the pulls ended")
                self._state = after(self._state, Event.SHUT_PRODUCTION)
                self._settle([report], reason="production door")
                self._keep_unproven(PRODUCTION, report)
        if self._state is State.DEGRADED:
            raise DoorUnproven(
                "the production door could not be proven shut: {evidence}",
                evidence="; ".join(report.evidence),
                hint="is the cable still in? unplug the hospital's network, then coffre doctor?",
            )

    # -- door 2

    @contextmanager
    def vault_open(self, opening: Opening) -> Iterator[Opened]:
        """Hold one vault door open; the interlock and every record stand before the opening.

        Raises Secured, DoorUnproven, and what the door raises. The exposure is on the yielded
        value once the ``with`` has ended.
        """
        self._refuse_when_closed_to_all()
        self._prove_production_shut()
        door = self.doors[opening.target]
        opened_at = self.clock.now()
        number = self.catalogue.announce_opening(
            opening.target,
            opening.purpose,
            writing=opening.writing,
            cycle=opening.cycle,
            opened_at=opened_at,
        )
        self.ledger.append(
            "vault-opening",
            opening=number,
            target=opening.target,
            purpose=opening.purpose,
            writing=opening.writing,
            cycle=opening.cycle,
        )
        if opening.prepare is not None:
            opening.prepare(number)
        began_s = self.clock.boot_s()
        self._move(
            Event.OPEN_VAULT,
            cycle=opening.cycle,
            target=opening.target,
            closes_at=opened_at + timedelta(seconds=opening.closes_at_s - began_s),
        )
        opened: Opened | None = None
        try:
            with door.open(
                opening.medium,
                writing=opening.writing,
                closes_at_s=opening.closes_at_s,
                plan=opening.plan,
                maintenance=opening.maintenance,
            ) as vault:
                began_s = vault.touched_at_s
                yield (opened := Opened(number=number, vault=vault))
        finally:
            with undisturbed():
                report = asked(door.shut, "the opening ended")
                self.proofs[opening.target] = report
                exposure = Exposure(
                    target=opening.target,
                    opening=number,
                    purpose=opening.purpose,
                    writing=opening.writing,
                    seconds=self.clock.boot_s() - began_s,
                    opened_at=opened_at,
                    shut=report,
                )
                if opened is not None:
                    opened.exposure = exposure
                self._state = after(self._state, Event.SHUT_VAULT)
                self._settle([report], reason="vault door", target=opening.target)
                self._record_exposure(exposure)
        if self._state is State.DEGRADED:
            raise DoorUnproven(
                "the vault door of {target} could not be proven shut: {evidence}",
                target=opening.target,
                evidence="; ".join(report.evidence),
                hint="can the medium's cable be pulled now? then coffre doctor says who held it?",
            )

    def _prove_production_shut(self) -> None:
        report = self._all.shut_production("a vault door is about to open")
        if not report.is_shut:
            self._state = after(after(self._state, Event.RECOVER), Event.UNPROVEN)
            self._commit(reason="interlock")
            self._keep_unproven(PRODUCTION, report)
            self.ledger.append("interlock", production=evidence_of(report))
            raise DoorUnproven(
                "the production door is not proven shut, so no vault door opens: {evidence}",
                evidence="; ".join(report.evidence),
                hint="is the cable still in? unplug the hospital's network, then coffre doctor?",
            )

    def _record_exposure(self, exposure: Exposure) -> None:
        self._keep_proof(exposure.target, exposure.shut)
        self._kept(lambda: self.catalogue.close_opening(exposure.opening, exposure))
        self._kept(
            lambda: self.ledger.append(
                "vault-shut",
                opening=exposure.opening,
                target=exposure.target,
                seconds=round(exposure.seconds, 6),
                **evidence_of(exposure.shut),
            )
        )

    # -- the red button

    def secure(self, pressed: Pressed) -> Mapping[str, ShutReport]:
        """Shut both doors for good, until another person releases."""
        record = self.store.load()
        self._kept(lambda: self.store.press(pressed))
        self._state = after(self._state, Event.RECOVER)
        reports = self._shut_all("red button")
        self._settle(reports.values(), reason=pressed.reason)
        self._kept(lambda: self._close_dead_openings(record))
        if self._state is State.LOCKED:
            self._state = after(self._state, Event.SECURE)
            self._commit(reason=pressed.reason)
        self._kept(lambda: self._tell_pressed(pressed))
        return reports

    def _tell_pressed(self, pressed: Pressed) -> None:
        self.ledger.append(
            "secured",
            by=pressed.by,
            login=pressed.login,
            reason=pressed.reason,
            pressed_at=pressed.at.isoformat(),
        )

    def release(self, *, by: str, login: str) -> None:
        """Release the red button; the caller made sure that it is another person.

        DoorUnproven while a door is not proven shut: the button stays pressed.
        """
        self._refuse_degraded()
        self.ledger.append("released", by=by, login=login)
        self.store.release()
        self._move(Event.RELEASE, reason=f"released by {by}")

    # -- state

    def _refuse_when_closed_to_all(self) -> None:
        self.refuse_pressed()
        self._refuse_degraded()

    def refuse_pressed(self) -> None:
        """Refuse to go on while the red button is pressed; Secured."""
        pressed = self.store.pressed()
        if pressed is not None:
            raise Secured(
                "the red button is pressed since {since}, by {by}: nothing opens",
                since=pressed.at.isoformat(timespec="minutes"),
                by=pressed.by,
                hint="has another person checked, and typed coffre release --by NAME?",
            )

    def _refuse_degraded(self) -> None:
        if self._state is State.DEGRADED:
            raise DoorUnproven(
                "a door could not be proven shut: nothing opens",
                hint="what does coffre doctor say of the doors?",
            )

    def _move(
        self,
        event: Event,
        *,
        cycle: int | None = None,
        target: str | None = None,
        reason: str = "",
        closes_at: datetime | None = None,
    ) -> None:
        """Commit the state that follows, then be in it."""
        state = after(self._state, event)
        self.store.commit(
            AirlockRecord(
                state=state,
                since=self.clock.now(),
                cycle=cycle,
                target=target,
                reason=reason,
                closes_at=closes_at,
            )
        )
        self._state = state

    def _settle(
        self, reports: Iterable[ShutReport], *, reason: str, target: str | None = None
    ) -> None:
        """Take the world's answer as the state; a record that cannot be written is a warning."""
        proven = all(report.is_shut for report in reports)
        self._state = after(self._state, Event.PROVEN if proven else Event.UNPROVEN)
        self._commit(reason=reason, target=target)

    def _commit(self, *, reason: str, target: str | None = None) -> None:
        record = AirlockRecord(
            state=self._state, since=self.clock.now(), target=target, reason=reason
        )
        self._kept(lambda: self.store.commit(record))

    def _kept(self, write: Callable[[], object]) -> None:
        try:
            write()
        except Interrupted:
            raise
        except Exception as error:  # noqa: BLE001, no record is worth a door that is not settled
            self.warnings.append(f"a record could not be written: {reason_of(error)}")
