"""``coffre compliance``: clauses beside what the vault can show, on screen, as CSV and as JSON."""

from __future__ import annotations

import csv as csv_format
import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

from vault.cli.reporting import write_new
from vault.cli.session import Session
from vault.cli.shown import colour, moment, wrapped
from vault.cli.words import _, called, spoken
from vault.errors import UsageError

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from vault.compliance import Fact, Row

_LABELS = {
    "shown": "shown",
    "not-shown": "NOT SHOWN",
    "declared": "declared",
    "review-due": "declaration to review",
    "undeclared": "to declare",
    "not-covered": "not covered",
}
_KINDS = {"shown": "good", "not-shown": "bad", "review-due": "warn", "undeclared": "warn"}
_CONFIDENCE = {
    "P": "the publisher's text was read",
    "S": "second-hand",
    "G": "unchecked",
}


def compliance_command(session: Session, *, framework: str | None, csv: str | None) -> int:
    """Lay every clause, or those of one framework, beside its facts."""
    from vault.wiring.compliance import compliance_rows
    from vault.wiring.standing import judge_gaps

    wired = session.wired()
    wired.require_founded()
    rows = compliance_rows(wired, judge_gaps(wired))
    if framework is not None:
        known = sorted({row.framework.name for row in rows})
        rows = tuple(row for row in rows if row.framework.name == framework)
        if not rows:
            raise UsageError(
                "there is no framework {name}",
                name=framework,
                hint="there are: {known}",
                known=", ".join(known),
            )
    zone = wired.settings.time_zone
    if csv is not None:
        write_new(csv, _csv(rows, zone))
        session.whisper(_("{count} clauses are in {file}.").format(count=len(rows), file=csv))
    else:
        _show(session, rows, zone)
    return session.emit({"rows": [_members(row) for row in rows]})


def _show(session: Session, rows: Sequence[Row], zone: ZoneInfo) -> None:
    heading = ""
    for row in rows:
        title = row.framework.titles.said_in(spoken())
        if title != heading:
            session.say(f"\n{title} ({row.framework.edition})" if heading else title)
            heading = title
        word = colour(_(_LABELS[row.standing]), _KINDS.get(row.standing, "dim"))
        line = f"  {row.clause.id}  {word}  "
        session.say(wrapped(line + row.clause.text.said_in(spoken()), indent=4))
        for text in _evidence(row, zone):
            session.say(wrapped("      " + text, indent=8))
    session.say()
    caution = _(
        "Facts and declarations with their dates; nothing here says that a clause is met. "
        "Check each text with its publisher."
    )
    session.say(wrapped(caution, indent=0))


def _evidence(row: Row, zone: ZoneInfo) -> list[str]:
    told = [_fact(fact, zone) for fact in row.facts]
    if row.declaration is not None:
        said = row.declaration
        line = _("declared by {by} on {on}, to review by {review}")
        told.append(line.format(by=said.by, on=said.on, review=said.review))
    if row.clause.not_covered is not None:
        told.append(row.clause.not_covered.said_in(spoken()))
    return told


def _fact(fact: Fact, zone: ZoneInfo) -> str:
    values = {k: called(v) if isinstance(v, str) else v for k, v in fact.values.items()}
    text = _(fact.template).format(**values)
    mark = "✓" if fact.holds else "✗"
    if not fact.holds:
        text = _("not shown: {what}").format(what=text)
    at = f" ({moment(fact.at, zone)})" if fact.at else ""
    return f"{mark} {text}{at}"


def _csv(rows: Sequence[Row], zone: ZoneInfo) -> bytes:
    """Give the table as a French spreadsheet opens it: UTF-8 with its mark, semicolons."""
    out = io.StringIO(newline="")
    writer = csv_format.writer(out, delimiter=";", lineterminator="\r\n")
    writer.writerow(
        [_("framework"), _("clause"), _("what it asks"), _("standing"), _("level"),
         _("evidence"), _("declared by"), _("review by"), _("text known")]
    )  # fmt: skip
    for row in rows:
        said = row.declaration
        writer.writerow(
            [
                row.framework.titles.said_in(spoken()),
                row.clause.id,
                row.clause.text.said_in(spoken()),
                _(_LABELS[row.standing]),
                str(row.clause.level or ""),
                " | ".join(_evidence(row, zone)),
                said.by if said else "",
                said.review.isoformat() if said else "",
                _(_CONFIDENCE[row.clause.confidence]),
            ]
        )
    return b"\xef\xbb\xbf" + out.getvalue().encode()


def _members(row: Row) -> dict[str, object]:
    said = row.declaration
    return {
        "framework": row.framework.name,
        "clause": row.clause.id,
        "standing": str(row.standing),
        "level": str(row.clause.level) if row.clause.level else None,
        "confidence": row.clause.confidence,
        "text": row.clause.text.said_in(spoken()),
        "facts": [
            {
                "holds": fact.holds,
                "message": fact.template.format(**fact.values),
                "at": fact.at.isoformat() if fact.at else None,
            }
            for fact in row.facts
        ],
        "declaration": {
            "by": said.by,
            "on": said.on.isoformat(),
            "review": said.review.isoformat(),
            "note": said.note,
        }
        if said
        else None,
    }
