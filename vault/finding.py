"""What an inspector found in one file: recognised as, sound or not, how many of what, for when.

Rule 1: a finding holds counts, lengths, versions, FINESS and periods; never a line, a key of a
    patient, a name of a person or a member's file name.
Rule 2: values are checked when a remark is made: no run of ten digits or more, nothing that is
    not a short token. A finding that could carry content cannot be built.
Rule 3: what is uncertain is doubtful, never malformed: a version that is newer than our tables,
    a rule of confidence C or D.
Source: design, sections 4 and 7; ``policies/formats/README.md`` for the confidence marks.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from dataclasses import field as member
from enum import StrEnum

_PERIOD = re.compile(r"\d{4}(-(\d\d(-\d\d)?|W\d\d))?", re.ASCII)

# A token that a person reads: version ids, months, media types. A NIR has 13 digits, a FINESS 9.
_TOKEN = re.compile(r"[A-Za-z0-9 ._:/+*%()-]{0,64}", re.ASCII)
_LONG_NUMBER = re.compile(r"\d{10,}", re.ASCII)


OPAQUE = "opaque"  # the kind of what no inspector knows


class Soundness(StrEnum):
    """Whether a file is what its format promises."""

    SOUND = "sound"
    DOUBTFUL = "doubtful"  # something to look at; never a reason to refuse by itself
    MALFORMED = "malformed"
    OPAQUE = "opaque"  # no inspector knows the format: nothing is claimed


_RANK = (Soundness.OPAQUE, Soundness.SOUND, Soundness.DOUBTFUL, Soundness.MALFORMED)


def worst(found: Iterable[Soundness]) -> Soundness:
    """Give the worst of several; opaque when there is none."""
    return max(found, key=_RANK.index, default=Soundness.OPAQUE)


def subject_of(path: bytes, sha256: str) -> str:
    """Give what a finding is about: the same content under the same last name, wherever it lies.

    The name counts because an archive's says which period it is for; only its hash is kept.
    """
    name = path.rpartition(b"/")[2]
    return f"{sha256}-{hashlib.sha256(name).hexdigest()[:16]}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Remark:
    """One thing worth saying of a file: a code for machines, a template with values for people."""

    code: str  # kebab-case; documented in docs/formats.md
    template: str  # English, translated by gettext, values by name
    values: Mapping[str, int | str] = member(default_factory=dict)
    soundness: Soundness = Soundness.DOUBTFUL  # what this remark makes of the file

    def __post_init__(self) -> None:
        for value in self.values.values():
            assert not isinstance(value, str) or value == token(value), self.code

    @property
    def sentence(self) -> str:
        """Give the remark in English."""
        return self.template.format(**self.values)


def token(text: str) -> str:
    """Make a text lawful as a remark's value: what might be content becomes ``?``."""
    return text if _TOKEN.fullmatch(text) and not _LONG_NUMBER.search(text) else "?"


@dataclass(frozen=True, slots=True, kw_only=True)
class Signs:
    """What the sampled bytes of a file look like, whatever its format."""

    size_bytes: int
    sampled_bytes: int
    entropy_bits: float  # Shannon, of the sampled bytes, 0 to 8
    chi_square: float  # of the sampled bytes against even, 255 degrees of freedom
    magic: str  # what its first bytes say it is, a short lower-case word; "" when they say nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordTally:
    """How many lines of one PMSI record type a file holds, and which."""

    record: str  # name in policies/formats, such as "rsa"
    lines: int  # that fit a known version, FINESS column and length
    misfits: int = 0  # lines of this type whose length breaks the rule
    versions: Mapping[str, int] = member(default_factory=dict)  # version id -> lines
    finess: Mapping[str, int] = member(default_factory=dict)  # nine characters -> lines
    months: Mapping[str, int] = member(default_factory=dict)  # "2024-11" -> lines
    weeks: Mapping[str, int] = member(default_factory=dict)  # "2024-W45" -> lines, of SMR only
    confidence: str = "A"  # the weakest mark of the versions seen


@dataclass(frozen=True, slots=True, kw_only=True)
class PmsiFacts:
    """What a PMSI archive or record file is about."""

    field: str  # MCO, SMR, HAD, PSY; "" when the content does not say
    side: str  # "in", "out", "save", "loose"
    finess: str  # "" when the content does not say or says several
    year: int  # by name for an archive, by content for a loose file; 0 when unknown
    period: int  # month of the year, 0 for a test run or unknown
    stamp: str = ""  # ISO, of the archive's name; "" when there is none
    category: str = ""  # "SEJOURS", "RSFACE", ... of the newer names
    records: tuple[RecordTally, ...] = ()
    members: Mapping[str, int] = member(default_factory=dict)  # extension -> bytes
    complete: bool = True  # whether the members that a transmission needs are there, not empty


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One file, as an inspector judged it."""

    kind: str  # kebab-case format name, such as "pmsi-archive", "dsn", "dicom", "opaque"
    soundness: Soundness
    remarks: tuple[Remark, ...] = ()
    counts: Mapping[str, int] = member(default_factory=dict)  # unit (English plural) -> how many
    periods: tuple[str, ...] = ()  # "2024", "2024-11", "2024-11-30": sorted, distinct
    inside: Mapping[str, int] = member(default_factory=dict)  # kind -> files, for a container
    pmsi: PmsiFacts | None = None
    signs: Signs | None = None  # added by the examiner, the same for every format

    def __post_init__(self) -> None:
        for word in (self.kind, *self.counts, *self.inside):
            assert word, "a kind or a unit without a name"
            assert word == token(word), "a kind or a unit that may be content"
        for period in self.periods:
            assert _PERIOD.fullmatch(period), "a period that may be content"


def judged(
    kind: str,
    remarks: Iterable[Remark] = (),
    *,
    counts: Mapping[str, int] | None = None,
    periods: Iterable[str] = (),
    inside: Mapping[str, int] | None = None,
    pmsi: PmsiFacts | None = None,
) -> Finding:
    """Give a finding as bad as the worst of its remarks; sound when there is none."""
    remarks = tuple(remarks)
    return Finding(
        kind=kind,
        soundness=worst([Soundness.SOUND, *(remark.soundness for remark in remarks)]),
        remarks=remarks,
        counts=counts or {},
        periods=tuple(sorted(set(periods))),
        inside=inside or {},
        pmsi=pmsi,
    )


def note(code: str, template: str, **values: int | str) -> Remark:
    """Say something of a file that is no fault of it, such as the norm it follows."""
    return Remark(code=code, template=template, values=values, soundness=Soundness.SOUND)


def doubt(code: str, template: str, **values: int | str) -> Remark:
    """Say something that a person should look at."""
    return Remark(code=code, template=template, values=values, soundness=Soundness.DOUBTFUL)


def fault(code: str, template: str, **values: int | str) -> Remark:
    """Say why a file is not what its format promises."""
    return Remark(code=code, template=template, values=values, soundness=Soundness.MALFORMED)
