"""The obvious: an export that is empty, marked by ransomware, or suddenly gone.

Rule 1: a judgement is a value with reasons; it reads names, sizes and counts, never content.
Rule 2: a refused export never enters the landing; a warned one does, and says why.
Rule 3: no file name stands in a reason, since reasons are kept in the ledger.
Source: ``docs/decisions/`` and the public notes on ransomware marks of the cases of 2019 to 2024.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from vault.policy import Policy
from vault.results import ManifestEntry, Pull

# Notes that the families which struck hospitals leave beside what they encrypted.
_NOTE = re.compile(
    rb"(?i)^(?:readme[_-]?(?:for[_-]?decrypt|to[_-]?restore|ryuk)|ryukreadme|how[_ -]?to[_ -]?"
    rb"(?:decrypt|recover|restore|back)|restore[_-]my[_-]files|decrypt[_-]?(?:instruction|my)|"
    rb"[a-z0-9]{9}[.-]readme|!!!?.*(?:decrypt|ransom|read).*|recover[_-].*[_-]files)"
    rb".*\.(?:txt|html?|hta)$"
)
# Extensions that encryption leaves; none belongs to an export format.
_MARKED = re.compile(
    rb"(?i)\.(?:locked|encrypted|crypt(?:ed)?|lockbit|ryk|ryuk|conti|hive|medusa|akira|phobos|"
    rb"clop|cl0p|blackcat|rhysida|babuk|makop|dharma|wncry|avos2?|blacksuit)$"
)


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


def inspect_pull(previous: Sequence[ManifestEntry], pull: Pull, policy: Policy) -> Inspection:
    """Judge a pull against the manifest before it and the bounds of its policy."""
    if len(pull.refused) > policy.max_refusals:
        reason = (
            f"{len(pull.refused)} thing(s) that may not be taken, {policy.max_refusals} allowed"
        )
        return Inspection(judgement=Judgement.REFUSED, reasons=(reason,))
    if not pull.entries and policy.allow_empty:
        return Inspection(judgement=Judgement.WARNED, reasons=("empty, as its policy allows",))
    if not pull.entries:
        return Inspection(judgement=Judgement.EMPTY, reasons=(_why_empty(pull),))
    if not any(entry.size_bytes for entry in pull.entries):
        return Inspection(
            judgement=Judgement.EMPTY,
            reasons=(f"all {len(pull.entries)} files have no content",),
        )
    if marks := _ransom_marks(pull.entries):
        return Inspection(judgement=Judgement.REFUSED, reasons=marks)
    warnings = _warnings(previous, pull, policy)
    judgement = Judgement.WARNED if warnings else Judgement.ACCEPTED
    return Inspection(judgement=judgement, reasons=warnings)


def _shrunk(previous: Sequence[ManifestEntry], pull: Pull, allowed_percent: int) -> Iterator[str]:
    """Say how much less there is than at the last export, when it is more than is allowed."""
    sizes = {
        "files": (len(previous), len(pull.entries)),
        "bytes": (_bytes(previous), _bytes(pull.entries)),
    }
    for unit, (before, now) in sizes.items():
        if before and (before - now) * 100 > allowed_percent * before:
            yield f"shrunk: {now} {unit}, {before} at the last export"


def _bytes(entries: Sequence[ManifestEntry]) -> int:
    return sum(entry.size_bytes for entry in entries)


def _why_empty(pull: Pull) -> str:
    if pull.waiting:
        return f"{len(pull.waiting)} file(s) there, none complete yet"
    if pull.refused:
        return f"{len(pull.refused)} thing(s) there, none a file that may be taken"
    return "nothing there"


def _ransom_marks(entries: Sequence[ManifestEntry]) -> tuple[str, ...]:
    names = [entry.path.rpartition(b"/")[2] for entry in entries]
    notes = sum(_NOTE.match(name) is not None for name in names)
    marked = sum(_MARKED.search(name) is not None for name in names)
    reasons = []
    if notes:
        reasons.append(f"{notes} file(s) named like a ransom note")
    if marked:
        reasons.append(f"{marked} file(s) with an extension that encryption leaves")
    return tuple(reasons)


def _warnings(previous: Sequence[ManifestEntry], pull: Pull, policy: Policy) -> tuple[str, ...]:
    reasons = list(_shrunk(previous, pull, policy.max_shrink_percent))
    empty = sum(not entry.size_bytes for entry in pull.entries)
    if empty:
        reasons.append(f"{empty} file(s) without content")
    if pull.refused:
        reasons.append(f"{len(pull.refused)} thing(s) not taken: links, sockets or unlawful names")
    if pull.waiting:
        reasons.append(f"{len(pull.waiting)} file(s) not complete yet")
    return tuple(reasons)
