"""``coffre report``: the pages of the night, and reports of their own as HTML, PDF, CSV and JSON.

Rule 1: without ``--out`` the standing page is meant: every night writes it, this tells where it is.
Rule 2: a report of its own is written by root, into a new file; nothing is overwritten.
Rule 3: a report that cannot be written is a warning of the night, never a failed night.
"""

from __future__ import annotations

import csv
import io
import json
import os
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from vault.cli.session import Session, is_root
from vault.cli.standing import read_public
from vault.cli.words import _, called, complain, spoken
from vault.errors import CoffreError, NeedsRoot, NotInitialised, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from vault.wiring.wired import Wired

READERS = ("dim", "sysadmin", "auditor")
FORMS = ("html", "pdf", "csv", "json")
_PAGES = {"dim": "pmsi", "sysadmin": "sysadmin", "auditor": "auditor"}
_MARK = b"\xef\xbb\xbf"  # tells a spreadsheet that the rest is UTF-8


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a person asked for."""

    reader: str
    form: str = "html"
    first: str | None = None
    last: str | None = None
    out: str | None = None

    @property
    def is_standing(self) -> bool:
        """Whether the page that every night writes is meant."""
        return self.form == "html" and not (self.first or self.last or self.out)


def publish_reports(wired: Wired) -> bool:
    """Write the pages of every reader; False when that failed, which no night pays for."""
    from vault.wiring.overview import publish_overview
    from vault.wiring.pmsi import publish_pmsi
    from vault.wiring.standing import judge_gaps, public_status

    try:
        gaps = judge_gaps(wired)
        publish_pmsi(wired, public_status(wired, gaps))
        publish_overview(wired, gaps)
    except (OSError, CoffreError) as error:
        line = _("the public reports could not be written: {reason}")
        complain(f"coffre: {line.format(reason=error)}")
        return False
    return True


def report_command(session: Session, wanted: Wanted) -> int:
    """Write a report, or say where the page of the night is."""
    _require_known(wanted.reader, READERS, "--for")
    _require_known(wanted.form, FORMS, "--format")
    if wanted.is_standing:
        return _standing(session, wanted)
    if not is_root():
        raise NeedsRoot(
            "a report of its own is written from the records",
            hint="run as root? without root, coffre report says where the page of the night is",
        )
    wired = session.wired()
    wired.require_founded()
    told = {"page": wanted.out, "reader": wanted.reader, "language": spoken()}
    document = _document(wired, wanted)
    if wanted.out is None and session.as_json:
        return session.emit({**told, "report": document})
    if wanted.out is None and wanted.form == "pdf":
        raise UsageError("a PDF goes into a file", hint="--out FILE?")
    content = _content(wired, wanted, document)
    if wanted.out is None:
        session.say(content.decode().removeprefix("\ufeff").rstrip("\n"))
    else:
        write_new(wanted.out, content)
        session.say(wanted.out)
    return session.emit(told)


def _require_known(word: str, known: Sequence[str], option: str) -> None:
    if word not in known:
        raise UsageError(
            "{option} does not take {word}",
            option=option,
            word=word,
            hint="there are: {known}",
            known=", ".join(known),
        )


def _standing(session: Session, wanted: Wanted) -> int:
    """Write the page anew where this account may, and say where it is."""
    found = session.peek()
    language = session.language or found.language
    read_public(found.state)
    if is_root():
        publish_reports(session.wired())
    name = f"{_PAGES[wanted.reader]}.{language}.html"
    page = os.path.join(found.state, "public", "reports", name)
    if not os.path.isfile(page):
        raise NotInitialised(
            "no night has written the page yet", hint="did a night run? coffre status tells"
        )
    session.say(page)
    return session.emit({"page": page, "reader": wanted.reader, "language": language})


# -- a report of its own


def _document(wired: Wired, wanted: Wanted) -> dict[str, Any]:
    """Gather what a report is made of, as plain members."""
    from vault.wiring.overview import overview_document
    from vault.wiring.pmsi import pmsi_document

    if wanted.reader == "dim":
        members = pmsi_document(wired)
    else:
        first, last = _day(wanted.first, "--from"), _day(wanted.last, "--to")
        if first and last and first > last:
            raise UsageError("--from is later than --to")
        members = overview_document(wired, first=first, last=last)
    document: dict[str, Any] = json.loads(json.dumps(members, default=str))
    return document


def _content(wired: Wired, wanted: Wanted, document: Mapping[str, Any]) -> bytes:
    from vault.report import render_overview, render_pmsi
    from vault.report.pages import to_pdf
    from vault.wiring.standing import public_status

    if wanted.form == "json":
        return json.dumps(document, ensure_ascii=False, indent=1).encode() + b"\n"
    if wanted.form == "csv":
        return _csv(document, wanted.reader)
    if wanted.reader == "dim":
        page = render_pmsi(document, public_status(wired), spoken())
    else:
        page = render_overview(document, wanted.reader, spoken())
    return page.encode() if wanted.form == "html" else to_pdf(page)


def _day(text: str | None, option: str) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise UsageError(
            "{option} takes a day like 2026-03-31, not {word}", option=option, word=text
        ) from None


def _csv(document: Mapping[str, Any], reader: str) -> bytes:
    """Give a report's main table: cells for the DIM, gaps for the sysadmin, else nights."""
    heads, rows = {"dim": _cells, "sysadmin": _gaps, "auditor": _nights}[reader](document)
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=";", lineterminator="\r\n")
    writer.writerow(heads)
    writer.writerows(rows)
    return _MARK + out.getvalue().encode()


_Rows = tuple[list[str], list[list[object]]]


def _cells(document: Mapping[str, Any]) -> _Rows:
    heads = [_("FINESS"), _("field"), _("year"), _("period"), _("state"), _("due on")]
    names = ("finess", "field", "year", "period", "state", "due_on")
    return heads, [[cell[name] for name in names] for cell in document["cells"]]


def _gaps(document: Mapping[str, Any]) -> _Rows:
    heads = [
        _("severity"),
        _("kind"),
        _("source"),
        _("target"),
        _("since"),
        _("what"),
        _("to do"),
        _("owner"),
    ]
    return heads, [
        [
            gap["severity"],
            gap["kind"],
            gap["source"] or "",
            gap["target"] or "",
            gap["since"] or "",
            _told(gap, "template"),
            _told(gap, "mend_template"),
            called(gap["owner"] or ""),
        ]
        for gap in document["gaps"]
    ]


def _told(gap: Mapping[str, Any], key: str) -> str:
    values = {"source": gap["source"], "target": gap["target"], **gap["values"]}
    return _(gap[key]).format(**values)


def _nights(document: Mapping[str, Any]) -> _Rows:
    heads = [_("night"), _("seconds open"), _("longest"), _("openings"), _("not proven shut")]
    names = ("night", "seconds", "longest_s", "openings", "unproven")
    nights = document["exposure"]["nights"]
    return heads, [[night[name] for name in names] for night in nights]


def write_new(path: str, content: bytes) -> None:
    """Write a file that is not there yet; UsageError when it is, or cannot be written."""
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o640)
    except FileExistsError:
        raise UsageError(
            "{path} is there already", path=path, hint="another name, or remove it first?"
        ) from None
    except OSError as error:
        raise UsageError(
            "{path} cannot be written: {reason}", path=path, reason=error.strerror or "?"
        ) from None
    with open(fd, "wb") as file:
        os.fchmod(fd, 0o640)  # whatever the umask: a person who is given it must read it
        file.write(content)
