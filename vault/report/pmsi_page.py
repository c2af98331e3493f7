"""The PMSI calendar as a page: first what is missing and what to do, then every month.

Rule 1: the first line says in three seconds whether anything is missing; the rest says why.
Rule 2: what is missing is named in a sentence, not only coloured.
Rule 3: it never says that all is well when a door is unproven, no night ran, or nothing is held.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from vault.report.document import shown_cells
from vault.report.pages import template
from vault.report.teller import OFFLINE, SYMBOLS, WRONG, Teller

_NAMED = 4  # rows that the banner names
_STATES = ("sound", "amber", "missing", "malformed", "shrunk", "not-due", "never")
_Cell = Mapping[str, Any]


def render_pmsi(document: Mapping[str, Any], status: Mapping[str, Any], language: str) -> str:
    """Give the page as HTML."""
    teller = Teller(language, document["time_zone"])
    return str(template("pmsi.html").render(_Page(document, status, teller).context()))


class _Page:
    """The words of one page, in the order in which they are read."""

    def __init__(
        self, document: Mapping[str, Any], status: Mapping[str, Any], teller: Teller
    ) -> None:
        self.document = document
        self.status = status
        self.t = teller
        self.cells: Sequence[_Cell] = document["cells"]

    def context(self) -> dict[str, object]:
        """Give what the template places."""
        t = self.t
        return {
            "language": t.language,
            "title": t.tell("PMSI exports in the vault"),
            "site": self.document["site"],
            "as_of": t.tell("As of {at}", at=t.moment(self.document["written_at"])),
            "stale": t.tell(
                "This page is written after every night. If this date is more than three days "
                "old, call the IT department."
            ),
            "banner": self.banner(),
            "alerts": list(self.alerts()),
            "notes": list(self.notes()),
            "wrong_head": t.tell("What is missing, and what to do"),
            "wrong": list(self.wrong()),
            "looks_head": t.tell("To look at"),
            "looks": list(self.looks()),
            "establishments": list(self.establishments()),
            "december": self.december(),
            "legend_head": t.tell("What the signs mean"),
            "legend": list(self.legend()),
            "to_do": t.tell("To do:"),
            "detail_heads": [
                t.tell("Period"),
                t.tell("State"),
                t.tell("Records"),
                t.tell("Held"),
                t.tell("Restore test"),
            ],
            "field_head": t.tell("Field"),
            "months": [(f"M{month:02}", t.month(month)) for month in range(1, 13)],
        }

    # -- the first three seconds

    def banner(self) -> dict[str, str]:
        """Say in one line whether anything is missing, and in a second what."""
        t, count = self.t, self._count
        lacking, torn = count("missing"), count("malformed") + count("shrunk")
        safe = t.plural("{count} export is safe.", "{count} exports are safe.", count("sound"))
        if not self.cells:
            head = t.tell("No PMSI export has come yet.")
            more = t.tell("Is the folder of the exports the right one?")
            return self._banner("amber", head, more)
        if lacking:
            head = t.plural(
                "{count} PMSI export is MISSING.", "{count} PMSI exports are MISSING.", lacking
            )
            return self._banner("missing", head, f"{self._named('missing')} {safe}")
        if torn:
            head = t.plural(
                "{count} PMSI export is NOT as it should be.",
                "{count} PMSI exports are NOT as they should be.",
                torn,
            )
            return self._banner("malformed", head, f"{self._named('malformed', 'shrunk')} {safe}")
        if looks := count("amber"):
            head = t.plural(
                "Nothing is missing; {count} export to look at.",
                "Nothing is missing; {count} exports to look at.",
                looks,
            )
            return self._banner("amber", head, safe)
        return self._banner("sound", t.tell("Nothing is missing."), safe)

    def _named(self, *states: str) -> str:
        """Name the first few rows that are wrong."""
        names = [self._head(cells) for cells in self._groups(states)]
        return self.t.listed([*names[:_NAMED], *(["…"] if len(names) > _NAMED else [])]) + "."

    def _head(self, cells: Sequence[_Cell]) -> str:
        periods = self.t.joined([f"M{cell['period']:02}" for cell in cells])
        return f"{self.t.row(cells[0])} {cells[0]['year']} {periods}"

    def _banner(self, state: str, head: str, more: str) -> dict[str, str]:
        return {"state": state, "symbol": SYMBOLS[state], "head": head, "more": more}

    def _count(self, state: str) -> int:
        return sum(cell["state"] == state for cell in self.cells)

    def alerts(self) -> Iterator[str]:
        """Say what cannot wait: an open door, the red button, an export that was not taken."""
        t = self.t
        if self.status.get("status") == "degraded":
            yield t.tell("A DOOR OF THE VAULT IS NOT PROVEN SHUT. Call the IT department now.")
        if self.status.get("status") == "secured":
            yield t.tell("The red button is pressed: no night runs. Ask the IT department.")
        last = self.status.get("last_cycle") or {"sources": {}}
        for name in self.document["sources"]:
            verdict = last.get("sources", {}).get(name)
            if verdict == "refused":
                yield t.tell(
                    "Last night the export of {name} was REFUSED: it does not look like itself. "
                    "What was there before is kept. Put nothing more there, call the IT "
                    "department.",
                    name=name,
                )
            elif verdict in ("missing", "empty", "failed"):
                yield t.tell(
                    "Last night nothing could be taken from {name}: is the folder of the exports "
                    "there, and not empty?",
                    name=name,
                )

    def notes(self) -> Iterator[str]:
        """Say what holds for all of it: nights, media, what was not counted."""
        t = self.t
        last = self.status.get("last_cycle")
        if last:
            yield t.tell("The last night ended on {at}.", at=t.moment(last["ended_at"]))
        kinds = {target["name"]: target["disconnection"] for target in self._targets()}
        offline = [name for name, kind in kinds.items() if kind in OFFLINE]
        if kinds and offline:
            yield t.tell("Offline between nights: {names}.", names=t.joined(offline))
        for name, kind in kinds.items():
            if kind not in OFFLINE:
                yield t.tell(
                    "{name} is not offline between nights ({kind}): the IT department can mend it.",
                    name=name,
                    kind=t.called(kind),
                )
        if runs := self.document["test_runs"]:
            yield t.plural(
                "{count} file of a test run (period 0) is kept and not counted.",
                "{count} files of test runs (period 0) are kept and not counted.",
                runs,
            )
        if unplaced := self.document["unplaced"]:
            yield t.plural(
                "{count} PMSI archive does not say its establishment, field or period.",
                "{count} PMSI archives do not say their establishment, field or period.",
                unplaced,
            )

    def _targets(self) -> Sequence[Mapping[str, Any]]:
        found = [target for target in self.status.get("targets", []) if target["enrolled"]]
        return sorted(found, key=lambda target: str(target["name"]))

    # -- in sentences

    def wrong(self) -> Iterator[dict[str, str]]:
        """Give a sentence for each row, year and state that somebody must act on."""
        t = self.t
        for cells in self._groups(WRONG):
            first = cells[0]
            periods = t.joined([f"M{cell['period']:02}" for cell in cells])
            state = first["state"]
            yield {
                "state": state,
                "symbol": SYMBOLS[state],
                "head": self._head(cells),
                "called": t.called(state),
                "where": t.tell("Establishment {finess}.", finess=first["finess"]),
                "why": self._why(cells),
                "to_do": t.to_do(state, periods),
            }

    def _why(self, cells: Sequence[_Cell]) -> str:
        t, first = self.t, cells[0]
        if first["state"] == "missing":
            named = [
                t.tell("{month} (due by {day})", month=t.month(c["period"]), day=t.day(c["due_on"]))
                for c in cells
            ]
            return t.tell("Late or missing: {months}.", months=t.joined(named))
        return " ".join(t.remark(one) for cell in cells[:3] for one in cell["told"][:3])

    def looks(self) -> Iterator[dict[str, str]]:
        """Give a line for each row and year with something to look at."""
        t = self.t
        for cells in self._groups(("amber",)):
            told = {t.remark(one): None for cell in cells for one in cell["told"]}
            first = cells[0]
            yield {
                "head": f"{self._head(cells)} ({first['finess']})",
                "why": " ".join(list(told)[:4]),
            }

    def _groups(self, states: Sequence[str]) -> Iterator[Sequence[_Cell]]:
        groups: dict[tuple[object, ...], list[_Cell]] = {}
        for cell in self.cells:
            if cell["state"] in states:
                key = (states.index(cell["state"]), cell["finess"], self.t.row(cell), cell["year"])
                groups.setdefault(key, []).append(cell)
        found = sorted(groups.items(), key=lambda item: (item[0][0], -int(str(item[0][3]))))
        yield from (cells for _key, cells in found)

    # -- every month

    def establishments(self) -> Iterator[dict[str, object]]:
        """Give the calendar by establishment and year, the newest year first."""
        shown = shown_cells(self.document)
        for finess in dict.fromkeys(cell["finess"] for cell in self.cells):
            mine = [cell for cell in shown if cell["finess"] == finess]
            years = sorted({cell["year"] for cell in mine}, reverse=True)
            yield {
                "name": self.t.tell("Establishment {finess}", finess=finess),
                "years": [
                    self._year(year, [c for c in mine if c["year"] == year]) for year in years
                ],
            }

    def _year(self, year: int, cells: Sequence[_Cell]) -> dict[str, object]:
        rows: dict[str, list[_Cell]] = {}
        for cell in cells:
            rows.setdefault(self.t.row(cell), []).append(cell)
        return {
            "year": str(year),
            "caption": self.t.tell("Exports of {year} by field and month", year=year),
            "rows": [self._row(some) for some in rows.values()],
            "detail": self.t.tell("{year} in detail: records, targets, restore tests", year=year),
            "details": [self._detail(cell) for cell in cells if cell["attempts"]],
        }

    def _row(self, cells: Sequence[_Cell]) -> dict[str, object]:
        by_period = {cell["period"]: cell for cell in cells}
        return {
            "name": self.t.row(cells[0]),
            "long": self.t.called(cells[0]["field"]),
            "cells": [self._box(by_period.get(period)) for period in range(1, 13)],
        }

    def _box(self, cell: _Cell | None) -> dict[str, str]:
        if cell is None:
            return {"state": "none", "symbol": "", "says": self.t.tell("not expected")}
        state = cell["state"]
        says = self.t.called(state)
        return {"state": state, "symbol": SYMBOLS[state], "says": says}

    def _detail(self, cell: _Cell) -> list[str]:
        t = self.t
        return [
            f"{t.row(cell)} M{cell['period']:02}",
            f"{SYMBOLS[cell['state']]} {t.called(cell['state'])}",
            t.records(cell["records"]),
            t.listed(t.holders(cell)),
            t.proof(cell["proof"]),
        ]

    # -- the Decembers

    def december(self) -> dict[str, object] | None:
        """Give the block of M12; None when no policy has it kept."""
        found = self.document["decembers"]
        if not found:
            return None
        t = self.t
        years = sorted({one["year"] for one in found})
        rows: dict[tuple[str, str], dict[int, str]] = {}
        for one in found:
            row = rows.setdefault((one["finess"], one["field"]), {})
            row[one["year"]] = one["state"] or "never"
        return {
            "head": t.tell("M12 of the last five years"),
            "why": t.tell(
                "M12 holds a whole year. The law has the DIM keep it for five years: for audits, "
                "and for late corrections of the year before (LAMDA)."
            ),
            "years": years,
            "rows": [
                {
                    "name": f"{field} {finess}",
                    "cells": [self._state_box(row.get(year, "never")) for year in years],
                }
                for (finess, field), row in rows.items()
            ],
            "never": t.tell(
                "– : never put here. If you still have these archives, put them into the folder "
                "of the exports: the next night takes them."
            )
            if any("never" in row.values() for row in rows.values())
            else "",
        }

    def _state_box(self, state: str) -> dict[str, str]:
        return {
            "state": state,
            "symbol": SYMBOLS[state],
            "says": self.t.called(state),
        }

    def legend(self) -> Iterator[tuple[str, str, str, str]]:
        """Give each sign with its word and what it means."""
        t = self.t
        meant = {
            "sound": t.tell("there, IN and OUT, well formed, not shrunk, on a target"),
            "amber": t.tell("there, with something to look at: the reasons are above"),
            "missing": t.tell("late or missing: nothing has come for this period"),
            "malformed": t.tell("came, but cannot be read as what it should be"),
            "shrunk": t.tell("came, but holds less than the export before"),
            "not-due": t.tell("not due yet"),
            "never": t.tell("never put here, and not expected"),
        }
        for state in _STATES:
            yield state, SYMBOLS[state], t.called(state), meant[state]
