"""A PMSI record file outside an archive: RSS, RSA, RHS, VID-HOSP and all the others.

Rule 1: the content decides; a name only helps where the content says nothing.
Rule 2: several versions are normal, several establishments are remarked.
"""

from __future__ import annotations

from collections import Counter

from vault.archive_names import read_member_name
from vault.finding import Finding, PmsiFacts, RecordTally, Remark, doubt, judged
from vault.formats import ANY, Tables
from vault.inspection.content import Content
from vault.inspection.inspector import NO, WEAK
from vault.inspection.pmsi_judgement import judge_lines, judge_versions, records_of
from vault.inspection.pmsi_reader import Reader, Readers
from vault.inspection.pmsi_tally import LineTally, tally_lines

KIND = "pmsi-records"
_SAMPLE, _FIRST = 40, 8
_SURE, _LIKELY = 92, 45


class PmsiRecords:
    """Counts and judges the lines of one record file."""

    kind = KIND
    version = "1"

    def __init__(self, tables: Tables) -> None:
        self.tables = tables.identity
        self._tables = tables
        self._readers = Readers(tables)

    def recognises(self, head: bytes, name: bytes) -> int:
        """Be sure of lines with a known version, FINESS and length; of the name a little."""
        if b"\0" in head[:4096]:
            return NO
        named = _record_of_name(self._tables, name)
        lines = [line.removesuffix(b"\r") for line in head[:-1].split(b"\n")[:_SAMPLE] if line]
        if not lines:
            return NO
        # Most files are none: the first lines say so, and each costs dozens of comparisons.
        for line in lines[:_FIRST]:
            if self._readers.of_line(line, named) or self._readers.newer(line, named):
                break
        else:
            return WEAK if named else NO
        found = [self._readers.of_line(line, named) for line in lines]
        firm = sum(reader is not None and _is_telling(reader) for reader in found)
        if 2 * firm > len(lines):
            return _SURE
        if 2 * sum(reader is not None for reader in found) > len(lines):
            return _LIKELY
        newer = Counter(self._readers.newer(line, named) for line in lines)
        most, count = newer.most_common(1)[0]
        if most is not None and 10 * count >= 9 * len(lines):
            return _LIKELY
        return WEAK if named else NO

    def inspect(self, content: Content) -> Finding:
        """Count lines by record, version, establishment and month."""
        named = _record_of_name(self._tables, content.name)
        # What the content is, it says by itself; a name only helps out.
        tally = tally_lines(content, self._readers, record="")
        if named and not tally.rows:
            tally = tally_lines(content, self._readers, record=named)
        records = records_of(tally)
        main = next((one for one in records if one.record == tally.main), None)
        remarks: list[Remark] = list(judge_lines(tally, self._tables))
        year = _year_of(main)
        if year:
            remarks += judge_versions(records, self._tables, year)
        if main is not None and len(main.finess) > 1:
            remarks.append(
                doubt(
                    "pmsi-several-finess",
                    "lines of {count} establishments in one file",
                    count=len(main.finess),
                )
            )
        return judged(
            KIND,
            remarks,
            counts={"lines": tally.lines},
            periods=main.months if main else (),
            pmsi=_facts(self._tables, tally, records, main, year),
        )


def _is_telling(reader: Reader) -> bool:
    """Whether a fit is no accident: a version of three characters or more."""
    return len(reader.id_bytes) > 1 and reader.id != ANY


def _record_of_name(tables: Tables, name: bytes) -> str:
    said = read_member_name(name)
    if said is None:
        return ""
    for member in tables.members:
        if member.extension == said.extension and member.record:
            return member.record
    return ""


def _year_of(main: RecordTally | None) -> int:
    years: Counter[str] = Counter()
    for month, count in main.months.items() if main else ():
        years[month[:4]] += count
    return int(years.most_common(1)[0][0]) if years else 0


def _facts(
    tables: Tables,
    tally: LineTally,
    records: tuple[RecordTally, ...],
    main: RecordTally | None,
    year: int,
) -> PmsiFacts:
    fields = tables.records[main.record].fields if main else ()
    finess = next(iter(main.finess)) if main and len(main.finess) == 1 else ""
    months = [month for month in (main.months if main else ()) if month[:4] == str(year)]
    return PmsiFacts(
        field=fields[0] if len(fields) == 1 else "",
        side="loose",
        finess=finess,
        year=year,
        period=int(max(months)[5:]) if months else 0,
        records=records,
        complete=bool(tally.lines),
    )
