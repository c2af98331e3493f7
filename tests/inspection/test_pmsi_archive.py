"""Archives of e-PMSI: what their members say against each other and against their names."""

from __future__ import annotations

import io
import json
import time
import zipfile
from pathlib import Path
from random import Random

import pytest

from tests.rigs.pmsi_lines import FINESS, lines_of, make_zip, mco_out, text_of
from vault.config import load_formats
from vault.finding import Finding, Soundness
from vault.inspection import load_registry
from vault.inspection.budget import Budget, Limits
from vault.inspection.content import Content
from vault.inspection.pmsi_archive import PmsiArchive
from vault.wiring.formats import pmsi_inspectors

SAMPLES = Path(__file__).parents[3] / "shared/samples/hospital/pmsi"
TABLES = load_formats()
INSPECTOR = PmsiArchive(TABLES)
REGISTRY = load_registry(pmsi_inspectors(TABLES))
NAME = f"{FINESS}.2024.3.20042024112254.out.zip"


def inspect(content: bytes, name: str = NAME, limits: Limits | None = None) -> Finding:
    made = Content(
        name.encode(), len(content), lambda: io.BytesIO(content),
        budget=Budget(limits=limits or Limits()), judge=REGISTRY.judge, is_seekable=True,
    )  # fmt: skip
    try:
        return REGISTRY.judge(made)
    finally:
        made.finish()


def codes(finding: Finding) -> set[str]:
    return {r.code for r in finding.remarks if r.soundness is not Soundness.SOUND}


def out(period: int = 3, **more) -> bytes:
    return make_zip(mco_out(TABLES, period, **more))


@pytest.mark.parametrize(
    ("name", "stamp"),
    [
        (f"{FINESS}.2024.3.20042024112254.out.zip", "2024-04-20T11:22:54"),
        (f"{FINESS}.2024.3.20240420112254.out.zip", "2024-04-20T11:22:54"),
        (f"{FINESS}.2024.03.MCO.SEJOURS.SEJOURS.20240420112254.out.zip", "2024-04-20T11:22:54"),
        (f"{FINESS}.2024.3.20241320112254.OUT.ZIP", ""),
        (f"{FINESS}.2024.3.20042024112254.001.out.zip", "2024-04-20T11:22:54"),
    ],
)
def test_every_naming_is_read(name, stamp):
    """Both orders of the stamp, and one that is no time."""
    found = inspect(out(), name)
    assert found.soundness is Soundness.SOUND, found.remarks
    facts = found.pmsi
    assert (facts.field, facts.side, facts.finess) == ("MCO", "out", FINESS)
    assert (facts.year, facts.period, facts.stamp, facts.complete) == (2024, 3, stamp, True)
    assert found.periods == ("2024-01", "2024-02", "2024-03")
    assert facts.members["leg"] == 0


def test_a_renamed_archive_is_known_by_its_members():
    """What the name does not say, they do."""
    found = inspect(out(), "sauvegarde mars.zip")
    assert found.kind == "pmsi-archive"
    assert (found.pmsi.field, found.pmsi.side, found.pmsi.period) == ("MCO", "out", 3)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda m: m.pop(f"{FINESS}.2024.3.ano"), "pmsi-incomplete"),
        (lambda m: m.update({f"{FINESS}.2024.3.rsa": b""}), "pmsi-incomplete"),
        (lambda m: m.update({f"{FINESS}.2024.3.sta": b"990000010|0|\n"}), "pmsi-counts-differ"),
        (lambda m: m.update({f"{FINESS}.2024.2.med": b""}), "pmsi-foreign-members"),
        (lambda m: m.update({"990000028.2024.3.med": b""}), "pmsi-foreign-members"),
        (lambda m: m.update({f"{FINESS}.2024.3.rsa": rsa([1, 2])}), "pmsi-months-missing"),
        (lambda m: m.update({f"{FINESS}.2024.3.rsa": rsa([1, 2, 3, 4])}), "pmsi-beyond-period"),
        (lambda m: m.update({f"{FINESS}.2024.3.rsa": rsa([1, 2, 3], 2023)}), "pmsi-earlier-year"),
        (lambda m: m.update({f"{FINESS}.2024.3.rsa": rsa([1, 2, 3], finess="990000028")}),
         "pmsi-other-finess"),
        (lambda m: m.update({f"{FINESS}.2024.3.rsa": rsa([1, 2, 3])[:-300]}), "pmsi-truncated"),
        (lambda m: m.update({f"{FINESS}.2024.3.rsa": b"anything\n" * 9}), "pmsi-strangers"),
        (lambda m: m.update({f"{FINESS}.2024.3.rsa":
                             rsa([1, 2, 3]).replace(b"990000010228", b"990000010240")}),
         "pmsi-newer"),
    ],
)  # fmt: skip
def test_each_fault_has_its_remark(change, code):
    """A dropped member, a cut, a wrong month, another establishment, an unknown version."""
    members = mco_out(TABLES)
    change(members)
    found = inspect(make_zip(members))
    assert code in codes(found)
    hard = {"pmsi-truncated", "pmsi-strangers"}
    expected = Soundness.MALFORMED if code in hard else Soundness.DOUBTFUL
    assert found.soundness is expected
    assert found.pmsi.complete is (code != "pmsi-incomplete")


def rsa(months, year=2024, **more) -> bytes:
    return text_of(lines_of(TABLES, "rsa", "228", months, year=year, **more))


def test_a_dropped_line_is_seen_by_the_other_members():
    """One line less in the main member."""
    members = mco_out(TABLES)
    main = members[f"{FINESS}.2024.3.rsa"]
    members[f"{FINESS}.2024.3.rsa"] = main[main.index(b"\n") + 1 :]
    assert codes(inspect(make_zip(members))) == {"pmsi-counts-differ"}


def test_period_nought_is_a_test_run_and_no_fault():
    """It counts for no month."""
    members = {name.replace(".3.", ".0."): text for name, text in mco_out(TABLES).items()}
    found = inspect(make_zip(members), NAME.replace(".3.", ".0."))
    assert found.soundness is Soundness.SOUND
    assert "pmsi-test-run" in {remark.code for remark in found.remarks}
    assert found.pmsi.period == 0


def test_weeks_of_the_year_before_are_normal_in_rehabilitation():
    """A stay that goes on keeps its weeks; from 2026 on a week may touch two years."""

    def smr(year, *weeks):
        lines = [line for y, w in weeks for line in weekly(y, w)]
        start = f"{FINESS}.{year}.1."
        return inspect(
            make_zip({f"{start}rhs.rtt.txt": text_of(lines), f"{start}anoh.txt": b"x\n"}),
            f"{FINESS}.{year}.01.SMR.SEJOURS.SEJOURS.20270220112254.in.zip",
        )

    def weekly(year, week):
        from tests.rigs.pmsi_lines import make_line, reader_of

        reader = reader_of(TABLES, "rhs_groupe", "M1C")
        return [make_line(reader, reader.rules[0], year=year, week=week)]

    assert codes(smr(2024, (2023, 50), (2024, 1), (2024, 4))) == set()
    assert codes(smr(2024, (2024, 1), (2024, 6))) == {"pmsi-beyond-period"}
    # 28/12/2026 to 03/01/2027: of M12 2026 by its Thursday, of M1 2027 by the rule of 2026.
    found = smr(2027, (2026, 53))
    assert found.pmsi.records[0].months == {"2027-01": 1}


def test_an_archive_cut_at_two_hundred_places_is_never_sound():
    """And never a fault of ours."""
    content = out()
    for offset in Random(4).sample(range(len(content)), 200):
        assert inspect(content[:offset]).soundness is Soundness.MALFORMED, offset


def test_a_flipped_byte_is_a_checksum_that_differs():
    """Stored, not folded, so that only the checksum can tell."""
    members = mco_out(TABLES)
    content = bytearray(make_zip(members, method=zipfile.ZIP_STORED))
    at = content.index(b"XXXXXXXX")
    content[at] = ord("Y")
    found = inspect(bytes(content))
    assert "pmsi-archive-damaged" in codes(found)
    assert found.soundness is Soundness.MALFORMED


def test_a_member_that_nobody_counts_is_read_to_its_checksum():
    """What stands beside the records is part of the archive."""
    members = {**mco_out(TABLES), f"{FINESS}.2024.3.log.txt": b"." * 99_000 + b"ZZZZZZZZ"}
    content = bytearray(make_zip(members, method=zipfile.ZIP_STORED))
    content[content.index(b"ZZZZZZZZ")] = ord("Y")
    assert "pmsi-archive-damaged" in codes(inspect(bytes(content)))


def test_a_save_of_druides_is_read_through_its_archives():
    """ZIP in ZIP in ZIP."""
    inner = make_zip({"Data.mnf": b"x", "Data2.zip": out()})
    save = make_zip({"x.data.zip": make_zip({"x.basket.zip": inner}), "x.sign": b"abc"})
    uuid = "0f8fad5b-d9cb-469f-a165-70867728950e"
    found = inspect(save, f"{FINESS}.2024.3.MCO.SEJOURS.SEJOURS.20240420112254.{uuid}.zip")
    assert found.soundness is Soundness.SOUND, found.remarks
    assert (found.pmsi.side, found.pmsi.field, found.pmsi.complete) == ("save", "MCO", True)
    assert found.pmsi.records[0].lines == 9


def test_a_bomb_meets_its_bound():
    """Of size, of ratio, of depth; soon, and without the memory."""
    members = mco_out(TABLES)
    members[f"{FINESS}.2024.3.med"] = b"\n" * (4 << 20)
    began = time.monotonic()
    found = inspect(make_zip(members), limits=Limits(ratio_from_bytes=1 << 20, ratio=100))
    assert "over-budget" in codes(found)
    members[f"{FINESS}.2024.3.med"] = b"0" * (8 << 20)
    assert "pmsi-no-lines" in codes(inspect(make_zip(members)))
    nested = out()
    for _ in range(8):
        nested = make_zip({"x.zip": nested})
    assert "over-budget" in codes(inspect(nested, NAME))
    assert time.monotonic() - began < 10


def test_a_bound_of_bytes_is_shared_by_all_members():
    """Whatever their number."""
    limits = Limits(total_bytes=9_000)
    assert "over-budget" in codes(inspect(out(), limits=limits))


def test_nothing_of_a_member_leaves_the_archive(caplog):
    """Neither its lines nor its name."""
    members = mco_out(TABLES, marker=b"1850775123456")
    members["DURAND Marthe.txt"] = b"1850775123456\n"
    members[f"{FINESS}.2024.3.durand"] = b"1850775123456\n"
    for content in (make_zip(members), make_zip(members)[:-50]):
        found = inspect(content)
        told = (repr(found) + json.dumps([r.sentence for r in found.remarks]) + caplog.text).lower()
        assert "durand" not in told
        assert "18507" not in told


@pytest.mark.parametrize("folder", ["mco", "smr", "had", "psy"])
def test_samples_are_what_they_are(folder):
    """Field, side, period, months, complete; a month that is missing is a file that is missing."""
    if not SAMPLES.is_dir():
        pytest.skip("the sample exports are not beside the project")
    paths = sorted((SAMPLES / folder).iterdir())
    assert paths
    for path in paths:
        found = inspect(path.read_bytes(), path.name)
        facts = found.pmsi
        parts = path.name.split(".")
        assert (facts.finess, facts.year, facts.period) == (parts[0], int(parts[1]), int(parts[2]))
        assert (facts.field, facts.side) == (folder.upper(), parts[-2])
        assert (found.soundness, facts.complete) == (Soundness.SOUND, True), path.name
        months = {f"{facts.year}-{month:02}" for month in range(1, facts.period + 1)}
        assert set(found.periods) == months


@pytest.mark.parametrize("scale", [0.05])
def test_the_generated_hospital_is_sound_by_these_tables(tmp_path, scale):
    """The layouts of the demonstration are those of the tables."""
    from vault.hospital import generate

    generate(str(tmp_path), seed=3, scale=scale)
    paths = sorted((tmp_path / "pmsi").rglob("*.zip"))
    assert len(paths) > 40
    for path in paths:
        found = inspect(path.read_bytes(), path.name)
        assert found.soundness is Soundness.SOUND, (path.name, found.remarks)
