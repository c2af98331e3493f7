"""DICOM: images, radiotherapy plans, reports and DICOMDIR.

Rule 1: the header is read by pydicom without its pixels, when it is not of too many elements;
    large values are passed over.
Rule 2: where the last element ends is compared with where the file does: pixels that were cut
    short are found without being loaded.
Rule 3: of the header the class, the modality and the study's month are taken; nothing of the
    patient.
Source: DICOM PS3.5 (encoding), PS3.10 (files); pydicom for the header;
    decision 0017.
"""

from __future__ import annotations

import logging
import os
import struct
import warnings
import zlib
from typing import IO, TYPE_CHECKING

from vault.finding import Finding, Remark, doubt, fault, judged
from vault.inspection.budget import OverBudget
from vault.inspection.content import BLOCK_BYTES, Content
from vault.inspection.inspector import LIKELY, NO, SURE
from vault.inspection.periods import Periods

if TYPE_CHECKING:
    from pydicom import Dataset

_DEFER_BYTES = 64 * 1024
_DEEPEST = 32
_PIXELS = ((0x7FE0, 0x0008), (0x7FE0, 0x0009), (0x7FE0, 0x0010))
_ITEM, _ITEM_END, _SEQUENCE_END = (0xFFFE, 0xE000), (0xFFFE, 0xE00D), (0xFFFE, 0xE0DD)
_UNDEFINED = 0xFFFFFFFF
_LONG = frozenset((b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR",
                   b"UT", b"UV"))  # fmt: skip
_DEFLATED = b"1.2.840.10008.1.2.1.99"
_DIRECTORY = b"1.2.840.10008.1.3.10"
_RECORDS = (0x0004, 0x1220)  # of a DICOMDIR: many, and only counted
_BIG_ENDIAN = b"1.2.840.10008.1.2.2\0"
_MOST_ELEMENTS = 500_000  # of a header: pydicom holds each of them
_MODALITIES = frozenset((
    "AU", "BI", "CR", "CT", "DOC", "DX", "ECG", "EPS", "ES", "GM", "HC", "HD", "IO", "IVUS", "KO",
    "LS", "MG", "MR", "NM", "OCT", "OP", "OT", "PLAN", "PR", "PT", "PX", "REG", "RF", "RG",
    "RTDOSE", "RTIMAGE", "RTPLAN", "RTRECORD", "RTSTRUCT", "SC", "SEG", "SM", "SMR", "SR", "US",
    "XA", "XC",
))  # fmt: skip


class Dicom:
    """Reads the header, and proves that the file holds all that it announces."""

    kind = "dicom"
    version = "1"

    def recognises(self, head: bytes, name: bytes) -> int:
        """Be sure of the mark behind the preamble, likely of a first element of group 8."""
        if head[128:132] == b"DICM":
            return SURE
        named = name.lower().endswith((b".dcm", b".dicom"))
        starts = head[:4] in (b"\x08\0\x05\0", b"\0\x08\0\x05", b"\x08\0\0\0", b"\x08\0\x08\0")
        return LIKELY + 20 * named if starts else NO

    def inspect(self, content: Content) -> Finding:
        """Walk to the end, then read the header."""
        from pydicom import dcmread

        _hush()
        file = content.seekable()
        has_preamble = content.head[128:132] == b"DICM"
        if has_preamble and (wrong := _deflated(file, content.head)) is not None:
            return judged(self.kind, wrong, counts={"objects": 1})
        begins_at = _after_meta(content.head) if has_preamble else 0
        try:
            walk = _Walk(file, begins_at, _order_of(content.head, begins_at))
            if not walk.is_whole():
                return judged(self.kind, [_cut()], counts={"objects": 1})
            if _DIRECTORY in content.head[132:begins_at]:
                counts = {"directories": 1, "directory records": walk.records}
                return judged(self.kind, counts=counts)
            file.seek(0)
            dataset = dcmread(
                file,
                stop_before_pixels=True,
                force=not has_preamble,
                # What is passed over could not be read later: there is no name to open it by.
                defer_size=_DEFER_BYTES,
            )
        except (EOFError, struct.error):
            return judged(self.kind, [_cut()], counts={"objects": 1})
        except _NotAnItem:
            return judged(self.kind, [_broken()], counts={"objects": 1})
        return _object(self.kind, dataset, has_pixels=walk.has_pixels)


def _order_of(head: bytes, begins_at: int) -> str:
    """Give the order of bytes, as ``struct`` writes it."""
    is_big = _BIG_ENDIAN in head[132:begins_at] if begins_at else head.startswith(b"\0\x08")
    return ">" if is_big else "<"


class _NotAnItem(Exception):
    """Something else stands where an item of a sequence must."""


def _broken() -> Remark:
    return fault("dicom-broken", "what it holds is damaged")


def _cut() -> Remark:
    return fault("dicom-cut", "it ends before its last element does: it was cut short")


def _object(kind: str, dataset: Dataset, *, has_pixels: bool) -> Finding:
    remarks, periods = [], Periods()
    modality = str(dataset.get("Modality", "")).strip()
    counts = {"objects": 1, modality if modality in _MODALITIES else "other": 1}
    if "SOPClassUID" not in dataset:
        remarks.append(doubt("dicom-class", "it does not say what it is"))
    for name in ("StudyDate", "AcquisitionDate", "RTPlanDate"):
        if date := str(dataset.get(name, "") or ""):
            periods.add(date[:7] if "-" in date else date[:6])
            break
    if "Rows" in dataset:
        counts["frames"] = _frames(dataset)
        if not has_pixels:
            remarks.append(doubt("dicom-pixels", "an image without pixels: it may be cut short"))
    return judged(kind, remarks, counts=counts, periods=periods.told())


def _frames(dataset: Dataset) -> int:
    try:
        return max(1, int(dataset.get("NumberOfFrames") or 1))
    except (TypeError, ValueError):
        return 1


def _deflated(file: IO[bytes], head: bytes) -> list[Remark] | None:
    """Inflate a deflated data set without keeping it; None when it is not deflated."""
    begins_at = _after_meta(head)
    if _DEFLATED not in head[132:begins_at]:
        return None
    file.seek(begins_at)
    inflate = zlib.decompressobj(-15)
    try:
        while not inflate.eof and (block := inflate.unconsumed_tail or file.read(BLOCK_BYTES)):
            inflate.decompress(block, BLOCK_BYTES)
    except zlib.error:
        return [_broken()]
    return [] if inflate.eof else [_cut()]


def _after_meta(head: bytes) -> int:
    """Give where the data set begins: behind the elements of group 2, explicit little endian."""
    at = 132
    while head[at : at + 2] == b"\2\0" and at + 12 <= len(head):
        if head[at + 4 : at + 6] in _LONG:
            at += 12 + int.from_bytes(head[at + 8 : at + 12], "little")
        else:
            at += 8 + int.from_bytes(head[at + 6 : at + 8], "little")
    return at


def _hush() -> None:
    """Keep pydicom from telling anyone what it read: its warnings quote values."""
    logging.getLogger("pydicom").disabled = True
    warnings.filterwarnings("ignore", module=r"pydicom(\..*)?")


class _Walk:
    """Walks over the elements of a file by their lengths, and says whether it ends where it must.

    The bytes of a value are never read.
    """

    def __init__(self, file: IO[bytes], begins_at: int, order: str) -> None:
        self._file, self._begins_at, self._order = file, begins_at, order
        file.seek(begins_at)
        # What the file says of itself and what it does differ in the wild: the first element tells.
        self._is_implicit = not file.read(6)[4:].isalpha()
        self._size = file.seek(0, os.SEEK_END)
        self.has_pixels = False
        self.records = 0  # of a DICOMDIR
        self._elements = 0

    def is_whole(self) -> bool:
        """Walk from the first element to the end of the file."""
        self._file.seek(self._begins_at)
        return self._items(until=None) and self._file.tell() == self._size

    def _items(self, until: tuple[int, int] | None, depth: int = 0) -> bool:
        """Walk elements until a delimiter, or the end of the file; False when it comes early."""
        if depth > _DEEPEST:
            raise ValueError("nested too deeply")
        while self._file.tell() < self._size:
            element = self._element()
            if element is None:
                return False
            tag, kind, length = element
            if tag == until:
                return True
            self.has_pixels |= depth == 0 and tag in _PIXELS
            if tag == _RECORDS and depth == 0:
                if not self._records(length):
                    return False
                continue
            self._elements += 1
            if self._elements > _MOST_ELEMENTS:
                raise OverBudget("elements")
            if length == _UNDEFINED:
                if not self._unknown_or_sequence(kind, depth + 1):
                    return False
            elif self._file.seek(length, os.SEEK_CUR) > self._size:
                return False
        return until is None

    def _records(self, length: int) -> bool:
        """Count the items of a directory; where it ends its own length says, when it has one."""
        if length == _UNDEFINED:
            return self._sequence(1, are_records=True)
        ends_at = self._file.tell() + length
        while self._file.tell() < min(ends_at, self._size):
            head = self._file.read(8)
            if len(head) < 8:
                return False
            self._begin_record()
            told = struct.unpack(self._order + "HHI", head)[2]
            if told != _UNDEFINED:
                self._file.seek(told, os.SEEK_CUR)
            elif not self._items(until=_ITEM_END, depth=1):
                return False
        return self._file.seek(ends_at) <= self._size

    def _begin_record(self) -> None:
        self.records += 1
        self._elements = 0  # nothing is held of a record

    def _unknown_or_sequence(self, kind: bytes, depth: int) -> bool:
        """Walk a sequence; what is of no known kind is implicit inside, whatever is around it."""
        before = self._is_implicit
        self._is_implicit = before or kind == b"UN"
        is_whole = self._sequence(depth)
        self._is_implicit = before
        return is_whole

    def _sequence(self, depth: int, *, are_records: bool = False) -> bool:
        """Walk the items of a sequence of undefined length, or the fragments of pixels."""
        while True:
            head = self._file.read(8)
            if len(head) < 8:
                return False
            group, element, length = struct.unpack(self._order + "HHI", head)
            if (group, element) == _SEQUENCE_END:
                return True
            if (group, element) != _ITEM:
                raise _NotAnItem
            if are_records:
                self._begin_record()
            if length == _UNDEFINED:
                if not self._items(until=_ITEM_END, depth=depth):
                    return False
            elif self._file.seek(length, os.SEEK_CUR) > self._size:
                return False

    def _element(self) -> tuple[tuple[int, int], bytes, int] | None:
        """Read tag, kind and length of the next element; None when the file ends in them."""
        head = self._file.read(8)
        if len(head) < 8:
            return None
        group, element = struct.unpack(self._order + "HH", head[:4])
        tag, kind, told = (group, element), head[4:6], head[6:]
        if self._is_implicit or group == 0xFFFE:
            return tag, b"", struct.unpack(self._order + "I", head[4:])[0]
        if kind not in _LONG:
            return tag, kind, struct.unpack(self._order + "H", told)[0]
        length = self._file.read(4)
        if len(length) < 4:
            return None
        return tag, kind, struct.unpack(self._order + "I", length)[0]
