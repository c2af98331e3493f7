"""XLSX: workbooks, such as the frames of budgets and activity that are sent to the authorities.

Rule 1: sheets are counted by their parts; no cell, name of sheet or author is read.
Source: ECMA-376, Office Open XML.
"""

from __future__ import annotations

import zipfile
import zlib

from vault.finding import Finding, fault, judged
from vault.inspection.content import BLOCK_BYTES, Content
from vault.inspection.inspector import NO, SURE
from vault.inspection.zip_members import open_archive, open_member

_PARTS = b"[Content_Types].xml"
# RuntimeError: a password is asked for, or NotImplementedError: a method that no package has.
_DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, OSError, ValueError)
_WORKBOOK, _SHEETS = "xl/workbook.", "xl/worksheets/sheet"


class Xlsx:
    """Reads every part of the package to its end, and counts the sheets."""

    kind = "xlsx"
    version = "1"

    def recognises(self, head: bytes, name: bytes) -> int:
        """Be sure of a package with the parts of a workbook, or with its suffix."""
        if not head.startswith(b"PK\x03\x04"):
            return NO
        named = name.lower().endswith((b".xlsx", b".xlsm"))
        return SURE if named or (_PARTS in head[:4096] and b"xl/" in head) else NO

    def inspect(self, content: Content) -> Finding:
        """Compare every part with its checksum."""
        try:
            archive = open_archive(content)
        except (zipfile.BadZipFile, ValueError):
            return judged(self.kind, [fault("xlsx-cut", "its list of parts is missing: cut short")])
        broken = 0
        with archive:
            names = [info.filename for info in archive.infolist()]
            for info in archive.infolist():
                content.budget.enter(content.depth + 1)
                broken += not _is_sound(archive, info, content)
        remarks = []
        if broken:
            remarks.append(fault("xlsx-part", "{count} of its parts are damaged", count=broken))
        if not any(name.startswith(_WORKBOOK) for name in names):
            remarks.append(fault("xlsx-workbook", "it holds no workbook"))
        counts = {"sheets": sum(name.startswith(_SHEETS) for name in names)}
        return judged(self.kind, remarks, counts=counts)


def _is_sound(archive: zipfile.ZipFile, info: zipfile.ZipInfo, content: Content) -> bool:
    """Read a part to its end, within the budget."""
    so_far = 0
    try:
        with open_member(archive, info) as part:
            while block := part.read(BLOCK_BYTES):
                so_far += len(block)
                content.budget.unfold(len(block))
                content.budget.check_ratio(so_far, info.compress_size)
    except _DAMAGE:
        return False
    return True
