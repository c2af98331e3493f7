"""The slip of a medium: its label to cut out, and the card that goes with it to the safe.

Rule 1: a label names the medium, never what is on it: who finds it learns no secret.
Rule 2: its picture is the identity that enrolment gave the medium; the disk itself is believed by
    its signed identity alone, never by a label.
Source: ISO/IEC 18004 for the QR code.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vault.report.fiche_page import qr_of
from vault.report.pages import template
from vault.report.teller import Teller

_LABELS = {
    "night": "each night the turn passes to the next medium",
    "week": "each week the turn passes to the next medium",
    "month": "each month the turn passes to the next medium",
}
_LINES = 12  # of the table that people fill in by hand


def render_slip(document: Mapping[str, Any], language: str) -> str:
    """Give the slip as HTML; the document is the medium's state with its pins and the site's."""
    t = Teller(language, document["time_zone"])
    return str(template("slip.html").render(_context(document, t)))


def _context(d: Mapping[str, Any], t: Teller) -> dict[str, object]:
    text = f"coffre target {d['name']} {d['finess']} {d['target_id']} {d['uuid']}"
    return {
        "language": t.language,
        "title": t.tell("Medium {name}", name=d["name"]),
        "name": d["name"],
        "site": d["site"],
        "finess": d["finess"],
        "made": t.tell("printed on {at}", at=t.moment(d["printed_at"])),
        "label": _label(d, t),
        "facts_head": t.tell("This medium"),
        "facts": _facts(d, t),
        "nights_head": t.tell("Bring it for the night that begins on"),
        "nights": [t.day(night) for night in d["nights"]],
        "no_nights": t.tell("no night that is known yet"),
        "rules_head": t.tell("Whoever carries it"),
        "rules": [
            t.tell("Plug it in before the hour that coffre target due gives, and not earlier."),
            t.tell("Take it out in the morning: it protects only while nothing can reach it."),
            t.tell("Never into another machine; found or damaged: to whoever runs the vault."),
        ],
        "journal_head": t.tell("Journal"),
        "journal": [t.tell("taken out on"), t.tell("brought back on"), t.tell("by whom")],
        "lines": range(_LINES),
        "qr": qr_of(text),
        "qr_alt": text,
    }


def _label(d: Mapping[str, Any], t: Teller) -> list[str]:
    lines = [t.tell("Backup medium: property of {site}", site=d["site"])]
    if d["set"]:
        lines.append(
            t.tell(
                "set {set}, {position} of {of}", set=d["set"], position=d["position"], of=d["of"]
            )
        )
    if d["home"]:
        lines.append(t.tell("home: {home}", home=d["home"]))
    if d["serial"]:
        lines.append(t.tell("serial number {serial}", serial=d["serial"]))
    return lines


def _facts(d: Mapping[str, Any], t: Teller) -> list[tuple[str, str]]:
    def at(name: str) -> str:
        return t.moment(d[name]) if d[name] else "–"

    turn = t.tell(_LABELS[d["every"]]) if d["every"] else t.tell("in no set: every night")
    gigabytes = t.decimal(d["size_bytes"] / 1e9, 1)
    return [
        (t.tell("Turn"), turn),
        (t.tell("Home"), d["home"] or "–"),
        (t.tell("Serial number"), d["serial"] or "–"),
        (t.tell("Size"), t.tell("{size} GB, {type}", size=gigabytes, type=d["fs_type"])),
        (t.tell("File system"), d["uuid"]),
        (t.tell("Identity"), d["target_id"]),
        (t.tell("Enrolled"), at("enrolled_at")),
        (t.tell("Planned end of life"), t.day(d["expires"]) if d["expires"] else "–"),
        (t.tell("Last seen"), at("last_seen")),
        (t.tell("Last written in full"), at("last_whole")),
        (t.tell("Last restore test read from it"), at("last_proven")),
    ]
