"""The tar reader: what it takes from a stream, and what it makes of a broken one."""

from __future__ import annotations

import hashlib
import io
import os
import tarfile
import threading

import pytest

from vault.results import ManifestEntry
from vault.streamed import Streamed, read_stream

FILES = {
    b"a.txt": b"alpha",
    b"deep/" + b"n" * 150 + b".bin": bytes(range(256)) * 9,
    "é\u202eà".encode(): b"names are bytes",
    b"\xff\xfe bad": b"not UTF-8",
    b"empty": b"",
}


def entry(path: bytes, content: bytes) -> ManifestEntry:
    return ManifestEntry(
        path=path,
        size_bytes=len(content),
        mtime_ns=1_700_000_000_400_000_000,
        sha256=hashlib.sha256(content).hexdigest(),
    )


ENTRIES = [entry(path, content) for path, content in sorted(FILES.items())]


def tar_of(files: dict[bytes, bytes], *, form: int = tarfile.PAX_FORMAT) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form, errors="surrogateescape") as tar:
        folder = tarfile.TarInfo("data")
        folder.type = tarfile.DIRTYPE
        tar.addfile(folder)
        for path, content in files.items():
            info = tarfile.TarInfo("data/" + os.fsdecode(path))
            info.size, info.mtime, info.uid, info.mode = len(content), 1_700_000_000, 7, 0o640
            tar.addfile(info, io.BytesIO(content))
        own = tarfile.TarInfo("coffre/manifest.jsonl.zst")
        own.size = 3
        tar.addfile(own, io.BytesIO(b"own"))
    return out.getvalue()


def streamed(content: bytes, entries=ENTRIES) -> Streamed:
    reader, writer = os.pipe()

    def write() -> None:
        with os.fdopen(writer, "wb") as file:
            try:
                file.write(content)
            except BrokenPipeError:
                file.detach()

    thread = threading.Thread(target=write)
    thread.start()
    try:
        return read_stream(reader, entries)
    finally:
        os.close(reader)
        thread.join()


def told(found: Streamed) -> dict[bytes, str]:
    return {item.name: item.reason for item in found.mismatches}


@pytest.mark.parametrize("form", [tarfile.PAX_FORMAT, tarfile.USTAR_FORMAT])
def test_every_byte_and_name_is_taken_as_it_is(form):
    """Long names, names that are no UTF-8, an empty file; the manifest inside is kept."""
    files = FILES if form == tarfile.PAX_FORMAT else {b"a.txt": b"alpha", b"d/" * 60 + b"x": b"y"}
    listed = [entry(path, content) for path, content in sorted(files.items())]
    found = streamed(tar_of(files, form=form), listed)
    assert (found.mismatches, found.broken, found.unreached) == ([], "", frozenset())
    assert found.manifest == b"own"
    assert found.metadata.compared == len(files)
    assert found.metadata.other_time == 0
    assert (found.metadata.owners, found.metadata.modes) == ({7}, {0o640})


def test_missing_extra_size_and_content_are_told_apart():
    """Each with its own reason."""
    files = dict(FILES)
    del files[b"empty"]
    files |= {b"extra": b"x", b"a.txt": b"alphb", b"\xff\xfe bad": b"longer than it was"}
    assert told(streamed(tar_of(files))) == {
        b"empty": "not restored",
        b"extra": "not in the manifest",
        b"a.txt": "content differs from the source",
        b"\xff\xfe bad": "18 bytes, 9 at the source",
    }


def test_a_name_that_leaves_its_folder_is_a_mismatch_and_makes_no_file(tmp_path):
    """Nothing is laid down, so nothing can be laid down elsewhere."""
    os.chdir(tmp_path)
    found = streamed(tar_of({**FILES, b"../../evil": b"x", b"a/../b": b"y"}))
    reason = "path that leaves or bends its folder"
    assert told(found) == {b"../../evil": reason, b"a/../b": reason}
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("cut", [0, 100, 512, 1024, 1300, 3000, 5000])
def test_a_stream_that_ends_in_the_middle_says_what_it_did_not_reach(cut):
    """What came before stands; nothing after it is called restored."""
    found = streamed(tar_of(FILES)[:cut])
    assert found.broken
    assert {item.name for item in found.mismatches} == set()
    reached = {e.path for e in ENTRIES} - found.unreached
    whole = [path for path, body in FILES.items() if path in reached]
    assert len(whole) == found.metadata.compared


def test_what_is_no_tar_is_said_and_not_followed():
    """A wrong checksum, a header longer than any name, a size without end."""
    good = tar_of(FILES)
    assert "checksum" in streamed(b"\1" + good[1:]).broken
    long = tarfile.TarInfo("x")
    long.type, long.size = b"x", 1 << 40
    assert "longer" in streamed(long.tobuf(tarfile.GNU_FORMAT) + b"\0" * 4096).broken
    own = tarfile.TarInfo("coffre/manifest.jsonl.zst")
    own.size = 1 << 40
    assert "larger" in streamed(own.tobuf(tarfile.GNU_FORMAT) + b"\0" * 4096).broken


def test_a_second_file_of_the_same_name_is_one_too_many():
    """A snapshot names each file once."""
    body = tar_of({b"a.txt": b"alpha"})[512:1536]
    twice = tar_of({b"a.txt": b"alpha"})
    found = streamed(twice[:512] + body + twice[512:], [entry(b"a.txt", b"alpha")])
    assert told(found) == {b"a.txt": "not in the manifest"}
