"""Identity, head and view come back as they were signed, or not at all."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vault.errors import SignatureError
from vault.ledger.documents import Head, Identity, View
from vault.ledger.views import FORMAT, TEXT_MAX
from vault.results import RepositoryFile

hashes = st.binary(min_size=32, max_size=32).map(bytes.hex)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
instants = st.datetimes(
    min_value=datetime(1970, 1, 1),  # noqa: DTZ001 -- hypothesis adds the zone
    max_value=datetime(9000, 1, 1),  # noqa: DTZ001 -- hypothesis adds the zone
    timezones=st.sampled_from([UTC, timezone(timedelta(hours=2))]),
)
sizes = st.integers(0, 2**62)
identities = st.builds(
    Identity,
    target=texts,
    target_id=hashes,
    uuid=texts,
    fs_type=texts,
    size_bytes=sizes,
    repository_id=hashes,
    config_sha256=hashes,
    keys=st.lists(hashes, unique=True).map(tuple),
    vault_key=texts,
    site=texts,
    enrolled_at=instants,
)
heads = st.builds(
    Head,
    target_id=hashes,
    number=sizes,
    cycle=st.none() | sizes,
    purpose=texts,
    ledger_n=st.integers(-1, 2**40),
    ledger_sha256=hashes,
    view_sha256=hashes | st.just(""),
    at=instants,
    checkpoint=texts,
)


def path_of(place: str, name: str) -> str:
    return f"{place}/{name[:2]}/{name}" if place == "data" else f"{place}/{name}"


files = st.builds(
    RepositoryFile,
    path=st.builds(path_of, st.sampled_from(["data", "index", "keys", "snapshots"]), hashes)
    | st.just("config"),
    size_bytes=sizes,
)
lists = st.lists(files, unique_by=lambda file: file.path, max_size=30).map(
    lambda some: sorted(some, key=lambda file: file.path)
)
HEAD = Head(
    target_id="ab" * 32,
    number=7,
    cycle=12,
    purpose="carry",
    ledger_n=300,
    ledger_sha256="cd" * 32,
    view_sha256="ef" * 32,
    at=datetime(2026, 3, 1, 1, 2, 3, 4, tzinfo=UTC),
    checkpoint="o\n1\nAA==\n",
)
FILES = [
    RepositoryFile(path="config", size_bytes=155),
    RepositoryFile(path=path_of("data", "0a" * 32), size_bytes=16_777_216),
    RepositoryFile(path=path_of("index", "0b" * 32), size_bytes=900),
]


def squeeze(text: bytes) -> bytes:
    return zstandard.ZstdCompressor().compress(text)


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(identity=identities)
def test_an_identity_comes_back_as_it_was_signed(key, identity):
    """Every field; the keys sorted."""
    assert Identity.from_note(identity.to_note(key), key.public) == identity
    assert list(identity.keys) == sorted(identity.keys)


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(head=heads)
def test_a_head_comes_back_as_it_was_signed(key, head):
    """Every field, whatever zone its instant was given in."""
    assert Head.from_note(head.to_note(key), key.public) == head


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(cycle=st.integers(1, 10**6), some=lists)
def test_a_view_comes_back_as_it_was_signed(key, cycle, some):
    """The same files in the same order, counted and summed."""
    view = View.of(cycle, some)
    read = View.from_note(view.to_note(key), key.public)
    assert read == view
    assert list(read.entries()) == some
    assert (read.files, read.size_bytes) == (len(some), sum(f.size_bytes for f in some))


def test_a_head_on_the_medium_is_what_the_page_says(key):
    """One line of canonical JSON, an empty line, a signature: readable without us."""
    text, empty, signature, end = HEAD.to_note(key).split(b"\n")
    assert (empty, end) == (b"", b"")
    assert signature.startswith("— vault.example.fr ".encode())
    assert text == (
        b'{"at":"2026-03-01T01:02:03.000004Z","checkpoint":"o\\n1\\nAA==\\n","cycle":12,'
        b'"format":"coffre head v2",'
        b'"ledger_n":300,"ledger_sha256":"' + b"cd" * 32 + b'","number":7,"purpose":"carry",'
        b'"target_id":"' + b"ab" * 32 + b'","view_sha256":"' + b"ef" * 32 + b'"}'
    )


def test_a_head_of_before_there_were_checkpoints_is_still_read(key):
    """Media that were written to by the first release are believed as before."""
    members = json.loads(HEAD.to_note(key).split(b"\n")[0])
    del members["checkpoint"]
    old = key.sign(json.dumps(members | {"format": "coffre head v1"}).encode() + b"\n")
    assert Head.from_note(old, key.public) == replace(HEAD, checkpoint="")


def test_a_view_on_the_medium_is_what_the_page_says(key):
    """``zstd -d`` gives a note whose lines are path and size."""
    note = zstandard.ZstdDecompressor().decompress(View.of(9, FILES).to_note(key))
    header, *lines = note.rpartition(b"\n\n")[0].decode().split("\n")
    assert json.loads(header) == {
        "format": "coffre view v1",
        "cycle": 9,
        "files": 3,
        "bytes": 155 + 16_777_216 + 900,
    }
    assert lines == [f"{file.path} {file.size_bytes}" for file in FILES]


def test_a_document_of_another_key_is_refused(key, other_key):
    """Fault 80: the pinned key decides, not the name on the note."""
    for kind, note in [
        (Head, HEAD.to_note(other_key)),
        (View, View.of(9, FILES).to_note(other_key)),
    ]:
        with pytest.raises(SignatureError, match="not signed by"):
            kind.from_note(note, key.public)


def test_a_head_is_no_identity_and_the_other_way_round(key):
    """A signature on one kind says nothing about another."""
    with pytest.raises(SignatureError, match="not a coffre identity v1"):
        Identity.from_note(HEAD.to_note(key), key.public)
    with pytest.raises(SignatureError, match="not a coffre view v1"):
        View.from_note(squeeze(HEAD.to_note(key)), key.public)


@pytest.mark.parametrize(
    "change",
    [
        lambda m: m.pop("at"),
        lambda m: m.update(more=1),
        lambda m: m.update(number="7"),
        lambda m: m.update(number=-1),
        lambda m: m.update(number=True),
        lambda m: m.update(cycle="12"),
        lambda m: m.update(purpose=None),
        lambda m: m.update(at="yesterday"),
        lambda m: m.update(format="coffre head v3"),
        lambda m: m.update(format="coffre head v1"),
    ],
)
def test_a_signed_head_of_another_shape_is_refused(key, change):
    """Missing, added or mistyped members; another version."""
    members = json.loads(HEAD.to_note(key).split(b"\n")[0])
    change(members)
    note = key.sign(json.dumps(members).encode() + b"\n")
    with pytest.raises(SignatureError, match="not a coffre head v2"):
        Head.from_note(note, key.public)


@pytest.mark.parametrize("text", [b"{\n", b"[]\n", b"{}\n{}\n", b'{"a":1,"a":2}\n', b"NaN\n"])
def test_a_signed_text_that_is_no_document_is_refused(key, text):
    """Not JSON, not one object, twins among its keys."""
    with pytest.raises(SignatureError, match="not a coffre head v2"):
        Head.from_note(key.sign(text), key.public)


def test_a_note_of_an_absurd_size_is_refused_before_it_is_verified(key):
    """Nothing on a medium can fill the memory of its reader."""
    with pytest.raises(SignatureError, match="not a coffre head v2"):
        Head.from_note(b"x" * 1_000_000, key.public)


def test_a_view_that_would_expand_beyond_its_bound_is_refused(key):
    """30 kB that would give a gigabyte give an error."""
    bomb = zstandard.ZstdCompressor(level=3).compressobj()
    packed = b"".join(bomb.compress(bytes(1 << 24)) for _ in range(64)) + bomb.flush()
    assert len(packed) < 200_000 < TEXT_MAX
    with pytest.raises(SignatureError, match="not a coffre view v1"):
        View.from_note(packed, key.public)


@pytest.mark.parametrize("data", [b"", b"not zstd", squeeze(b"x")[:-1], squeeze(b"x") + b"y"])
def test_what_is_no_zstd_or_no_note_is_refused(key, data):
    """A damaged view says so."""
    with pytest.raises(SignatureError):
        View.from_note(data, key.public)


@pytest.mark.parametrize(
    "line",
    [
        "../../etc/shadow 3",
        "data/../../x 3",
        "/etc/shadow 3",
        "locks/" + "0a" * 32 + " 3",
        "index/" + "0A" * 32 + " 3",
        "index/" + "0a" * 31 + " 3",
        "index/" + "0a" * 32 + " -3",
        "index/" + "0a" * 32 + " 03",
        "index/" + "0a" * 32,
        "index/" + "0a" * 32 + " 3 ",
        "data/0b/" + "0a" * 32 + " 3",
    ],
)
def test_a_view_never_names_a_path_outside_a_repository(key, line):
    """Even signed: its paths go to mount and to restic."""
    header = {"format": FORMAT, "cycle": 1, "files": 1, "bytes": 3}
    note = key.sign(f"{json.dumps(header)}\n{line}\n".encode())
    with pytest.raises(SignatureError, match="not a coffre view v1"):
        View.from_note(squeeze(note), key.public)


def test_a_view_that_is_not_sorted_or_not_what_its_header_counts_is_refused(key):
    """On both sides: it is neither signed nor believed."""
    with pytest.raises(SignatureError, match="not a coffre view v1"):
        View.of(1, FILES[::-1]).to_note(key)
    with pytest.raises(SignatureError, match="not a coffre view v1"):
        View.of(1, [FILES[0], FILES[0]]).to_note(key)
    with pytest.raises(SignatureError, match="not a coffre view v1"):
        replace(View.of(1, FILES), files=2).to_note(key)


def test_a_view_of_ten_thousand_files_is_small_and_whole(key):
    """Half of what its text has: the hashes do not compress further."""
    some = sorted(
        (
            RepositoryFile(
                path=path_of("data", hashlib.sha256(b"%d" % i).hexdigest()), size_bytes=10**7 + i
            )
            for i in range(10_000)
        ),
        key=lambda file: file.path,
    )
    note = View.of(1, some).to_note(key)
    assert len(note) < 40 * len(some)
    assert list(View.from_note(note, key.public).entries()) == some
