"""LDIF: entries of a directory.

Rule 1: entries are counted; no name and no attribute is taken.
Source: RFC 2849; ``# numEntries:`` as ldapsearch writes it.
"""

from __future__ import annotations

import re

from vault.finding import Finding, doubt, fault, judged
from vault.inspection.content import Content
from vault.inspection.inspector import LIKELY, NO, SURE

_BEGIN = re.compile(rb"(?:\xef\xbb\xbf)?(?:(?:#[^\n]*|version: ?\d+)?\r?\n| )*dn::? ?\S", re.ASCII)
_VERSION = re.compile(rb"(?:\xef\xbb\xbf)?version: ?1\r?\n")
_LINE = re.compile(rb"[A-Za-z0-9][A-Za-z0-9.;_-]*:|[ #-]")
_DECLARED = re.compile(rb"# numEntries: (\d{1,9})\s*")
_LONGEST_LINE_BYTES = 16 * 1024**2


class Ldif:
    """Counts entries, and compares them with the count that ldapsearch leaves."""

    kind = "ldif"
    version = "1"

    def recognises(self, head: bytes, name: bytes) -> int:
        """Be sure of a version line or a first entry."""
        if _VERSION.match(head) or (_BEGIN.match(head[:8192]) and name.lower().endswith(b".ldif")):
            return SURE
        return LIKELY if _BEGIN.match(head[:8192]) else NO

    def inspect(self, content: Content) -> Finding:
        """Read every line."""
        entries, odd, declared, text = 0, 0, None, b"\n"
        for text, _ in content.texts(_LONGEST_LINE_BYTES):
            for line in text.split(b"\n"):
                if line.startswith((b"dn:", b"\xef\xbb\xbfdn:")):
                    entries += 1
                elif not _LINE.match(line):
                    bare = line.rstrip(b"\r").removeprefix(b"\xef\xbb\xbf")
                    odd += bool(bare) and not _LINE.match(bare)
                elif line[:1] == b"#" and (found := _DECLARED.fullmatch(line)):
                    declared = int(found.group(1))
        remarks = []
        if declared is not None and declared != entries:
            remarks.append(
                fault(
                    "ldif-entries",
                    "it declares {declared} entries and holds {held}",
                    declared=declared,
                    held=entries,
                )
            )
        if not text.endswith(b"\n"):
            remarks.append(doubt("ldif-cut", "its last line has no end: it may be cut short"))
        if odd:
            remarks.append(doubt("ldif-line", "{count} lines are no attributes", count=odd))
        return judged(self.kind, remarks, counts={"entries": entries})
