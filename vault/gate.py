"""The gate: whether an export may enter the landing, judged from its shape and its habit.

Rule 1: a judgement is a value with reasons; it reads names, counts and shapes, never content.
Rule 2: a refused export never enters the landing; a warned one does, and says why.
Rule 3: no file name stands in a reason, since reasons are kept in the ledger.
Rule 4: an export that is as the last accepted one was is never refused for what it holds; more
    damage never makes a refusal pass.
Rule 5: a change that the formats vouch for is a change, not damage: it warns, whatever its size,
    unless the policy bounds it.
Source: docs/decisions/0015; the public notes on ransomware marks of the cases of 2019 to 2024.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from vault.amount import told_apart
from vault.habit import Habit, share
from vault.policy import Policy
from vault.results import ManifestEntry, Pull
from vault.shape import Shape

# Notes that the families which struck hospitals leave beside what they encrypted.
_NOTE = re.compile(
    rb"(?i)^(?:readme[_-]?(?:(?:for|to)[_-]?(?:decrypt|restore)|ryuk)|ryukreadme|how[_ -]?to[_ -]?"
    rb"(?:decrypt|recover|restore|back)|restore[_-]my[_-]files|decrypt[_-]?(?:instruction|my)|"
    rb"[a-z0-9]{9}[.-]readme|!!!?.*(?:decrypt|ransom|read).*|recover[_-].*[_-]files)"
    rb".*\.(?:txt|html?|hta)$"
)
# Extensions that encryption leaves; none belongs to an export format.
_MARKED = re.compile(
    rb"(?i)\.(?:locked|encrypted|crypt(?:ed)?|lockbit|ryk|ryuk|conti|hive|medusa|akira|phobos|"
    rb"clop|cl0p|blackcat|rhysida|babuk|makop|dharma|wncry|avos2?|blacksuit)$"
)
_FEW = 10  # files below which a share of them says little
_NOISE_SHARE = 0.25  # of files, rewritten noise below which nothing is said
_SPOILT_FEW = 2  # files that may lose their format without refusal, unless they are a quarter
_SPOILT_PERCENT = 25
_GROWN_SHARE = 1.0  # twice as large


class Judgement(StrEnum):
    """What becomes of an export."""

    ACCEPTED = "accepted"
    WARNED = "accepted with a warning"
    EMPTY = "empty"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """A judgement and its reasons."""

    judgement: Judgement
    reasons: tuple[str, ...] = ()
    is_attack: bool = False  # refused for what its content shows, not for links or names


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What an export is judged from."""

    previous: Sequence[ManifestEntry]  # of the last accepted export, sorted by path
    pull: Pull
    shape: Shape
    habit: Habit = field(default_factory=Habit)
    canaries: Collection[bytes] = ()


class Refused(Protocol):
    """A refused export, as far as an attack is judged from it."""

    @property
    def attack_at(self) -> int:
        """How many refused sources mean an attack; 0 when it never does."""
        ...

    @property
    def accepted(self) -> object | None:
        """The word of a person who accepted it."""
        ...


def inspect_pull(evidence: Evidence, policy: Policy) -> Inspection:
    """Judge an export by its policy and its habit."""
    pull = evidence.pull
    if not pull.refused or len(pull.refused) <= policy.max_refusals:
        if not pull.entries and policy.allow_empty:
            return Inspection(judgement=Judgement.WARNED, reasons=("empty, as its policy allows",))
        if not any(entry.size_bytes for entry in pull.entries):
            return Inspection(judgement=Judgement.EMPTY, reasons=(_why_empty(pull),))
    marks = tuple(_why_refused(evidence, policy))
    barred = tuple(_why_barred(pull, policy))
    warnings = tuple(_warnings(evidence, policy))
    if marks or barred:
        return Inspection(
            judgement=Judgement.REFUSED,
            reasons=marks + barred + warnings,
            is_attack=bool(marks),
        )
    judgement = Judgement.WARNED if warnings else Judgement.ACCEPTED
    return Inspection(judgement=judgement, reasons=warnings)


def _why_barred(pull: Pull, policy: Policy) -> Iterator[str]:
    """Say that too much of an export may not be taken at all."""
    if len(pull.refused) > policy.max_refusals:
        yield f"things that may not be taken: {len(pull.refused)}, {policy.max_refusals} allowed"


def _why_empty(pull: Pull) -> str:
    if pull.entries:
        return f"all {len(pull.entries)} files have no content"
    if pull.waiting:
        reasons = Counter(refusal.reason for refusal in pull.waiting)
        reason = reasons.most_common(1)[0][0]
        return f"files there, none complete yet: {len(pull.waiting)} ({reason})"
    if pull.refused:
        return f"things there, none a file that may be taken: {len(pull.refused)}"
    return "nothing there"


def is_attack(refused: Sequence[Refused]) -> bool:
    """Say whether refused exports together mean an attack: as many as one of them asks for."""
    standing = [one for one in refused if one.attack_at and one.accepted is None]
    return any(one.attack_at <= len(standing) for one in standing)


# -- what refuses


def _why_refused(evidence: Evidence, policy: Policy) -> Iterator[str]:
    """Say what in an export looks like an attack."""
    yield from _why_marked(evidence)
    yield from _why_touched(evidence)
    yield from _why_damaged(evidence, policy)
    yield from _why_gone(evidence, policy)
    yield from _why_rewritten(evidence, policy)


def _why_marked(evidence: Evidence) -> Iterator[str]:
    """Count ransom marks among the names that the last accepted export did not have."""
    known = {entry.path for entry in evidence.previous}
    names = [
        entry.path.rpartition(b"/")[2] for entry in evidence.pull.entries if entry.path not in known
    ]
    notes = sum(_NOTE.match(name) is not None for name in names)
    marked = sum(_MARKED.search(name) is not None for name in names)
    if notes:
        yield f"files named like a ransom note: {notes}"
    if marked:
        yield f"files with an extension that encryption leaves: {marked}"


def _why_touched(evidence: Evidence) -> Iterator[str]:
    """Compare the canaries with what they were in the last accepted export."""
    before, now = (_canaries(entries, evidence.canaries) for entries in _both(evidence))
    gone = sum(path not in now for path in before)
    changed = sum(path in now and now[path] != sha256 for path, sha256 in before.items())
    if gone:
        yield f"canary files gone: {gone}"
    if changed:
        yield f"canary files changed: {changed}"


def _both(evidence: Evidence) -> tuple[Sequence[ManifestEntry], Sequence[ManifestEntry]]:
    return evidence.previous, evidence.pull.entries


def _canaries(entries: Sequence[ManifestEntry], canaries: Collection[bytes]) -> dict[bytes, str]:
    return {entry.path: entry.sha256 for entry in entries if entry.path in canaries}


def _why_damaged(evidence: Evidence, policy: Policy) -> Iterator[str]:
    """Compare what was lost tonight, and over the remembered nights, with what may be."""
    shape, habit = evidence.shape, evidence.habit
    if shape.scrambled and _is_above(shape.scrambled, shape.base, policy.max_damaged_percent):
        yield f"files that look encrypted and did not before: {shape.scrambled}"
    if shape.spoilt and _is_much_spoilt(shape.spoilt, shape.base, policy.max_damaged_percent):
        yield f"files no more of the format they were: {shape.spoilt}"
    if not (shape.scrambled or shape.spoilt):
        return  # nothing was lost tonight: what stands was accepted
    nights = habit.nights + 1
    scrambled = habit.scrambled + shape.scrambled
    if habit.scrambled and _is_above(scrambled, shape.base, policy.max_damaged_percent):
        yield f"files that have come to look encrypted over {nights} nights: {scrambled}"
    damaged = scrambled + habit.spoilt + shape.spoilt
    if habit.scrambled + habit.spoilt and _is_much_spoilt(
        damaged, shape.base, policy.max_damaged_percent
    ):
        yield f"files that have lost what they were over {nights} nights: {damaged}"


def _is_above(count: int, whole: int, percent: int) -> bool:
    return count * 100 > percent * whole


def _is_much_spoilt(count: int, whole: int, percent: int) -> bool:
    """Say whether too many files lost their format: an export that broke off spoils one or two."""
    if count <= _SPOILT_FEW:
        return _is_above(count, whole, max(percent, _SPOILT_PERCENT))
    return _is_above(count, whole, percent)


def _why_gone(evidence: Evidence, policy: Policy) -> Iterator[str]:
    """Say that more of an export is gone than ever may be at once."""
    shape, last = evidence.shape, evidence.habit.last
    sizes = [*_sizes(evidence)]
    if last is not None and last.tables == shape.tables:
        # All kinds of records together: one kind of a few may well go.
        sizes.append((sum(shape.records.values()), sum(last.records.values()), "records"))
    for now, before, unit in sizes:
        if _is_above(before - now, before, policy.max_deleted_percent):
            yield f"mass deletion: {now} {unit}, {before} at the last export"


def _why_rewritten(evidence: Evidence, policy: Policy) -> Iterator[str]:
    """Say that more was rewritten than the policy allows, or more of what no format vouches for."""
    shape, habit = evidence.shape, evidence.habit
    if shape.moved > _FEW and _is_above(
        shape.moved, shape.before_files, policy.max_changed_percent
    ):
        yield f"{shape.moved} of {shape.before_files} files changed"
    elif (
        habit.noise_share is not None
        and shape.noise > _FEW
        and share(shape.noise, shape.base) > max(habit.noise_share, _NOISE_SHARE)
    ):
        yield f"{shape.noise} files without a readable format rewritten, far beyond the habit"


# -- what warns


def _warnings(evidence: Evidence, policy: Policy) -> Iterator[str]:
    pull, shape = evidence.pull, evidence.shape
    yield from _why_shrunk(evidence, policy)
    yield from _why_unusual(evidence)
    yield from _why_doubtful(evidence, policy)
    empty = sum(not entry.size_bytes for entry in pull.entries)
    if empty:
        yield f"files without content: {empty}"
    if shape.odd:
        yield f"files named as text that look encrypted: {shape.odd}"
    if pull.refused:
        yield f"links, sockets or unlawful names, not taken: {len(pull.refused)}"
    if pull.waiting:
        yield f"files not complete yet: {len(pull.waiting)}"
    missing = len(set(evidence.canaries)) - sum(
        entry.path in evidence.canaries for entry in pull.entries
    )
    if missing:
        yield f"canary files not there: {missing}"


def _why_doubtful(evidence: Evidence, policy: Policy) -> Iterator[str]:
    """Say what was lost, when it is not enough to refuse."""
    shape = evidence.shape
    if shape.scrambled and not _is_above(shape.scrambled, shape.base, policy.max_damaged_percent):
        yield f"files that look encrypted and did not before: {shape.scrambled}"
    if shape.spoilt and not _is_much_spoilt(shape.spoilt, shape.base, policy.max_damaged_percent):
        yield f"files no more of the format they were: {shape.spoilt}"
    last = evidence.habit.last
    more = shape.malformed - (last.malformed if last and last.tables == shape.tables else 0)
    if more > 0:
        yield f"malformed files, more than at the last export by: {more}"


def _why_shrunk(evidence: Evidence, policy: Policy) -> Iterator[str]:
    """Say how much less there is than at the last export, when it is more than is allowed."""
    for now, before, unit in (*_sizes(evidence), *_records(evidence)):
        if _is_above(before - now, before, policy.max_shrink_percent):
            yield f"shrunk: {now} {unit}, {before} at the last export"
    if evidence.shape.shrunk_months:
        yield f"shrunk: months of a PMSI record that lost lines: {evidence.shape.shrunk_months}"


def _sizes(evidence: Evidence) -> Iterator[tuple[int, int, str]]:
    """Give the measures of an export: now, at the last accepted export, and the unit.

    Of files that were packed with all their records the bytes of today are compared.
    """
    shape = evidence.shape
    yield shape.files, shape.before_files, "files"
    yield shape.bytes, shape.before_bytes - shape.repacked, "bytes"


def _records(evidence: Evidence) -> Iterator[tuple[int, int, str]]:
    """Give the same for each kind of record that the inspectors counted."""
    shape, last = evidence.shape, evidence.habit.last
    if last is not None and last.tables == shape.tables:
        for unit, before in sorted(last.records.items()):
            yield shape.records.get(unit, 0), before, unit


def _why_unusual(evidence: Evidence) -> Iterator[str]:
    """Say what is unlike the nights before, and may well be lawful."""
    shape, habit = evidence.shape, evidence.habit
    changed = share(shape.moved, shape.base)
    if habit.changed_share is not None and shape.moved > _FEW and changed > habit.changed_share:
        yield f"{shape.moved} of {shape.before_files} files changed, beyond the habit"
    grown = share(shape.bytes - shape.before_bytes, shape.before_bytes)
    if habit.grown_share is not None and grown > max(habit.grown_share, _GROWN_SHARE):
        size, before = told_apart(shape.bytes, shape.before_bytes)
        yield f"grown: {size}, {before} at the last export"
