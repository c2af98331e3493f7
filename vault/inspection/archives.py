"""ZIP, TAR and what is compressed as one stream: everything inside is inspected too.

Rule 1: checksums are compared by reading each member to its end.
Rule 2: nothing is written under a member's name; members are only read.
Rule 3: no part of an archive is unfolded at once that may be larger than a few blocks: not a
    header of a tar, not the window of a stream.
Source: APPNOTE.TXT of PKWARE, POSIX.1 ustar and pax, RFC 1952.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import struct
import tarfile
import zipfile
from collections.abc import Callable
from typing import IO, cast

import zstandard

from vault.finding import Finding, doubt, fault, judged
from vault.inspection.budget import OverBudget
from vault.inspection.content import BLOCK_BYTES, Content
from vault.inspection.folded import Members
from vault.inspection.inspector import LIKELY, NO, SURE
from vault.inspection.zip_members import is_unfolded, open_archive, open_member

_EMPTY = b"PK\x05\x06"
_BLOCK = 512
_MOST_HEADER_BYTES = 8 * 1024**2  # of one header of a tar: a long name, attributes of a file
_MOST_WINDOW_BYTES = 128 * 1024**2


class Zip:
    """Judges every member, checksums included."""

    kind = "zip"
    version = "1"

    def recognises(self, head: bytes, name: bytes) -> int:
        """Be likely, so that formats that are ZIP files underneath are asked first."""
        return LIKELY + 10 if head.startswith((b"PK\x03\x04", _EMPTY)) else NO

    def inspect(self, content: Content) -> Finding:
        """Judge member by member."""
        return inspect_zip(content, self.kind)


def inspect_zip(content: Content, kind: str) -> Finding:
    """Judge a ZIP file by its members, under the kind that it is underneath."""
    try:
        archive = open_archive(content)
    except (zipfile.BadZipFile, ValueError, struct.error):
        return judged(
            kind,
            [fault("zip-cut", "its list of members is missing or damaged: it was cut short")],
        )
    members, locked, unread = Members(content), 0, 0
    with archive:
        for info in archive.infolist():
            if info.is_dir():
                continue
            if info.flag_bits & 1:
                locked += 1
                continue
            if not is_unfolded(info):
                unread += 1
                continue
            goes_on = members.take(
                info.filename.encode("utf-8", "surrogateescape"),
                info.file_size,
                lambda info=info: open_member(archive, info),  # type: ignore[misc]
                folded_bytes=info.compress_size,
            )
            if not goes_on:
                break
    remarks = []
    if locked:
        remarks.append(
            doubt("zip-locked", "{count} members need a password and were not read", count=locked)
        )
    if locked + unread:
        members.kinds["unread"] += locked + unread
    if unread:
        remarks.append(
            doubt("zip-method", "{count} members are folded in a way not read here", count=unread)
        )
    return members.finding(kind, remarks)


class Tar:
    """Judges every regular member, and looks for the mark that ends the archive."""

    kind = "tar"
    version = "1"

    def recognises(self, head: bytes, name: bytes) -> int:
        """Be sure of a header whose checksum holds."""
        if len(head) < _BLOCK or head[:1] == b"\0":
            return NO
        try:
            declared = int(head[148:156].strip(b" \0") or b"-1", 8)
        except ValueError:
            return NO
        held = sum(head[:148]) + 8 * 32 + sum(head[156:_BLOCK])
        return SURE - 5 if declared == held else NO

    def inspect(self, content: Content) -> Finding:
        """Judge member by member."""
        file = cast("IO[bytes]", _Sparing(content.seekable()))
        members, others, cut = Members(content), 0, False
        try:
            with tarfile.open(fileobj=file, mode="r:") as archive:
                while (info := archive.next()) is not None:
                    archive.members = []  # type: ignore[attr-defined]
                    if not info.isreg():
                        others += 1
                        continue
                    goes_on = members.take(
                        info.name.encode("utf-8", "surrogateescape"),
                        info.size,
                        lambda info=info: cast("IO[bytes]", archive.extractfile(info)),  # type: ignore[misc]
                    )
                    if not goes_on:
                        break
                else:
                    file.seek(archive.offset)
                    cut = file.read(_BLOCK) != bytes(_BLOCK)
        except tarfile.TarError:
            cut = True
        remarks = [fault("tar-cut", "it lacks the mark that ends it: cut short or damaged")]
        return members.finding(self.kind, remarks if cut else [], others=others)


class _Sparing:
    """A file of which tarfile, who reads a header whole, reads no more at once than one may be."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.seek, self.tell, self.close = file.seek, file.tell, file.close

    def read(self, count: int) -> bytes:
        if count > _MOST_HEADER_BYTES:
            raise OverBudget("memory")
        return self._file.read(count)


class Stream:
    """One compressed stream: what is inside is judged, and the stream's own checksum compared."""

    version = "1"

    def __init__(
        self,
        kind: str,
        mark: bytes,
        suffixes: tuple[bytes, ...],
        unfold: Callable[[IO[bytes]], IO[bytes]],
    ) -> None:
        self.kind = kind
        self._mark, self._suffixes, self._unfold = mark, suffixes, unfold

    def recognises(self, head: bytes, name: bytes) -> int:
        """Be sure of the mark."""
        return SURE - 5 if head.startswith(self._mark) else NO

    def inspect(self, content: Content) -> Finding:
        """Judge what is inside."""
        members = Members(content)
        name = content.name
        for suffix in self._suffixes:
            if name.lower().endswith(suffix):
                name = name[: -len(suffix)] + (b".tar" if suffix.startswith(b".t") else b"")
                break
        members.take(
            name,
            -1,
            lambda: self._unfold(content.stream()),
            folded_bytes=content.size_bytes if content.size_bytes >= 0 else None,
        )
        inner = members.last
        return judged(
            self.kind,
            members.remarks(),
            counts=inner.counts if inner else {},
            periods=inner.periods if inner else (),
            inside={**members.kinds, **(inner.inside if inner else {})},
            pmsi=inner.pmsi if inner else None,
        )


def _gzip(file: IO[bytes]) -> IO[bytes]:
    return cast("IO[bytes]", gzip.GzipFile(fileobj=file, mode="rb"))


def _bzip2(file: IO[bytes]) -> IO[bytes]:
    return cast("IO[bytes]", bz2.BZ2File(file))


def _xz(file: IO[bytes]) -> IO[bytes]:
    return cast("IO[bytes]", io.BufferedReader(_Xz(file)))


class _Xz(io.RawIOBase):
    """What an xz file unfolds to; LZMAFile bounds no window, which may be of gigabytes."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._unfold = _new_xz()
        self._rest = b""
        self._is_begun = False  # the stream that is being unfolded

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        while True:
            if self._unfold.needs_input and not self._rest:
                self._rest = self._file.read(BLOCK_BYTES)
                if not self._rest and self._is_begun:
                    raise EOFError
            if not self._is_begun:
                self._rest = self._rest.lstrip(b"\0")  # between two streams
                if not self._rest:
                    return 0
            try:
                found = self._unfold.decompress(self._rest, len(buffer))
            except lzma.LZMAError as error:
                if "Memory usage limit" in str(error):
                    raise OverBudget("memory") from None
                raise
            self._rest, self._is_begun = b"", True
            if self._unfold.eof:
                self._rest, self._is_begun = self._unfold.unused_data, False
                self._unfold = _new_xz()
            if found:
                buffer[: len(found)] = found
                return len(found)


def _new_xz() -> lzma.LZMADecompressor:
    return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=2 * _MOST_WINDOW_BYTES)


def _zstd(file: IO[bytes]) -> IO[bytes]:
    reader = zstandard.ZstdDecompressor(max_window_size=_MOST_WINDOW_BYTES).stream_reader(
        file, read_across_frames=True
    )
    return cast("IO[bytes]", reader)


def make_gzip() -> Stream:
    """Make the inspector of gzip files."""
    return Stream("gzip", b"\x1f\x8b\x08", (b".tgz", b".gz"), _gzip)


def make_bzip2() -> Stream:
    """Make the inspector of bzip2 files."""
    return Stream("bzip2", b"BZh", (b".tbz2", b".bz2"), _bzip2)


def make_xz() -> Stream:
    """Make the inspector of xz files."""
    return Stream("xz", b"\xfd7zXZ\0", (b".txz", b".xz"), _xz)


def make_zstd() -> Stream:
    """Make the inspector of Zstandard files."""
    return Stream("zstd", b"\x28\xb5\x2f\xfd", (b".tzst", b".zst"), _zstd)
