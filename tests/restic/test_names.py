"""Names of files through restic and back: bytes, and each means itself only."""

import os
from pathlib import Path

import pytest

from tests.rigs.restics import scratch_landing, write_reception

AWKWARD = (
    b"plain",
    b"star*",
    b"star-and-more",
    b"what?",
    b"whatx",
    b"[ab]",
    b"a",
    b"[",
    b"]",
    b"{a,b}",
    b"back\\slash",
    b"back\\\\slash",
    b"\\*",
    b"*",
    b"**",
    b"!not",
    b"#note",
    b"$HOME",
    b"~",
    b"-leading",
    b"--include",
    b" space ",
    b"new\nline",
    b"tab\t",
    b"caf\xc3\xa9",  # composed
    b"cafe\xcc\x81",  # decomposed
    b"caf\xe9",  # Latin-1
    b"\xff\xfe",
    "données/[2026]/M*.txt".encode(),
    "données/[2026]/M09.txt".encode(),
    b"x" * 255,
    b"y" * 254 + b"*",
    b"...",
    b"%2a",
)


def restored(folder: Path) -> dict[bytes, bytes]:
    root = os.fsencode(folder)
    found = {}
    for here, _, names in os.walk(root):
        for name in names:
            path = os.path.join(here, name)
            with open(path, "rb") as file:
                found[os.path.relpath(path, root)] = file.read()
    return found


@pytest.fixture(scope="module")
def kept(restic, tmp_path_factory):
    """Make a landing with a snapshot of every awkward name; the content of each is its name."""
    folder = tmp_path_factory.mktemp("names")
    reception = write_reception(folder / "reception", {name: name for name in AWKWARD})
    landing = scratch_landing(restic, folder / "landing")
    return landing, landing.backup(reception, source="pmsi", parent=None).snapshot_id


def test_every_name_comes_back_byte_for_byte(kept, tmp_path):
    """Latin-1, both forms of é, newline, 255 bytes: as they were."""
    landing, snapshot = kept
    landing.restore(snapshot, target=os.fsencode(tmp_path / "back"), includes=[b"data"])
    assert restored(tmp_path / "back/data") == {name: name for name in AWKWARD}


@pytest.mark.parametrize("name", AWKWARD, ids=lambda name: ascii(name)[:24])
def test_one_name_asked_for_brings_that_file_and_no_other(kept, tmp_path, name):
    """A star is a star: no name is a pattern, an option or another's prefix."""
    landing, snapshot = kept
    landing.restore(snapshot, target=os.fsencode(tmp_path / "back"), includes=[b"data/" + name])
    assert restored(tmp_path / "back") == {b"data/" + name: name}


def test_all_names_asked_for_at_once_bring_all_of_them(kept, tmp_path):
    """Many includes in one run, and in several when they are too long for one."""
    landing, snapshot = kept
    wanted = [b"data/" + name for name in AWKWARD]
    landing.restore(snapshot, target=os.fsencode(tmp_path / "back"), includes=wanted)
    assert restored(tmp_path / "back/data") == {name: name for name in AWKWARD}


def test_folder_asked_for_brings_what_is_in_it(kept, tmp_path):
    """A folder whose name looks like a pattern, too."""
    landing, snapshot = kept
    folder = "data/données/[2026]".encode()
    landing.restore(snapshot, target=os.fsencode(tmp_path / "back"), includes=[folder])
    assert set(restored(tmp_path / "back")) == {folder + b"/M*.txt", folder + b"/M09.txt"}
