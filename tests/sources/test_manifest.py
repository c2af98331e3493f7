"""The manifest: the same entries are the same bytes, and nothing unlawful is believed."""

from __future__ import annotations

import hashlib
import io
import json
import time

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from vault.results import ManifestEntry
from vault.sources.manifest import ManifestError, identity_of, read_manifest, write_manifest

HASH = hashlib.sha256(b"").hexdigest()
NAMES = st.binary(min_size=1, max_size=255).filter(
    lambda name: b"\0" not in name and b"/" not in name and name not in (b".", b"..")
)


def entry(path: bytes, size: int = 1, mtime_ns: int = 5, sha256: str = HASH) -> ManifestEntry:
    return ManifestEntry(path=path, size_bytes=size, mtime_ns=mtime_ns, sha256=sha256)


def packed(*lines: bytes) -> bytes:
    return zstandard.ZstdCompressor().compress(b"".join(line + b"\n" for line in lines))


def line(**members: object) -> bytes:
    return json.dumps({"path": "a", "size": 1, "mtime_ns": 1, "sha256": HASH} | members).encode()


@given(st.sets(NAMES, max_size=20), st.integers(min_value=0), st.integers())
def test_manifest_reads_back_as_it_was_written(names: set[bytes], size: int, when: int) -> None:
    """Any bytes a kernel allows as a name come back the same, sorted."""
    entries = [entry(name, size, when) for name in names]
    out = io.BytesIO()
    identity = write_manifest(entries, out)
    assert read_manifest(out.getvalue()) == tuple(sorted(entries, key=lambda e: e.path))
    assert identity == identity_of(entries)


def test_identity_does_not_depend_on_the_order_of_the_entries() -> None:
    """The same entries in another order are the same bytes."""
    one, other = io.BytesIO(), io.BytesIO()
    assert write_manifest([entry(b"b"), entry(b"a")], one) == write_manifest(
        [entry(b"a"), entry(b"b")], other
    )
    assert one.getvalue() == other.getvalue()


def test_identity_is_the_hash_of_the_lines() -> None:
    """An auditor finds the identity with zstd and sha256sum alone."""
    out = io.BytesIO()
    identity = write_manifest([entry(b"caf\xe9"), entry(b"a")], out)
    text = zstandard.ZstdDecompressor().decompressobj().decompress(out.getvalue())
    assert hashlib.sha256(text).hexdigest() == identity
    assert [json.loads(one).keys() & {"path", "path_b64"} for one in text.splitlines()] == [
        {"path"},
        {"path_b64"},
    ]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not zstd",
        packed(b"{}"),
        packed(line(), line()),
        packed(line(path="b"), line(path="a")),
        packed(line(path="../a")),
        packed(line(path="/a")),
        packed(line(size=-1)),
        packed(line(size=True)),
        packed(line(sha256="A" * 64)),
        packed(line(more=1)),
        packed(b"[" * 60_000),
        packed(line())[:-3],
        packed(line()) + b"x",
        zstandard.ZstdCompressor().compress(line()),
    ],
    ids=lambda content: repr(content[:12]),
)
def test_manifest_that_is_not_lawful_is_not_believed(content: bytes) -> None:
    """Cut, forged, out of order, leaving its folder: each is refused as a whole."""
    with pytest.raises(ManifestError):
        read_manifest(content)


def test_reading_is_bounded() -> None:
    """A bomb of a few kilobytes ends at the bound, not at the end of memory."""
    bomb = zstandard.ZstdCompressor(level=9).compress(b"\n" * (16 * 1024**2))
    began = time.monotonic()
    with pytest.raises(ManifestError):
        read_manifest(bomb, limit_bytes=1024**2)
    assert time.monotonic() - began < 5
