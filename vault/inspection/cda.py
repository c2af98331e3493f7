"""CDA r2: one clinical document, and the templates it follows.

Rule 1: text, names and identifiers of the document are never taken.
Source: HL7 CDA r2; root ClinicalDocument in urn:hl7-org:v3, typeId POCD_HD000040.
"""

from __future__ import annotations

from vault.finding import Finding, doubt, judged
from vault.inspection.content import Content
from vault.inspection.inspector import NO, SURE
from vault.inspection.markup import local, read_markup, root_of
from vault.inspection.periods import Periods

_ROOT = ("urn:hl7-org:v3", "ClinicalDocument")


class Cda:
    """Reads a document to its end: well-formed, of the type, dated."""

    kind = "cda"
    version = "1"

    def recognises(self, head: bytes, name: bytes) -> int:
        """Be sure of the root in its namespace."""
        return SURE if root_of(head) == _ROOT else NO

    def inspect(self, content: Content) -> Finding:
        """Read the document to its end."""
        reading = _Reading()
        remarks = read_markup(content, reading)
        if not remarks and not reading.is_typed:
            remarks.append(doubt("cda-type", "it does not say that it is a CDA r2 document"))
        if not remarks and not reading.is_dated:
            remarks.append(doubt("cda-date", "it has no date of its own"))
        counts = {"documents": 1, "sections": reading.sections}
        return judged(self.kind, remarks, counts=counts, periods=reading.periods.told())


class _Reading:
    """What one pass over a document has seen."""

    def __init__(self) -> None:
        self.sections = self.depth = 0
        self.is_typed = self.is_dated = False
        self.periods = Periods()

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        """Take the start of an element."""
        self.depth += 1
        name = local(tag)
        if name == "section":
            self.sections += 1
        elif self.depth == 2 and name == "typeId":
            self.is_typed = attributes.get("extension") == "POCD_HD000040"
        # The document's own date; those deeper down belong to acts and people.
        elif self.depth == 2 and name == "effectiveTime":
            self.is_dated = self.periods.add(attributes.get("value", "")[:6])

    def end(self, tag: str) -> None:
        """Take its end."""
        self.depth -= 1
