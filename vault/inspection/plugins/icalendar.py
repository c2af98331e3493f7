"""iCalendar: appointments and rosters, as agendas export them.

Rule 1: components are counted and paired; of an event its month is taken, nothing else.
Source: RFC 5545.
"""

from __future__ import annotations

import re

from vault.finding import Finding, doubt, fault, judged
from vault.inspection.content import Content
from vault.inspection.inspector import NO, SURE
from vault.inspection.periods import Periods

_BEGIN = re.compile(rb"(?:\xef\xbb\xbf)?\s*BEGIN:VCALENDAR\s", re.I)
_START = re.compile(rb"DTSTART[^:]*:(\d{6})")
_COUNTED = {b"VEVENT": "events", b"VTODO": "tasks", b"VCALENDAR": "calendars"}
_DEEPEST = 32


class ICalendar:
    """Counts events, and sees that what begins ends."""

    kind = "icalendar"
    version = "1"

    def recognises(self, head: bytes, name: bytes) -> int:
        """Be sure of the line that begins a calendar."""
        return SURE if _BEGIN.match(head) else NO

    def inspect(self, content: Content) -> Finding:
        """Read every line."""
        counts = dict.fromkeys(_COUNTED.values(), 0)
        is_open: list[bytes] = []
        periods, odd = Periods(), 0
        for line in content.lines():
            text = line.removeprefix(b"\xef\xbb\xbf").strip().upper()
            word, _, value = text.partition(b":")
            if word == b"BEGIN":
                is_open.append(value[:32])
                if unit := _COUNTED.get(value):
                    counts[unit] += 1
                if len(is_open) > _DEEPEST:
                    odd += 1
                    break
            elif word == b"END":
                odd += not is_open or is_open.pop() != value[:32]
            elif is_open[-1:] == [b"VEVENT"] and (found := _START.match(text)):
                periods.add(found.group(1).decode())
        remarks = []
        if odd:
            remarks.append(fault("ical-pairs", "what begins and what ends do not pair"))
        elif is_open:
            remarks.append(fault("ical-cut", "a calendar has no end: it was cut short"))
        if periods.refused:
            remarks.append(doubt("ical-date", "some events have no date"))
        return judged(self.kind, remarks, counts=counts, periods=periods.told())
