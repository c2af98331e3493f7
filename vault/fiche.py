"""The record of one restore test: who, what, from where, when, and every check.

Rule 1: a record holds counts, ids and words; no file name, no content.
Rule 2: people are declared: a name was typed. Only a cosignature proves a second person, and what
    it proves is the key: its role and its id are kept.
Rule 3: what was not tested is never empty: no test tests everything.
Source: PGSSI-S, canevas 7.4.5.3, "fiche de restauration", and the superset of the design.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from vault.errors import UsageError
from vault.person import same_person
from vault.policy import Level
from vault.proof import Check, DrillVerdict
from vault.results import Exposure, ManifestEntry, Refusal

ASKED, DUE = "asked", "due"
DECLARED = "declared"


@dataclass(frozen=True, slots=True, kw_only=True)
class People:
    """Who asked, who operated, who validates; as declared, empty when nobody was named."""

    asked_by: str = ""
    by: str = ""
    validated_by: str = ""
    login: str = ""  # who really typed, as far as the host knows

    def require_apart(self) -> None:
        """Refuse an operator who validates his own work."""
        if self.validated_by and self.by and same_person(self.validated_by, self.by):
            raise UsageError(
                "{name} cannot both operate and validate",
                name=self.by,
                hint="who else can read the result? the validator is another person",
            )
        if self.validated_by and not self.by:
            raise UsageError("a validator is named and no operator", hint="who operates? --by NAME")


@dataclass(frozen=True, slots=True, kw_only=True)
class DrillOrder:
    """What a restore test is to do."""

    source: str
    level: Level
    origin: str  # "landing" or a target
    seed: str
    reason: str = ASKED
    sample: int | None = None  # files chosen at random; None is all
    limit_bytes: float | None = None  # as many as fit, the oldest proof first
    snapshot_id: str | None = None  # this point, instead of one at random
    seconds: float | None = None  # how long a target may stay open at most
    people: People = field(default_factory=People)


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """A business referent's word that the data are back in production."""

    by: str
    login: str
    at: datetime
    proof: str = DECLARED  # else ROLE+KEYID: the cosigner of vault.yaml whose key signed

    @property
    def is_proven(self) -> bool:
        """Whether a key signed, not a name that was typed."""
        return self.proof != DECLARED

    @property
    def kind(self) -> str:
        """Say in one word how much it proves: declared or proven."""
        return "proven" if self.is_proven else DECLARED

    @property
    def role_and_key(self) -> tuple[str, str] | None:
        """Give the role and the id of the key that signed; None when it was declared."""
        role, _, key_id = self.proof.partition("+")
        return (role, key_id) if self.is_proven else None


@dataclass(slots=True, kw_only=True)
class Metadata:
    """What else than bytes was compared; it is told and fails nothing."""

    compared: int = 0
    other_time: int = 0  # modified at another instant than the manifest says
    time_to_s: float = 0.0  # how finely the times could be compared
    owners: set[int] = field(default_factory=set)  # user ids, as restic knows them
    modes: set[int] = field(default_factory=set)

    def see(self, entry: ManifestEntry, *, mtime_ns: int, uid: int, mode: int) -> None:
        """Compare one file's facts with its manifest entry."""
        self.compared += 1
        if abs(mtime_ns - entry.mtime_ns) > self.time_to_s * 1e9:
            self.other_time += 1
        self.owners.add(uid)
        self.modes.add(mode & 0o7777)


@dataclass(frozen=True, slots=True, kw_only=True)
class DrillRecord:
    """One restore test, as it is kept; the second half is empty until it has ended."""

    number: int
    source: str
    level_asked: Level
    origin: str
    seed: str
    reason: str
    people: People
    begun_at: datetime
    ended_at: datetime | None = None
    verdict: DrillVerdict | None = None
    level_reached: Level | None = None
    snapshot_id: str | None = None
    cycle: int | None = None
    point_at: datetime | None = None
    files: int = 0  # restored and right
    bytes: int = 0
    of_files: int = 0  # that the point has
    of_bytes: int = 0
    mismatches: int = 0
    duration_s: float = 0.0  # of the restore and its comparison
    total_s: float = 0.0  # of the whole test
    age_s: float | None = None  # of the newest point there, when the test began
    dmia_s: int | None = None
    pdma_s: int | None = None
    bound: float | None = None
    opening: int | None = None
    exposure_s: float = 0.0
    disconnection: str = ""
    ledger_n: int | None = None
    ledger_sha256: str | None = None
    checks: tuple[Check, ...] = ()
    not_tested: tuple[str, ...] = ()
    signature: Signature | None = None

    @property
    def projected_s(self) -> float | None:
        """Give how long the whole point would take at the speed of this test."""
        if not self.bytes or not self.duration_s:
            return None
        return self.duration_s * max(1.0, self.of_bytes / self.bytes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Drilled:
    """What a restore test came to, for who ran it: its record, and the names that differ."""

    record: DrillRecord
    mismatches: tuple[Refusal, ...] = ()  # never kept: they name files
    exposure: Exposure | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """What an application made of the restored data: one check, and the files that it read."""

    check: Check
    read: tuple[str, ...] = ()  # SHA-256 of the files that are proven by it


@dataclass(frozen=True, slots=True, kw_only=True)
class Proven:
    """Which contents a test proved, by level."""

    by_level: Mapping[Level, Sequence[str]] = field(default_factory=dict)


def require_signable(record: DrillRecord, signature: Signature) -> None:
    """Refuse a signature under what was not proven, by the operator, or a second time."""
    if record.verdict is None or not record.verdict.is_good or record.level_reached is None:
        raise UsageError(
            "restore test {number} did not pass, so nobody can sign it",
            number=record.number,
            hint="mend what it found, then test again?",
        )
    if record.level_reached < Level.L1:
        raise UsageError(
            "restore test {number} restored nothing, so nobody can sign it",
            number=record.number,
            hint="coffre drill run --level L1 restores and compares",
        )
    if record.signature is not None:
        raise UsageError("restore test {number} is signed already", number=record.number)
    if not signature.by:
        raise UsageError("a signature needs a name", hint="--by NAME")
    if record.people.by and same_person(signature.by, record.people.by):
        raise UsageError(
            "{name} cannot both operate and validate",
            name=signature.by,
            hint="who else can read the result? the validator is another person",
        )
