"""HL7 v2: messages one after another, in batches or not.

Rule 1: a segment is cut out as bytes; only the header of a message is looked into, and of it the
    time, the type and the version.
Rule 2: batches say how many messages they hold, files how many batches: a difference is damage.
Rule 3: a document in a segment may be of any length: its middle is passed over.
Source: HL7 v2.x chapter 2; MSH-7 time, MSH-9 type, MSH-12 version; BTS-1, FTS-1.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from operator import itemgetter

from vault.finding import Finding, Remark, doubt, fault, judged, note, token
from vault.inspection.content import Content
from vault.inspection.inspector import NO, SURE
from vault.inspection.periods import Periods
from vault.inspection.segments import segments

_BEGIN = re.compile(rb"[\x0b\s]*(MSH|FHS|BHS)([!-/:-@\[-`{-~])[!-/:-@\[-`{-~]{2,5}\2")
_SEGMENT = re.compile(rb"[A-Z][A-Z0-9]{2}\W")
# Three letters may be somebody's initials: types that the standard does not have are "other".
_TYPES = frozenset((
    "ACK", "ADT", "BAR", "CRM", "DFT", "DSR", "MDM", "MFK", "MFN", "OMB", "OMD", "OMG", "OMI",
    "OML", "OMN", "OMP", "OMQ", "OMS", "ORB", "ORD", "ORG", "ORI", "ORL", "ORM", "ORN", "ORP",
    "ORR", "ORS", "ORU", "OSM", "OUL", "PGL", "PMU", "PPR", "PRR", "QBP", "QRY", "QVR", "RAR",
    "RAS", "RDE", "RDS", "REF", "RGV", "ROR", "RPA", "RPI", "RQA", "RQI", "RRA", "RRD", "RRE",
    "RRG", "RRI", "RSP", "SIU", "SQM", "SRM", "SRR", "SUR", "VXU", "VXR",
))  # fmt: skip
_VERSION = re.compile(rb"2\.\d(\.\d)?")
_HEADERS = (b"MSH", b"FHS", b"BHS", b"BTS", b"FTS")
_BOM = b"\xef\xbb\xbf"
_head_of = itemgetter(slice(0, 4))


class Hl7v2:
    """Counts messages by type, and compares batches with their counts."""

    kind = "hl7v2"
    version = "1"

    def recognises(self, head: bytes, name: bytes) -> int:
        """Be sure of a header segment that names its separators."""
        return SURE if _BEGIN.match(head.removeprefix(b"\xef\xbb\xbf")) else NO

    def inspect(self, content: Content) -> Finding:
        """Read every segment's beginning."""
        reading = _Reading()
        for some in segments(content):
            reading.take(some)
        counts = {"messages": reading.messages, "segments": reading.segments, **reading.types}
        return judged(self.kind, reading.remarks(), counts=counts, periods=reading.periods.told())


class _Reading:
    """What one pass over a file of messages has seen."""

    def __init__(self) -> None:
        self.messages = self.segments = 0
        self.types: dict[str, int] = {}
        self.periods = Periods()
        self._versions: set[str] = set()
        self._in_batch = self._batches = 0
        self._is_batch = self._is_file = False
        self._wrong = self._alien = 0
        self._is_ended = True

    def take(self, some: Sequence[bytes]) -> None:
        """Take segments; only headers and what ends a batch are looked into."""
        self._is_ended = not some[-1]
        if self._is_ended:
            return
        heads = Counter(map(_head_of, some))
        if any(head.startswith(_BOM) for head in heads):
            some = [segment.removeprefix(_BOM) for segment in some]
            heads = Counter(map(_head_of, some))
        self.segments += len(some)
        alien = {head for head in heads if not _SEGMENT.match(head)}
        self._alien += sum(heads[head] for head in alien)
        headers = {head for head in heads if head.startswith(_HEADERS)} - alien
        if len(headers) == 1 and min(headers).startswith(b"MSH"):
            self._take_messages([one for one in some if one.startswith(min(headers))])
        elif headers:
            for segment in some:
                if segment.startswith(_HEADERS) and segment[:4] not in alien:
                    self._take_header(segment)

    def _take_header(self, segment: bytes) -> None:
        name = segment[:3]
        if name == b"MSH":
            self._take_messages([segment])
        elif name == b"FHS":
            self._is_file, self._batches = True, 0
        elif name == b"BHS":
            self._is_batch, self._in_batch = True, 0
            self._batches += 1
        elif name == b"BTS":
            self._is_batch = False
            self._compare(segment, self._in_batch)
        elif name == b"FTS":
            self._is_file = False
            self._compare(segment, self._batches)

    def _take_messages(self, headers: Sequence[bytes]) -> None:
        """Take headers that separate alike: most of a file say the same."""
        self.messages += len(headers)
        self._in_batch += len(headers)
        separator = headers[0][3:4]
        cut = [header.split(separator, 12) for header in headers]
        said = Counter((_at(one, 6)[:6], one[1][:1], _at(one, 8), _at(one, 11)) for one in cut)
        for (month, between, kind, version), count in said.items():
            self.periods.add(month.decode("latin-1"))
            word = kind.partition(between or b"^")[0].decode("latin-1")
            told = word if word in _TYPES else "other"
            self.types[told] = self.types.get(told, 0) + count
            if (found := _VERSION.match(version)) and len(self._versions) < 5:
                self._versions.add(found.group().decode("ascii"))

    def _compare(self, segment: bytes, held: int) -> None:
        declared = segment[4:].split(segment[3:4])[0].strip()
        if declared and declared != b"%d" % held:
            self._wrong += 1

    def remarks(self) -> list[Remark]:
        """Say what is wrong with the file."""
        remarks = [
            note("hl7-version", "version {version}", version=token(one))
            for one in sorted(self._versions)
        ]
        if self._wrong:
            remarks.append(
                fault(
                    "hl7-batch",
                    "{count} batches hold another number of messages than they declare",
                    count=self._wrong,
                )
            )
        if self._is_batch or self._is_file:
            remarks.append(fault("hl7-cut", "a batch has no end: it was cut short"))
        if not self._is_ended:
            remarks.append(doubt("hl7-end", "its last segment has no end: it may be cut short"))
        if self._alien:
            remarks.append(doubt("hl7-segment", "{count} lines are no segments", count=self._alien))
        return remarks


def _at(fields: Sequence[bytes], number: int) -> bytes:
    return fields[number] if len(fields) > number else b""
