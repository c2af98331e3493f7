"""What the name of an e-PMSI archive or of its member says.

Rule 1: every naming since 2011 is read by one tolerant pattern; which one it was is not needed.
Rule 2: a time stamp is never a reason to refuse: both orders are read, an impossible one is none.
Rule 3: names are bytes; what they say is checked digit by digit before it becomes text.
Source: ``policies/formats/names.yaml``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

FINESS = re.compile(rb"\d[\dAB]\d{7}", re.ASCII)
_LEAD = r"(?P<finess>\d[\dAB]\d{7})\.(?P<year>\d{4})\.(?P<month>\d{1,2})"
_FIELD = r"(?:\.(?P<field>MCO|SMR|SSR|HAD|PSY))?"
_CATEGORY = r"(?:\.(?P<category>[A-Z]{2,12})\.(?P<subcategory>[A-Z]{2,12}))?"
_STAMP = r"\.(?P<stamp>\d{14})"
_FLAGS = re.ASCII | re.IGNORECASE
_ARCHIVE = re.compile(
    (_LEAD + _FIELD + _CATEGORY + _STAMP + r"(?:\.\d{1,3})?\.(?P<side>in|out)\.zip").encode(),
    _FLAGS,
)
_SAVE = re.compile(
    (_LEAD + _FIELD + _CATEGORY + _STAMP + r"\.[0-9a-f-]{8,40}\.zip").encode(), _FLAGS
)
_MEMBER = re.compile(
    (_LEAD + r"\.(?P<extension>[a-z0-9_-]{2,20}(?:\.[a-z0-9]{2,8}){0,3})").encode(), _FLAGS
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveName:
    """What an archive's name says."""

    finess: str
    year: int
    period: int  # month of the year; 0 is a test run
    side: str  # "in", "out", "save"
    field: str = ""
    category: str = ""
    stamp: str = ""  # ISO; "" when it is no time


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberName:
    """What a member's name says."""

    finess: str
    year: int
    period: int
    extension: str  # in small letters


def read_archive_name(name: bytes) -> ArchiveName | None:
    """Read the name of an in or out archive, or of a save; None when it is neither."""
    found, side = _ARCHIVE.fullmatch(name), ""
    if found is None:
        found, side = _SAVE.fullmatch(name), "save"
    if found is None:
        return None
    parts = {
        key: (value or b"").decode("ascii").upper() for key, value in found.groupdict().items()
    }
    period = int(parts["month"])
    if period > 12:
        return None
    return ArchiveName(
        finess=parts["finess"],
        year=int(parts["year"]),
        period=period,
        side=side or parts["side"].lower(),
        field="SMR" if parts["field"] == "SSR" else parts["field"],
        category=parts["category"],
        stamp=_read_stamp(parts["stamp"]),
    )


def read_member_name(name: bytes) -> MemberName | None:
    """Read the name of a member, folders before it left out; None when it has another shape."""
    found = _MEMBER.fullmatch(name.rpartition(b"/")[2])
    if found is None:
        return None
    return MemberName(
        finess=found["finess"].decode("ascii").upper(),
        year=int(found["year"]),
        period=int(found["month"]),
        extension=found["extension"].decode("ascii").lower(),
    )


def _read_stamp(text: str) -> str:
    """Give a 14-digit stamp as ISO; no stamp of 2013 to 2099 fits both orders."""
    for shape in ("%Y%m%d%H%M%S", "%d%m%Y%H%M%S"):
        try:
            at = datetime.strptime(text, shape)  # noqa: DTZ007, the local time of a grouper
        except ValueError:
            continue
        if 2000 <= at.year < 2100:
            return at.isoformat()
    return ""
