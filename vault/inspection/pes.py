"""PES v2: the flows between a hospital's finance office and the Treasury (Helios).

Rule 1: a slip says how many pieces it holds: a difference is damage.
Rule 2: an acknowledgement answers a flow by name; ``exchange_of`` gives what pairs them, to whom
    asked, and no finding keeps it.
Source: PES v2, DosTech of the DGFiP; root and namespace decide, the file's name does not.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from vault.finding import Finding, Remark, doubt, fault, judged, note
from vault.inspection.content import Content
from vault.inspection.inspector import NO, SURE
from vault.inspection.markup import local, read_markup, root_of
from vault.inspection.periods import Periods

_SPACE = "http://www.minefi.gouv.fr/cp/helios/pes_v2/"
_ROOTS = {"PES_Aller": "flows out", "PES_Retour": "flows back", "PES_ACQUIT": "acknowledgements"}
_TYPE = re.compile(r"PESALR[1-9]?|PESRETOUR(_(DEP|REC|INV|BUD|MAR|EMP|PJ))?|PESACQUIT")
_TELLING = frozenset(("Bordereau", "Piece", "NbrPce", "NomFic", "TypFic", "DteStr", "Exer"))
_MOST_NAMES = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """What pairs a flow with its acknowledgement; names of files: for the terminal only."""

    is_acknowledgement: bool
    names: frozenset[str]  # the flow's own name, or the names that an acknowledgement answers


class Pes:
    """Counts slips and pieces, and compares each slip with its own count."""

    kind = "pes"
    version = "1"

    def recognises(self, head: bytes, name: bytes) -> int:
        """Be sure of the three roots in their namespace."""
        root = root_of(head)
        return SURE if root and root[0].startswith(_SPACE) and root[1] in _ROOTS else NO

    def inspect(self, content: Content) -> Finding:
        """Read the flow to its end."""
        reading = _Reading()
        wrong = read_markup(content, reading)
        counts = {
            _ROOTS.get(reading.root, "flows out"): 1,
            "slips": reading.slips,
            "pieces": reading.pieces,
        }
        remarks = [*wrong, *([] if wrong else reading.remarks())]
        return judged(self.kind, remarks, counts=counts, periods=reading.periods.told())


def exchange_of(content: Content) -> Exchange:
    """Give what pairs a flow with its acknowledgement; no names when it cannot be read."""
    reading = _Reading()
    read_markup(content, reading)
    return Exchange(is_acknowledgement=reading.root == "PES_ACQUIT", names=frozenset(reading.names))


class _Reading:
    """What one pass over a flow has seen."""

    def __init__(self) -> None:
        self.root = ""
        self.slips = self.pieces = self.miscounted = 0
        self.names: set[str] = set()
        self.types: set[str] = set()
        self.periods = Periods()
        self._telling: dict[str, str] = {}  # tag -> its name, "" when it tells nothing
        self.depth = 0
        self._slip_at: int | None = None  # depth of the slip that is open
        self._held = 0
        self._declared: str | None = None

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        """Take the start of an element."""
        self.depth += 1
        name = self._telling.get(tag)
        if name is None:
            name = self._meet(tag)
        if not name:
            return
        value = attributes.get("V", "")
        if name == "Bordereau" and self._slip_at is None:
            self._slip_at, self._held, self._declared = self.depth, 0, None
            self.slips += 1
        elif name == "Piece":
            self.pieces += 1
            # A piece within a piece is not the slip's.
            self._held += self._slip_at is not None and self.depth == self._slip_at + 1
        elif name == "NbrPce" and self._slip_at is not None:
            self._declared = value
        elif name == "NomFic" and len(self.names) < _MOST_NAMES:
            self.names.add(value)
        elif name == "TypFic" and _TYPE.fullmatch(value) and len(self.types) < 3:
            self.types.add(value)
        elif name in ("DteStr", "Exer"):
            self.periods.add(value[:7] if name == "DteStr" else value[:4])

    def _meet(self, tag: str) -> str:
        """Give the name of a tag that is met for the first time, "" when it tells nothing."""
        name = local(tag)
        if not self.root:
            self.root = name
        told = name if name in _TELLING and self.depth > 1 else ""
        if len(self._telling) < _MOST_NAMES and self.depth > 1:
            self._telling[tag] = told
        return told

    def end(self, tag: str) -> None:
        """Take its end; a slip that ends is compared with its count."""
        if self.depth == self._slip_at:
            if self._declared is not None and self._declared.strip() != str(self._held):
                self.miscounted += 1
            self._slip_at = None
        self.depth -= 1

    def remarks(self) -> list[Remark]:
        """Say what is wrong with a flow that is well-formed."""
        remarks = [note("pes-type", "type {type}", type=one) for one in sorted(self.types)]
        if self.miscounted:
            remarks.append(
                fault(
                    "pes-pieces",
                    "{count} slips hold another number of pieces than they declare",
                    count=self.miscounted,
                )
            )
        if not self.periods.told():
            remarks.append(doubt("pes-date", "neither a date nor a financial year is to be found"))
        return remarks
