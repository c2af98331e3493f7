"""``coffre pmsi`` and ``coffre pmsi explain``: what a DIM physician asks.

Rule 1: an account without root is told from ``state/public/``: FINESS, periods and counts only.
Rule 2: a cell is told by a sign and, where it is wrong, by a sentence with what to do; the colour
    repeats them.
Rule 3: the exit code is that of ``status``: a gap is not a failure of the command.
Source: design, sections 1 and 9.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from vault.cli.session import Session, is_root
from vault.cli.shown import colour, wrapped
from vault.cli.standing import STATUS_CODES, alive_status, read_public, status_line
from vault.cli.words import _, about, spoken
from vault.errors import ExitCode, NotInitialised, UsageError

if TYPE_CHECKING:
    from vault.report import Teller

_CELL = re.compile(r"([0-9][0-9AB][0-9]{7})/([A-Z]{3}(?:-[A-Z]+)?)/(\d{4})/M(\d{1,2})")
_KINDS = {"sound": "good", "amber": "warn", "not-due": "dim", "never": "dim"}
_PLAIN = {"✓": "o", "✗": "X", "↓": "v", "·": ".", "–": "-"}  # for a terminal without them
_LABEL, _BOX = 12, 4

_Cell = Mapping[str, Any]


# -- coffre pmsi


def pmsi_command(
    session: Session, *, year: int | None, field: str | None, finess: str | None
) -> int:
    """Show the calendar, or the part of it that is asked for."""
    status, document = _read(session)
    code = STATUS_CODES.get(status, ExitCode.SOUND)
    _require_field(field, document["cells"])

    def asked_for(cells: Sequence[_Cell]) -> list[_Cell]:
        return [
            cell
            for cell in cells
            if year in (None, cell["year"])
            and (field is None or cell["field"] == field.upper())
            and finess in (None, cell["finess"])
        ]

    cells = asked_for(document["cells"])
    if session.as_json:
        rest = {key: value for key, value in document.items() if key not in ("cells", "site")}
        return session.emit({"cells": cells, **rest}, code)
    from vault.report import shown_cells

    teller = _teller(document)
    if code != ExitCode.SOUND:
        session.say(status_line(status))
        session.say()
    session.say(_("PMSI exports, as of {at}").format(at=teller.moment(document["written_at"])))
    shown = asked_for(shown_cells(document))
    if not shown:
        session.say()
        session.say(_("No PMSI export has come yet.") if not document["cells"] else _("No cell."))
    for of_finess, years in _by_place(shown).items():
        for of_year in sorted(years, reverse=True):
            session.say()
            for line in _grid(of_finess, of_year, years[of_year], teller):
                session.say(line)
    _say_wrong(session, cells, teller)
    if year is None:
        _say_decembers(session, document["decembers"], field=field, finess=finess)
    session.say()
    session.say(wrapped(_legend(teller)))
    return int(code)


def _require_field(field: str | None, cells: Sequence[_Cell]) -> None:
    """Refuse a field that is none: an empty calendar would read as if nothing were missing."""
    from vault.timetable import FIELDS

    known = [*FIELDS, *sorted({cell["field"] for cell in cells} - set(FIELDS))]
    if field is not None and field.upper() not in known:
        raise UsageError(
            "{field} is no field of the PMSI here",
            field=field,
            hint="there is: {known}",
            known=", ".join(known),
        )


def _read(session: Session) -> tuple[str, dict[str, Any]]:
    """Give the vault's status and the calendar: judged now by root, else as it was told last."""
    found = session.peek()
    status = alive_status(read_public(found.state))
    if is_root():
        from vault.wiring.pmsi import pmsi_document

        document = json.loads(json.dumps(pmsi_document(session.wired())))
        assert isinstance(document, dict)
        return status, document
    return status, _read_public_document(found.state)


def _read_public_document(state: str) -> dict[str, Any]:
    path = os.path.join(state, "public", "pmsi.json")
    try:
        with open(path, "rb") as file:
            document = json.load(file)
    except FileNotFoundError:
        raise NotInitialised(
            "no night has written the PMSI calendar yet",
            hint="did a night run? coffre status tells",
        ) from None
    except PermissionError:
        raise NotInitialised(
            "{path} may not be read by this account",
            path=path,
            hint="is it a member of the vault's state_group?",
        ) from None
    except ValueError:
        document = None
    if not isinstance(document, dict) or "cells" not in document:
        raise NotInitialised("{path} is damaged", path=path, hint="the next night writes it anew")
    return document


def _teller(document: Mapping[str, Any]) -> Teller:
    from vault.report import Teller

    return Teller(spoken(), document["time_zone"])


def _by_place(cells: Sequence[_Cell]) -> dict[str, dict[int, list[_Cell]]]:
    placed: dict[str, dict[int, list[_Cell]]] = {}
    for cell in cells:
        placed.setdefault(cell["finess"], {}).setdefault(cell["year"], []).append(cell)
    return placed


def _grid(finess: str, year: int, cells: Sequence[_Cell], teller: Teller) -> list[str]:
    """Lay one year of one establishment: a field a line, a month a column."""
    heads = "".join(f"M{month}".rjust(_BOX) for month in range(1, 13))
    lines = [colour(f"{finess}  {year}", "strong"), colour(" " * _LABEL + heads, "dim")]
    rows: dict[str, dict[int, str]] = {}
    for cell in cells:
        rows.setdefault(teller.row(cell), {})[cell["period"]] = cell["state"]
    for name, states in rows.items():
        boxes = "".join(_box(states.get(month)) for month in range(1, 13))
        lines.append(name.ljust(_LABEL) + boxes)
    return lines


def _box(state: str | None) -> str:
    if state is None:
        return " " * _BOX
    return " " * (_BOX - 1) + _sign(state)


def _sign(state: str) -> str:
    """Give the sign of a state, in ASCII where the terminal has no other."""
    from vault.report.teller import SYMBOLS

    sign = SYMBOLS[state]
    try:
        sign.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        sign = _PLAIN.get(sign, sign)
    return colour(sign, _KINDS.get(state, "bad"))


def _say_wrong(session: Session, cells: Sequence[_Cell], teller: Teller) -> None:
    """Name in sentences what somebody must act on."""
    groups: dict[tuple[str, str, int, str], list[int]] = {}
    for cell in cells:
        if cell["state"] in ("missing", "malformed", "shrunk"):
            key = (cell["finess"], teller.row(cell), cell["year"], cell["state"])
            groups.setdefault(key, []).append(cell["period"])
    if not groups:
        if cells:
            session.say()
            session.say(colour(_("Nothing is missing."), "good"))
        return
    session.say()
    session.say(_("What needs the DIM:"))
    for (finess, row, year, state), found in groups.items():
        periods = teller.joined([f"M{period:02}" for period in found])
        head = about(f"{row} {year} {periods}, {finess}", teller.called(state))
        session.say(wrapped(f"  {_sign(state)} {head}", indent=4))
        session.say(wrapped("    → " + teller.to_do(state, periods), indent=6))


def _say_decembers(
    session: Session,
    decembers: Sequence[Mapping[str, Any]],
    *,
    field: str | None,
    finess: str | None,
) -> None:
    found = [
        one
        for one in decembers
        if (field is None or one["field"] == field.upper()) and finess in (None, one["finess"])
    ]
    if not found:
        return
    years = sorted({one["year"] for one in found})
    session.say()
    session.say(colour(_("M12, to be kept five years"), "strong"))
    session.say(colour(" " * 16 + "".join(str(year).rjust(7) for year in years), "dim"))
    rows: dict[str, dict[int, str]] = {}
    for one in found:
        rows.setdefault(f"{one['finess']} {one['field']}", {})[one["year"]] = (
            one["state"] or "never"
        )
    for name, states in rows.items():
        boxes = "".join(" " * 6 + _sign(states.get(year, "never")) for year in years)
        session.say(name.ljust(16) + boxes)


def _legend(teller: Teller) -> str:
    states = ("sound", "amber", "missing", "malformed", "shrunk", "not-due", "never")
    return "   ".join(f"{_sign(state)} {teller.called(state)}" for state in states)


# -- coffre pmsi explain


def explain_command(session: Session, name: str) -> int:
    """Say why a cell has its state, each attempt, where it is held, and what to do."""
    wanted = _cell_name(name)
    status, document = _read(session)
    code = STATUS_CODES.get(status, ExitCode.SOUND)
    found = next((cell for cell in document["cells"] if cell["cell"] == wanted), None)
    if found is None:
        raise UsageError(
            "nothing is known of {cell}: no export of it has come, and none is expected here",
            cell=wanted,
            hint="coffre pmsi shows what is; vault.yaml can name what is expected, under pmsi:",
        )
    if session.as_json:
        return session.emit({"cell": found, "as_of": document["written_at"]}, code)
    teller = _teller(document)
    month = f"{teller.month(found['period'])} {found['year']}"
    head = about(f"{wanted} ({month})", teller.called(found["state"]))
    session.say(f"{_sign(found['state'])} {head}")
    for sentence in teller.explained(found):
        session.say(wrapped("  " + sentence, indent=4))
    return int(code)


def _cell_name(text: str) -> str:
    found = _CELL.fullmatch(text.upper())
    if found is None or not 1 <= int(found[4]) <= 12:
        raise UsageError(
            "{cell} names no cell", cell=text, hint="write it as 990000010/SMR/2024/M11"
        )
    return f"{found[1]}/{found[2]}/{found[3]}/M{int(found[4]):02}"
