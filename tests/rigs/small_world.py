"""Doors, clock and records in memory: small, working, and able to fail where a test says.

Rule 1: a door here is open or shut for real, in its own variable; it answers from that.
Rule 2: a record that is told to fail fails with the error the real one would raise.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from vault.airlock import Airlock
from vault.errors import LedgerError
from vault.ports import Medium
from vault.records import AirlockRecord, DoorList, LedgerHead, OpeningRecord, Pressed
from vault.results import Disconnection, DoorProof, Exposure, ShutReport

MEDIUM = Medium(device="none", uuid="u", fs_type="ext4", size_bytes=1)


@dataclass
class Clock:
    at: datetime = datetime(2026, 1, 5, 1, tzinfo=UTC)
    boot: float = 1000.0

    def now(self) -> datetime:
        return self.at

    def boot_s(self) -> float:
        return self.boot

    def boot_id(self) -> str:
        return "boot"

    def pass_s(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)
        self.boot += seconds


@dataclass
class World:
    """What is true, and everything that happened, in order."""

    production_open: bool = False
    vault_open: bool = False
    log: list[str] = field(default_factory=list)
    both_were_open: bool = False

    def note(self, event: str) -> None:
        self.log.append(event)
        self.both_were_open |= self.production_open and self.vault_open


@dataclass
class Production:
    world: World
    kind: str = "link"
    stuck: bool = False
    dumb: bool = False

    def open(self) -> None:
        self.world.production_open = True
        self.world.note("production opened")

    def shut(self, reason: str) -> ShutReport:
        if self.dumb:
            raise OSError(5, "no answer")
        if not self.stuck:
            self.world.production_open = False
        self.world.note("production asked")
        return _report(self.world.production_open)


@dataclass
class Open:
    medium: Medium
    touched_at_s: float


@dataclass
class Vault:
    world: World
    clock: Clock
    target: str = "disk"
    stuck: bool = False
    dumb: bool = False
    fails_to_open: bool = False

    def find(self) -> Medium:
        return MEDIUM

    @contextmanager
    def open(
        self,
        medium: Medium,
        *,
        writing: bool,
        closes_at_s: float,
        plan: object = (),
        maintenance: bool = False,
    ) -> Iterator[Any]:
        self.world.vault_open = True
        self.world.note("vault opened")
        try:
            if self.fails_to_open:
                raise OSError(5, "mount failed")
            yield Open(medium, self.clock.boot_s())
        finally:
            if not self.stuck:
                self.world.vault_open = False
            self.world.note("vault left")

    def shut(self, reason: str) -> ShutReport:
        if self.dumb:
            raise OSError(5, "no answer")
        if not self.stuck:
            self.world.vault_open = False
        self.world.note("vault asked")
        return _report(self.world.vault_open)


def _report(is_open: bool) -> ShutReport:
    proof = DoorProof.OPEN if is_open else DoorProof.SHUT
    return ShutReport(proof=proof, disconnection=Disconnection.UNMOUNTED, evidence=("asked",))


@dataclass
class Store:
    world: World
    record: AirlockRecord | None = None
    button: Pressed | None = None
    listed: DoorList = field(default_factory=DoorList)
    fails: bool = False

    def load(self) -> AirlockRecord | None:
        return self.record

    def commit(self, record: AirlockRecord) -> None:
        if self.fails:
            raise OSError(28, "No space left on device")
        self.record = record
        self.world.note(f"committed {record.state}")

    def pressed(self) -> Pressed | None:
        return self.button

    def press(self, pressed: Pressed) -> None:
        self.button = self.button or pressed

    def release(self) -> None:
        self.button = None

    def read_doors(self) -> DoorList:
        return self.listed

    def write_doors(self, doors: DoorList) -> None:
        self.listed = doors

    def publish(self, status: Mapping[str, object]) -> None:
        self.world.note("published")


@dataclass
class Ledger:
    world: World
    entries: list[tuple[str, dict[str, object]]] = field(default_factory=list)
    fails: bool = False

    def append(self, kind: str, **body: object) -> object:
        if self.fails:
            raise LedgerError("the ledger cannot be written")
        self.entries.append((kind, body))
        self.world.note(f"ledger {kind}")
        return None

    def head(self) -> LedgerHead:
        return LedgerHead(n=len(self.entries) - 1, sha256="0" * 64)

    def last_at(self) -> datetime | None:
        return None


@dataclass
class Catalogue:
    """The part of a catalogue that the airlock asks for."""

    openings: dict[int, Exposure | None] = field(default_factory=dict)
    facts: dict[str, str] = field(default_factory=dict)

    def announce_opening(self, target: str, purpose: str, **_: object) -> int:
        self.openings[len(self.openings) + 1] = None
        return len(self.openings)

    def unclosed_openings(self) -> list[OpeningRecord]:
        return [
            OpeningRecord(
                number=number,
                target="disk",
                purpose="carry",
                writing=True,
                cycle=None,
                opened_at=datetime(2026, 1, 5, 0, 59, tzinfo=UTC),
                exposure=None,
            )
            for number, exposure in self.openings.items()
            if exposure is None
        ]

    def close_opening(self, number: int, exposure: Exposure) -> None:
        self.openings[number] = exposure

    def target(self, name: str) -> str | None:
        return name if name == "disk" else None

    def set_fact(self, name: str, value: str) -> None:
        self.facts[name] = value

    def fact(self, name: str) -> str | None:
        return self.facts.get(name)


@dataclass
class Small:
    """An airlock with everything it touches."""

    world: World
    clock: Clock
    production: Production
    vault: Vault
    store: Store
    ledger: Ledger
    catalogue: Catalogue
    airlock: Airlock


def make_small() -> Small:
    world, clock = World(), Clock()
    production, vault = Production(world), Vault(world, clock)
    store, ledger, catalogue = Store(world), Ledger(world), Catalogue()
    airlock = Airlock(
        production=production,
        doors={"disk": vault},  # type: ignore[dict-item]
        store=store,
        catalogue=catalogue,  # type: ignore[arg-type]
        ledger=ledger,
        clock=clock,
    )
    return Small(world, clock, production, vault, store, ledger, catalogue, airlock)
