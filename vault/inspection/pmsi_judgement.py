"""Says what the counted lines of a PMSI file make of it.

Rule 1: a row of confidence C or D is never a reason to call a file malformed.
Rule 2: a version that is newer than the tables is doubtful, never malformed.
Rule 3: what a name says and what the content says are compared; where they differ it is remarked,
    and nobody decides which of them is right.
Source: ``docs/formats.md``; ``policies/formats/README.md``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from vault.archive_names import ArchiveName
from vault.finding import RecordTally, Remark, doubt, fault, note, token
from vault.formats import Tables, is_uncertain, month_of_week, weakest
from vault.inspection.pmsi_tally import LineTally, RowTally

_LAWFUL_SHARE = 0.001  # of lines that break a rule, before the file counts as malformed
_MOST_NEWER = 3  # unknown versions in one file: more are no structure
_MOST_TOLD = 12
# Units of a stay that began long ago end in any earlier year.
_ANY_EARLIER_YEAR = ("rss_brut", "rss_groupe")


def weighed(code: str, template: str, *, is_hard: bool, **values: int | str) -> Remark:
    """Say a fault, or a doubt where the table itself is too weak or the lines too few."""
    return (fault if is_hard else doubt)(code, template, **values)


def is_without_structure(tally: LineTally) -> bool:
    """Whether so many unknown versions stand in a file that they are none."""
    return sum(row.is_newer for row in tally.rows) > _MOST_NEWER


def records_of(
    tally: LineTally, *, of_year: int | None = None, finess: str = ""
) -> tuple[RecordTally, ...]:
    """Give the tallies by record type; weeks become months by the rule of the year.

    Of a version that is in no table only the expected FINESS is told: the columns may hold
    something else.
    """
    by_record: dict[str, list[RowTally]] = {}
    for row in tally.rows:
        if not (row.is_newer and is_without_structure(tally)):
            by_record.setdefault(row.reader.record.name, []).append(row)
    return tuple(
        RecordTally(
            record=name,
            lines=sum(row.lines for row in rows),
            misfits=sum(row.misfits for row in rows),
            versions=_summed(row.labels for row in rows),
            finess=_summed(_finess(row, finess) for row in rows),
            months=_summed(_months(row, of_year) for row in rows),
            weeks=_summed(row.weeks for row in rows),
            confidence=weakest(row.reader.confidence for row in rows),
        )
        for name, rows in sorted(by_record.items())
    )


def _summed(counters: Iterable[Counter[str]]) -> Mapping[str, int]:
    total: Counter[str] = Counter()
    for counter in counters:
        total.update(counter)
    return dict(sorted(total.items()))


def _finess(row: RowTally, expected: str) -> Counter[str]:
    if not row.is_newer:
        return row.finess
    return Counter({one: lines for one, lines in row.finess.items() if one == expected})


def _months(row: RowTally, of_year: int | None) -> Counter[str]:
    if not row.weeks or of_year is None:
        return row.months
    months: Counter[str] = Counter()
    for week, count in row.weeks.items():
        months[month_of_week(int(week[:4]), int(week[6:]), of_year=of_year)] += count
    return months


def judge_lines(
    tally: LineTally, tables: Tables, *, expected: str = "", is_main: bool = True
) -> Iterator[Remark]:
    """Say what is wrong with the lines themselves; a file that is no main one is told gently."""
    yield from _judge_end(tally, is_main=is_main)
    scattered = is_without_structure(tally)
    strangers = tally.strangers + scattered * sum(r.lines for r in tally.rows if r.is_newer)
    name = expected or tally.main
    if strangers and not is_main:
        yield note(
            "pmsi-side-unknown",
            "{lines} of {total} lines of a file beside the main one are not in our tables",
            lines=strangers, total=tally.lines,
        )  # fmt: skip
    elif strangers:
        record = tables.records.get(name)
        best = (
            min((row.confidence for row in record.versions.values()), default="D")
            if record
            else "A"
        )
        much = strangers > _LAWFUL_SHARE * tally.lines and not is_uncertain(best)
        yield weighed(
            "pmsi-strangers",
            "{lines} of {total} lines are of no known record",
            is_hard=much,
            lines=strangers, total=tally.lines,
        )  # fmt: skip
    for row in tally.rows:
        yield from _judge_row(row, tally, scattered=scattered)


def _judge_end(tally: LineTally, *, is_main: bool) -> Iterator[Remark]:
    if not tally.is_unfinished:
        return
    uncertain = is_uncertain(weakest(row.reader.confidence for row in tally.rows))
    if tally.last_is_whole:
        yield note("pmsi-unended", "the last line has no end, but is as long as it should be")
    elif is_main or tally.rows:
        yield weighed("pmsi-truncated", "the last line was cut off", is_hard=not uncertain)
    else:
        yield doubt("pmsi-unended-side", "the last line of a file beside the main one has no end")


def _judge_row(row: RowTally, tally: LineTally, *, scattered: bool) -> Iterator[Remark]:
    told = {"record": row.reader.record.name, "version": token(row.reader.id)}
    if row.is_newer and not scattered:
        yield doubt(
            "pmsi-newer",
            "{lines} lines of {record} have version {version}, which is not in our tables",
            lines=row.lines, **told,
        )  # fmt: skip
    if row.misfits:
        much = row.misfits > _LAWFUL_SHARE * tally.lines
        hard = much and not is_uncertain(row.reader.confidence)
        yield weighed(
            "pmsi-misfit",
            "{lines} of {total} lines of {record} do not follow the layout of version {version}",
            is_hard=hard,
            lines=row.misfits, total=row.lines + row.misfits, **told,
        )  # fmt: skip
    if row.undated and not row.is_newer:
        yield doubt(
            "pmsi-undated",
            "{lines} lines of {record} have no lawful period",
            lines=row.undated, record=told["record"],
        )  # fmt: skip


def judge_versions(records: tuple[RecordTally, ...], tables: Tables, year: int) -> Iterator[Remark]:
    """Say which versions a year's transmissions were not expected to hold."""
    for record in records:
        for version, lines in record.versions.items():
            known = tables.records[record.record].versions
            if version in known and not tables.expects(year, record.record, version):
                yield note(
                    "pmsi-unexpected-version",
                    "{lines} lines of {record} have version {version}, unexpected in {year}",
                    lines=lines, record=record.record, version=token(version), year=year,
                )  # fmt: skip


def judge_finess(record: RecordTally, finess: str) -> Iterator[Remark]:
    """Compare the establishments of a record with the one that is expected."""
    others = sum(lines for one, lines in record.finess.items() if one != finess)
    if others:
        yield doubt(
            "pmsi-other-finess",
            "{lines} lines of {record} are of another establishment",
            lines=others, record=record.record,
        )  # fmt: skip


def judge_period(record: RecordTally, name: ArchiveName, field: str) -> Iterator[Remark]:
    """Compare the months of a main record with the period of the archive's name."""
    if not name.period or not record.months:
        return
    last = f"{name.year}-{name.period:02}"
    beyond = {month: count for month, count in record.months.items() if month > last}
    if beyond:
        yield doubt(
            "pmsi-beyond-period",
            "{lines} lines of {record} are after the period {last}, up to {month}",
            lines=sum(beyond.values()), record=record.record, month=max(beyond), last=last,
        )  # fmt: skip
    earlier = sum(n for month, n in record.months.items() if month < f"{name.year}-01")
    if earlier and field != "SMR" and record.record not in _ANY_EARLIER_YEAR:
        yield doubt(
            "pmsi-earlier-year",
            "{lines} lines of {record} are of a year before {year}",
            lines=earlier, record=record.record, year=name.year,
        )  # fmt: skip
    months = [f"{name.year}-{month:02}" for month in range(1, name.period + 1)]
    missing = [month for month in months if month not in record.months]
    if missing:
        yield doubt(
            "pmsi-months-missing",
            "no {record} of {count} of the months up to {last}: {months}",
            record=record.record, count=len(missing), last=last,
            months=_listed(missing),
        )  # fmt: skip


def _listed(months: list[str]) -> str:
    """Give months short enough for a token."""
    return " ".join(month[5:] for month in months[:_MOST_TOLD])
