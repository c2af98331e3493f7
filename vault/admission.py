"""What may cross: lawful names, pins, aliens, budget. The rules without the reading.

Rule 1: a candidate appeared during one of our own runs, has a lawful name in its lawful place and
    stays within its run's budget; everything else in the landing is an alien and is not carried.
Rule 2: pins are compared whole; a key more is as wrong as a key less.
Rule 3: a hash proves that a file is undamaged, not that we made it; nothing here trusts a name.
Guarantee not given: a pack that an intruder writes under its own hash while one of our runs goes
    on belongs to that run; it wastes room, and the check of the landing keeps it harmless.
Source: design, section 2 (the four fences).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from vault.results import Refusal, RepositoryFile

_LAWFUL = re.compile(
    r"config|keys/[0-9a-f]{64}|data/([0-9a-f]{2})/(?:\1)[0-9a-f]{62}"
    r"|index/[0-9a-f]{64}|snapshots/[0-9a-f]{64}",
)
_CARRIED = ("data/", "index/", "snapshots/")

MIB = 1 << 20
_FIXED_FILES = 64  # indexes, snapshot and half-full packs of one run
_FIXED_BYTES = 64 * MIB
_SMALLEST_MEAN_PACK = 2 * MIB  # restic closes a pack near 16 MiB; tree packs are smaller


def is_lawful(path: str) -> bool:
    """Whether a path is one that restic itself would write, in its place."""
    return _LAWFUL.fullmatch(path) is not None


def is_carried(path: str) -> bool:
    """Whether a cycle may carry this kind of file; ``config`` and keys come by enrolment only."""
    return path.startswith(_CARRIED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pins:
    """What was pinned when the vault was founded or a target was enrolled."""

    repository_id: str
    config_sha256: str
    keys: frozenset[str]  # names of the key files, which are hashes of their content


def compare_pins(pinned: Pins, seen: Pins) -> tuple[str, ...]:
    """Say how what is seen differs from what was pinned; nothing when it does not."""
    reasons = []
    if pinned.repository_id != seen.repository_id:
        reasons.append("the repository is another one than the one that was pinned")
    if pinned.config_sha256 != seen.config_sha256:
        reasons.append("the repository's config changed since it was pinned")
    if added := seen.keys - pinned.keys:
        reasons.append(f"key files that were never pinned: {len(added)}")
    if lost := pinned.keys - seen.keys:
        reasons.append(f"pinned key files that are gone: {len(lost)}")
    return tuple(reasons)


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """How much one run may add to the landing."""

    files: int
    bytes: int


def budget_for(source_bytes: int) -> Budget:
    """Bound one run by the size of its source, in bytes.

    restic adds at most what it reads, a few per cent of structure, and files of its own; a run
    that adds more was not alone.
    """
    allowed = source_bytes + source_bytes // 4 + _FIXED_BYTES
    return Budget(files=_FIXED_FILES + allowed // _SMALLEST_MEAN_PACK, bytes=allowed)


def over_budget(files: Sequence[RepositoryFile], budget: Budget) -> tuple[str, ...]:
    """Say how a run's files exceed their budget; nothing when they do not."""
    reasons = []
    total = sum(file.size_bytes for file in files)
    if len(files) > budget.files:
        reasons.append(f"{len(files)} files, {budget.files} allowed")
    if total > budget.bytes:
        reasons.append(f"{total} bytes, {budget.bytes} allowed")
    return tuple(reasons)


def unlawful_in_run(files: Iterable[RepositoryFile]) -> tuple[Refusal, ...]:
    """Give the files of a run that no run of ours would make."""
    return tuple(
        Refusal(name=file.path.encode(), reason="not a file that a backup adds")
        for file in files
        if not (is_lawful(file.path) and is_carried(file.path))
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class LandingJudgement:
    """What the landing holds against what our runs made."""

    files: int
    bytes: int
    aliens: tuple[Refusal, ...]
    alien_count: int
    alien_indexes: int  # counted whole: restic believes an index, whoever wrote it
    lost: tuple[str, ...]  # made by us, gone; the first few
    lost_count: int
    resized: tuple[str, ...]

    @property
    def is_whole(self) -> bool:
        """Whether everything our runs made is there with its size."""
        return not (self.lost_count or self.resized)


_LISTED = 100  # names kept of each kind: an attack may leave 200,000


def judge_landing(
    found: Iterable[RepositoryFile], known: Iterable[RepositoryFile]
) -> LandingJudgement:
    """Merge what is found with what is known, both sorted by path, in constant memory."""
    aliens: list[Refusal] = []
    lost: list[str] = []
    resized: list[str] = []
    files = total = alien_count = alien_indexes = lost_count = 0
    known_iter = iter(known)
    expected = next(known_iter, None)
    for file in found:
        while expected is not None and expected.path < file.path:
            lost_count += 1
            if len(lost) < _LISTED:
                lost.append(expected.path)
            expected = next(known_iter, None)
        if expected is not None and expected.path == file.path:
            if expected.size_bytes != file.size_bytes:
                resized.append(file.path)
            files += 1
            total += file.size_bytes
            expected = next(known_iter, None)
            continue
        alien_count += 1
        alien_indexes += file.path.startswith("index/")
        if len(aliens) < _LISTED:
            aliens.append(Refusal(name=file.path.encode(), reason="not made by any of our runs"))
    while expected is not None:
        lost_count += 1
        if len(lost) < _LISTED:
            lost.append(expected.path)
        expected = next(known_iter, None)
    return LandingJudgement(
        files=files,
        bytes=total,
        aliens=tuple(aliens),
        alien_count=alien_count,
        alien_indexes=alien_indexes,
        lost=tuple(lost),
        lost_count=lost_count,
        resized=tuple(resized),
    )
