"""PDF: from the header to the end mark, and the table of references where it says it is.

Rule 1: no page is rendered and no text taken; a page's content may be damaged unseen.
Source: ISO 32000-1, 7.5 (file structure).
"""

from __future__ import annotations

import os
import re

from vault.finding import Finding, doubt, fault, judged, note
from vault.inspection.content import Content
from vault.inspection.inspector import NO, SURE

_TAIL_BYTES = 2048
_HEAD = re.compile(rb"%PDF-(\d\.\d)")
_START = re.compile(rb"startxref\s+(\d{1,12})\s+%%EOF")
_TABLE = re.compile(rb"\s*(?:xref\s|\d+\s+\d+\s+obj)")


class Pdf:
    """Looks at the header, the end mark, and what it points to."""

    kind = "pdf"
    version = "1"

    def recognises(self, head: bytes, name: bytes) -> int:
        """Be sure of the header, within the first KiB."""
        return SURE if head.startswith(b"%PDF-") else SURE - 20 if b"%PDF-" in head[:1024] else NO

    def inspect(self, content: Content) -> Finding:
        """Look at both ends."""
        file = content.seekable()
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - _TAIL_BYTES))
        tail = file.read(_TAIL_BYTES)
        remarks = []
        header = content.head.find(b"%PDF-")
        if found := _HEAD.match(content.head, header):
            remarks.append(
                note("pdf-version", "version {version}", version=found.group(1).decode())
            )
        starts = _START.findall(tail)
        if b"%%EOF" not in tail:
            remarks.append(fault("pdf-cut", "it lacks its end mark: it was cut short"))
        elif not starts:
            remarks.append(doubt("pdf-start", "it does not say where its references are"))
        else:
            file.seek(min(size, header + int(starts[-1])))
            if not _TABLE.match(file.read(64)):
                remarks.append(doubt("pdf-table", "its references are not where it says"))
        return judged(self.kind, remarks, counts={"documents": 1})
