"""What a PMSI cell or a gap is called and what is to be done about it, in one language.

Rule 1: the texts are English and their own keys; ``vault/locale`` holds the French.
Rule 2: it reads the members of the public document, never the domain: an account without root
    gets the same sentences.
Rule 3: a remark is told from its template; its values are put in after translation.
"""

from __future__ import annotations

import gettext
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from vault.called import DISCONNECTIONS, OUTCOMES
from vault.gap_groups import source_in
from vault.owners import OWNERS
from vault.retelling import Retelling, listed

_FOLDER = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "locale")
_DAY = re.compile(r"\d{4}-\d\d-\d\d")
OFFLINE = frozenset({"removed", "powered-off", "link-down", "detached"})
WRONG = ("missing", "malformed", "shrunk")

SYMBOLS = {
    "sound": "✓",
    "amber": "~",
    "missing": "✗",
    "malformed": "!",
    "shrunk": "↓",
    "not-due": "·",
    "never": "–",
}

CALLED = {
    "sound": "safe",
    "amber": "to look at",
    "missing": "LATE OR MISSING",
    "malformed": "NOT WELL FORMED",
    "shrunk": "SHRUNK",
    "not-due": "not due yet",
    "never": "never put here",
    "doubtful": "doubtful",
    "opaque": "not recognised",
    **DISCONNECTIONS,
    "MCO": "medicine, surgery, obstetrics",
    "SMR": "rehabilitation",
    "HAD": "hospital at home",
    "PSY": "psychiatry",
}

# What an attempt is by itself; wherever it is held.
_WORDS = {
    "sound": "in order",
    "doubtful": "doubtful",
    "one-side": "one side only",
    "malformed": "not well formed",
}

_MINUTE_S, _HOUR_S, _DAY_S = 60, 3600, 86_400
_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September",
    "October", "November", "December",
)  # fmt: skip


class Teller:
    """Tells in one language, on the clock of one site."""

    def __init__(self, language: str, zone: str) -> None:
        self.language = language
        self._zone = ZoneInfo(zone)
        self._known: gettext.NullTranslations = gettext.NullTranslations()
        if language != "en":
            self._known = gettext.translation(
                "coffre", _FOLDER, languages=[language], fallback=True
            )

        self._retelling = Retelling(self._known, language)

    # -- words

    def tell(self, text: str, /, **values: object) -> str:
        """Tell a text with its values."""
        return self._known.gettext(text).format(**values)

    def retell(self, text: str) -> str:
        """Tell a finished English sentence again; as it is when nobody knows it."""
        return text if self.language == "en" or not text else self._retelling.retell(text)

    def plural(self, one: str, many: str, count: int, **values: object) -> str:
        """Tell the form for a count."""
        return self._known.ngettext(one, many, count).format(count=count, **values)

    def called(self, name: str) -> str:
        """Give what a person calls a state, a class of disconnection, a field or an owner."""
        if name in OWNERS:
            return self._known.gettext(name)
        return self._known.gettext(CALLED[name]) if name in CALLED else name

    def of_gap(self, template: str, gap: Mapping[str, Any]) -> str:
        """Tell what a gap says or how it is mended, with its values as people call them."""
        values = {
            # The letters of a field are what a DIM says; its words would be half the sentence.
            key: self._word(value) if isinstance(value, str) and key != "field" else value
            for key, value in gap["values"].items()
        }
        places = {"source": source_in(template, gap["source"]), "target": gap["target"]}
        return self.tell(template, **{**places, **values})

    def _word(self, name: str) -> str:
        """Give what a person calls a verdict or a class, and tell a finished sentence again."""
        if name in OUTCOMES:
            return self.tell(OUTCOMES[name])
        told = self.called(name)
        return self.retell(told) if " " in told else told

    def day(self, value: str | date) -> str:
        """Give a day as people write it."""
        day = date.fromisoformat(value) if isinstance(value, str) else value
        return f"{day:%d/%m/%Y}" if self.language == "fr" else day.isoformat()

    def moment(self, value: str) -> str:
        """Give an instant on the site's clock, to the minute."""
        local = datetime.fromisoformat(value).astimezone(self._zone)
        return f"{self.day(local.date())} {local:%H:%M}"

    def month(self, period: int) -> str:
        """Give the name of a month."""
        return self._known.gettext(_MONTHS[period - 1])

    def number(self, value: int) -> str:
        """Give a number with its thousands apart."""
        return f"{value:,}".replace(",", "\u202f" if self.language == "fr" else ",")

    def decimal(self, value: float, places: int) -> str:
        """Give a number with its decimals as the language writes them."""
        text = f"{value:.{places}f}"
        return text.replace(".", ",") if self.language == "fr" else text

    def seconds(self, value: float) -> str:
        """Give a duration as a person says it."""
        if value < _MINUTE_S:
            return f"{self.decimal(value, 0 if value == int(value) else 1)} s"
        if value < _HOUR_S:
            return f"{int(value // 60)} min {int(value % 60):02} s"
        if value < 2 * _DAY_S:
            return f"{int(value // 3600)} h {int(value % 3600 // 60):02} min"
        return self.plural("{count} day", "{count} days", int(value // _DAY_S))

    def joined(self, parts: Sequence[str]) -> str:
        """Join as people do: a, b and c."""
        if len(parts) < 2:
            return "".join(parts)
        return self.tell("{most} and {last}", most=", ".join(parts[:-1]), last=parts[-1])

    def listed(self, parts: Iterable[str]) -> str:
        """Join what may hold commas itself: a; b; c."""
        return listed(parts, self.language)

    # -- cells

    def remark(self, told: Mapping[str, Any]) -> str:
        """Tell a remark as a sentence."""
        values = {key: self._value(key, value) for key, value in told["values"].items()}
        text = self.tell(told["template"], **values)
        return text[:1].upper() + text[1:] + ("" if text.endswith(".") else ".")

    def fitness(self, name: str) -> str:
        """Give what a person calls the rank of an attempt."""
        return self._known.gettext(_WORDS[name])

    def _value(self, key: str, value: object) -> str:
        if isinstance(value, int):
            return self.number(value)
        text = str(value)
        if key == "fitness":
            return self.fitness(text)
        if _DAY.fullmatch(text):
            return self.day(text)
        return self.called(text)

    def row(self, cell: Mapping[str, Any]) -> str:
        """Name a row: its field, and the file when it is another than that of the stays."""
        return f"{cell['field']} {cell['category']}".strip()

    def to_do(self, state: str, periods: str) -> str:
        """Say what the DIM does about a cell."""
        if state == "missing":
            return self.tell(
                "Export {periods} again, IN and OUT, and put both into the folder of the exports. "
                "The next night takes them, and the cross goes.",
                periods=periods,
            )
        if state == "malformed":
            return self.tell(
                "Export {periods} again: the file that came cannot be read as what it should be. "
                "Leave the old one where it is.",
                periods=periods,
            )
        if state == "shrunk":
            return self.tell(
                "Compare {periods} with the export before: stays may have been merged or deleted. "
                "If it is not so, export again. The fuller export is kept and can be restored.",
                periods=periods,
            )
        if state == "amber":
            return self.tell("Look at the reasons; if they surprise you, export again.")
        return self.tell("Nothing.")

    def holders(self, cell: Mapping[str, Any]) -> list[str]:
        """Say on which targets it is, since when, and whether that is offline."""
        told = []
        for target in cell["targets"]:
            kind = target["disconnection"]
            offline = self.tell("offline") if kind in OFFLINE else self.tell("not offline")
            told.append(
                self.tell(
                    "on {target} since {since} ({offline}: {kind})",
                    target=target["name"],
                    since=self.moment(target["since"]),
                    offline=offline,
                    kind=self.called(kind),
                )
            )
        return told or [self.tell("on no target")]

    def records(self, records: Mapping[str, int]) -> str:
        """Say how many records of which type."""
        told = [f"{self.number(count)} {name.upper()}" for name, count in records.items()]
        return ", ".join(told) or "–"

    def proof(self, proof: Mapping[str, Any] | None) -> str:
        """Say when it was restored, and to which level."""
        if proof is None:
            return self.tell("not tested yet")
        return self.tell(
            "restored on {at}, level {level}", at=self.moment(proof["at"]), level=proof["level"]
        )

    def explained(self, cell: Mapping[str, Any]) -> list[str]:
        """Explain a cell in sentences: why, each attempt, where, what to do."""
        period = f"M{cell['period']:02}"
        told = [self.remark(one) for one in cell["told"]]
        if cell["state"] == "sound":
            told.insert(0, self.tell("Nothing is wrong with it."))
        if cell["state"] == "not-due":
            told.append(self.tell("It is expected by {day}.", day=self.day(cell["due_on"])))
        if said := cell.get("lawful_loss"):
            told.append(
                self.tell(
                    "It holds less than the export before, rightly: {reason} (said by {by} on "
                    "{at}).",
                    reason=said["reason"],
                    by=said["by"],
                    at=self.moment(said["at"]),
                )
            )
        told += [self._attempt(attempt) for attempt in cell["attempts"]]
        if cell["attempts"]:
            proof = self.proof(cell["proof"])
            told.append(self.tell("Restore test: {proof}.", proof=proof))
        if cell["state"] not in ("sound", "not-due"):
            told.append(self.tell("To do: {what}", what=self.to_do(cell["state"], period)))
        return told

    def _attempt(self, attempt: Mapping[str, Any]) -> str:
        sides = self.joined([side.upper() for side in attempt["sides"]]) or "?"
        return self.tell(
            "Export made on {day} ({sides}), {fitness}: {records}; first seen on {seen}, {held}.",
            day=self.day(attempt["day"]),
            sides=sides,
            fitness=self.fitness(attempt["fitness"]),
            records=self.records(attempt["records"]),
            seen=self.moment(attempt["seen_at"]),
            held=self.listed(self.holders(attempt)),
        )
