"""What the first bytes of a file say it is: one word.

Rule 1: a word says what the bytes claim, not that the file is sound.
Rule 2: the first mark of the table that fits decides; a text is told by its bytes, last.
Source: the specifications of each format; ``file`` of the Fine Free File Command for the marks.
"""

from __future__ import annotations

# Offset, mark, word.
_MARKS = (
    (128, b"DICM", "dicom"),  # first: a preamble may be that of a TIFF
    (0, b"PK\x03\x04", "zip"),
    (0, b"PK\x05\x06", "zip"),
    (0, b"PK\x07\x08", "zip"),
    (0, b"\x1f\x8b", "gzip"),
    (0, b"BZh", "bzip2"),
    (0, b"\xfd7zXZ\0", "xz"),
    (0, b"\x28\xb5\x2f\xfd", "zstd"),
    (0, b"7z\xbc\xaf\x27\x1c", "7z"),
    (0, b"Rar!\x1a\x07", "rar"),
    (257, b"ustar", "tar"),
    (0, b"%PDF-", "pdf"),
    (0, b"SQLite format 3\0", "sqlite"),
    (0, b"PGDMP", "pgdump"),
    (0, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "ole"),
    (0, b"\x89PNG\r\n\x1a\n", "png"),
    (0, b"\xff\xd8\xff", "jpeg"),
    (0, b"GIF8", "gif"),
    (0, b"II*\0", "tiff"),
    (0, b"MM\0*", "tiff"),
    (4, b"ftyp", "mp4"),
    (0, b"\x7fELF", "elf"),
    (0, b"MZ", "exe"),
    (0, b"{\\rtf", "rtf"),
    (0, b"\xff\xfe", "utf16"),
    (0, b"\xfe\xff", "utf16"),
)
_TEXT = frozenset(("text", "xml", "json", "utf16", "rtf"))
# What a name promises of the first bytes; names that are used for several things are left out.
_PROMISED = {
    **dict.fromkeys((b".zip", b".xlsx", b".docx", b".pptx", b".odt", b".ods"), frozenset(("zip",))),
    **dict.fromkeys((b".gz", b".tgz"), frozenset(("gzip",))),
    **dict.fromkeys((b".jpg", b".jpeg"), frozenset(("jpeg",))),
    **dict.fromkeys((b".tif", b".tiff"), frozenset(("tiff",))),
    **dict.fromkeys((b".txt", b".csv", b".xml", b".json", b".ndjson", b".hl7", b".er7"), _TEXT),
    **dict.fromkeys((b".dsn", b".ldif", b".sql", b".ics", b".hpr", b".hpm"), _TEXT),
    b".bz2": frozenset(("bzip2",)),
    b".xz": frozenset(("xz",)),
    b".zst": frozenset(("zstd",)),
    b".7z": frozenset(("7z",)),
    b".pdf": frozenset(("pdf",)),
    b".png": frozenset(("png",)),
    b".dcm": frozenset(("dicom",)),
}
_BOM = b"\xef\xbb\xbf"
# Control characters that no text has; ESC, FF, VT and the separators of HL7 are borne.
_NOT_TEXT = bytes(set(range(32)) - {9, 10, 11, 12, 13, 26, 27, 28, 29, 30}) + b"\x7f"


def magic_of(first: bytes) -> str:
    """Give the word for the first bytes (512 suffice); "" when they say nothing."""
    for at, mark, word in _MARKS:
        if first.startswith(mark, at):
            return word
    text = first.removeprefix(_BOM).lstrip()
    if text.startswith(b"<?xml"):
        return "xml"
    if text[:1] in (b"{", b"[") and text[1:].lstrip()[:1] in (b'"', b"{", b"[", b"}", b"]"):
        return "json"
    if text and len(first) == len(first.translate(None, _NOT_TEXT)):
        return "text" if is_mostly_ascii(first) else ""
    return ""


def is_other_than_named(first: bytes, name: bytes) -> bool:
    """Say whether a name promises other first bytes than these; an empty file breaks no promise."""
    suffix = name[name.rfind(b".") :].lower() if b"." in name else b""
    promised = _PROMISED.get(suffix)
    return bool(first) and promised is not None and magic_of(first) not in promised


def is_mostly_ascii(first: bytes) -> bool:
    """Say whether nine bytes in ten are ASCII: French in any encoding is, noise is not."""
    return sum(byte < 128 for byte in first) * 10 >= 9 * len(first)
