"""Habits of exports in the wild that are no fault: each stays what it is, and sound."""

from __future__ import annotations

import gzip
from collections.abc import Callable

import pytest

from tests.inspection import specimens
from tests.inspection.test_contract import look
from vault.finding import Soundness

_BOM = b"\xef\xbb\xbf"
_EMPTY_ZIP = b"PK\x05\x06" + bytes(18)


def _padded_fec() -> bytes:
    """Pipes, padding, a trailing separator, four further columns, a BOM, CR CR LF."""
    lines = specimens.fec().replace(b"\t", b" |").split(b"\r\n")[:-1]
    more = [lines[0] + b"|DateRglt|ModeRglt|NatOp|IdClient|"]
    more += [line + b"|||||" for line in lines[1:]]
    return _BOM + b"\r\r\n".join(more) + b"\r\r\n"


HABITS: tuple[tuple[str, str, str, Callable[[], bytes]], ...] = (
    ("dsn", "LF", "paie", lambda: specimens.dsn().replace(b"\r\n", b"\n")),
    ("dsn", "no last end of line", "paie", lambda: specimens.dsn().rstrip()),
    ("fec", "padded", "000000000FEC20241231.txt", _padded_fec),
    ("csv", "UTF-16", "a.csv", lambda: specimens.csv().decode("cp1252").encode("utf-16")),
    ("csv", "BOM", "a.csv", lambda: _BOM + specimens.csv().decode("cp1252").encode()),
    ("csv", "no last end of line", "a.csv", lambda: specimens.csv().rstrip()),
    ("csv", "cells of several lines", "a.csv", lambda: b'a;b\r\n1;"x\r\ny;""z"""\r\n2;3\r\n' * 9),
    ("csv", "commas and tabs", "a.csv", lambda: b"a,b\tc\n1,2\t3\n" * 9),
    ("hl7v2", "MLLP", "m", lambda: b"\x0b" + specimens.hl7() + b"\x1c\r"),
    ("hl7v2", "LF", "m", lambda: specimens.hl7().replace(b"\r", b"\n")),
    ("hl7v2", "CR LF", "m", lambda: specimens.hl7().replace(b"\r", b"\r\n")),
    ("hl7v2", "a large document in a segment", "m",
     lambda: specimens.hl7() + b"OBX|1|ED|PDF||" + b"QUJD" * 2_000_000 + b"\r"),
    ("fhir-ndjson", "no last end of line", "a.ndjson", lambda: specimens.fhir().rstrip()),
    ("fhir-ndjson", "blank lines", "a.ndjson",
     lambda: specimens.fhir().replace(b"\n", b"\r\n\r\n")),
    ("pes", "BOM", "a.xml", lambda: _BOM + specimens.pes().replace(b"ISO-8859-1", b"UTF-8")),
    ("pes", "another prefix", "a.xml", lambda: specimens.pes().replace(
        b"n:PES_Aller", b"pes:PES_Aller").replace(b"xmlns:n=", b"xmlns:pes=")),
    ("cda", "stylesheet and comment", "a.xml", lambda: specimens.cda().replace(
        b"?>\n", b'?>\n<?xml-stylesheet href="a>b.xsl"?><!-- a > b -->\n', 1)),
    ("zip", "empty", "a.zip", lambda: _EMPTY_ZIP),
    ("gzip", "tar inside", "a.tgz", lambda: gzip.compress(specimens.tar())),
    ("gzip", "two streams", "a.gz", lambda: gzip.compress(b"a") + gzip.compress(b"b")),
    ("pdf", "bytes after the end", "a.pdf", lambda: specimens.pdf() + b"\r\n\0\0"),
    ("icalendar", "folded lines", "a.ics",
     lambda: specimens.icalendar().replace(b"SUMMARY:", b"SUMMARY:a\r\n b")),
    ("ldif", "folded lines", "a.ldif", lambda: specimens.ldif().replace(b"cn: ", b"cn: a\n ")),
)  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "what", "name", "make"), HABITS, ids=[f"{row[0]}-{row[1]}" for row in HABITS]
)
def test_habit_is_no_fault(kind: str, what: str, name: str, make: Callable[[], bytes]) -> None:
    """As what it is recognised, and nothing of it is to be looked at."""
    finding = look(make(), name)
    assert (finding.kind, finding.soundness) == (kind, Soundness.SOUND), finding.remarks
