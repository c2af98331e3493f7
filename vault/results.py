"""What we were asked to find out, as values with their reasons.

Rule 1: a result is a frozen value; nothing here touches the world.
Rule 2: state says where the air gap is, verdict says whether the copy is good; they never mix.
Rule 3: sizes are bytes, durations seconds, times aware UTC, hashes lower-case hex SHA-256.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from vault.errors import ExitCode
from vault.names import printable

_SHOWN = 10  # things that a person is shown by name


class VaultStatus(StrEnum):
    """Where the air gap is."""

    LOCKED = "locked"
    UNLOCKED = "unlocked"
    SECURED = "secured"
    DEGRADED = "degraded"


class Disconnection(StrEnum):
    """The class of disconnection a door proves, strongest first."""

    REMOVED = "removed"
    POWERED_OFF = "powered-off"
    LINK_DOWN = "link-down"
    DETACHED = "detached"
    UNMOUNTED = "unmounted"
    NONE = "none"

    @property
    def rank(self) -> int:
        """0 is the strongest."""
        return list(Disconnection).index(self)

    @property
    def is_offline(self) -> bool:
        """Only the first four count as offline."""
        return self.rank <= Disconnection.DETACHED.rank


class CycleVerdict(StrEnum):
    """How a cycle ended, as a whole."""

    SOUND = "sound"
    INCOMPLETE = "incomplete"
    PARTIAL = "partial"
    CORRUPT = "corrupt"
    REFUSED = "refused"
    FAILED = "failed"
    MEDIA_ABSENT = "media-absent"
    INTERRUPTED = "interrupted"
    SECURED = "secured"
    DEGRADED = "degraded"

    @property
    def exit_code(self) -> ExitCode:
        """The exit code that stands for this verdict."""
        return _EXIT_CODES[self]


_EXIT_CODES = {
    CycleVerdict.SOUND: ExitCode.SOUND,
    CycleVerdict.INCOMPLETE: ExitCode.INCOMPLETE,
    CycleVerdict.PARTIAL: ExitCode.INCOMPLETE,
    CycleVerdict.CORRUPT: ExitCode.CORRUPT,
    CycleVerdict.REFUSED: ExitCode.REFUSED,
    CycleVerdict.FAILED: ExitCode.FAILED,
    CycleVerdict.MEDIA_ABSENT: ExitCode.MEDIA_ABSENT,
    CycleVerdict.INTERRUPTED: ExitCode.INTERRUPTED,
    CycleVerdict.SECURED: ExitCode.SECURED,
    CycleVerdict.DEGRADED: ExitCode.DEGRADED,
}


class SourceVerdict(StrEnum):
    """How a source fared in one cycle."""

    SAVED = "saved"  # a new snapshot holds it
    UNCHANGED = "unchanged"  # its manifest is that of the newest snapshot
    PARTIAL = "partial"  # saved, but for files that were not complete yet
    NOT_DUE = "not-due"
    MISSING = "missing"  # not there, or unreachable
    EMPTY = "empty"
    REFUSED = "refused"  # by inspection
    FAILED = "failed"

    @property
    def is_gap(self) -> bool:
        """Whether this source was not saved as it should have been."""
        return self not in (SourceVerdict.SAVED, SourceVerdict.UNCHANGED, SourceVerdict.NOT_DUE)


class TargetOutcome(StrEnum):
    """How a target fared in one cycle; the names are a contract."""

    ADMITTED = "admitted"
    PARTIAL = "partial"
    NOTHING_NEW = "nothing-new"
    MEDIA_ABSENT = "media-absent"
    IMPOSTOR = "impostor"
    FULL = "full"
    REFUSED = "refused"
    NOT_OPENED = "not-opened"
    CORRUPT = "corrupt"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestEntry:
    """One regular file of an export, as it was pulled."""

    path: bytes  # relative to the reception's data/, never normalised
    size_bytes: int
    mtime_ns: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Something that was seen and not taken, with the reason."""

    name: bytes
    reason: str


def shown_refusals(things: Sequence[Refusal]) -> tuple[str, ...]:
    """Name the first few things with their reasons, and say how many more there are."""
    shown = tuple(f"{printable(thing.name)}: {thing.reason}" for thing in things[:_SHOWN])
    if (more := len(things) - _SHOWN) > 0:
        shown += (f"and {more} more",)
    return shown


@dataclass(frozen=True, slots=True, kw_only=True)
class Pull:
    """What one collection brought into a reception."""

    entries: tuple[ManifestEntry, ...]  # the whole manifest, sorted by path, deletions applied
    pulled: int = 0  # files copied this time
    pulled_bytes: int = 0
    deleted: tuple[bytes, ...] = ()  # in the mirror, gone at the source
    refused: tuple[Refusal, ...] = ()  # symlinks, sockets, unlawful names
    waiting: tuple[Refusal, ...] = ()  # not complete yet: growing, or no done-file


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceResult:
    """One source in one cycle."""

    name: str
    verdict: SourceVerdict
    files: int = 0
    bytes: int = 0
    pulled_files: int = 0
    pulled_bytes: int = 0
    snapshot_id: str | None = None
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RepositoryFile:
    """One file of a restic repository, by its place in it."""

    path: str  # data/xx/<64 hex>, index/<64 hex>, snapshots/<64 hex>, keys/<64 hex> or config
    size_bytes: int

    @property
    def name(self) -> str:
        """The last component: the SHA-256 of the content, but for ``config``."""
        return self.path.rpartition("/")[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """A restored tree against the manifest: what of it came back, and what differs."""

    files: int
    bytes: int
    mismatches: tuple[Refusal, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """What one of our own ``restic backup`` runs added to the landing."""

    number: int  # grows by one a run, over the vault's life
    cycle: int
    source: str
    files: tuple[RepositoryFile, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Removed:
    """What a maintenance opening took off a target."""

    removed: int
    removed_bytes: int
    absent: int  # gone already
    refused: tuple[str, ...]  # something else stands under the name, and stays


@dataclass(frozen=True, slots=True, kw_only=True)
class AdmissionReport:
    """What one opening carried across, as counted on the target's side."""

    wanted_files: int = 0  # files of the plan that the target lacked
    wanted_bytes: int = 0
    admitted_files: int = 0
    admitted_bytes: int = 0
    read_back_bytes: int = 0
    refused: tuple[Refusal, ...] = ()  # content or kind not what the name says
    corrupt: tuple[Refusal, ...] = ()  # read back wrong, or there with a wrong size
    left_files: int = 0  # not carried: deadline or refusal
    left_bytes: int = 0
    failure: str = ""  # "", "full", "io", with the error in failure_detail
    failure_detail: str = ""
    largest_left_bytes: int = 0
    bytes_per_second: float = 0.0

    @property
    def is_complete(self) -> bool:
        """Whether every file of the plan is on the target now."""
        return not (self.refused or self.corrupt or self.left_files or self.failure)


@dataclass(frozen=True, slots=True, kw_only=True)
class OldRead:
    """What one opening read back of what had crossed in earlier ones."""

    files: int = 0
    bytes: int = 0
    seconds: float = 0.0
    corrupt: tuple[Refusal, ...] = ()  # gone, unreadable, or not what their names say
    first_unproven: int = 0  # of the list that was given, the first not read whole and sound


class DoorProof(StrEnum):
    """What the world answered when asked whether a door is shut."""

    SHUT = "shut"
    OPEN = "open"
    UNKNOWN = "unknown"  # no answer counts as open


@dataclass(frozen=True, slots=True, kw_only=True)
class ShutReport:
    """The answer of one proof, with its evidence."""

    proof: DoorProof
    disconnection: Disconnection
    evidence: tuple[str, ...] = ()  # one clause a check, no file names

    @property
    def is_shut(self) -> bool:
        """Whether the door is proven shut."""
        return self.proof is DoorProof.SHUT


@dataclass(frozen=True, slots=True, kw_only=True)
class Exposure:
    """One opening of a vault door, from the first touch of the medium to the proof of shut."""

    target: str
    opening: int
    purpose: str  # carry, restore, open, drill, scrub, enrol
    writing: bool
    seconds: float  # on the boot clock
    opened_at: datetime
    shut: ShutReport


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetResult:
    """One target in one cycle."""

    name: str
    outcome: TargetOutcome
    admitted_files: int = 0
    admitted_bytes: int = 0
    read_back_bytes: int = 0
    refused_files: int = 0
    exposure_s: float = 0.0
    disconnection: Disconnection = Disconnection.NONE
    left_bytes: int = 0
    nights_left: int | None = None
    reasons: tuple[str, ...] = ()
    old_files: int = 0  # of earlier openings, read back: told, not stored with the cycle
    old_bytes: int = 0
    old_s: float = 0.0  # part of the exposure


class HookOutcome(StrEnum):
    """How a hook fared."""

    RAN = "ran"
    ABSENT = "absent"  # the site has none for this moment
    SKIPPED = "skipped"  # not looked for: the red button is pressed, or a door may be open
    REFUSED = "refused"  # somebody else may write it, or it cannot be run
    FAILED = "failed"
    TIMED_OUT = "timed-out"

    @property
    def is_told(self) -> bool:
        """Whether the ledger is told: something of the site's was run, or refused."""
        return self not in (HookOutcome.ABSENT, HookOutcome.SKIPPED)

    @property
    def is_trouble(self) -> bool:
        """Whether the site has a hook and it did not do its work."""
        return self.is_told and self is not HookOutcome.RAN


@dataclass(frozen=True, slots=True, kw_only=True)
class HookResult:
    """One moment of a night, and what became of its hook."""

    moment: str
    outcome: HookOutcome
    detail: str = ""
    duration_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class CycleResult:
    """One night."""

    cycle: int
    verdict: CycleVerdict
    status: VaultStatus
    started_at: datetime
    ended_at: datetime
    sources: tuple[SourceResult, ...] = ()
    targets: tuple[TargetResult, ...] = ()
    aliens: tuple[Refusal, ...] = ()  # found in the landing, not made by us, not carried
    reasons: tuple[str, ...] = ()
    warnings: tuple[str, ...] = field(default=())
    hooks: tuple[HookResult, ...] = ()  # told, not stored with the cycle


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotRecord:
    """One snapshot of ours, as the catalogue remembers it."""

    source: str
    snapshot_id: str
    taken_at: datetime
    cycle: int
    manifest: str  # identity: SHA-256 of the uncompressed manifest
    files: int
    bytes: int
    tree: str = ""
    forgotten_at: datetime | None = None  # when the landing let go of it
    forgotten_after: int | None = None  # the last cycle whose list may name it
    warned: bool = False  # inspection took it, and had something to say


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetRecord:
    """One enrolled target: its pins."""

    name: str
    target_id: str  # 256 random bits, hexadecimal
    uuid: str
    fs_type: str
    size_bytes: int
    serial: str
    door: str  # the door as configured, canonical JSON
    enrolled_at: datetime
    retired_at: datetime | None = None
