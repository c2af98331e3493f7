"""What the stories need from the outside, as protocols.

Rule 1: a story sees these shapes only; the outside folders implement them and do not know each
    other.
Rule 2: what can only be done while a door is open is a method of what the opening yields.
Rule 3: clock and randomness come in as arguments.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from vault.admission import Pins
from vault.finding import Finding
from vault.results import (
    AdmissionReport,
    Disconnection,
    HookResult,
    ManifestEntry,
    OldRead,
    Pull,
    Refusal,
    Removed,
    RepositoryFile,
    ShutReport,
)


class Clock(Protocol):
    """The time of the wall and of the boot."""

    def now(self) -> datetime:
        """Give the wall clock, aware, UTC."""
        ...

    def boot_s(self) -> float:
        """Give CLOCK_BOOTTIME in seconds: it never steps back and counts a suspended host."""
        ...

    def boot_id(self) -> str:
        """Give the id of this boot."""
        ...


class Progress(Protocol):
    """Where a long act says how far it is; it never fails and never decides."""

    def step(self, name: str, detail: str = "") -> None:
        """Say that a step begins."""
        ...

    def advance(self, done_bytes: int, total_bytes: int) -> None:
        """Say how many bytes of the running step are done."""
        ...


class Hooks(Protocol):
    """The executables of the site; none of them decides anything."""

    def fire(self, moment: str, facts: Mapping[str, object]) -> HookResult:
        """Run the hook of a moment, where there is one; every end of it is a value.

        Only a signal that interrupts us is raised, as Interrupted, once the hook is gone.
        """
        ...


class Reception(Protocol):
    """The persistent mirror of one source."""

    folder: bytes  # holds data/ and coffre/: restic runs here

    def manifest(self) -> tuple[ManifestEntry, ...]:
        """Give the manifest as last sealed, sorted by path; empty before the first."""
        ...

    def seal(self, pull: Pull) -> str:
        """Apply the pull's deletions, write ``coffre/manifest.jsonl.zst``, give its identity.

        The identity is the SHA-256 of the uncompressed manifest: the same entries give the same
        identity on every host.
        """
        ...

    def identity(self, pull: Pull) -> str:
        """Give the identity that the pull's manifest would have."""
        ...

    def set_aside(self, pull: Pull, kept: bytes) -> None:
        """Move what a refused pull brought out of the mirror, into the folder ``kept``."""
        ...


class Source(Protocol):
    """Something that exports are pulled from."""

    name: str

    def collect(self, reception: Reception, *, closes_at_s: float, progress: Progress) -> Pull:
        """Bring the mirror up to date; ``closes_at_s`` is on the boot clock.

        Nothing is deleted and nothing half-pulled has a name under ``data/``. Raises SourceError.
        """
        ...


class Examiner(Protocol):
    """Opens the files of a reception and says what they are."""

    @property
    def tables(self) -> str:
        """Give the identity of the format tables and inspectors in use: newer ones look again."""
        ...

    def examine(self, reception: bytes, entry: ManifestEntry) -> Finding:
        """Examine one file under ``data/``: one pass, hashed on the way.

        Raises SourceError when its content is not what the manifest says; never for its format.
        """
        ...

    def examine_each(self, reception: bytes, entries: Sequence[ManifestEntry]) -> Iterator[Finding]:
        """Give what ``examine`` finds in each of some files, in their order; raises as it does."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Backup:
    """What one ``restic backup`` run made."""

    snapshot_id: str  # the full id
    added: tuple[RepositoryFile, ...]  # what the run added to the repository, sorted by path


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruned:
    """What a prune of the landing took away, and what it wrote."""

    removed: tuple[RepositoryFile, ...]
    written: tuple[RepositoryFile, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotFacts:
    """One snapshot, from ``restic snapshots``."""

    snapshot_id: str
    source: str
    taken_at: datetime
    tree: str


class LandingRepository(Protocol):
    """The restic repository on the vault host."""

    folder: bytes

    def backup(self, reception: bytes, *, source: str, parent: str | None) -> Backup:
        """Snapshot ``data`` and ``coffre`` of a reception; one run, listed afterwards."""
        ...

    def disown(self, before: set[str]) -> Sequence[RepositoryFile]:
        """Forget the snapshots that are not in ``before``; give what else is new there."""
        ...

    def sweep(self, files: Sequence[RepositoryFile]) -> int:
        """Remove files that a dead run left and no index names, and what it was writing."""
        ...

    def unlock_stale(self) -> None:
        """Remove the locks that dead restics left; RepositoryLocked when one is not dead."""
        ...

    def check(self) -> Sequence[str]:
        """Run ``restic check --no-lock``; give its complaints, none when sound."""
        ...

    def list_files(self) -> Iterator[RepositoryFile]:
        """Walk the lawful places of the repository; locks are left out."""
        ...

    def list_aliens(self) -> Iterator[tuple[bytes, str]]:
        """Give what is in the repository's folder and has no lawful name or kind, and why."""
        ...

    def provision(self) -> Sequence[tuple[str, bytes]]:
        """Give ``config`` and the key files with their paths: what enrolment writes."""
        ...

    def read_pins(self) -> Pins:
        """Read what enrolment pins: id, hash of ``config``, names of the key files."""
        ...

    def damaged(self, files: Sequence[RepositoryFile]) -> Sequence[Refusal]:
        """Hash files whole; give those whose content does not match their name or size."""
        ...

    def settle(self) -> None:
        """Sync the landing's file system, so that its write-back is not paid with a door open."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Medium:
    """One attached candidate of a target, found before its door opens."""

    device: str  # what the kernel calls it now
    uuid: str
    fs_type: str  # ext4, xfs, btrfs; "folder" for no device
    size_bytes: int
    serial: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Marks:
    """What a medium says of itself, read through a read-only mount; bytes, not yet believed."""

    identity: bytes
    heads: tuple[tuple[int, bytes], ...]  # the newest head, with its number
    free_bytes: int
    free_inodes: int
    gone: tuple[RepositoryFile, ...] = ()  # of the files that enrolment wrote


class OpenVault(Protocol):
    """A vault door that stands open, read-only until ``make_writable``."""

    medium: Medium
    touched_at_s: float  # the boot clock when the medium was first touched

    def read_marks(self, provisioned: Iterable[RepositoryFile] = ()) -> Marks:
        """Read identity and newest head, and which of the files that enrolment wrote are gone."""
        ...

    def prepare_repository(self) -> None:
        """Make the folders of a target: enrolment only."""
        ...

    def make_writable(self) -> None:
        """Unmount and mount anew for writing; only after the marks were believed."""
        ...

    def admit(
        self,
        batches: Iterable[Sequence[RepositoryFile]] | None = None,
        *,
        landing: bytes,
        soft_closes_at_s: float,
        progress: Callable[[int, int], None],
        records: Sequence[tuple[str, bytes]] = (),
        settled: Callable[[AdmissionReport], None] = ...,
    ) -> AdmissionReport:
        """Carry what the target lacks of the opening's plan, or of batches, in their order.

        ``settled`` gets the report when the carrying is over; then, unless the medium failed,
        ``records`` are published in their order.
        """
        ...

    def read_old(
        self,
        files: Sequence[RepositoryFile],
        *,
        ends_at_s: float,
        progress: Callable[[int, int], None],
    ) -> OldRead:
        """Read files of earlier openings back from the medium, in order, until ``ends_at_s``.

        On the boot clock; what is wrong with them is in the report.
        """
        ...

    def missing(self, wanted: Iterable[RepositoryFile] | None = None) -> Sequence[RepositoryFile]:
        """Give the files that the target does not hold with their size: of a list, or the plan."""
        ...

    def publish(self, path: str, content: bytes) -> None:
        """Publish one small file under its final name; never overwrites."""
        ...

    def publish_all(self, files: Sequence[tuple[str, bytes]]) -> None:
        """Publish small files: all synced and read back, then named in this order and synced."""
        ...

    def read(self, path: str, *, limit_bytes: int) -> bytes:
        """Read one file of the target, given relative to its root."""
        ...

    def remove(
        self, files: Iterable[RepositoryFile], *, progress: Callable[[int, int], None]
    ) -> Removed:
        """Take named files off; only in a maintenance opening."""
        ...

    def lay_view(self, names: Iterable[RepositoryFile]) -> str:
        """Lay a list of files over the repository, read-only; give the path restic reads."""
        ...

    def run(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str],
        fds: Sequence[int],
        timeout_s: float | None,
    ) -> int:
        """Run a command inside the door's namespace; ``fds`` become 0, 1, 2, 3…."""
        ...


class VaultDoor(Protocol):
    """Connects and disconnects one target."""

    target: str

    def find(self) -> Medium:
        """Find the attached medium without opening it; MediaAbsent, CloneFound, Impostor."""
        ...

    def open(
        self,
        medium: Medium,
        *,
        writing: bool,
        closes_at_s: float,
        plan: Iterable[Sequence[RepositoryFile]] = (),
        maintenance: bool = False,
    ) -> AbstractContextManager[OpenVault]:
        """Open until ``closes_at_s`` on the boot clock, when the kernel shuts the door.

        The vault side has read the ``plan`` before the medium is touched. A maintenance opening
        can remove what it is told, and carries nothing; no other opening can remove.
        """
        ...

    def shut(self, reason: str) -> ShutReport:
        """Shut, whatever the state, and ask the world; idempotent, depends on no record."""
        ...


class ProductionDoor(Protocol):
    """Connects and disconnects the hospital network."""

    @property
    def kind(self) -> str:
        """Which kind of door: none or link."""
        ...

    def open(self) -> None:
        """Connect."""
        ...

    def shut(self, reason: str) -> ShutReport:
        """Disconnect, whatever the state, and ask the world."""
        ...


__all__ = [
    "Backup",
    "Clock",
    "Disconnection",
    "Examiner",
    "Hooks",
    "LandingRepository",
    "Marks",
    "Medium",
    "OpenVault",
    "ProductionDoor",
    "Progress",
    "Pruned",
    "Reception",
    "SnapshotFacts",
    "Source",
    "VaultDoor",
]
