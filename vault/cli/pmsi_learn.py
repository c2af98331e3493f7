"""``coffre pmsi learn``: whether a file of the hospital's own fits the tables.

Rule 1: nothing of a line is printed but versions, lengths, counts, months and the FINESS.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vault.cli.session import Session
from vault.cli.shown import table, wrapped
from vault.cli.words import _, plural
from vault.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from vault.inspection.pmsi_learning import Learned, Lesson

_LONGEST_LINE = 1 << 20


def learn_command(session: Session, path: str) -> int:
    """Say version, length, counters and fitting row of the lines of a file."""
    from vault.inspection.pmsi_learning import learn
    from vault.inspection.pmsi_reader import Readers

    readers = Readers(session.tables())
    try:
        with open(path, "rb") as file:
            if file.read(4) == b"PK\x03\x04":
                raise UsageError(
                    "this is an archive, not a record file",
                    hint="unfold it and give one of its members?",
                )
            file.seek(0)
            lesson = learn(iter(lambda: file.readline(_LONGEST_LINE), b""), readers)
    except OSError as error:
        reason = error.strerror or "unreadable"
        raise UsageError("the file cannot be read: {reason}", reason=reason) from None
    _tell(session, lesson)
    settled = bool(lesson.versions) and not lesson.strangers
    good = settled and all(one.verdict == "confirmed" for one in lesson.versions)
    code = ExitCode.SOUND if good else ExitCode.INCOMPLETE
    return session.emit(
        {
            "lines": lesson.lines,
            "strangers": lesson.strangers,
            "cut": lesson.is_cut,
            "versions": [_document(one) for one in lesson.versions],
        },
        code,
    )


def _tell(session: Session, lesson: Lesson) -> None:
    if not lesson.versions:
        session.say(_("No line of this file is of a record that the tables know."))
    rows = [
        [
            one.record,
            one.version,
            str(one.lines),
            f"{min(one.lengths)}-{max(one.lengths)}",
            f"{one.finess_lines}/{one.lines}",
            _VERDICTS[one.verdict](),
        ]
        for one in lesson.versions
    ]
    if rows:
        heads = [
            _("record"), _("version"), _("lines"), _("lengths"), _("FINESS in place"), _("the row"),
        ]  # fmt: skip
        session.say(table(heads, rows, right=(2,)))
    if lesson.strangers:
        session.say(
            plural(
                "{count} line is of no record that the tables know.",
                "{count} lines are of no record that the tables know.",
                lesson.strangers,
            )
        )
    for one in lesson.versions:
        _tell_version(session, one)


def _tell_version(session: Session, one: Learned) -> None:
    session.whisper("")
    for finess, count in sorted(one.finess.items()):
        session.whisper(f"{one.record} {one.version}: FINESS {finess} ({count})")
    if one.months:
        line = _("{record} {version}: months {first} to {last}")
        first, last = min(one.months), max(one.months)
        told = {"record": one.record, "version": one.version, "first": first, "last": last}
        session.whisper(line.format(**told))
    if one.verdict == "confirmed" and one.best is not None and one.best.confidence in "AB":
        return
    if one.row:
        line = _("To have it known here, add this to policies/formats/records.yaml beside {file}:")
        session.say(wrapped(line.format(file="vault.yaml")))
        session.say(one.row)
    else:
        session.say(
            wrapped(
                _(
                    "No row of {record} explains the lengths of {version}: its counters stand "
                    "elsewhere. The layout of ATIH says where; see policies/formats/README.md."
                ).format(record=one.record, version=one.version)
            )
        )


_VERDICTS = {
    "confirmed": lambda: _("fits every line"),
    "explained": lambda: _("nearly fits: another fixed length"),
    "contradicted": lambda: _("does not fit"),
    "unexplained": lambda: _("there is none that fits"),
}


def _document(one: Learned) -> dict[str, object]:
    return {
        "record": one.record,
        "version": one.version,
        "known": one.is_known,
        "verdict": one.verdict,
        "lines": one.lines,
        "lengths": {"least": min(one.lengths), "most": max(one.lengths)},
        "finess_in_place": one.finess_lines,
        "finess": dict(sorted(one.finess.items())),
        "months": dict(sorted(one.months.items())),
        "rows": [
            {
                "version": row.version,
                "confidence": row.confidence,
                "fits": row.fits,
                "fixed": row.rule.fixed,
                "remainders": list(row.remainders[:5]),
                "counters": [[c.size, c.at.first, c.at.last] for c in row.rule.add],
            }
            for row in one.explanations
        ],
        "yaml": one.row,
    }
