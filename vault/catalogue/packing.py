"""How manifests, differences of manifests and lists of files are packed into bytes.

Rule 1: pure: the same entries give the same bytes; there is no I/O here.
Rule 2: columns, not rows: hashes do not compress and stand apart from what does.
Rule 3: what does not unpack cleanly raises ValueError, never half a manifest.
"""

from __future__ import annotations

import hashlib
import re
import struct
from typing import TYPE_CHECKING

import zstandard

from vault.results import ManifestEntry, RepositoryFile

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_LEVEL = 3
_HASH = 32
_COUNT = struct.Struct("<QQ")  # entries, and bytes of their paths
_PLACES = (b"config", b"data/", b"index/", b"keys/", b"snapshots/")  # in the order of paths
_LAWFUL = re.compile(r"(?:data/([0-9a-f]{2})|index|keys|snapshots)/([0-9a-f]{64})")


def pack_entries(entries: Sequence[ManifestEntry]) -> bytes:
    """Pack entries, in their order. ValueError when a path holds NUL or a number is too big."""
    if any(b"\0" in entry.path for entry in entries):
        raise ValueError("NUL in a path")
    paths = b"".join(entry.path + b"\0" for entry in entries)
    count = len(entries)
    try:
        sizes = struct.pack(f"<{count}Q", *(entry.size_bytes for entry in entries))
        times = struct.pack(f"<{count}q", *(entry.mtime_ns for entry in entries))
    except struct.error:
        raise ValueError("a size or a time that no file system has") from None
    hashes = b"".join(_hash_bytes(entry.sha256) for entry in entries)
    return b"".join((_COUNT.pack(count, len(paths)), paths, sizes, times, hashes))


def unpack_entries(data: bytes) -> tuple[ManifestEntry, ...]:
    """Give back what ``pack_entries`` packed."""
    entries, rest = _unpack_entries(data)
    if rest:
        raise ValueError("bytes left over")
    return entries


def _unpack_entries(data: bytes) -> tuple[tuple[ManifestEntry, ...], bytes]:
    try:
        count, path_bytes = _COUNT.unpack_from(data)
        sizes_at = _COUNT.size + path_bytes
        times_at = sizes_at + 8 * count
        hashes_at = times_at + 8 * count
        end = hashes_at + _HASH * count
        paths = data[_COUNT.size : sizes_at].split(b"\0")
        sizes = struct.unpack_from(f"<{count}Q", data, sizes_at)
        times = struct.unpack_from(f"<{count}q", data, times_at)
    except (struct.error, MemoryError, OverflowError):
        raise ValueError("cut short") from None
    if len(data) < end or len(paths) != count + 1 or paths[-1]:
        raise ValueError("cut short")
    hashes = data[hashes_at:end].hex()
    wide = 2 * _HASH
    entries = tuple(
        ManifestEntry(
            path=paths[i],
            size_bytes=sizes[i],
            mtime_ns=times[i],
            sha256=hashes[i * wide : (i + 1) * wide],
        )
        for i in range(count)
    )
    return entries, data[end:]


def pack_delta(old: Sequence[ManifestEntry], new: Sequence[ManifestEntry]) -> bytes:
    """Pack what turns ``old`` into ``new``; both are sorted by path."""
    before = {entry.path: entry for entry in old}
    changed = [entry for entry in new if before.get(entry.path) != entry]
    kept = {entry.path for entry in new}
    gone = [path for path in before if path not in kept]
    return pack_entries(changed) + b"".join(path + b"\0" for path in gone)


def apply_deltas(
    old: Sequence[ManifestEntry], deltas: Iterable[bytes]
) -> tuple[ManifestEntry, ...]:
    """Give the manifest that ``pack_delta`` was told of last, sorted by path."""
    entries = {entry.path: entry for entry in old}
    for delta in deltas:
        changed, gone = _unpack_entries(delta)
        for path in gone.split(b"\0")[:-1]:
            if entries.pop(path, None) is None:
                raise ValueError("a path is gone that was not there")
        entries.update((entry.path, entry) for entry in changed)
    return tuple(entries[path] for path in sorted(entries))


def shrink(data: bytes) -> bytes:
    """Compress, with a checksum."""
    return zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True).compress(data)


def expand(data: bytes) -> bytes:
    """Decompress; ValueError when it is damaged."""
    try:
        return zstandard.ZstdDecompressor().decompress(data)
    except zstandard.ZstdError as error:
        raise ValueError(str(error)) from None


def digest(data: bytes) -> str:
    """Give the hex SHA-256."""
    return hashlib.sha256(data).hexdigest()


def file_to_name(file: RepositoryFile) -> bytes:
    """Pack a lawful path into its kind and hash: 33 bytes that sort as the path does."""
    if file.path == "config":
        return b"\0"
    found = _LAWFUL.fullmatch(file.path)
    if found is None or (found[1] is not None and found[1] != found[2][:2]):
        raise ValueError("no lawful place in a repository")
    kind = _PLACES.index(file.path.partition("/")[0].encode() + b"/")
    return bytes([kind]) + bytes.fromhex(found[2])


def name_to_file(name: bytes, size_bytes: int) -> RepositoryFile:
    """Give back the file that ``file_to_name`` packed."""
    if name == b"\0":
        return RepositoryFile(path="config", size_bytes=size_bytes)
    place = _PLACES[name[0]].decode()
    hexed = name[1:].hex()
    shard = f"{hexed[:2]}/" if place == "data/" else ""
    return RepositoryFile(path=f"{place}{shard}{hexed}", size_bytes=size_bytes)


class Bits:
    """A set of small numbers, one bit each: a list of files that are numbered once for all."""

    __slots__ = ("_bits",)

    def __init__(self, bits: bytes = b"") -> None:
        self._bits = bytearray(bits)

    def add(self, number: int) -> None:
        """Put a number in."""
        place = number >> 3
        if place >= len(self._bits):
            # Doubling keeps a million calls from copying a million times.
            self._bits.extend(bytes(max(place + 1, 2 * len(self._bits)) - len(self._bits)))
        self._bits[place] |= 1 << (number & 7)

    def update(self, numbers: Iterable[int]) -> None:
        """Put several in."""
        for number in numbers:
            self.add(number)

    def __contains__(self, number: int) -> bool:
        place = number >> 3
        return place < len(self._bits) and bool(self._bits[place] >> (number & 7) & 1)

    def to_bytes(self) -> bytes:
        """Give the bits, lowest number first, without trailing zeros."""
        return bytes(self._bits.rstrip(b"\0"))


def _hash_bytes(text: str) -> bytes:
    packed = bytes.fromhex(text)
    if len(packed) != _HASH or packed.hex() != text:
        raise ValueError("not a lower-case SHA-256")
    return packed
