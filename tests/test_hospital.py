"""The generated hospital: the same dice, the same bytes; a night changes little."""

from __future__ import annotations

import hashlib
import os
import re
import zipfile
from itertools import pairwise
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest

from vault.hospital import generate

if TYPE_CHECKING:
    from pathlib import Path

SMALL = 0.05


def digest(folder: Path) -> dict[str, tuple[str, int]]:
    """Give hash and time of every file, by its path."""
    return {
        str(path.relative_to(folder)): (
            hashlib.sha256(path.read_bytes()).hexdigest(),
            path.stat().st_mtime_ns,
        )
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.fixture(scope="module")
def hospital(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One small hospital, not to be changed."""
    folder = tmp_path_factory.mktemp("hospital")
    generate(str(folder), seed=7, scale=SMALL)
    return folder


def test_same_seed_and_night_give_the_same_bytes_and_times(hospital: Path, tmp_path: Path) -> None:
    """Two hosts that generate the same night hold the same files."""
    generate(os.fsencode(tmp_path), seed=7, scale=SMALL)
    assert digest(tmp_path) == digest(hospital)


def test_another_seed_is_another_hospital(hospital: Path, tmp_path: Path) -> None:
    """No file of one seed has the content it has under another, but for the names."""
    generate(str(tmp_path), seed=8, scale=SMALL)
    ours, theirs = digest(hospital), digest(tmp_path)
    assert ours.keys() == theirs.keys()
    assert not {digest for digest, _ in ours.values()} & {digest for digest, _ in theirs.values()}


def test_full_size_is_that_of_a_night_in_the_demonstration(tmp_path: Path) -> None:
    """About 15 MB in about 160 files, in five sources, and a night brings 2 to 4 % of new bytes."""
    first = generate(str(tmp_path), seed=1)
    assert 140 <= first.files <= 180
    assert 10e6 <= first.bytes <= 20e6
    assert sorted(os.listdir(tmp_path)) == ["clinical", "finance", "hr", "laboratory", "pmsi"]
    before = {path: path.stat().st_size for path in tmp_path.rglob("*") if path.is_file()}
    generate(str(tmp_path), seed=1, night=1)
    after = {path: path.stat().st_size for path in tmp_path.rglob("*") if path.is_file()}
    new = sum(size - before.get(path, 0) for path, size in after.items())
    assert 0.02 * first.bytes <= new <= 0.04 * first.bytes


def test_night_grows_some_adds_one_removes_one_and_leaves_the_rest(tmp_path: Path) -> None:
    """What grew begins with what it was; untouched files keep their times."""
    generate(str(tmp_path), seed=7, scale=SMALL)
    before = {p: (p.read_bytes(), p.stat().st_mtime_ns) for p in tmp_path.rglob("*") if p.is_file()}
    report = generate(str(tmp_path), seed=7, scale=SMALL, night=1)
    after = {p: (p.read_bytes(), p.stat().st_mtime_ns) for p in tmp_path.rglob("*") if p.is_file()}
    added, removed = after.keys() - before.keys(), before.keys() - after.keys()
    grown = [p for p in after.keys() & before.keys() if after[p] != before[p]]
    assert len(added) == len(removed) == report.removed_files == 1
    assert report.written_files == 7
    assert len(grown) == 6
    for path in grown:
        assert after[path][0].startswith(before[path][0])
        assert after[path][1] > before[path][1]


def test_night_reached_step_by_step_is_the_night_generated_at_once(tmp_path: Path) -> None:
    """Three nights in turn, back again, or straight ahead: the folder is the same."""
    steps, straight = tmp_path / "steps", tmp_path / "straight"
    for night in (0, 1, 2, 3, 5, 3):
        generate(str(steps), seed=7, night=night, scale=SMALL)
    generate(str(straight), seed=7, night=3, scale=SMALL)
    assert digest(steps) == digest(straight)


def test_damaged_export_is_made_anew_and_foreign_files_are_left_alone(tmp_path: Path) -> None:
    """A demonstration may break a file, and a person's file among ours stays."""
    generate(str(tmp_path), seed=7, scale=SMALL)
    victim = tmp_path / "clinical/directory/annuaire.ldif"
    whole = victim.read_bytes()
    victim.write_bytes(b"encrypted")
    foreign = tmp_path / "clinical/messages/note.txt"
    foreign.write_text("mine")
    report = generate(str(tmp_path), seed=7, scale=SMALL)
    assert victim.read_bytes() == whole
    assert foreign.read_text() == "mine"
    assert (report.written_files, report.removed_files) == (1, 0)


def test_month_eleven_of_rehabilitation_is_missing(hospital: Path) -> None:
    """The hole of Dax: M10 and M12 are there, M11 is not."""
    months = {
        int(name.split(".")[2])
        for name in os.listdir(hospital / "pmsi/smr")
        if name.split(".")[1] == "2024"
    }
    assert months == {*range(1, 13)} - {11}


def test_archives_are_whole_cumulative_and_of_one_establishment(hospital: Path) -> None:
    """Every member reads, carries the archive's FINESS and period, and M(n) holds M(n-1)."""
    archives = sorted(
        (hospital / "pmsi/had").glob("*.out.zip"), key=lambda p: int(p.name.split(".")[2])
    )
    mains = []
    for path in archives:
        with zipfile.ZipFile(path) as archive:
            assert archive.testzip() is None
            period = ".".join(path.name.split(".")[:3])
            assert all(name.startswith(period + ".") for name in archive.namelist())
            mains.append(archive.read(f"{period}.rapss"))
    assert len(mains) == 12
    assert all(later.startswith(earlier) for earlier, later in pairwise(mains))
    assert {line[:9] for line in mains[-1].splitlines()} == {b"990000010"}


def test_discharge_abstracts_have_the_length_their_counters_say(hospital: Path) -> None:
    """RSA 228: 262 fixed columns and 61 a unit, counters at their columns."""
    (path,) = (hospital / "pmsi/mco").glob("990000010.2024.12.*.out.zip")
    with zipfile.ZipFile(path) as archive:
        lines = archive.read("990000010.2024.12.rsa").decode("ascii").split("\n")[:-1]
    assert lines
    for line in lines:
        assert line[9:12] == "228"
        assert len(line) == 262 + 61 * int(line[50:52])
        assert 1 <= int(line[61:63]) <= 12


def test_declared_counts_are_right(hospital: Path) -> None:
    """A DSN counts its lines, a Helios flow its pieces; the entries of a FEC balance."""
    for path in (hospital / "hr/dsn").iterdir():
        lines = path.read_bytes().split(b"\r\n")[:-1]
        assert lines[-2] == b"S90.G00.90.001,'%d'" % len(lines)
    for path in (hospital / "finance/pes").iterdir():
        root = ET.parse(path).getroot()
        declared = root.find(".//NbrPce")
        assert declared is not None
        assert int(declared.attrib["V"]) == len(root.findall(".//Piece"))
    for path in (hospital / "finance/fec").iterdir():
        rows = [line.split("\t") for line in path.read_text("ascii").splitlines()[1:] if line]
        debit, credit = (
            sum(int(row[column].replace(",", "")) for row in rows) for column in (11, 12)
        )
        assert debit == credit > 0


def test_images_are_dicom(hospital: Path) -> None:
    """The mark of DICOM part 10 stands after its preamble, and the pixels are all there."""
    for path in (hospital / "clinical/imaging").iterdir():
        content = path.read_bytes()
        assert content[128:132] == b"DICM"
        at = content.index(b"\xe0\x7f\x10\x00OW\0\0")
        assert int.from_bytes(content[at + 8 : at + 12], "little") == len(content) - at - 12


def test_no_identity_number_is_a_persons(hospital: Path) -> None:
    """Thirteen figures that begin with 0: no number of a person does."""
    for path in (hospital / "hr/dsn").iterdir():
        numbers = re.findall(rb"S21\.G00\.30\.001,'(\d+)'", path.read_bytes())
        assert numbers
        assert all(re.fullmatch(rb"0\d{12}", number) for number in numbers)
