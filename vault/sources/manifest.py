"""The manifest of an export: path, size, time and SHA-256 of each file, as bytes on disk.

Rule 1: one JSON line an entry, sorted by the bytes of the path, so that the same entries are the
    same bytes on every host; compressed with zstd.
Rule 2: the identity is the SHA-256 of the bytes before compression.
Rule 3: what is read is bounded and believed only when every line is lawful and in order.
Source: zstandard for the frame; ``vault.names`` for ``path`` and ``path_b64``.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
from typing import IO, TYPE_CHECKING

import zstandard

from vault.errors import SourceError
from vault.names import from_json, to_json, unlawful
from vault.results import ManifestEntry

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

LIMIT_BYTES = 4 * 1024**3  # before compression: some twenty million entries
LINE_LIMIT_BYTES = 64 * 1024  # a path of 4095 bytes, every one escaped, and the rest
WINDOW_LIMIT_BYTES = 8 * 1024**2
_LEVEL = 3
_SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII)
_MEMBERS = frozenset({"size", "mtime_ns", "sha256"})


class ManifestError(SourceError):
    """A manifest cannot be believed: cut short, out of order, or not lawful."""

    reference = "manifest-invalid"


def lines_of(entries: Iterable[ManifestEntry]) -> Iterator[bytes]:
    """Give the lines of a manifest, in the order of the paths."""
    for entry in sorted(entries, key=lambda entry: entry.path):
        members: dict[str, object] = {
            **to_json(entry.path),
            "size": entry.size_bytes,
            "mtime_ns": entry.mtime_ns,
            "sha256": entry.sha256,
        }
        yield json.dumps(members, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def identity_of(entries: Iterable[ManifestEntry]) -> str:
    """Give the SHA-256 of the manifest's bytes before compression."""
    digest = hashlib.sha256()
    for line in lines_of(entries):
        digest.update(line)
    return digest.hexdigest()


def write_manifest(entries: Iterable[ManifestEntry], out: IO[bytes]) -> str:
    """Write a manifest, compressed; give its identity."""
    digest = hashlib.sha256()
    with zstandard.ZstdCompressor(level=_LEVEL).stream_writer(out, closefd=False) as writer:
        for line in lines_of(entries):
            digest.update(line)
            writer.write(line)
    return digest.hexdigest()


def read_manifest(
    content: bytes | IO[bytes], *, limit_bytes: int = LIMIT_BYTES
) -> tuple[ManifestEntry, ...]:
    """Read a compressed manifest, sorted by path; ManifestError when it cannot be believed."""
    source = io.BytesIO(content) if isinstance(content, bytes) else content
    entries: list[ManifestEntry] = []
    last = b""
    try:
        for line in _read_lines(source, limit_bytes):
            entry = _entry(line)
            if entries and entry.path <= last:
                raise ValueError("out of order")
            entries.append(entry)
            last = entry.path
    except (zstandard.ZstdError, ValueError, KeyError, TypeError, RecursionError, EOFError):
        raise ManifestError(
            "the manifest cannot be believed from its entry {number} on",
            hint="is the file damaged? move it away and the next run pulls the whole source again?",
            number=len(entries) + 1,
        ) from None
    return tuple(entries)


def _read_lines(source: IO[bytes], limit_bytes: int) -> Iterator[bytes]:
    """Decompress line by line; ValueError past a bound, EOFError when cut short."""
    decompressor = zstandard.ZstdDecompressor(max_window_size=WINDOW_LIMIT_BYTES).decompressobj()
    rest, seen_bytes = b"", 0
    # A small piece can grow a thousandfold: 16 KiB of input keeps one step's output bounded.
    while piece := source.read(16 * 1024):
        text = decompressor.decompress(piece)
        seen_bytes += len(text)
        *lines, rest = (rest + text).split(b"\n")
        if seen_bytes > limit_bytes or len(rest) > LINE_LIMIT_BYTES:
            raise ValueError("too large")
        yield from lines
        if decompressor.eof:
            break
    if not decompressor.eof or rest or decompressor.unused_data or source.read(1):
        raise EOFError


def _entry(line: bytes) -> ManifestEntry:
    members = json.loads(line)
    if not isinstance(members, dict) or members.keys() - {"path", "path_b64"} != _MEMBERS:
        raise ValueError("not an entry")
    path, size, mtime_ns = from_json(members), members["size"], members["mtime_ns"]
    if unlawful(path) or type(size) is not int or size < 0 or type(mtime_ns) is not int:
        raise ValueError("not lawful")
    if not isinstance(members["sha256"], str) or not _SHA256.fullmatch(members["sha256"]):
        raise ValueError("not a hash")
    return ManifestEntry(path=path, size_bytes=size, mtime_ns=mtime_ns, sha256=members["sha256"])
