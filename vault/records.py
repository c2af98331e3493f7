"""The records a story keeps, as protocols: catalogue, ledger, and the airlock's own state.

Rule 1: the airlock's state is a file of its own; shutting a door never waits for a database.
Rule 2: the ledger only grows; a body holds no secret and no name of an exported file.
Rule 3: each call is durable when it returns.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from vault.finding import Finding
from vault.results import (
    Batch,
    CycleResult,
    CycleVerdict,
    Exposure,
    ManifestEntry,
    RepositoryFile,
    SnapshotRecord,
    TargetRecord,
)
from vault.shape import Shape
from vault.state import State


@dataclass(frozen=True, slots=True, kw_only=True)
class AirlockRecord:
    """The last committed state of the airlock, with what it was committed for."""

    state: State
    since: datetime
    cycle: int | None = None
    target: str | None = None
    reason: str = ""
    closes_at: datetime | None = None  # of an opening: when the kernel shuts it at the latest


@dataclass(frozen=True, slots=True, kw_only=True)
class Pressed:
    """The red button, as it was pressed."""

    by: str
    reason: str
    at: datetime
    login: str = ""  # login uid and SUDO_USER: who really typed, as far as the host knows


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedDoor:
    """What must be known of a vault door to shut it and to ask it."""

    target: str
    uuid: str
    fs_type: str
    size_bytes: int
    serial: str
    door: str  # as configured, canonical JSON


@dataclass(frozen=True, slots=True, kw_only=True)
class DoorList:
    """Every door of the vault, so that each can be asked whatever else cannot be read."""

    production: str = "{}"  # as configured, JSON; empty: none
    shares: tuple[str, ...] = ()  # what the pulls mount
    vault: Mapping[str, ListedDoor] = field(default_factory=dict)  # by target


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerHead:
    """The newest entry of the ledger."""

    n: int
    sha256: str


class AirlockStore(Protocol):
    """Where the airlock's state and the red button are kept."""

    def load(self) -> AirlockRecord | None:
        """Give the last committed state; None before the first."""
        ...

    def commit(self, record: AirlockRecord) -> None:
        """Make the state durable: written aside, synced, renamed, folder synced."""
        ...

    def pressed(self) -> Pressed | None:
        """Give the red button's record while it is pressed."""
        ...

    def press(self, pressed: Pressed) -> None:
        """Press the red button."""
        ...

    def release(self) -> None:
        """Take the red button's record away."""
        ...

    def publish(self, status: Mapping[str, object]) -> None:
        """Write ``public/status.json`` for those who are not root; no file names in it."""
        ...

    def read_doors(self) -> DoorList:
        """Give the list of doors; empty before the first; DoorUnproven when it is damaged."""
        ...

    def write_doors(self, doors: DoorList) -> None:
        """Replace the list of doors, durably."""
        ...


class LedgerPort(Protocol):
    """The append-only ledger."""

    def append(self, kind: str, **body: object) -> object:
        """Append one entry; durable when it returns."""
        ...

    def head(self) -> LedgerHead:
        """Give number and hash of the newest entry."""
        ...

    def last_at(self) -> datetime | None:
        """Give the wall time of the newest entry."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """Whether a target held the whole list of a cycle when it was last open."""

    complete: bool
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class OpeningRecord:
    """One opening of a vault door, announced before the door moved."""

    number: int
    target: str
    purpose: str
    writing: bool
    cycle: int | None
    opened_at: datetime
    exposure: Exposure | None  # None while it was not closed


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedHead:
    """The newest head we published on a target, as far as we know."""

    number: int
    sha256: str
    confirmed: bool = field(default=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptFinding:
    """A finding, and which inspectors it is of."""

    tables: str
    finding: Finding


@dataclass(frozen=True, slots=True, kw_only=True)
class Acceptance:
    """A person's word that a refused export may pass."""

    by: str
    reason: str
    at: datetime
    login: str  # login uid and SUDO_USER: who really typed, as far as the host knows


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedExport:
    """The newest export of a source that inspection refused."""

    source: str
    identity: str  # of its manifest, as it was pulled
    cycle: int
    at: datetime
    reasons: tuple[str, ...]
    attack_at: int  # refused sources that mean an attack, this one among them; 0: it never does
    accepted: Acceptance | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldExport:
    """A PMSI archive that some snapshot of ours holds, whatever became of it at the source."""

    source: str
    subject: str  # as that of its finding
    first_cycle: int  # the first cycle whose snapshot holds it
    newest_cycle: int
    seen_at: datetime  # when the snapshot of the first cycle was taken
    finding: Finding | None  # None when it was never found, is damaged or of a newer version

    @property
    def content(self) -> str:
        """The SHA-256 of the archive."""
        return self.subject.partition("-")[0]


class CataloguePort(Protocol):
    """What the stories ask of the catalogue."""

    def fact(self, name: str) -> str | None:
        """Give a small fact."""
        ...

    def set_fact(self, name: str, value: str) -> None:
        """Keep a small fact."""
        ...

    def begin_cycle(self, started_at: datetime, *, forced: bool) -> int:
        """Begin a cycle; its number was never used before."""
        ...

    def set_step(self, cycle: int, step: int) -> None:
        """Say which step of the cycle begins."""
        ...

    def end_cycle(self, result: CycleResult) -> None:
        """Keep how a cycle ended."""
        ...

    def unfinished_cycles(self) -> tuple[int, ...]:
        """Give the cycles that began and never ended."""
        ...

    def close_unfinished(self, cycle: int, verdict: CycleVerdict, ended_at: datetime) -> None:
        """End a cycle that died."""
        ...

    def last_cycle(self) -> CycleResult | None:
        """Give the newest ended cycle."""
        ...

    def record_snapshot(self, record: SnapshotRecord) -> None:
        """Keep a snapshot."""
        ...

    def newest_snapshot(self, source: str) -> SnapshotRecord | None:
        """Give a source's newest snapshot."""
        ...

    def snapshots(self, source: str | None = None) -> Sequence[SnapshotRecord]:
        """Give snapshots, oldest first."""
        ...

    def last_seen(self, source: str) -> datetime | None:
        """Give the end of the newest cycle in which a source was saved or unchanged."""
        ...

    def put_manifest(self, source: str, identity: str, entries: Sequence[ManifestEntry]) -> None:
        """Keep a manifest; idempotent."""
        ...

    def manifest(self, identity: str) -> tuple[ManifestEntry, ...]:
        """Give a manifest by its identity."""
        ...

    def put_findings(self, tables: str, found: Mapping[str, Finding]) -> None:
        """Keep findings by subject."""
        ...

    def findings(self, subjects: Iterable[str]) -> Iterator[tuple[str, KeptFinding]]:
        """Give what is kept of these subjects, in no order."""
        ...

    def put_shape(self, source: str, cycle: int, shape: Shape) -> None:
        """Keep the shape of an accepted export."""
        ...

    def shapes(self, source: str, limit: int) -> Sequence[Shape]:
        """Give the newest accepted shapes, oldest first."""
        ...

    def put_refused(self, refused: RefusedExport) -> None:
        """Keep what was refused of a source, in place of what was refused before."""
        ...

    def refused(self, source: str) -> RefusedExport | None:
        """Give the refused export of a source."""
        ...

    def all_refused(self) -> Sequence[RefusedExport]:
        """Give the refused exports of all sources, by name."""
        ...

    def clear_refused(self, source: str) -> None:
        """Forget the refused export of a source."""
        ...

    def note_pmsi(self, source: str, cycle: int, subjects: Iterable[str]) -> None:
        """Say that the snapshot of a cycle holds these PMSI archives; idempotent."""
        ...

    def add_batch(self, cycle: int, source: str, files: Sequence[RepositoryFile]) -> Batch:
        """Keep what one run added; assigns the number."""
        ...

    def batches(self) -> Iterator[Batch]:
        """Give all batches in order of number, one at a time."""
        ...

    def known_paths(self) -> Iterator[RepositoryFile]:
        """Give the files of all batches, sorted by path."""
        ...

    def put_landing_list(self, cycle: int, files: Iterable[RepositoryFile]) -> None:
        """Keep the landing's whole list of a cycle, sorted by path."""
        ...

    def landing_list(self, cycle: int) -> Iterator[RepositoryFile]:
        """Give the landing's list of a cycle, sorted by path."""
        ...

    def listed_cycles(self, *, before: int) -> Sequence[int]:
        """Give the cycles before one whose landing list is kept, newest first."""
        ...

    def first_cycle(self, files: Iterable[RepositoryFile]) -> int:
        """Give the first cycle in which one of these files came into the landing."""
        ...

    def add_target(self, record: TargetRecord) -> None:
        """Keep an enrolled target."""
        ...

    def target(self, name: str) -> TargetRecord | None:
        """Give an enrolled target that is not retired."""
        ...

    def targets(self, *, include_retired: bool = False) -> Sequence[TargetRecord]:
        """Give the enrolled targets."""
        ...

    def retire_target(self, name: str, at: datetime) -> None:
        """Retire a target; its records stay."""
        ...

    def announce_opening(
        self,
        target: str,
        purpose: str,
        *,
        writing: bool,
        cycle: int | None,
        opened_at: datetime,
    ) -> int:
        """Announce an opening before the door moves; give its number."""
        ...

    def unclosed_openings(self) -> Sequence[OpeningRecord]:
        """Give the openings that were announced and never closed."""
        ...

    def close_opening(self, number: int, exposure: Exposure) -> None:
        """Keep how an opening ended."""
        ...

    def head(self, target: str, number: int) -> PublishedHead | None:
        """Give one head of a target, announced or confirmed."""
        ...

    def newest_confirmed_head(self, target: str) -> PublishedHead | None:
        """Give the newest head that is known to be on a target."""
        ...

    def record_head(self, target: str, number: int, sha256: str, *, confirmed: bool) -> None:
        """Keep a head: first as announced, then as confirmed."""
        ...

    def set_holds(self, target: str, cycle: int, *, complete: bool, at: datetime) -> None:
        """Keep whether a target holds the whole list of a cycle."""
        ...

    def holds(self, target: str) -> Mapping[int, Hold]:
        """Give what a target holds, by cycle."""
        ...

    def last_whole(self) -> Mapping[str, datetime]:
        """Give, for each target in use, when it last held a whole night as its door shut."""
        ...

    def measured_rate(self, target: str) -> float | None:
        """Give the carrying speed last measured, bytes per second, read-back included."""
        ...

    def set_measured_rate(self, target: str, bytes_per_second: float) -> None:
        """Keep the carrying speed."""
        ...

    def backup_to(self, path: str) -> None:
        """Write a consistent copy."""
        ...
