"""The sysadmin's and the auditor's page: where the doors are, what is missing, what is proven.

Rule 1: the first line says in three seconds whether everything is shut and whether anything lacks.
Rule 2: gaps are sentences with what to do, the worst first.
Rule 3: nothing here says that anybody complies; facts carry their dates.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from vault.gap import loudness
from vault.gap_groups import group_gaps
from vault.report.pages import template
from vault.report.strip import Drawing, draw
from vault.report.tables import cell, make_tables, moment_or_dash, word
from vault.report.teller import SYMBOLS, Teller

READERS = ("sysadmin", "auditor")
_Document = Mapping[str, Any]
_MARKS = (1.0, 10.0, 60.0, 600.0, 3600.0, 14_400.0)

_LABELS = {
    "shown": "shown",
    "not-shown": "NOT SHOWN",
    "declared": "declared",
    "review-due": "declaration to review",
    "undeclared": "to declare",
    "not-covered": "not covered",
    "critical": "at once",
    "warning": "soon",
    "info": "to know",
}
_STATES = {
    "shown": "sound",
    "not-shown": "missing",
    "declared": "not-due",
    "review-due": "amber",
    "undeclared": "amber",
    "not-covered": "never",
    "critical": "missing",
    "warning": "amber",
    "info": "not-due",
}


def render_overview(document: _Document, reader: str, language: str) -> str:
    """Give the page of a reader as HTML."""
    teller = Teller(language, document["time_zone"])
    return str(template("overview.html").render(_Page(document, reader, teller).context()))


class _Page:
    """The words of one page, in the order in which they are read."""

    def __init__(self, document: _Document, reader: str, teller: Teller) -> None:
        self.document = document
        self.reader = reader
        self.t = teller

    def context(self) -> dict[str, object]:
        """Give what the template places."""
        t, document = self.t, self.document
        is_auditor = self.reader == "auditor"
        title = t.tell("For the auditor") if is_auditor else t.tell("For the system administrator")
        return {
            "language": t.language,
            "title": title,
            "site": document["site"],
            "as_of": t.tell("As of {at}", at=t.moment(document["written_at"])),
            "period": t.tell(
                "Nights from {first} to {last}",
                first=t.day(document["first"]),
                last=t.day(document["last"]),
            ),
            "banner": self.banner(),
            "gaps_head": t.tell("What is missing, and what to do"),
            "gaps": list(self.gaps()),
            "none_missing": t.tell("Nothing is missing."),
            "exposure": self.exposure(),
            "tables": list(make_tables(document, t, tests_first=is_auditor)),
            "proofs": self.proofs() if is_auditor else None,
            "frameworks": list(self.frameworks()) if is_auditor else [],
            "caution": t.tell(
                "Facts and declarations with their dates; nothing here says that a clause is met. "
                "Check each text with its publisher."
            ),
            "frameworks_head": t.tell("Clauses beside what the vault can show"),
        }

    # -- the first three seconds

    def banner(self) -> dict[str, str]:
        """Say where the doors are and how much is missing."""
        t, status = self.t, self.document["status"]
        loud = [
            loudness(gap["severity"], is_acknowledged=bool(gap.get("acknowledged")))
            for gap in self.document["gaps"]
        ]
        grave, other = loud.count("critical"), loud.count("warning")
        heads = {
            "locked": t.tell("Every vault door is proven shut."),
            "unlocked": t.tell("A vault door is open, under a deadline."),
            "secured": t.tell("The red button is pressed: nothing opens."),
            "degraded": t.tell("A DOOR IS NOT PROVEN SHUT. Pull the cable."),
        }
        doors = heads[status]
        now = t.plural("{count} thing needs hands now.", "{count} things need hands now.", grave)
        later = t.plural("{count} more soon.", "{count} more soon.", other)
        if status in ("degraded", "secured"):
            return self._banner("missing", doors, now if grave else "")
        if grave:
            return self._banner("missing", now, f"{doors} {later if other else ''}".strip())
        if other:
            return self._banner("amber", doors, later)
        return self._banner("sound", doors, t.tell("Nothing is missing."))

    def _banner(self, state: str, head: str, more: str) -> dict[str, str]:
        return {"state": state, "symbol": SYMBOLS[state], "head": head, "more": more}

    def gaps(self) -> Iterator[dict[str, str]]:
        """Give each gap as a sentence; sources that share one are named together."""
        for gap in group_gaps(self.document["gaps"]):
            what = gap["source"] or gap["target"] or self.t.tell("the vault")
            yield {
                "state": _STATES[gap["severity"]],
                "called": self.t.tell(_LABELS[gap["severity"]]),
                "what": what,
                "text": self.t.of_gap(gap["template"], gap),
                "about": self.t.listed(self._about(gap)),
                "mend": self.t.of_gap(gap["mend_template"], gap),
                "word": self._word(gap),
            }

    def _about(self, gap: Mapping[str, Any]) -> Iterator[str]:
        """Say since when it is so, and whose it is."""
        if gap["since"]:
            yield self.t.tell("since {at}", at=self.t.moment(gap["since"]))
        if gap["owner"]:
            yield self.t.tell("to be told to: {owner}", owner=self.t.called(gap["owner"]))

    def _word(self, gap: Mapping[str, Any]) -> str:
        """Say who acknowledged an alarm, or since when what raised it is over."""
        t = self.t
        if word := gap.get("acknowledged"):
            at = t.moment(word["at"])
            return t.tell(
                "acknowledged by {by} on {at}: {reason}",
                by=word["by"],
                at=at,
                reason=word["reason"],
            )
        if over := gap.get("over_since"):
            return t.tell("over since {at}; nobody has acknowledged it", at=t.moment(over))
        return ""

    # -- seconds open

    def exposure(self) -> dict[str, object]:
        """Give the strip of nights and what it adds up to."""
        t, found = self.t, self.document["exposure"]
        nights = found["nights"]
        per_mille = found["share"] * 1000
        figures = [
            (t.tell("open in all"), t.seconds(found["total_s"])),
            (t.tell("longest opening"), t.seconds(found["longest_s"])),
            (t.tell("openings"), t.number(found["openings"])),
            (t.tell("share of the time"), f"{_at_least(per_mille, t)} ‰"),
            (t.tell("outside a window"), t.number(found["outside"])),
            (t.tell("not proven shut"), t.number(found["unproven"])),
        ]
        says = [self._night(night) for night in nights]
        most = max((night["seconds"] for night in nights), default=0.0)
        marks = [(at, t.seconds(at)) for at in _MARKS if at <= most] or [(1.0, t.seconds(1))]
        drawing: Drawing = draw(nights, says, marks[-3:])
        return {
            "head": t.tell("How long vault doors stood open"),
            "says": t.tell(
                "{openings} openings in {nights} nights, {total} in all, {unproven} not proven "
                "shut.",
                openings=t.number(found["openings"]),
                nights=t.number(len(nights)),
                total=t.seconds(found["total_s"]),
                unproven=t.number(found["unproven"]),
            ),
            "figures": figures,
            "drawing": drawing,
            "first": t.day(self.document["first"]),
            "last": t.day(self.document["last"]),
            "key": t.tell(
                "One bar a night, its height the square root of the seconds; a dot is a night "
                "without any opening; a hatched bar was not proven shut."
            ),
            "details": t.tell("Night by night"),
            "table": self._strip_table(),
        }

    def _night(self, night: Mapping[str, Any]) -> str:
        t = self.t
        if not night["openings"]:
            return t.tell("{night}: nothing open", night=t.day(night["night"]))
        return t.tell(
            "{night}: {seconds}, openings: {count}",
            night=t.day(night["night"]),
            seconds=t.seconds(night["seconds"]),
            count=night["openings"],
        )

    def _strip_table(self) -> dict[str, object]:
        t = self.t
        rows = [
            [
                cell(t.day(night["night"])),
                cell(t.seconds(night["seconds"])),
                cell(t.seconds(night["longest_s"])),
                cell(t.number(night["openings"])),
                cell(t.number(night["unproven"]), "missing" if night["unproven"] else ""),
            ]
            for night in reversed(self.document["exposure"]["nights"])
            if night["openings"]
        ]
        heads = [t.tell("Night"), t.tell("Open"), t.tell("Longest"), t.tell("Openings"),
                 t.tell("Not proven shut")]  # fmt: skip
        return {"heads": heads, "rows": rows}

    # -- the auditor's part

    def proofs(self) -> dict[str, object]:
        """Say what can be verified without the vault, and how."""
        t, ledger = self.t, self.document["ledger"]
        return {
            "head": t.tell("Verify without us"),
            "lines": [
                t.tell(
                    "The ledger has {entries} entries; the hash of the newest is {sha256}.",
                    entries=t.number(ledger["entries"]),
                    sha256=ledger["sha256"],
                ),
                t.tell(
                    "Take the vault's public key from the printed recovery sheet, not from this "
                    "page; docs/auditor.md says how to check the chain with Python alone."
                ),
                t.tell(
                    "Draw one restore test from the list below and have it done again before "
                    "your eyes: coffre drill run with the same seed restores the same files."
                ),
            ],
        }

    def frameworks(self) -> Iterator[dict[str, object]]:
        """Give the clauses by framework."""
        rows: dict[str, list[Mapping[str, Any]]] = {}
        for clause in self.document["compliance"]:
            rows.setdefault(clause["framework"], []).append(clause)
        for clauses in rows.values():
            title = clauses[0]["titles"][self.t.language]
            yield {
                "head": f"{title}, {clauses[0]['edition']}",
                "rows": [self._clause(clause) for clause in clauses],
                "heads": [self.t.tell("Clause"), self.t.tell("What it asks"),
                          self.t.tell("Standing"), self.t.tell("Facts")],
            }  # fmt: skip

    def _clause(self, clause: Mapping[str, Any]) -> list[dict[str, str]]:
        t = self.t
        told = []
        for fact in clause["facts"]:
            text = t.tell(fact["template"], **{
                key: word(v, t) if isinstance(v, str) else v for key, v in fact["values"].items()
            })  # fmt: skip
            mark = "✓" if fact["holds"] else "✗"
            told.append(
                f"{mark} {text}" + (f" ({moment_or_dash(t, fact['at'])})" if fact["at"] else "")
            )
        if clause["declared_by"]:
            told.append(
                t.tell(
                    "declared by {by}, to review by {review}",
                    by=clause["declared_by"],
                    review=t.day(clause["review"]),
                )
            )
        standing = clause["standing"]
        return [
            cell(clause["clause"]),
            cell(clause["texts"][t.language]),
            cell(t.tell(_LABELS[standing]), _STATES[standing]),
            cell(t.listed(told) or "–"),
        ]


def _at_least(per_mille: float, t: Teller) -> str:
    """Give a share; one that is not nothing never reads as nothing."""
    least = 0.001
    return f"< {t.decimal(least, 3)}" if 0 < per_mille < least else t.decimal(per_mille, 3)
