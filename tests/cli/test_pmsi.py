"""``coffre pmsi``: what a DIM reads in a terminal, without root, from the public document alone."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest

from tests.rigs.pmsi_exports import calendar, export, pair, pairs
from tests.rigs.vaults import ScratchVault
from vault.cli import pmsi, reporting
from vault.finding import Soundness
from vault.report import document_of
from vault.statefile import StateFolder

pytestmark = pytest.mark.xdist_group("cli")

STATUS = {
    "status": "locked",
    "state": "locked",
    "sources": ["pmsi"],
    "pid": 0,
    "written_at": "2025-03-10T01:07:00+00:00",
    "last_cycle": {"ended_at": "2025-03-10T00:07:00+00:00", "sources": {}},
    "targets": [],
    "gaps": [],
}
CONFIG = 'site: {name: CH, finess: "990000010", language: fr}\nstate: state\n'


def exports():
    came = pairs("MCO", 2024, range(1, 13)) + pairs("SMR", 2024, range(1, 11))
    came += pair("HAD", 2024, 11, soundness=Soundness.MALFORMED)
    return [*came, export("HAD", 2024, 12, "in")]


@pytest.fixture
def reader(tmp_path: Path, monkeypatch) -> ScratchVault:
    """An account without root beside a vault that has told what it knows."""
    for front in (pmsi, reporting):
        monkeypatch.setattr(front, "is_root", lambda: False)
    monkeypatch.delenv("COLUMNS", raising=False)
    state = StateFolder(str(tmp_path / "state"))
    state.publish(STATUS)
    document = {
        "written_at": "2025-03-10T01:07:00+00:00",
        "site": "CH",
        "time_zone": "Europe/Paris",
        "sources": ["pmsi"],
        **document_of(calendar(exports())),
    }
    state.publish_document("pmsi.json", document)
    state.publish_text("reports/pmsi.fr.html", "<!doctype html>")
    vault = ScratchVault(folder=tmp_path)
    vault.config.write_text(CONFIG)
    vault.config.chmod(0o644)
    return vault


def told(ask, reader, *words: str, code: int = 0) -> str:
    answer = ask(reader, *words, json_too=False)
    assert answer.code == code, answer.stderr
    return answer.stdout.replace("\u00a0", " ")


def test_the_missing_month_has_its_cross_and_its_sentence(ask, reader):
    """SMR M11 in the grid, and below it what to do, in French."""
    text = told(ask, reader, "pmsi")
    (smr,) = [line for line in text.splitlines() if line.startswith("SMR") and "✗" in line]
    assert smr.split() == ["SMR", *["✓"] * 10, "✗", "✗"]
    (had,) = [line for line in text.splitlines() if line.startswith("HAD") and "!" in line]
    assert had.split() == ["HAD", *["–"] * 10, "!", "~"]
    assert "✗ SMR 2024 M11 et M12, 990000010 : EN RETARD OU MANQUANT" in text
    assert "→ Refaites l’export M11 et M12, IN et OUT" in text
    assert "! HAD 2024 M11, 990000010 : MAL FORMÉ" in text


@pytest.mark.parametrize("words", [(), ("--lang", "en"), ("explain", "990000010/HAD/2024/M12")])
def test_it_fits_eighty_columns(ask, reader, words):
    """In both languages; the explanation too."""
    lines = told(ask, reader, "pmsi", *words).splitlines()
    assert max(map(len, lines)) <= 80


def test_a_sign_stands_where_a_colour_would(ask, reader):
    """A pipe has no colour; each state has its sign, and the legend its word."""
    text = told(ask, reader, "pmsi", "--lang", "en")
    assert "\x1b" not in text
    for sign, word in (("✓", "safe"), ("~", "to look at"), ("✗", "LATE OR MISSING")):
        assert f"{sign} {word}" in " ".join(text.split())


def test_a_part_of_the_calendar_can_be_asked_for(ask, reader):
    """By field, year and establishment."""
    found = ask(reader, "pmsi", "--field", "smr", "--year", "2024", "--finess", "990000010")
    cells = found.document["cells"]
    assert {(cell["field"], cell["year"]) for cell in cells} == {("SMR", 2024)}
    assert len(cells) == 12
    assert ask(reader, "pmsi", "--finess", "990000028").document["cells"] == []


def test_a_field_that_is_none_is_refused_and_the_fields_are_named(ask, reader):
    """An empty calendar would read as if nothing were missing."""
    told = ask(reader, "pmsi", "--field", "ssr")
    assert told.code == 2
    assert "SMR" in told.document["error"]["hint"]
    assert ask(reader, "pmsi", "--field", "smr").code == 0


def test_the_document_is_the_contracts(ask, reader, faults):
    """Every member that the contract names, and no word that its schema does not know."""
    document = ask(reader, "pmsi").document
    assert faults(document) == []
    (missing,) = [c for c in document["cells"] if c["cell"] == "990000010/SMR/2024/M11"]
    assert {
        "finess", "field", "year", "period", "state", "records", "versions", "targets", "proof",
        "reasons",
    } <= set(missing)  # fmt: skip
    assert (missing["state"], missing["proof"], missing["targets"]) == ("missing", None, [])
    assert missing["reasons"][0] == "no export of M11 has come; it was due on 2024-12-31"
    (sound,) = [c for c in document["cells"] if c["cell"] == "990000010/MCO/2024/M03"]
    assert sound["records"] == {"rsa": 300, "rss": 300}
    assert sound["targets"][0]["disconnection"] == "detached"


def test_a_cell_is_explained_in_sentences(ask, reader, faults):
    """Why, each attempt, where, since when, tested or not, and what to do."""
    text = told(ask, reader, "pmsi", "explain", "990000010/had/2024/m12")
    text = " ".join(text.split())
    for part in (
        "~ 990000010/HAD/2024/M12 (décembre 2024) : à regarder",
        "Seule l’archive IN est là",
        "Export fait le 28/12/2024 (IN), une moitié seulement : 1 200 RPSS",
        "sur disk-a depuis le 01/03/2025 02:00 (hors ligne : détaché)",
        "Test de restauration : pas encore testé.",
        "À faire :",
    ):
        assert part in text, part
    document = ask(reader, "pmsi", "explain", "990000010/HAD/2024/M12").document
    assert faults(document) == []
    assert document["cell"]["state"] == "amber"


def test_a_missing_cell_is_explained_too(ask, reader):
    """There is no attempt to tell of, and still a reason and a task."""
    text = told(ask, reader, "pmsi", "explain", "990000010/SMR/2024/M11")
    assert "il était attendu le 31/12/2024 au plus tard" in " ".join(text.split())
    assert "À faire : Refaites l’export M11, IN et OUT" in " ".join(text.split())


@pytest.mark.parametrize(
    ("name", "code", "said"),
    [("degraded", 5, "DÉGRADÉ"), ("secured", 6, "MIS EN SÛRETÉ"), ("locked", 0, "Exports PMSI")],
)
def test_its_exit_code_is_that_of_status(ask, reader, name, code, said):
    """Also when all exports are there: a door that may be open comes first."""
    StateFolder(str(reader.state)).publish({**STATUS, "status": name, "state": name})
    text = told(ask, reader, "pmsi", code=code)
    assert text.startswith(said)


def test_before_the_first_night_it_says_so(ask, reader):
    """No calendar is not an empty calendar."""
    (reader.state / "public" / "pmsi.json").unlink()
    answer = ask(reader, "pmsi")
    assert (answer.code, answer.document["error"]["reference"]) == (2, "not-initialised")


def test_a_damaged_document_is_not_read_as_an_empty_one(ask, reader):
    """Torn JSON, and JSON without cells."""
    for content in (b"{", b"{}", b"[]"):
        (reader.state / "public" / "pmsi.json").write_bytes(content)
        assert ask(reader, "pmsi").code == 2


def test_report_says_where_the_page_is(ask, reader):
    """In the language that is asked for; one that is not there is not named."""
    page = reader.state / "public" / "reports" / "pmsi.fr.html"
    assert told(ask, reader, "report").strip() == str(page)
    assert ask(reader, "report", "--lang", "en").code == 2


def test_what_is_published_is_for_the_group_and_whole(tmp_path):
    """Folders 0750, files 0640, nothing half-written beside them."""
    state = StateFolder(str(tmp_path / "state"))
    state.publish_text("reports/pmsi.fr.html", "é" * 9)
    found = {
        os.path.relpath(path, tmp_path): stat.S_IMODE(path.stat().st_mode)
        for path in (tmp_path / "state" / "public").rglob("*")
    }
    assert found == {"state/public/reports": 0o750, "state/public/reports/pmsi.fr.html": 0o640}
    text = (tmp_path / "state/public/reports/pmsi.fr.html").read_text("utf-8")
    assert text == "é" * 9


def test_a_real_vault_publishes_it_after_a_night(vault, ask):
    """Document and both pages; no name of an exported file in any of them."""
    public = vault.state / "public"
    texts = [
        (public / name).read_text("utf-8")
        for name in ("pmsi.json", "reports/pmsi.fr.html", "reports/pmsi.en.html")
    ]
    assert json.loads(texts[0])["cells"] == []
    for text in texts:
        for name in ("M01.txt", "-rf", "nfc"):
            assert name not in text
    assert ask(vault, "pmsi").document["cells"] == []
