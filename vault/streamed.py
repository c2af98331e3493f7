"""A restore that lays nothing down: restic's tar stream against the manifest, as it flows by.

Rule 1: every byte is hashed as it comes; names are bytes, no name ever becomes a file.
Rule 2: what a stream may make us hold is bounded: a header, a name, one block.
Rule 3: a stream that breaks off or is no lawful tar is an answer, not an error: what came before
    stands, and how many files were not reached is said.
Rule 4: times, owners and modes are told apart and fail nothing: a manifest recorded the time only,
    and a tar carries it to the second.
Source: POSIX.1-2017, pax, "ustar Interchange Format" and "pax Interchange Format".
"""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from vault.fiche import Metadata
from vault.names import PATH_MAX, unlawful
from vault.results import ManifestEntry, Refusal

_BLOCK = 512
_BUFFER_BYTES = 1 << 20
_PIPE_BYTES = 1 << 20
_PAX_LIMIT_BYTES = 1 << 20
_HELD_LIMIT_BYTES = 64 << 20  # the manifest inside the snapshot, compressed
_DATA, _OWN = b"data/", b"coffre/manifest.jsonl.zst"
_SECOND_NS = 1_000_000_000
_FILE_KINDS = (b"0", b"\0")
_FOLDER_KIND = b"5"
_PAX_KINDS = (b"x", b"g")


class BrokenStream(Exception):
    """The stream ended too early or is no lawful tar; the message says which."""


@dataclass(slots=True, kw_only=True)
class Streamed:
    """What a stream came to; what is in none of the two lists is right."""

    mismatches: list[Refusal] = field(default_factory=list)
    unreached: frozenset[bytes] = frozenset()  # after the point where the stream broke off
    broken: str = ""
    metadata: Metadata = field(default_factory=lambda: Metadata(time_to_s=1.0))
    manifest: bytes | None = None  # the one inside the snapshot, as it came


def read_stream(fd: int, entries: Sequence[ManifestEntry]) -> Streamed:
    """Read a tar of a whole snapshot to its end and compare; closes nothing.

    Reads until the end of the stream in any case, unless the stream is not lawful: then its
    writer meets a closed pipe when the caller closes ``fd``.
    """
    with suppress(OSError):  # a larger pipe is a favour, and only pipes have one
        fcntl.fcntl(fd, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
    expected = {entry.path: entry for entry in entries}
    found = Streamed()
    reader = _Reader(fd)
    try:
        for member in _members(reader):
            _take(reader, member, expected, found)
        reader.drain()
    except BrokenStream as error:
        found.broken = str(error)
        found.unreached = frozenset(expected)
        return found
    found.mismatches += [Refusal(name=path, reason="not restored") for path in sorted(expected)]
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class _Member:
    name: bytes
    kind: bytes
    size: int
    mtime_ns: int
    uid: int
    mode: int


def _take(
    reader: _Reader, member: _Member, expected: dict[bytes, ManifestEntry], found: Streamed
) -> None:
    """Take one member: hashed against its entry, kept when it is the manifest, else passed over."""
    if member.kind == _FOLDER_KIND:
        reader.skip(member.size)
    elif member.name == _OWN:
        found.manifest = reader.held(member.size)
    elif member.name.startswith(_DATA):
        path = member.name.removeprefix(_DATA)
        reason = _compare(reader, member, path, expected, found)
        if reason:
            found.mismatches.append(Refusal(name=path, reason=reason))
    else:
        reader.skip(member.size)
    reader.skip(-member.size % _BLOCK)


def _compare(
    reader: _Reader,
    member: _Member,
    path: bytes,
    expected: dict[bytes, ManifestEntry],
    found: Streamed,
) -> str:
    """Read one file of the export; give what is wrong with it, nothing when it is right."""
    entry = expected.get(path)
    digest = hashlib.sha256()
    for block in reader.blocks(member.size):
        digest.update(block)
    if fault := unlawful(path):
        return fault
    if entry is None:
        return "not in the manifest"
    del expected[path]  # a second of the same name is one too many
    if member.kind not in _FILE_KINDS:
        return "not a regular file"
    if member.size != entry.size_bytes:
        return f"{member.size} bytes, {entry.size_bytes} at the source"
    if digest.hexdigest() != entry.sha256:
        return "content differs from the source"
    found.metadata.see(entry, mtime_ns=member.mtime_ns, uid=member.uid, mode=member.mode)
    return ""


# -- the tar


def _members(reader: _Reader) -> Iterator[_Member]:
    """Give the members in order; the caller reads or skips each one's content and padding."""
    records: dict[bytes, bytes] = {}
    while True:
        header = reader.exactly(_BLOCK)
        if not any(header):
            return  # one block of zeros: the end
        _require_checksum(header)
        kind = header[156:157]
        size = _number(records.pop(b"size", None), header[124:136])
        if kind in _PAX_KINDS:
            if size > _PAX_LIMIT_BYTES:
                raise BrokenStream("a header longer than any name")
            read = _pax_records(reader.held(size))
            reader.skip(-size % _BLOCK)
            records = read if kind == b"x" else records
            continue
        yield _member(header, kind, size, records)
        records = {}


def _member(header: bytes, kind: bytes, size: int, records: Mapping[bytes, bytes]) -> _Member:
    prefix, name = _text(header[345:500]), _text(header[:100])
    path = records.get(b"path") or (prefix + b"/" + name if prefix else name)
    path = path.strip(b"/").removeprefix(b"./")
    if len(path) > PATH_MAX:
        raise BrokenStream("a name longer than any path")
    try:
        mtime_ns = _nanoseconds(records.get(b"mtime"), header[136:148])
        uid = int(records.get(b"uid") or int(_text(header[108:116]) or b"0", 8))
        mode = int(_text(header[100:108]) or b"0", 8)
    except ValueError:
        raise BrokenStream("a header that is not lawful") from None
    return _Member(name=path, kind=kind, size=size, mtime_ns=mtime_ns, uid=uid, mode=mode)


def _nanoseconds(record: bytes | None, piece: bytes) -> int:
    if record is None:
        return int(_text(piece) or b"0", 8) * _SECOND_NS
    whole, _dot, part = record.partition(b".")
    return int(whole) * _SECOND_NS + int(part[:9].ljust(9, b"0") or b"0")


def _text(piece: bytes) -> bytes:
    return piece.split(b"\0", 1)[0].strip(b" ")


def _number(record: bytes | None, piece: bytes) -> int:
    try:
        if record is not None:
            return int(record)
        if piece[0] & 0x80:  # base 256, as GNU writes what is too large for octal
            return int.from_bytes(bytes([piece[0] & 0x7F]) + piece[1:], "big")
        return int(_text(piece) or b"0", 8)
    except ValueError:
        raise BrokenStream("a size that is not lawful") from None


def _require_checksum(header: bytes) -> None:
    told = _text(header[148:156])
    try:
        same = int(told, 8) == sum(header) - sum(header[148:156]) + 8 * 0x20
    except ValueError:
        same = False
    if not same:
        raise BrokenStream("a header whose checksum is wrong")


def _pax_records(content: bytes) -> dict[bytes, bytes]:
    """Read ``LENGTH KEY=VALUE`` lines; BrokenStream when they are not lawful."""
    found: dict[bytes, bytes] = {}
    while content:
        length, space, _rest = content.partition(b" ")
        if not space or not length.isdigit() or not 0 < int(length) <= len(content):
            raise BrokenStream("an extended header that is not lawful")
        line = content[len(length) + 1 : int(length)]
        key, equals, value = line.partition(b"=")
        if not equals or not value.endswith(b"\n"):
            raise BrokenStream("an extended header that is not lawful")
        found[key] = value[:-1]
        content = content[int(length) :]
    return found


class _Reader:
    """Exact reads from a pipe."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._buffer = memoryview(bytearray(_BUFFER_BYTES))
        self._at = self._end = 0

    def blocks(self, size: int) -> Iterator[memoryview]:
        """Give ``size`` bytes in pieces; a piece is good until the next one is asked for."""
        while size > 0:
            if self._at == self._end:
                self._fill()
            piece = self._buffer[self._at : min(self._end, self._at + size)]
            self._at += len(piece)
            size -= len(piece)
            yield piece

    def exactly(self, size: int) -> bytes:
        """Give exactly so many bytes."""
        return b"".join(bytes(piece) for piece in self.blocks(size))

    def held(self, size: int) -> bytes:
        """Give content that is kept; BrokenStream when it is larger than we keep."""
        if size > _HELD_LIMIT_BYTES:
            raise BrokenStream("a manifest larger than any")
        return self.exactly(size)

    def skip(self, size: int) -> None:
        """Pass over bytes."""
        for _piece in self.blocks(size):
            pass

    def drain(self) -> None:
        """Read what follows the end, so that the writer ends well."""
        while os.readv(self._fd, [self._buffer]):
            pass

    def _fill(self) -> None:
        count = os.readv(self._fd, [self._buffer])
        if not count:
            raise BrokenStream("the stream ended in the middle")
        self._at, self._end = 0, count
