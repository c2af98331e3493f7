"""HPRIM Santé and HPRIM Médecin: results that laboratories send to whoever asked for them.

Rule 1: each ends with a line of its own, which a file that was cut short lacks.
Rule 2: patients, tests and results are counted and never looked into.
Source: HPRIM Santé 2.x (``H|`` to ``L|``), HPRIM Médecin (``****FIN****``,
    ``****FINFICHIER****``).
"""

from __future__ import annotations

import re
from collections import Counter
from operator import itemgetter, methodcaller

from vault.finding import Finding, doubt, fault, judged, note, token
from vault.inspection.content import Content
from vault.inspection.inspector import LIKELY, NO, SURE, WEAK
from vault.inspection.periods import Periods
from vault.inspection.segments import segments

_BEGIN = re.compile(rb"H\|[~^\\&]{3,5}\|")
_SEGMENT = re.compile(rb"(?:OBR|OBX|FAC|ACT|REG|AP|AC|ERR|[A-Z])\|")
_VERSION = re.compile(rb"H\d\.\d")
_UNITS = {b"H|": "messages", b"P|": "patients", b"OB": "requests"}
_PADDING = b"\x1a "
_head_of = itemgetter(slice(0, 4))
_strip = methodcaller("strip", _PADDING)
_END, _END_OF_FILE, _LABORATORY = b"****FIN****", b"****FINFICHIER****", b"****LAB****"


class HprimSante:
    """Counts patients and results from the header to the line that ends the file."""

    kind = "hprim-sante"
    version = "1"

    def recognises(self, head: bytes, name: bytes) -> int:
        """Be sure of a header segment with its separators."""
        return SURE if _BEGIN.match(head) else NO

    def inspect(self, content: Content) -> Finding:
        """Read every line."""
        counts = {"messages": 0, "patients": 0, "requests": 0, "results": 0}
        periods, versions, alien, last = Periods(), set(), 0, b""
        for some in segments(content):
            heads = Counter(map(_head_of, some))
            if any(head[:1] in (b"", b"\x1a", b" ") for head in heads):
                some = [*filter(None, map(_strip, some))]
                heads = Counter(map(_head_of, some))
            for head, count in heads.items():
                unit = "results" if head.startswith(b"OBX") else _UNITS.get(head[:2])
                if unit:
                    counts[unit] += count
                alien += count * (not _SEGMENT.match(head))
            if any(head.startswith(b"H|") for head in heads):
                for version, month in Counter(
                    _said_in(text) for text in some if text.startswith(b"H|")
                ):
                    periods.add(month.decode("latin-1"))
                    found = _VERSION.match(version)
                    versions.add(found.group().decode("ascii") if found else "?")
            last = _strip(some[-1]) if some else last
        remarks = [
            note("hprim-version", "version {version}", version=token(one))
            for one in sorted(versions)
        ]
        if not last.startswith(b"L|"):
            remarks.append(fault("hprim-cut", "it lacks the line that ends it: it was cut short"))
        if alien:
            remarks.append(doubt("hprim-line", "{count} lines are no segments", count=alien))
        return judged(self.kind, remarks, counts=counts, periods=periods.told())


def _said_in(header: bytes) -> tuple[bytes, bytes]:
    """Give version and month as a header says them; blank what it lacks."""
    fields = header.split(b"|", 14)
    return (
        fields[12] if len(fields) > 12 else b"",
        fields[13][:6] if len(fields) > 13 else b"",
    )


class HprimMedecin:
    """Counts the records of a file that ends with a line that says so."""

    kind = "hprim-medecin"
    version = "1"

    def recognises(self, head: bytes, name: bytes) -> int:
        """Be sure of its end marks, a little of its suffixes."""
        is_text = b"\0" not in head
        if is_text and any(mark in head for mark in (_END, _END_OF_FILE, _LABORATORY)):
            return SURE - 5
        is_text = is_text and head.count(b"\n") >= 12
        named = name.lower().endswith((b".hpm", b".hpr"))
        return (LIKELY if named else NO) if is_text else WEAK if named and head else NO

    def inspect(self, content: Content) -> Finding:
        """Look for the end of each record and of the file."""
        counts = {"records": 0, "results": 0}
        last = b""
        for some in segments(content):
            texts = [*filter(None, map(_strip, some))]
            last = texts[-1] if texts else last
            counts["records"] += texts.count(_END)
            counts["results"] += sum(text.startswith((b"RES|", b"TEX|")) for text in texts)
        remarks = []
        if last != _END_OF_FILE:
            remarks.append(fault("hprim-cut", "it lacks the line that ends it: it was cut short"))
        return judged(self.kind, remarks, counts=counts)
