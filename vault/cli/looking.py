"""``coffre inspect PATH``: what files are, for whoever holds them; no vault is needed.

Rule 1: names are shown on the terminal of the person who asked, and kept nowhere.
Rule 2: below the path that was named nothing is followed; what is no file is told, not opened.
Rule 3: a file that cannot be read is told beside the others, which go on.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from vault.cli.progress import make_progress
from vault.cli.session import Session
from vault.cli.shown import colour, size, table, wrapped
from vault.cli.words import _, about, plural
from vault.descriptors import open_file, open_root
from vault.errors import ExitCode, UsageError
from vault.finding import OPAQUE, Finding, Remark, Soundness
from vault.inspection import Exchange, FileExaminer, exchange_of, load_registry
from vault.names import printable, to_json
from vault.sources.tree import Survey, walk
from vault.wiring.formats import pmsi_inspectors

_PES = "pes"
_SHOWN_PERIODS = 3
_COLOURS = {
    Soundness.SOUND: "good",
    Soundness.DOUBTFUL: "warn",
    Soundness.MALFORMED: "bad",
    Soundness.OPAQUE: "dim",
}
# What a person calls a soundness, a kind of file and what is counted in one.
_LABELS = {
    "sound": "sound",
    "doubtful": "to be looked at",
    "malformed": "MALFORMED",
    "opaque": "not known",
    "dicom": "DICOM",
    "csv": "table (CSV)",
    "xml": "XML, of no known kind",
    "hl7v2": "HL7 v2 messages",
    "fhir-ndjson": "FHIR export",
    "cda": "clinical document (CDA)",
    "hprim-sante": "HPRIM Santé",
    "hprim-medecin": "HPRIM Médecin",
    "postgres-sql": "PostgreSQL dump",
    "postgres-custom": "PostgreSQL dump, custom format",
    "mysql-sql": "MySQL dump",
    "sqlite": "SQLite database",
    "lines": "lines",
    "declarations": "declarations",
    "flows out": "flows out",
    "flows back": "flows back",
    "acknowledgements": "acknowledgements",
    "slips": "slips",
    "pieces": "pieces",
    "messages": "messages",
    "segments": "segments",
    "documents": "documents",
    "sections": "sections",
    "resources": "resources",
    "records": "records",
    "results": "results",
    "patients": "patients",
    "requests": "requests",
    "objects": "objects",
    "frames": "frames",
    "directories": "directories",
    "directory records": "directory records",
    "members": "members",
    "others": "others",
    "other": "other",
    "entries": "entries",
    "tables": "tables",
    "copies": "copies",
    "pages": "pages",
    "sheets": "sheets",
    "events": "events",
    "tasks": "tasks",
    "calendars": "calendars",
    "rows": "rows",
    "columns": "columns",
    "elements": "elements",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """One file that was looked at."""

    path: bytes
    sha256: str
    finding: Finding
    exchange: Exchange | None = None


@dataclass(slots=True, kw_only=True)
class _Look:
    """What one invocation saw."""

    files: list[Looked]
    unread: list[tuple[bytes, str]]
    skipped: int = 0  # symlinks, devices, and folders that gave no list

    def unanswered(self) -> list[Looked]:
        """Give the flows that no acknowledgement beside them answers."""
        answered = {
            _stem(name)
            for one in self.files
            if one.exchange and one.exchange.is_acknowledgement
            for name in one.exchange.names
        }
        return [
            one
            for one in self.files
            if one.exchange is not None
            and one.finding.counts.get("flows out")
            and not {_stem(name) for name in one.exchange.names} & answered
        ]

    def code(self) -> ExitCode:
        """Corrupt when something is malformed, incomplete when something could not be read."""
        if any(one.finding.soundness is Soundness.MALFORMED for one in self.files):
            return ExitCode.CORRUPT
        return ExitCode.INCOMPLETE if self.unread else ExitCode.SOUND


def look_command(session: Session, path: str) -> int:
    """Inspect a file, or every file below a folder."""
    named = os.fsencode(path)
    if not os.path.exists(named):
        raise UsageError("there is no file or folder of this name", hint="is it spelt right?")
    registry = load_registry(pmsi_inspectors(session.tables()))
    for one in registry.unloaded:
        line = _("The plug-in {name} could not be used ({reason}).")
        session.say(colour(line.format(name=one.name, reason=one.reason), "warn"))
    examiner = FileExaminer(registry, seed=os.urandom(32), clock_s=time.monotonic)
    with make_progress(quiet=session.is_quiet) as progress:
        progress.step("inspect")
        if os.path.isdir(named):
            look = _look_below(examiner, named)
        else:
            # The last component too may be a link here: the person named it.
            folder, name = os.path.split(os.path.realpath(named))
            root = open_root(folder)
            try:
                look = _look_at(examiner, root, [name])
            finally:
                os.close(root)
    return _tell(session, look, is_folder=os.path.isdir(named))


def _look_below(examiner: FileExaminer, folder: bytes) -> _Look:
    root = open_root(folder)
    try:
        survey: Survey = walk(root)
        look = _look_at(examiner, root, sorted(survey.files))
    finally:
        os.close(root)
    look.skipped = len(survey.refused) + survey.unreadable
    return look


def _look_at(examiner: FileExaminer, root: int, paths: list[bytes]) -> _Look:
    look = _Look(files=[], unread=[])
    for path in paths:
        try:
            fd = open_file(root, path)
        except OSError as error:
            look.unread.append((path, error.strerror or "?"))
            continue
        try:
            look.files.append(_look_open(examiner, fd, path))
        except OSError as error:
            look.unread.append((path, error.strerror or "?"))
        finally:
            os.close(fd)
    return look


def _look_open(examiner: FileExaminer, fd: int, path: bytes) -> Looked:
    name = path.rpartition(b"/")[2]
    finding, sha256 = examiner.examine_open(fd, name)
    exchange = examiner.read_open(fd, name, exchange_of) if finding.kind == _PES else None
    return Looked(path=path, sha256=sha256, finding=finding, exchange=exchange)


def _stem(name: str) -> str:
    return name.strip().removesuffix(".xml").removesuffix(".XML")


# -- telling


def _tell(session: Session, look: _Look, *, is_folder: bool) -> int:
    unanswered = look.unanswered() if is_folder else []
    if session.as_json:
        return session.emit(_document(look, unanswered), look.code())
    heads = [_("name"), _("size"), _("recognised as"), _("soundness"), _("holds"), _("for")]
    session.say(table(heads, [_row(one) for one in look.files], right=(1,)))
    for line in (*_remark_lines(session, look), *_other_lines(look, unanswered)):
        session.say(wrapped(line, indent=2))
    return int(look.code())


def _row(one: Looked) -> list[str]:
    finding = one.finding
    soundness = colour(_label(finding.soundness), _COLOURS[finding.soundness])
    signs = finding.signs
    counted = ", ".join(
        f"{_label(unit)} {count}" for unit, count in finding.counts.items() if count
    )
    inside = ", ".join(f"{_label(kind)} {count}" for kind, count in finding.inside.items())
    periods = finding.periods
    if len(periods) > _SHOWN_PERIODS:
        periods = (f"{periods[0]} … {periods[-1]}",)
    kind = _label(finding.kind) if finding.kind != OPAQUE else (signs.magic if signs else "")
    return [
        printable(one.path),
        size(signs.size_bytes) if signs else "",
        kind or "–",
        soundness,
        f"{counted} ({inside})" if inside else counted,
        ", ".join(periods),
    ]


def _label(word: str) -> str:
    return _(_LABELS[word]) if word in _LABELS else word.upper() if len(word) < 5 else word


def _remark_lines(session: Session, look: _Look) -> Iterator[str]:
    """Give what is to be looked at; what is only worth knowing for one file, or with -v."""
    shows_notes = len(look.files) == 1 or session.verbosity > 0
    for one in look.files:
        for remark in one.finding.remarks:
            if remark.soundness is not Soundness.SOUND or shows_notes:
                mark = colour("≠" if remark.soundness is Soundness.MALFORMED else "·", "strong")
                yield f"{mark} {about(printable(one.path), _said(remark))}"


def _other_lines(look: _Look, unanswered: list[Looked]) -> Iterator[str]:
    for one in unanswered:
        line = _("{name}: no acknowledgement (PES ACQUIT) in this folder answers it")
        yield colour("· ", "strong") + line.format(name=printable(one.path))
    for path, reason in look.unread:
        line = _("{name} could not be read: {reason}")
        yield colour("≠ ", "strong") + line.format(name=printable(path), reason=reason)
    if look.skipped:
        yield plural(
            "{count} entry was not looked at: no file, or a folder that may not be read.",
            "{count} entries were not looked at: no files, or folders that may not be read.",
            look.skipped,
        )


def _said(remark: Remark) -> str:
    return _(remark.template).format(**remark.values)


def _document(look: _Look, unanswered: list[Looked]) -> Mapping[str, object]:
    return {
        "files": [_told(one) for one in look.files],
        "unread": [{**to_json(path), "reason": reason} for path, reason in look.unread],
        "unanswered": [to_json(one.path) for one in unanswered],
        "skipped": look.skipped,
        "kinds": dict(Counter(one.finding.kind for one in look.files)),
    }


def _told(one: Looked) -> Mapping[str, object]:
    finding = one.finding
    signs = finding.signs
    assert signs is not None, "the examiner adds them to every finding"
    return {
        **to_json(one.path),
        "size": signs.size_bytes,
        "sha256": one.sha256,
        "kind": finding.kind,
        "soundness": finding.soundness,
        "counts": dict(finding.counts),
        "periods": list(finding.periods),
        "inside": dict(finding.inside),
        "remarks": [
            {"code": remark.code, "soundness": remark.soundness, "message": _said(remark)}
            for remark in finding.remarks
        ],
        "signs": {
            "sampled_bytes": signs.sampled_bytes,
            "entropy_bits": round(signs.entropy_bits, 4),
            "chi_square": round(signs.chi_square, 1),
            "magic": signs.magic,
        },
    }
