"""Which exports lie there on which night.

Rule 1: pure: a night and a scale give a list, in the order of paths.
Rule 2: PMSI is cumulative within its year; the archive of rehabilitation (SMR) for M11 is
    missing, as it was at Dax: a report must show that hole.
Rule 3: what grows grows at its end, so that a night's change is new bytes beside old ones.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

from vault.hospital import forms
from vault.hospital.pmsi import Archive

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vault.hospital.forms import Form

_KB = 1000
_FIRST_NIGHT = date(2025, 1, 21)
_KEPT_DAYS = 10  # of messages: the oldest leaves when a new one comes
_EPOCH = date(1970, 1, 1)
_MESSAGES = re.compile(rb"messages_(\d{8})\.er7")


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """One file as a night has it."""

    path: str  # relative, ASCII; the first part is the source
    day: int  # of its last change, since 1970
    revision: int = 0  # how often it grew
    size_bytes: int = 0  # of its first content
    growth_bytes: int = 0  # of what each night adds
    form: Form | None = None
    archive: Archive | None = None


def exports_of(night: int, scale: float) -> tuple[Export, ...]:
    """Give the whole hospital of one night, sorted by path."""
    found = [
        *_pmsi(scale),
        *_staff(night, scale),
        *_money(night, scale),
        *_care(night, scale),
        *_laboratory(night, scale),
    ]
    return tuple(sorted(found, key=lambda export: export.path))


def is_outdated(name: bytes) -> bool:
    """Say whether a name is one of ours that comes and goes with the nights."""
    return _MESSAGES.fullmatch(name) is not None


def _since_1970(day: date) -> int:
    return (day - _EPOCH).days


def _sent(year: int, month: int) -> date:
    """Give the day the archive of a period was made: the 20th of the month after."""
    return date(year + month // 12, month % 12 + 1, 20)


def _pmsi(scale: float) -> Iterator[Export]:
    months = range(1, 13)
    periods = [
        ("MCO", 2023, 12),
        *(("MCO", 2024, month) for month in months),
        *(("SMR", 2024, month) for month in months if month != 11),
        *(("HAD", 2024, month) for month in months),
        *(("PSY", 2024, month) for month in (3, 6, 9, 12)),
    ]
    for field, year, month in periods:
        for side in ("in", "out"):
            archive = Archive(field=field, year=year, month=month, side=side, scale=scale)
            day = _sent(year, month)
            yield Export(
                path=f"pmsi/{field.lower()}/{archive.name(day)}",
                day=_since_1970(day),
                archive=archive,
            )


def _still(path: str, day: date, size_bytes: int, form: Form, scale: float) -> Export:
    size = max(1, round(size_bytes * scale))
    return Export(path=path, day=_since_1970(day), size_bytes=size, form=form)


def _growing(path: str, night: int, sizes: tuple[int, int], form: Form, scale: float) -> Export:
    """Give a file that takes in something new every night; sizes: at first, and each night."""
    first, each = (max(1, round(size * scale)) for size in sizes)
    return Export(
        path=path,
        day=_since_1970(_FIRST_NIGHT + timedelta(days=night)),
        revision=night,
        size_bytes=first,
        growth_bytes=each,
        form=form,
    )


def _staff(night: int, scale: float) -> Iterator[Export]:
    for month in range(1, 13):
        day = _sent(2024, month)
        declaration = f"hr/dsn/dsn_P24V01_2024-{month:02}.dsn"
        yield _still(declaration, day, 80 * _KB, forms.dsn(2024, month), scale)
        roster = f"hr/rosters/planning_2024-{month:02}.csv"
        yield _still(roster, day, 90 * _KB, forms.roster(2024, month), scale)
    current = "hr/rosters/planning_2025-01.csv"
    yield _growing(current, night, (70 * _KB, 40 * _KB), forms.roster(2025, 1), scale)


def _money(night: int, scale: float) -> Iterator[Export]:
    for year in (2022, 2023):
        name = f"finance/fec/000000000FEC{year}1231.txt"
        yield _still(name, date(year + 1, 3, 31), 700 * _KB, forms.fec(year), scale)
    current = "finance/fec/000000000FEC20241231.txt"
    yield _growing(current, night, (700 * _KB, 60 * _KB), forms.fec(2024), scale)
    for number in range(1, 17):
        day = date(2024, 1, 5) + timedelta(days=21 * number)
        name = f"finance/pes/PESALR2_99000001000000_{day:%y%m%d}_{number:02}.xml"
        yield _still(name, day, 40 * _KB, forms.pes(day, number), scale)


def _care(night: int, scale: float) -> Iterator[Export]:
    people = "clinical/directory/annuaire.ldif"
    yield _still(people, date(2025, 1, 10), 200 * _KB, forms.LDIF, scale)
    for number in range(night, night + _KEPT_DAYS):
        day = _FIRST_NIGHT + timedelta(days=number - _KEPT_DAYS + 1)
        name = f"clinical/messages/messages_{day:%Y%m%d}.er7"
        yield _still(name, day, 150 * _KB, forms.HL7, scale)
    for kind in ("Patient", "Encounter", "Observation"):
        name = f"clinical/fhir/{kind}.000.ndjson"
        yield _growing(name, night, (700 * _KB, 45 * _KB), forms.ndjson(kind), scale)
    for number in range(1, 13):
        day = date(2024, 2, 1) + timedelta(days=25 * number)
        document = f"clinical/documents/cr_{number:03}.xml"
        yield _still(document, day, 20 * _KB, forms.CDA, scale)
        if number <= 6:
            image = f"clinical/imaging/image_{number:03}.dcm"
            yield _still(image, day, 260 * _KB, forms.DICOM, scale)


def _laboratory(night: int, scale: float) -> Iterator[Export]:
    for number in range(9):
        day = _FIRST_NIGHT - timedelta(days=9 - number)
        name = f"laboratory/resultats_{day:%Y%m%d}.hpr"
        yield _still(name, day, 100 * _KB, forms.HPRIM, scale)
    yield _growing("laboratory/journal.hpr", night, (100 * _KB, 60 * _KB), forms.HPRIM, scale)
