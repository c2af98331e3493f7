"""The tables of the overview: coverage by level, restore tests, media, nights.

Rule 1: a cell is a text and a state; the state only repeats what the text says.
Rule 2: a table without rows says so in words.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from vault.report.teller import OFFLINE, Teller

Cell = dict[str, str]
Table = dict[str, object]
_Document = Mapping[str, Any]
_NIGHTS = 31
_WORDS = {
    "sound": "sound",
    "incomplete": "incomplete",
    "partial": "partial",
    "corrupt": "CORRUPT",
    "refused": "REFUSED",
    "failed": "FAILED",
    "no-evidence": "no evidence",
    "media-absent": "media absent",
    "interrupted": "interrupted",
    "secured": "SECURED",
    "degraded": "DEGRADED",
    "landing": "the landing",
}
_LABELS = {
    "no": "No",
    "when": "When",
    "source": "Source",
    "from": "From",
    "level": "Level",
    "verdict": "Verdict",
    "files": "Files",
    "time": "Time",
    "target": "Target",
    "home": "Home",
    "between": "Between nights",
    "seen": "Last seen",
    "holds": "Holds night",
    "serial": "Serial number",
    "ended": "Ended",
    "set": "Set",
    "expected": "Expected on",
    "proven": "Last proven",
    "life": "End of life",
}


def make_tables(document: _Document, t: Teller, *, tests_first: bool) -> Iterator[Table]:
    """Give the tables in the order in which their reader wants them."""
    found = [_coverage(document, t), _drills(document, t), _media(document, t)]
    if tests_first:
        found[0], found[1] = found[1], found[0]
    yield from found
    yield _nights(document, t)


def cell(text: str, state: str = "") -> Cell:
    """Make a cell."""
    return {"text": text, "state": state}


def moment_or_dash(t: Teller, at: str | None) -> str:
    """Give an instant, or a dash where there is none."""
    return t.moment(at) if at else "–"


def word(name: str, t: Teller) -> str:
    """Give what a verdict or a place is called; a target has its own name."""
    return t.tell(_WORDS[name]) if name in _WORDS else name


def _coverage(document: _Document, t: Teller) -> Table:
    rows: Sequence[Mapping[str, Any]] = document["coverage"]
    return {
        "head": t.tell("Restore tests by source and level"),
        "why": t.tell(
            "L0 the repository was checked; L1 every byte restored equals the manifest taken at "
            "the source; L2 the files open as what they are; L3 an application reads them; L4 "
            "back in production, signed: a typed name is declared, a cosignature proves. ✗: "
            "overdue by the policy. –: not owed."
        ),
        "heads": [
            t.tell("Source"),
            t.tell("Newest point"),
            *(level["level"] for level in (rows[0]["levels"] if rows else ())),
        ],
        "rows": [
            [
                cell(f"{row['source']} ({row['titles'][t.language]})"),
                cell(moment_or_dash(t, row["last_point_at"])),
                *(_level(level, row, t) for level in row["levels"]),
            ]
            for row in rows
        ],
        "empty": t.tell("No source is configured."),
    }


def _level(level: Mapping[str, Any], row: Mapping[str, Any], t: Teller) -> Cell:
    day = t.day(level["at"][:10]) if level["at"] else ""
    if day and level["level"] == "L4":
        proven = row["signed"] == "proven"
        day += ", " + (t.tell("proven by a cosignature") if proven else t.tell("declared"))
    if level["overdue"]:
        return cell(f"✗ {day or t.tell('never')}", "missing")
    if level["every_s"] is None:
        return cell(day or "–", "" if day else "not-due")
    return cell(f"✓ {day}", "sound")


def _drills(document: _Document, t: Teller) -> Table:
    heads = ("no", "when", "source", "from", "level", "verdict", "files", "time")
    return {
        "head": t.tell("Restore tests, the newest first, those that failed among them"),
        "why": t.tell("Time taken beside the objective of the policy (DMIA)."),
        "heads": [t.tell(_LABELS[head]) for head in heads],
        "rows": [_drill(drill, t) for drill in document["drills"]],
        "empty": t.tell("No restore test in these nights."),
    }


def _drill(drill: Mapping[str, Any], t: Teller) -> list[Cell]:
    is_bad = drill["verdict"] not in ("sound", "incomplete")
    is_late = bool(drill["dmia_s"]) and drill["duration_s"] > drill["dmia_s"]
    objective = f" / {t.seconds(drill['dmia_s'])}" if drill["dmia_s"] else ""
    return [
        cell(str(drill["drill"])),
        cell(t.moment(drill["at"])),
        cell(drill["source"]),
        cell(word(drill["from"], t)),
        cell(f"{drill['asked']} → {drill['reached'] or '–'}"),
        cell(word(drill["verdict"] or "interrupted", t), "missing" if is_bad else ""),
        cell(f"{t.number(drill['files'])} / {t.number(drill['of_files'])}"),
        cell(t.seconds(drill["duration_s"]) + objective, "missing" if is_late else ""),
    ]


def _media(document: _Document, t: Teller) -> Table:
    heads = (
        "target", "set", "home", "expected", "between", "seen", "proven", "holds", "serial", "life",
    )  # fmt: skip
    return {
        "head": t.tell("Media, and where they are"),
        "why": _out_of_reach(document["shield"]["youngest"], t),
        "heads": [t.tell(_LABELS[head]) for head in heads],
        "rows": [
            [
                cell(medium["name"]),
                cell(medium["set"] or "–"),
                cell(medium["home"] or "–"),
                cell(t.day(medium["expected_on"]) if medium["expected_on"] else "–"),
                cell(
                    t.called(medium["disconnection"]),
                    "sound" if medium["disconnection"] in OFFLINE else "amber",
                ),
                cell(moment_or_dash(t, medium["last_opened"])),
                cell(moment_or_dash(t, medium["last_proven"])),
                cell(str(medium["last_cycle"] or "–")),
                cell(medium["serial"] or "–"),
                cell(t.day(medium["expires"]) if medium["expires"] else "–"),
            ]
            for medium in document["media"]
        ],
        "empty": t.tell("No target is configured."),
    }


def _out_of_reach(copy: Mapping[str, Any] | None, t: Teller) -> str:
    if copy is None:
        return t.tell("In the next night no copy is out of reach of whoever holds the host.")
    return t.tell(
        "Out of reach in the next night: {target}, written {at}.",
        target=copy["target"],
        at=t.moment(copy["written_at"]),
    )


def _nights(document: _Document, t: Teller) -> Table:
    return {
        "head": t.tell("The last nights"),
        "why": "",
        "heads": [t.tell(_LABELS[head]) for head in ("no", "ended", "verdict")],
        "rows": [
            [
                cell(str(night["cycle"])),
                cell(t.moment(night["ended_at"])),
                cell(word(night["verdict"], t), "" if night["verdict"] == "sound" else "amber"),
            ]
            for night in document["nights"][:_NIGHTS]
        ],
        "empty": t.tell("No night ran."),
    }
