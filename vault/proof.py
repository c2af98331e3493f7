"""What a restore test may claim: its levels, its random choice, its bound, when it is owed again.

Rule 1: a test reached a level when this level and every one below it passed; what could not be
    tested is said and is no pass. A test never claims more than the level it reached.
Rule 2: a random choice is a pure function of a seed that is recorded: whoever has the seed and the
    list chooses the same points and files again, with SHA-256 alone.
Rule 3: a sample proves a bound and no more: no failure among n random files means that at most 3/n
    of them are bad, at 95 %.
Rule 4: proof ages: each content remembers when it was last restored and at which level.
Source: design, section 6; the rule of three (Hanley and Lippman-Hand, 1983).
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TypeVar

from vault.errors import ExitCode
from vault.policy import Level, Policy
from vault.results import ManifestEntry

_T = TypeVar("_T")
CONFIDENCE = 0.95
_RULE_OF_THREE = 3.0  # -ln(0.05), rounded up
AUTOMATIC = (Level.L0, Level.L1, Level.L2, Level.L3)  # L4 is a person's


class Outcome(StrEnum):
    """How one check ended."""

    PASSED = "passed"
    WARNED = "warned"  # worth reading; the level stands
    FAILED = "failed"
    SKIPPED = "skipped"  # not tested, with the reason


class DrillVerdict(StrEnum):
    """How a restore test ended, as a whole."""

    SOUND = "sound"  # the level asked for was reached
    INCOMPLETE = "incomplete"  # nothing failed, and the level asked for was not reached
    CORRUPT = "corrupt"  # something restored differs, or cannot be given back
    NO_EVIDENCE = "no-evidence"  # there is nothing trustworthy to compare with
    FAILED = "failed"  # nothing was restored, or a check failed though the bytes are right
    INTERRUPTED = "interrupted"

    @property
    def exit_code(self) -> ExitCode:
        """The exit code that stands for this verdict."""
        return _EXIT_CODES[self]

    @property
    def is_good(self) -> bool:
        """Whether nothing failed."""
        return self in (DrillVerdict.SOUND, DrillVerdict.INCOMPLETE)


_EXIT_CODES = {
    DrillVerdict.SOUND: ExitCode.SOUND,
    DrillVerdict.INCOMPLETE: ExitCode.INCOMPLETE,
    DrillVerdict.CORRUPT: ExitCode.CORRUPT,
    DrillVerdict.NO_EVIDENCE: ExitCode.FAILED,
    DrillVerdict.FAILED: ExitCode.FAILED,
    DrillVerdict.INTERRUPTED: ExitCode.INTERRUPTED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One check of a restore test; the sentence is a template with counts and words, no names."""

    level: Level
    name: str  # kebab-case: "repository", "manifest", "bytes", "metadata", "formats", ...
    outcome: Outcome
    template: str
    values: Mapping[str, int | float | str] = field(default_factory=dict)
    verdict: DrillVerdict | None = None  # what a failure makes of the whole

    @property
    def sentence(self) -> str:
        """Give the check's answer in English."""
        return self.template.format(**self.values)


def level_reached(checks: Sequence[Check], asked: Level) -> Level | None:
    """Give the highest level that passed with all below it; None when not even the first did."""
    reached = None
    for level in Level:
        outcomes = {check.outcome for check in checks if check.level is level}
        passed = outcomes & {Outcome.PASSED, Outcome.WARNED}
        if Outcome.FAILED in outcomes or not passed or level > asked:
            break
        reached = level
    return reached


def judge(checks: Sequence[Check], asked: Level) -> DrillVerdict:
    """Judge a test by its checks: corrupt before no evidence before failed before incomplete."""
    failed = {check.verdict or DrillVerdict.FAILED for check in checks if _is_failure(check)}
    for verdict in (DrillVerdict.CORRUPT, DrillVerdict.NO_EVIDENCE, DrillVerdict.FAILED):
        if verdict in failed:
            return verdict
    reached = level_reached(checks, asked)
    return DrillVerdict.SOUND if reached is asked else DrillVerdict.INCOMPLETE


def _is_failure(check: Check) -> bool:
    return check.outcome is Outcome.FAILED


# -- the random choice


def choose(things: Sequence[_T], seed: str, what: str) -> _T:
    """Choose one of several; the same seed, the same list and the same ``what`` give the same."""
    number = int.from_bytes(hashlib.sha256(f"{seed}\0{what}".encode()).digest(), "big")
    return things[number % len(things)]


def rank(seed: str, path: bytes) -> bytes:
    """Give where a file stands in the random order of a seed: SHA-256 of seed, NUL and path."""
    return hashlib.sha256(seed.encode() + b"\0" + path).digest()


def sample(entries: Sequence[ManifestEntry], count: int, seed: str) -> list[ManifestEntry]:
    """Choose ``count`` files at random, all when there are fewer; sorted by path."""
    chosen = sorted(entries, key=lambda entry: rank(seed, entry.path))[:count]
    return sorted(chosen, key=lambda entry: entry.path)


def oldest_proof_first(
    entries: Sequence[ManifestEntry], proven: Mapping[str, datetime], seed: str
) -> list[ManifestEntry]:
    """Order files by when their content was last proven, never first, ties at random."""

    def key(entry: ManifestEntry) -> tuple[float, bytes]:
        at = proven.get(entry.sha256)
        return (at.timestamp() if at else -math.inf, rank(seed, entry.path))

    return sorted(entries, key=key)


def fit(entries: Iterable[ManifestEntry], limit_bytes: float) -> list[ManifestEntry]:
    """Take files in their order while they fit, one at least; sorted by path."""
    taken: list[ManifestEntry] = []
    total = 0
    for entry in entries:
        total += entry.size_bytes
        if taken and total > limit_bytes:
            break
        taken.append(entry)
    return sorted(taken, key=lambda entry: entry.path)


def bound(*, tested: int, of: int, is_random: bool) -> float | None:
    """Give the largest share of bad files that a test without a failure leaves open, at 95 %.

    0 when every file was tested; None when nothing was, or when the choice was not random.
    """
    if tested >= of > 0:
        return 0.0
    if not tested or not is_random:
        return None
    return min(1.0, _RULE_OF_THREE / tested)


# -- when it is owed


@dataclass(frozen=True, slots=True, kw_only=True)
class Owed:
    """One level that a source owes, since when."""

    source: str
    level: Level
    due_at: datetime
    last_at: datetime | None  # when it was last reached


def owed_levels(
    source: str, policy: Policy, reached: Mapping[Level, datetime], since: datetime
) -> list[Owed]:
    """Give what a source owes by its policy, due or not; ``since`` is its first point.

    A test that reached a level reached those below it too.
    """
    owed = []
    for level in Level:
        every_s = policy.drills.every_s(level)
        if every_s is None:
            continue
        last = max((at for n, at in reached.items() if n >= level), default=None)
        due_at = (last or since) + timedelta(seconds=every_s)
        owed.append(Owed(source=source, level=level, due_at=due_at, last_at=last))
    return owed


@dataclass(frozen=True, slots=True, kw_only=True)
class DrillFacts:
    """What the restore tests of a source came to, for who judges gaps."""

    owed: tuple[Owed, ...] = ()
    bad_verdict: str = ""  # of the newest test, when it failed
    bad_at: datetime | None = None
    bad_drill: int = 0
    slow_s: int = 0  # what the whole point takes at the speed of the newest test, when too long
    slow_at: datetime | None = None


def nights_to_prove(waiting_bytes: int, *, bytes_per_second: float, seconds_each: float) -> int:
    """Give in how many nights of so many seconds all that waits is proven, at this speed."""
    if not waiting_bytes:
        return 0
    return max(1, math.ceil(waiting_bytes / max(1.0, bytes_per_second * seconds_each)))
