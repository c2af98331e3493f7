"""A text as a QR code: in the terminal, or as a picture.

Rule 1: the code holds the text itself, byte for byte: any reader gives back what was signed.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from vault.errors import UsageError

if TYPE_CHECKING:
    from segno import QRCode

_MOST_BYTES = 2900  # what the largest code of the lowest correction holds, less its head
PICTURES = (".svg", ".png")


def in_terminal(text: bytes) -> str:
    """Give the code as half blocks, dark on light whatever the terminal's colours."""
    out = io.StringIO()
    _make(text).terminal(out, compact=True)
    return out.getvalue().rstrip("\n")


def as_picture(text: bytes, kind: str) -> bytes:
    """Give the code as the bytes of an SVG or PNG file; ``kind`` is the file's ending."""
    out = io.BytesIO()
    _make(text).save(out, kind=kind.removeprefix("."), scale=6)
    return out.getvalue()


def _make(text: bytes) -> QRCode:
    import segno

    if len(text) > _MOST_BYTES:
        raise UsageError(
            "{count} bytes are too many for one QR code",
            count=len(text),
            hint="carry the file instead?",
        )
    return segno.make_qr(text, error="l", mode="byte", boost_error=True)
