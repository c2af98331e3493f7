"""ZIP, TAR and what is compressed as one stream: everything inside is inspected too.

Rule 1: checksums are compared by reading each member to its end.
Rule 2: nothing is written under a member's name; members are only read.
Rule 3: a directory of more members than the bound is not even loaded.
Source: APPNOTE.TXT of PKWARE, POSIX.1 ustar and pax, RFC 1952.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import struct
import tarfile
import zipfile
from collections.abc import Callable
from typing import IO, cast

import zstandard

from vault.finding import Finding, doubt, fault, judged
from vault.inspection.budget import OverBudget
from vault.inspection.content import Content
from vault.inspection.folded import Members
from vault.inspection.inspector import LIKELY, NO, SURE

_END = b"PK\x05\x06"
_END_64 = b"PK\x06\x06"
_TAIL_BYTES = 22 + 65536 + 76
_BLOCK = 512
_MOST_WINDOW_BYTES = 128 * 1024**2


class Zip:
    """Judges every member, checksums included."""

    kind = "zip"
    version = "1"

    def recognises(self, head: bytes, name: bytes) -> int:
        """Be likely, so that formats that are ZIP files underneath are asked first."""
        return LIKELY + 10 if head.startswith((b"PK\x03\x04", _END)) else NO

    def inspect(self, content: Content) -> Finding:
        """Judge member by member."""
        return inspect_zip(content, self.kind)


def inspect_zip(content: Content, kind: str) -> Finding:
    """Judge a ZIP file by its members, under the kind that it is underneath."""
    file = content.seekable()
    check_directory(file, content.budget.limits.members)
    try:
        archive = zipfile.ZipFile(file)
    except (zipfile.BadZipFile, ValueError, struct.error):
        return judged(
            kind,
            [fault("zip-cut", "its list of members is missing or damaged: it was cut short")],
        )
    members, locked, folders = Members(content), 0, 0
    with archive:
        for info in archive.infolist():
            if info.is_dir():
                folders += 1
                continue
            if info.flag_bits & 1:
                locked += 1
                continue
            goes_on = members.take(
                info.filename.encode("utf-8", "surrogateescape"),
                info.file_size,
                lambda info=info: archive.open(info),  # type: ignore[misc]
                folded_bytes=info.compress_size,
            )
            if not goes_on:
                break
    remarks = []
    if locked:
        remarks.append(
            doubt("zip-locked", "{count} members need a password and were not read", count=locked)
        )
    return members.finding(kind, remarks)


def check_directory(file: IO[bytes], most: int) -> None:
    """Raise OverBudget when a ZIP file lists more members than the bound, before it is loaded."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - _TAIL_BYTES))
    tail = file.read(_TAIL_BYTES)
    file.seek(0)
    at = tail.rfind(_END)
    listed = int.from_bytes(tail[at + 10 : at + 12], "little") if at >= 0 else 0
    directory = int.from_bytes(tail[at + 12 : at + 16], "little") if at >= 0 else 0
    at = tail.rfind(_END_64)
    if at >= 0 and listed == 0xFFFF:
        listed = int.from_bytes(tail[at + 32 : at + 40], "little")
    # 46 bytes are the least that an entry takes; what lies of its length is not to be believed.
    if directory != 0xFFFFFFFF:
        listed = max(listed, min(directory, size) // 128)
    if listed > most:
        raise OverBudget("members")


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
        file = content.seekable()
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
    return cast("IO[bytes]", lzma.LZMAFile(file))


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
