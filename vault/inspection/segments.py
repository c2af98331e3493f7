"""Segments: the lines of HL7 and HPRIM, ended by CR, LF or both, as short or long as they are.

Rule 1: of a segment that goes on past a block its beginning is given; a document of many megabytes
    in the midst of one costs no memory.
Rule 2: the last one given is empty when the file ends with an end of segment.
"""

from __future__ import annotations

from collections.abc import Iterator

from vault.inspection.content import Content

KEPT_BYTES = 8 * 1024  # of a segment that one block does not hold: more than any header has
_ENDS = bytes.maketrans(b"\r\x0b\x1c", b"\n\n\n")


def segments(content: Content) -> Iterator[list[bytes]]:
    """Give the segments in order, many at a time; none is empty but the very last."""
    rest = b""
    for block in content.blocks():
        *whole, rest = (rest + block).translate(_ENDS).split(b"\n")
        if whole := [*filter(None, whole)]:
            yield whole
        if len(rest) > 2 * KEPT_BYTES:
            rest = rest[:KEPT_BYTES]
    yield [rest]
