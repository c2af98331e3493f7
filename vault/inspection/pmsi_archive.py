"""An e-PMSI archive, in or out, in every naming since 2011, and a save of DRUIDES.

Rule 1: members are read one after the other and never laid down, but for an archive in the
    archive, which the budget bounds.
Rule 2: empty members are normal; an empty main member is not.
Rule 3: no member's name leaves: extensions of the tables do, every other is counted as ``other``.
Source: ``policies/formats/members.yaml``; DRUIDES manual, on saves.
"""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from vault.archive_names import ArchiveName, MemberName, read_archive_name, read_member_name
from vault.finding import Finding, PmsiFacts, RecordTally, Remark, doubt, fault, judged, note
from vault.formats import Member, Tables
from vault.inspection.budget import LongLine
from vault.inspection.content import Content
from vault.inspection.inspector import NO
from vault.inspection.pmsi_judgement import (
    judge_finess,
    judge_lines,
    judge_period,
    judge_versions,
    records_of,
)
from vault.inspection.pmsi_reader import Readers
from vault.inspection.pmsi_tally import LineTally, count_lines, tally_lines
from vault.inspection.zip_members import open_archive, open_member

KIND = "pmsi-archive"
_ZIP = b"PK\x03\x04"
_INSIDE = re.compile(rb"\d[\dAB]\d{7}\.20\d\d\.\d{1,2}\.(?:rs[sa]|rh[sas]|r?a?pss|rps|r3a|raa|ano)")
_DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError)
_COUNTED = ("main", "identity", "statistics", "trace")
_BY_NAME, _BY_MEMBERS = 97, 85


@dataclass(slots=True, kw_only=True)
class _Read:
    """What was read of an archive and of the archives in it."""

    sizes: dict[str, int] = field(default_factory=dict)  # extension -> bytes
    tallies: list[tuple[Member, LineTally]] = field(default_factory=list)
    remarks: list[Remark] = field(default_factory=list)
    foreign: int = 0
    members: int = 0
    nested: int = 0
    field: str = ""
    finess: str = ""
    year: int = 0
    period: int = 0


class PmsiArchive:
    """Unfolds an archive and compares its members with each other and with its name."""

    kind = KIND
    version = "1"

    def __init__(self, tables: Tables) -> None:
        self.tables = tables.identity
        self._tables = tables
        self._readers = Readers(tables)

    def recognises(self, head: bytes, name: bytes) -> int:
        """Be sure of a ZIP that is named as an archive of e-PMSI, or holds members so named."""
        if read_archive_name(name) is not None and (not head or head[:2] == b"PK"):
            return _BY_NAME
        if head.startswith(_ZIP) and _INSIDE.search(head[:4096]):
            return _BY_MEMBERS
        return _BY_NAME - 1 if read_archive_name(name) is not None else NO

    def inspect(self, content: Content) -> Finding:
        """Read every member to its end, count the lines of those that are known."""
        name = read_archive_name(content.name)
        read = _Read()
        self._read(content, name, read)
        if name is None:
            name = _name_of(read)
        remarks = [*read.remarks]
        if read.foreign:
            remarks.append(
                doubt(
                    "pmsi-foreign-members",
                    "{count} members are named for another establishment, year or period",
                    count=read.foreign,
                )
            )
        if name is not None and name.period == 0:
            remarks.append(note("pmsi-test-run", "a test run (period 0): it counts for no month"))
        records: list[RecordTally] = []
        for member, tally in read.tallies:
            found = self._records(tally, name)
            records += found
            remarks += self._judge_member(member, tally, found, name, read.field)
        remarks += _judge_counts(read)
        missing = list(self._missing(read, name.side if name else ""))
        for role in missing:
            remarks.append(
                doubt("pmsi-incomplete", "nothing in the role {role}, which is needed", role=role)
            )
        mains = [r for m, t in read.tallies if m.role == "main" for r in self._records(t, name)]
        return judged(
            KIND,
            _distinct(remarks),
            counts={"members": read.members, "lines": sum(t.lines for _m, t in read.tallies)},
            periods=[month for record in mains for month in record.months],
            inside={"zip": read.nested} if read.nested else {},
            pmsi=_facts(read, name, _joined(records), is_complete=not missing),
        )

    # -- reading

    def _read(self, content: Content, name: ArchiveName | None, read: _Read) -> None:
        if not content.size_bytes:
            read.remarks.append(fault("pmsi-archive-empty", "the archive is empty"))
            return
        try:
            archive = open_archive(content)
        except _DAMAGE as error:
            read.remarks.append(_damaged(error))
            return
        with archive:
            infos = [info for info in archive.infolist() if not info.is_dir()]
            named = {info: read_member_name(_last(info)) for info in infos}
            sides = _sides(name)
            extensions = [one.extension for one in named.values() if one is not None]
            pmsi_field, side = self._field_of(extensions, name, sides)
            read.field = read.field or pmsi_field
            known = self._tables.members_of(pmsi_field, side) if pmsi_field else {}
            for info in infos:
                self._read_member(content, archive, info, (named[info], known, name), read)

    def _field_of(
        self, extensions: list[str], name: ArchiveName | None, sides: tuple[str, ...]
    ) -> tuple[str, str]:
        if name is not None and name.category == "RSFACE":
            return "RSFACE", sides[0]
        for side in sides:
            if found := self._tables.field_of(extensions, side):
                return found, side
        return (name.field if name else ""), sides[0]

    def _read_member(
        self,
        content: Content,
        archive: zipfile.ZipFile,
        info: zipfile.ZipInfo,
        about: tuple[MemberName | None, Mapping[str, Member], ArchiveName | None],
        read: _Read,
    ) -> None:
        said, known, name = about
        read.members += 1
        if said is not None:
            _remember(read, said, name)
        member = known.get(said.extension) if said is not None else None
        label = member.extension if member else "other"
        read.sizes[label] = read.sizes.get(label, 0) + info.file_size
        inner = content.member(
            _last(info),
            info.file_size,
            lambda: open_member(archive, info),
            folded_bytes=info.compress_size,
        )
        try:
            try:
                if info.file_size and inner.head.startswith(_ZIP):
                    read.nested += 1
                    self._read(inner, None if name is None or name.side == "save" else name, read)
                elif member is not None and (member.record or member.role in _COUNTED):
                    read.tallies.append((member, self._tally(inner, member, read.field)))
            finally:
                inner.finish()
        except LongLine:
            read.remarks.append(fault("pmsi-no-lines", "a member has a line without an end"))
        except _DAMAGE as error:
            read.remarks.append(_damaged(error))

    def _tally(self, inner: Content, member: Member, pmsi_field: str) -> LineTally:
        if not member.record and member.role != "main":
            return count_lines(inner)
        return tally_lines(inner, self._readers, record=member.record, pmsi_field=pmsi_field)

    # -- judging

    def _records(self, tally: LineTally, name: ArchiveName | None) -> tuple[RecordTally, ...]:
        if name is None:
            return records_of(tally)
        return records_of(tally, of_year=name.year, finess=name.finess)

    def _judge_member(
        self,
        member: Member,
        tally: LineTally,
        records: tuple[RecordTally, ...],
        name: ArchiveName | None,
        pmsi_field: str,
    ) -> Iterator[Remark]:
        is_main = member.role == "main" and bool(member.record)
        if tally.lines:
            yield from judge_lines(tally, self._tables, expected=member.record, is_main=is_main)
        if name is None:
            return
        yield from judge_versions(records, self._tables, name.year)
        for record in records:
            yield from judge_finess(record, name.finess)
            if is_main:
                yield from judge_period(record, name, pmsi_field)

    def _missing(self, read: _Read, side: str) -> Iterator[str]:
        """Give the roles that nothing fills; of a save only the main one is asked."""
        lines = {member.extension: tally.lines for member, tally in read.tallies}
        if side == "save" or not side:
            if not any(t.lines for m, t in read.tallies if m.role == "main"):
                yield "main"
            return
        needed: dict[str, list[str]] = {}
        for member in self._tables.members_of(read.field, side).values():
            if member.is_required:
                needed.setdefault(member.role, []).append(member.extension)
        for role, extensions in (needed or {"main": []}).items():
            there = [ext for ext in extensions if ext in read.sizes]
            if not there or (role == "main" and not any(lines.get(ext, 0) for ext in there)):
                yield role


def _sides(name: ArchiveName | None) -> tuple[str, ...]:
    return (name.side,) if name is not None and name.side != "save" else ("out", "in")


def _last(info: zipfile.ZipInfo) -> bytes:
    return info.filename.encode("utf-8", "replace").rpartition(b"/")[2]


def _remember(read: _Read, said: MemberName, name: ArchiveName | None) -> None:
    if not read.finess:
        read.finess, read.year, read.period = said.finess, said.year, said.period
    wanted = (name.finess, name.year, name.period) if name is not None else (
        read.finess, read.year, read.period,
    )  # fmt: skip
    read.foreign += (said.finess, said.year, said.period) != wanted


def _damaged(error: Exception) -> Remark:
    if isinstance(error, RuntimeError) and not isinstance(error, NotImplementedError):
        return doubt("pmsi-encrypted", "a member is locked with a password; it cannot be looked at")
    if isinstance(error, NotImplementedError):
        return doubt("pmsi-method", "a member is folded in a way that cannot be read here")
    return fault("pmsi-archive-damaged", "it cannot be unfolded to its end, or a checksum differs")


def _name_of(read: _Read) -> ArchiveName | None:
    """Take from the members what the name of the archive does not say."""
    if not read.finess:
        return None
    sides = {member.side for member, _tally in read.tallies}
    side = sides.pop() if len(sides) == 1 else "save"
    return ArchiveName(finess=read.finess, year=read.year, period=min(read.period, 12), side=side)


def _judge_counts(read: _Read) -> Iterator[Remark]:
    """Compare main, identity, statistics and trace of what is sent: each has a line a record."""
    counts: dict[str, dict[str, int]] = {}
    for member, tally in read.tallies:
        if member.side == "out" and member.role in _COUNTED and tally.lines:
            counts.setdefault(member.role, {})[member.extension] = tally.lines
    mains = counts.pop("main", {})
    for role, found in counts.items():
        for lines in found.values():
            if mains and lines not in (*mains.values(), sum(mains.values())):
                yield doubt(
                    "pmsi-counts-differ",
                    "{role} has {lines} lines where the main member has {main}",
                    role=role, lines=lines, main=max(mains.values()),
                )  # fmt: skip


def _joined(records: list[RecordTally]) -> tuple[RecordTally, ...]:
    """Keep one tally a record: of several members the one with most lines."""
    best: dict[str, RecordTally] = {}
    for one in records:
        if one.record not in best or one.lines > best[one.record].lines:
            best[one.record] = one
    return tuple(best[name] for name in sorted(best))


def _distinct(remarks: list[Remark]) -> list[Remark]:
    seen: dict[tuple[str, str], Remark] = {}
    for remark in remarks:
        seen.setdefault((remark.code, remark.sentence), remark)
    return list(seen.values())


def _facts(
    read: _Read, name: ArchiveName | None, records: tuple[RecordTally, ...], *, is_complete: bool
) -> PmsiFacts:
    is_ace = read.field == "RSFACE"
    return PmsiFacts(
        field=(name.field if name and name.field else "MCO") if is_ace else read.field,
        side=name.side if name else "save",
        finess=name.finess if name else "",
        year=name.year if name else 0,
        period=name.period if name else 0,
        stamp=name.stamp if name else "",
        category=name.category or ("RSFACE" if is_ace else "") if name else "",
        records=records,
        members=dict(sorted(read.sizes.items())),
        complete=is_complete and not any(r.code == "pmsi-archive-damaged" for r in read.remarks),
    )
