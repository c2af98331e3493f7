"""Files made to take all the memory of whoever reads them: each costs a few blocks, and is told."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import struct
import tarfile
import tracemalloc
import zipfile
import zlib
from collections.abc import Callable

import pytest

from tests.inspection.conftest import Examine
from tests.inspection.specimens import Random
from vault.config import load_formats
from vault.inspection import load_registry
from vault.wiring.formats import pmsi_inspectors

MIB = 1024**2
PEAK_BYTES = 48 * MIB


def zipped(method: int, name: str = "a.bin") -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        archive.writestr(name, bytes(96 * MIB))
    return out.getvalue()


def header_of_a_tar(kind: bytes) -> bytes:
    """Give a tar that begins with a header of so many bytes, folded less than a thousandfold."""
    info = tarfile.TarInfo("x")
    info.type, info.size = kind, 96 * MIB
    noise = Random(1).randbytes(4096)
    blocks = [info.tobuf(tarfile.USTAR_FORMAT), *[bytes(MIB - 4096) + noise] * 96, bytes(1024)]
    return gzip.compress(b"".join(blocks), 1)


def wide_window() -> bytes:
    """Give an xz file whose window alone is 1.5 GiB: the header says so, little is behind it."""
    made = bytearray(lzma.compress(b"a" * 100, lzma.FORMAT_XZ, filters=[
        {"id": lzma.FILTER_LZMA2, "preset": 0, "dict_size": 1 << 20}
    ]))  # fmt: skip
    at = made.index(b"\x21\x01", 12)
    made[at + 2] = 37  # 1.5 GiB, as LZMA2 writes it
    size = (made[12] + 1) * 4
    made[12 + size - 4 : 12 + size] = struct.pack("<I", zlib.crc32(made[12 : 12 + size - 4]))
    return bytes(made)


def many_elements() -> bytes:
    """Give a DICOM file whose header is of 510,000 elements of ten bytes."""
    meta = bytes(128) + b"DICM" + b"\2\0\x10\0UI\x14\x001.2.840.10008.1.2.1\0"
    element = struct.Struct("<HH2sH2s")
    return meta + b"".join(
        element.pack(9 + 2 * (n >> 16), n & 65535, b"CS", 2, b"A ") for n in range(510_000)
    )


def many_records() -> bytes:
    """Give a DICOMDIR of a hundred thousand records, each of which is empty."""
    meta = bytes(128) + b"DICM" + b"\2\0\2\0UI\x14\x001.2.840.10008.1.3.10"
    return (
        meta
        + b"\4\0\x20\x12SQ\0\0"
        + struct.pack("<I", 8 * 10**5)
        + b"\xfe\xff\0\xe0\0\0\0\0" * 10**5
    )


def many_names() -> bytes:
    return b'<?xml version="1.0"?><r>' + b"".join(b"<n%x/>" % n for n in range(400_000)) + b"</r>"


BOMBS: dict[str, tuple[str, Callable[[], bytes], str]] = {
    "zip-bzip2": ("a.zip", lambda: zipped(zipfile.ZIP_BZIP2), "zip-method"),
    "zip-lzma": ("a.zip", lambda: zipped(zipfile.ZIP_LZMA), "zip-method"),
    "xlsx-bzip2": ("a.xlsx", lambda: zipped(zipfile.ZIP_BZIP2), "xlsx-part"),
    "pmsi-bzip2": (
        "750000001.2024.3.20042024112254.out.zip",
        lambda: zipped(zipfile.ZIP_BZIP2, "750000001.2024.3.rsa.txt"),
        "pmsi-method",
    ),
    "tar-attributes": ("a.tar.gz", lambda: header_of_a_tar(tarfile.XHDTYPE), "over-budget"),
    "tar-long-name": ("a.tar.gz", lambda: header_of_a_tar(tarfile.GNUTYPE_LONGNAME), "over-budget"),
    "xz-window": ("a.xz", wide_window, "over-budget"),
    "xml-depth": ("a.xml", lambda: b'<?xml version="1.0"?>' + b"<a>" * 3 * MIB, "over-budget"),
    "xml-names": ("a.xml", many_names, "over-budget"),
    "dicom-elements": ("a.dcm", many_elements, "over-budget"),
}


@pytest.mark.parametrize(("name", "make", "code"), BOMBS.values(), ids=list(BOMBS))
def test_a_bomb_costs_a_few_blocks(
    examine: Examine, name: str, make: Callable[[], bytes], code: str
) -> None:
    """Whatever it would unfold to; and what is said of it is that it was not read."""
    content = make()
    inspectors = load_registry(pmsi_inspectors(load_formats()))
    tracemalloc.start()
    try:
        finding = examine(content, name, inspectors=inspectors)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < PEAK_BYTES
    assert code in [remark.code for remark in finding.remarks], finding


def test_an_xz_file_of_several_streams_unfolds_to_its_end(examine: Examine) -> None:
    """With padding between them; cut anywhere, or followed by anything else, it is broken."""
    one = lzma.compress(b"a;b\n" * 70_000)
    whole = one + bytes(8) + lzma.compress(b"c;d\n" * 9)
    assert examine(whole, "a.csv.xz").counts["rows"] == 70_009
    for content in (whole[:-20], one[: len(one) // 2], whole + b"noise"):
        assert examine(content, "a.csv.xz").soundness == "malformed"
    assert examine(bz2.compress(b"a;b\n" * 9), "a.csv.bz2").counts["rows"] == 9


def test_the_records_of_a_directory_are_counted_and_not_held(examine: Examine) -> None:
    """However many they are; one that ends early was cut short."""
    content = many_records()
    tracemalloc.start()
    try:
        finding = examine(content, "DICOMDIR")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < PEAK_BYTES
    assert (finding.soundness, finding.counts["directory records"]) == ("sound", 10**5)
    assert examine(content[:-4], "DICOMDIR").soundness == "malformed"
