"""Scenario 6. Goal: a DIM sees which PMSI exports are safe, and the one that is missing."""

from __future__ import annotations

import json
import os
import re
import shutil
from datetime import date
from pathlib import Path

import pytest

from tests.rigs.vaults import ScratchVault
from vault.hospital import FINESS, generate
from vault.hospital.pmsi import Archive, write_archive

pytestmark = pytest.mark.xdist_group("calendar")  # they share a vault of some nights

SAMPLES = Path(__file__).resolve().parents[3] / "shared" / "samples" / "hospital" / "pmsi"
SEED = 5
CONFIG = """\
site: {name: CH de la Lande, finess: "990000010", time_zone: Europe/Paris, language: fr}
state: state
landing: {password: {file: secrets/landing.pw}}
production: {door: none}
sources:
  pmsi: {policy: pmsi, folder: exports/pmsi, stable_for: 0}
targets:
  trial: {door: {folder: trial}, store: files}
"""
WRONG = {"missing", "malformed", "shrunk"}


def founded(folder: Path) -> ScratchVault:
    """Make a vault for the exports that are there, with an enrolled target."""
    vault = ScratchVault(folder=folder)
    vault.config.write_text(CONFIG)
    vault.config.chmod(0o644)
    vault.init()
    vault.enrol("trial")
    return vault


def cells(vault: ScratchVault) -> dict[str, dict]:
    """Give every cell as the last night told it to the state group, less the establishment."""
    document = json.loads((vault.state / "public" / "pmsi.json").read_text("utf-8"))
    return {cell["cell"].partition("/")[2]: cell for cell in document["cells"]}


def states(vault: ScratchVault) -> dict[str, str]:
    return {name: cell["state"] for name, cell in cells(vault).items()}


def wrong(vault: ScratchVault) -> dict[str, str]:
    return {name: state for name, state in states(vault).items() if state in WRONG}


def gaps_of(vault: ScratchVault) -> dict[str, dict]:
    """Give the gaps by kind, as the last night told them."""
    status = json.loads((vault.state / "public" / "status.json").read_text("utf-8"))
    return {gap["kind"]: gap for gap in status["gaps"]}


@pytest.fixture(scope="session")
def hospital_once(tmp_path_factory: pytest.TempPathFactory) -> ScratchVault:
    """The generated hospital after one night: SMR M11 of 2024 was never exported."""
    folder = tmp_path_factory.mktemp("pmsi")
    generate(str(folder / "exports"), seed=SEED, scale=0.2)
    vault = founded(folder)
    vault.run().ok()
    return vault


@pytest.fixture
def hospital(hospital_once: ScratchVault, tmp_path: Path) -> ScratchVault:
    shutil.copytree(hospital_once.folder, tmp_path / "v", symlinks=True)
    return ScratchVault(folder=tmp_path / "v")


def test_the_export_that_is_missing_is_the_one_that_is_shown(hospital_once):
    """SMR M11, and nothing else; every other export is held by the target."""
    assert wrong(hospital_once) == {"SMR/2024/M11": "missing"}
    for name, cell in cells(hospital_once).items():
        if cell["state"] in ("sound", "amber"):
            assert [target["name"] for target in cell["targets"]] == ["trial"], name
            assert cell["records"], name


def test_the_command_says_what_the_document_says(hospital_once):
    """Judged anew by root, and explained."""
    told = hospital_once.coffre("pmsi").ok().document["cells"]
    assert {cell["cell"].partition("/")[2]: cell["state"] for cell in told} == states(hospital_once)
    told = hospital_once.coffre("pmsi", "explain", "990000010/SMR/2024/M11").ok().document["cell"]
    assert "M12 came and is cumulative" in " ".join(told["reasons"])


def test_the_page_names_the_missing_month_in_french_with_what_to_do(hospital_once):
    """Written by the night itself, whole, without the name of any exported file."""
    page = (hospital_once.state / "public/reports/pmsi.fr.html").read_text("utf-8")
    said = re.sub(r"\s+", " ", page)
    assert "Il MANQUE 1 export PMSI." in said
    assert "SMR 2024 M11" in said
    assert "Refaites l’export M11, IN et OUT" in said
    names = {path.name for path in (hospital_once.folder / "exports" / "pmsi").rglob("*.zip")}
    public = [path for path in (hospital_once.state / "public").rglob("*") if path.is_file()]
    told = "".join(path.read_text("utf-8") for path in public)
    assert names
    assert not [name for name in names if name in told]


def test_gaps_say_it_too(hospital_once):
    """Since when, how bad, and what to do; the Decembers that never came are told once."""
    gaps = gaps_of(hospital_once)
    missing = gaps["pmsi-missing"]
    assert (missing["severity"], missing["values"]["periods"]) == ("critical", "M11")
    assert missing["since"] == "2025-01-01T00:00:00+01:00"
    assert gaps["pmsi-m12-never-came"]["severity"] == "info"


def test_a_folder_that_is_emptied_in_january_loses_no_cell(hospital):
    """What was taken stays in the calendar and on the target; the new year has begun there."""
    before = states(hospital)
    exports = hospital.folder / "exports" / "pmsi"
    for path in exports.rglob("*.zip"):
        if ".2024.12." not in path.name:
            path.unlink()
    let_pass(hospital)
    points = hospital.coffre("ls", "pmsi", "--all").ok().document["points"]
    assert len(points) == 2
    assert states(hospital) == before
    held = cells(hospital)["MCO/2024/M05"]
    assert [target["name"] for target in held["targets"]] == ["trial"]


def put(vault: ScratchVault, field: str, month: int, *, torn: str = "") -> None:
    """Put both archives of a period of 2024 where its exports lie; one side may be cut short."""
    for side in ("in", "out"):
        archive = Archive(field=field, year=2024, month=month, side=side, scale=0.2)
        name = archive.name(date(2025, 2, 3))
        path = vault.folder / "exports" / "pmsi" / field.lower() / name
        with path.open("wb") as file:
            write_archive(file, archive, seed=SEED, finess=FINESS)
            if side == torn:
                file.truncate(file.tell() // 2)
        os.utime(path, (1_740_000_000, 1_740_000_000))


def test_the_export_that_comes_late_turns_its_cell_green(hospital):
    """Amber while it is in the landing only, sound once a target holds it."""
    put(hospital, "SMR", 11)
    hospital.trial.rename(hospital.folder / "away")
    hospital.run().ok(75)
    cell = cells(hospital)["SMR/2024/M11"]
    assert (cell["state"], cell["targets"]) == ("amber", [])
    assert any("on no target yet" in reason for reason in cell["reasons"])
    (hospital.folder / "away").rename(hospital.trial)
    hospital.run().ok()
    cell = cells(hospital)["SMR/2024/M11"]
    assert [target["name"] for target in cell["targets"]] == ["trial"]
    assert not any("on no target yet" in reason for reason in cell["reasons"])
    assert wrong(hospital) == {}


def test_a_torn_archive_is_red_and_takes_no_sound_one_with_it(hospital):
    """SMR M11 comes torn: red. MCO M12 comes torn after a sound one: the sound one counts."""
    put(hospital, "SMR", 11, torn="out")
    put(hospital, "MCO", 12, torn="in")
    let_pass(hospital)
    assert wrong(hospital) == {"SMR/2024/M11": "malformed"}
    cell = cells(hospital)["MCO/2024/M12"]
    assert len(cell["attempts"]) == 2
    assert [attempt["fitness"] == "malformed" for attempt in cell["attempts"]] == [False, True]
    assert "pmsi-malformed" in gaps_of(hospital)


def let_pass(vault: ScratchVault) -> None:
    """Run a night; where its gate refuses the export, see that no cell changed, then accept it."""
    before = states(vault)
    night = vault.run().ok(0, 3, 7).document
    if night["sources"][0]["verdict"] == "refused":
        assert states(vault) == before
        vault.coffre("inspect", "accept", "pmsi", "--reason", "on purpose", "--by", "DIM").ok()
        vault.run().ok()


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="NOT SHOWN: no samples beside the tree")
def test_the_samples_lack_what_dax_lost(tmp_path: Path):
    """SMR 2024 M11 and M12 and the last quarter of PSY are red; MCO M12 of 2023 is there."""
    shutil.copytree(SAMPLES, tmp_path / "exports" / "pmsi")
    for path in (tmp_path / "exports").rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)
        os.utime(path, (1_700_000_000, 1_700_000_000))
    vault = founded(tmp_path)
    vault.run().ok()
    assert wrong(vault) == {
        "SMR/2024/M11": "missing",
        "SMR/2024/M12": "missing",
        "PSY/2024/M12": "missing",
    }
    assert states(vault)["MCO/2023/M12"] == "sound"
