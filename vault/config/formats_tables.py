"""Read ``policies/formats/``: the package's tables, and over them the site's, as one.

Rule 1: the site's rows replace the package's of the same name, one by one.
Rule 2: what makes no sense together (a version of no record, an unknown member's record) is told
    with file, line, key and the nearest known name.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from vault.config.faults import validate
from vault.config.fields import Model
from vault.config.formats_file import (
    MembersFile,
    NamesFile,
    PeriodFile,
    RecordFile,
    RecordsFile,
    VersionFile,
    YearsFile,
)
from vault.config.nodes import Document, read_document
from vault.config.problems import ConfigProblems, Problem, suggest
from vault.config.safety import POLICY, read_safely
from vault.config.shipping import shipped
from vault.formats import (
    Counter,
    LayoutVersion,
    LengthRule,
    Member,
    NamePattern,
    PeriodAt,
    RecordType,
    Span,
    Tables,
)

FOLDER = "formats"
OTHERS = ("calendar",)  # read by the calendar of expected periods
_ENDLESS = 1_000_000  # columns, of a line whose length is not fixed
_KNOWN: Mapping[str, type[Model]] = {
    "records": RecordsFile,
    "years": YearsFile,
    "names": NamesFile,
    "members": MembersFile,
}


@dataclass(slots=True)
class _Gathering:
    """Rows as they are read, later files over earlier ones."""

    records: dict[str, RecordType] = field(default_factory=dict)
    accepted: dict[int, dict[str, tuple[str, ...]]] = field(default_factory=dict)
    names: dict[str, NamePattern] = field(default_factory=dict)
    members: dict[tuple[str, str, str], Member] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)


def load_formats(sites_policies: str | None = None) -> Tables:
    """Give the tables of the package with the site's rows over them; raises ConfigProblems.

    ``sites_policies`` is the folder ``policies/`` of the site, or None.
    """
    gathering = _Gathering()
    ours = os.path.join(shipped("policies"), FOLDER)
    folders = [(ours, True)]
    theirs = os.path.join(sites_policies, FOLDER) if sites_policies else ""
    if theirs and os.path.isdir(theirs) and not os.path.samefile(theirs, ours):
        folders.append((theirs, False))
        gathering.problems += _strays(theirs)
    for folder, trusted in folders:
        for name in _KNOWN:
            path = os.path.join(folder, f"{name}.yaml")
            if os.path.lexists(path):
                _gather(gathering, name, path, trusted=trusted)
    if gathering.problems:
        raise ConfigProblems(gathering.problems)
    return Tables(
        records=gathering.records,
        accepted=gathering.accepted,
        names=tuple(gathering.names.values()),
        members=tuple(gathering.members.values()),
    )


def _strays(folder: str) -> Iterator[Problem]:
    """Find files that would be passed over."""
    for entry in sorted(os.listdir(folder)):
        stem, dot = os.path.splitext(entry)
        if dot not in (".yaml", ".yml") or entry.startswith("."):
            continue
        if dot == ".yml" or stem not in (*_KNOWN, *OTHERS):
            yield Problem(
                file=os.path.join(folder, entry),
                template="would not be read; {near}",
                values={"near": suggest(stem, [*_KNOWN, *OTHERS])},
            )


def _gather(into: _Gathering, name: str, path: str, *, trusted: bool) -> None:
    try:
        if trusted:
            with open(path, "rb") as file:
                content = file.read()
        else:
            content = read_safely(path, POLICY)
        document = read_document(content, path)
        read = validate(_KNOWN[name], document, folder=os.path.dirname(path))
    except ConfigProblems as error:
        into.problems += error.problems
        return
    if isinstance(read, RecordsFile):
        for record, row in read.records.items():
            _add_record(into, document, record, row)
    elif isinstance(read, YearsFile):
        _add_years(into, document, read)
    elif isinstance(read, NamesFile):
        for label, naming in read.names.items():
            into.names[label] = NamePattern(
                name=label,
                pattern=naming.pattern,
                fields=naming.fields,
                since=naming.since,
                until=naming.until or "",
                stamp=naming.stamp,
                confidence=naming.conf,
            )
    elif isinstance(read, MembersFile):
        _add_members(into, document, read)


# -- records


def _add_record(into: _Gathering, document: Document, name: str, row: RecordFile) -> None:
    known = into.records.get(name)
    loc = ("records", name)
    if known is None and (row.title is None or row.fields is None or row.side is None):
        near = suggest(name, list(into.records))
        into.problems.append(
            document.problem(
                loc, "a record that is not known needs title, fields and side; {near}", near=near
            )
        )
        return
    versions = dict(known.versions) if known else {}
    pattern = known.newest if known else None
    for version, said in row.versions.items():
        versions[version] = _version(version, said, row, versions.get(version) or pattern)
    into.records[name] = RecordType(
        name=name,
        title=row.title or (known.title if known else ""),
        fields=row.fields or (known.fields if known else ()),
        side=row.side or (known.side if known else ""),
        is_nominative=row.nominative or bool(known and known.is_nominative),
        versions=versions,
    )


def _version(
    version: str, said: VersionFile, row: RecordFile, pattern: LayoutVersion | None
) -> LayoutVersion:
    """Make a version; columns that neither it nor its record names are those of ``pattern``."""
    rules = tuple(_rules(said))
    period = _period(said.period or row.period, row.period) or (pattern.period if pattern else None)
    longest = max((rule.fixed or _ENDLESS) + _ENDLESS * bool(rule.add) for rule in rules)
    if period is not None and any(span.last > longest for span in period.spans):
        period = None  # this version is too short to hold one
    return LayoutVersion(
        id=version,
        version_at=_span(said.version_at or row.version_at)
        or (pattern.version_at if pattern else None),
        finess_at=_span(said.finess_at or row.finess_at or row.finess_geo_at)
        or (pattern.finess_at if pattern else None),
        stay_key_at=_span(said.stay_key_at or row.stay_key_at)
        or (pattern.stay_key_at if pattern else None),
        period=period,
        rules=rules,
        confidence=said.conf,
        source=said.source,
        since=said.since,
        until=said.until,
    )


def _span(said: Sequence[int] | None) -> Span | None:
    return None if said is None else Span(first=said[0], last=said[1])


def _period(said: PeriodFile | None, of_record: PeriodFile | None) -> PeriodAt | None:
    if said is None:
        return None
    return PeriodAt(
        date=_span(said.date_at),
        month=_span(said.month_at),
        week=_span(said.week_at),
        year=_span(said.year_at),
        of=said.of or (of_record.of if of_record and of_record.of else ""),
    )


def _rules(said: VersionFile) -> Iterator[LengthRule]:
    """Give every reading of a version's length."""
    add, alt_add = _counters(said.add), _counters(said.alt_add)
    if said.fixed is not None:
        yield LengthRule(fixed=said.fixed, add=add)
        for fixed in said.alt_fixed:
            yield LengthRule(fixed=fixed, add=alt_add or add)
        if alt_add and not said.alt_fixed:
            yield LengthRule(fixed=said.fixed, add=alt_add)
        return
    for fixed in said.alt_fixed:
        yield LengthRule(fixed=fixed)
    if said.min_length is not None:
        yield LengthRule(least=said.min_length)
    if said.length_range is not None:
        yield LengthRule(least=said.length_range[0], most=said.length_range[1])
    for name, lengths in said.lengths.items():
        for length in (lengths,) if isinstance(lengths, int) else lengths:
            yield LengthRule(fixed=length, fields=(name,))
    for letter, length in said.letters.items():
        yield LengthRule(fixed=length, label=letter)
    if said.separator is not None:
        yield LengthRule(separator=said.separator, columns=said.columns)


def _counters(said: Sequence[Sequence[int]]) -> tuple[Counter, ...]:
    return tuple(Counter(size=one[0], at=Span(first=one[1], last=one[2])) for one in said)


# -- years and members


def _add_years(into: _Gathering, document: Document, read: YearsFile) -> None:
    for year, records in read.years.items():
        for record, versions in records.items():
            loc: tuple[str | int, ...] = ("years", year, record)
            known = into.records.get(record)
            if known is None:
                near = suggest(record, list(into.records))
                into.problems.append(document.problem(loc, "no such record; {near}", near=near))
                continue
            for n, version in enumerate(versions):
                if version not in known.versions:
                    near = suggest(version, list(known.versions))
                    into.problems.append(
                        document.problem((*loc, n), "no such version; {near}", near=near)
                    )
            into.accepted.setdefault(int(year), {})[record] = tuple(versions)


def _add_members(into: _Gathering, document: Document, read: MembersFile) -> None:
    for field_name, sides in read.members.items():
        for side, rows in (("in", sides.in_), ("out", sides.out)):
            for extension, row in rows.items():
                if row.record is not None and row.record not in into.records:
                    near = suggest(row.record, list(into.records))
                    loc = ("members", field_name, side, extension, "record")
                    into.problems.append(document.problem(loc, "no such record; {near}", near=near))
                into.members[field_name, side, extension] = Member(
                    extension=extension,
                    field=field_name,
                    side=side,
                    role=row.role,
                    record=row.record or "",
                    is_required=row.required,
                )
