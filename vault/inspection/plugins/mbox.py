"""mbox: messages of a mailbox, one after another.

Rule 1: messages are counted; no address, subject or body is taken.
Rule 2: the format has no end mark: a mailbox that was cut short is found only when its last line
    has no end.
Source: RFC 4155.
"""

from __future__ import annotations

import re

from vault.finding import Finding, doubt, judged
from vault.inspection.content import Content
from vault.inspection.inspector import NO, SURE
from vault.inspection.periods import Periods

_FROM = re.compile(rb"From \S+ +.*?(\d{4})(?: [+-]\d{4})?\r?\n")
_LONGEST_LINE_BYTES = 16 * 1024**2


class Mbox:
    """Counts the lines that begin a message."""

    kind = "mbox"
    version = "1"

    def recognises(self, head: bytes, name: bytes) -> int:
        """Be all but sure of a first line with a year at its end."""
        return SURE - 10 if _FROM.match(head[:1024]) else NO

    def inspect(self, content: Content) -> Finding:
        """Read every line."""
        messages, was_blank, line = 0, True, b"\n"
        periods = Periods()
        for line in content.lines(_LONGEST_LINE_BYTES):
            if was_blank and line.startswith(b"From ") and (found := _FROM.match(line[:1024])):
                messages += 1
                periods.add(found.group(1).decode())
            was_blank = line in (b"\n", b"\r\n")
        remarks = []
        if not line.endswith(b"\n"):
            remarks.append(doubt("mbox-cut", "its last line has no end: it may be cut short"))
        return judged(self.kind, remarks, counts={"messages": messages}, periods=periods.told())
