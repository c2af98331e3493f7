"""The look of a file: what the gate asks of a finding, and what became of one beside another.

Rule 1: a look holds words and counts; no name of a file, no line, no value of the export.
Rule 2: a file that its format vouches for is never scrambled, however much it changed; but a format
    vouches for no more than its inspector could read.
Source: chi-square of sampled bytes parts encrypted from compressed where entropy does not: 255 to
    267 for random bytes, 434 and more for zstd and zlib (64 KiB of text, one corpus).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from vault.finding import OPAQUE, Finding, Signs, Soundness

_LEAST_SAMPLE = 256  # bytes below which no randomness is claimed
_RANDOM = (150.0, 350.0)  # chi-square, 255 degrees of freedom: beyond four sigma on either side
_RISEN_BITS, _HIGH_BITS = 1.0, 6.5  # text of which every other block is encrypted stands at 6.9
_WIPED_BITS = 0.1  # one byte over and over
_WRITTEN = frozenset(("text", "xml", "json", "utf16"))  # magic words of what people can read
_MANY = 20  # records of a file whose vanishing says something
_HOLLOW = 20  # times fewer
# Remarks that say that what is inside was not looked at; none that a slow host may cause.
_UNREAD = frozenset(("zip-locked", "zip-method", "pmsi-encrypted", "pmsi-method", "xml-entities"))
_CLOSED = frozenset((OPAQUE, "unread"))  # kinds of members of which nothing is known


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What the gate asks of a finding."""

    kind: str
    soundness: Soundness
    is_random: bool
    entropy_bits: float
    magic: str
    counts: Mapping[str, int]
    months: Mapping[tuple[str, str], int]  # (record, month) -> lines, of PMSI
    tables: str  # of the inspectors that found it
    is_unread: bool = False  # what is inside could not be looked at
    is_pierced: bool = False  # begins as text, and holds bytes that no text has
    is_misnamed: bool = False  # nobody knows it, and its first bytes are not what its name promises
    known: int = 0  # members of a format that somebody knows
    closed: int = 0  # members of which nothing is known
    size_bytes: int = 0

    @property
    def is_vouched(self) -> bool:
        """Whether a known format says that the file is what it claims to be."""
        return self.soundness in (Soundness.SOUND, Soundness.DOUBTFUL) and self.kind != OPAQUE


def look_of(finding: Finding, tables: str) -> Look:
    """Give what the gate asks of a finding."""
    signs, pmsi = finding.signs, finding.pmsi
    codes = {remark.code for remark in finding.remarks}
    months = {
        (tally.record, month): lines
        for tally in (pmsi.records if pmsi else ())
        for month, lines in tally.months.items()
    }
    return Look(
        kind=finding.kind,
        soundness=finding.soundness,
        is_random=signs is not None and is_random(signs),
        entropy_bits=signs.entropy_bits if signs else 0.0,
        magic=signs.magic if signs else "",
        counts=finding.counts,
        months=months,
        tables=tables,
        size_bytes=signs.size_bytes if signs else 0,
        is_unread=bool(codes & _UNREAD),
        is_pierced="text-pierced" in codes,
        is_misnamed="not-as-named" in codes,
        known=sum(n for kind, n in finding.inside.items() if kind not in _CLOSED),
        closed=sum(n for kind, n in finding.inside.items() if kind in _CLOSED),
    )


def is_random(signs: Signs) -> bool:
    """Say whether sampled bytes cannot be told from random ones; never claimed of a small file."""
    low, high = _RANDOM
    return signs.sampled_bytes >= _LEAST_SAMPLE and low <= signs.chi_square <= high


def is_scrambled(before: Look, look: Look) -> bool:
    """Say whether a file looks encrypted and what it replaces did not."""
    if look.is_vouched:
        return False
    if look.is_random and not before.is_random:
        return True
    if before.magic and look.magic != before.magic and not {before.magic, look.magic} <= _WRITTEN:
        return True
    risen = look.entropy_bits - before.entropy_bits
    return risen >= _RISEN_BITS and look.entropy_bits >= _HIGH_BITS


def is_spoilt(before: Look, look: Look, keeps_name: bool) -> bool:
    """Say whether a file is no more what its format promised.

    Under a new name another format is lawful when it is as sound: ``a.csv`` that was packed into
    ``a.csv.gz``. An archive that nobody can open is not sound.
    """
    if look.is_pierced and not before.is_pierced:
        return True
    if not before.is_vouched:
        return look.entropy_bits < _WIPED_BITS and before.entropy_bits >= _RISEN_BITS
    if look.closed > before.closed and look.known < max(before.known, not before.closed):
        return True  # what was folded in it is there, and is nothing any more
    if keeps_name:
        lost = not look.is_vouched or look.kind != before.kind
        return lost or (look.is_unread and not before.is_unread) or _is_hollow(before, look)
    return look.soundness not in (Soundness.SOUND, before.soundness)


def _is_hollow(before: Look, look: Look) -> bool:
    """Say whether a file has its format and its size still, and next to none of its records.

    Text that was encrypted and written as letters between two tags or under a header is so.
    """
    if look.size_bytes * 2 < before.size_bytes:
        return False  # it shrank: that is judged by how much of the export is gone
    if before.counts.get("columns", 0) > 1 >= look.counts.get("columns", 0):
        return True
    held, left = (sum(one.counts.values()) for one in (before, look))
    return held >= _MANY and left * _HOLLOW < held


def is_repacked(before: Look, look: Look) -> bool:
    """Say whether a file is of another sound format now and still has all that was counted."""
    return (
        before.is_vouched
        and look.is_vouched
        and look.kind != before.kind
        and bool(before.counts)
        and all(look.counts.get(unit, 0) >= count for unit, count in before.counts.items())
    )
