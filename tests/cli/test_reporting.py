"""``coffre report``: the pages of the night for each reader, and reports of their own."""

from __future__ import annotations

import csv
import io
import json
import os

import pytest

from tests.cli.test_json import one_document
from tests.rigs import browser
from vault.report.overview import render_overview

pytestmark = pytest.mark.xdist_group("cli")
READERS = ("dim", "sysadmin", "auditor")


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("language", ["fr", "en"])
def test_every_reader_has_a_page_in_both_languages(vault, ask, faults, reader, language):
    """Self-contained: no script, nothing from elsewhere, no name of an exported file."""
    told = one_document(ask(vault, "report", "--for", reader, "--lang", language))
    assert faults(told) == []
    with open(told["page"], encoding="utf-8") as file:
        page = file.read()
    assert f'<html lang="{language}">' in page
    assert "<script" not in page
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert "https://" not in page
    assert "night-1.txt" not in page
    assert "2026/M01.txt" not in page


def test_the_pages_say_first_where_the_doors_are_and_what_is_missing(vault, ask):
    """A folder target is not offline: the banner names what needs hands, the doors stand shut."""
    page = one_document(ask(vault, "report", "--for", "sysadmin", "--lang", "fr"))["page"]
    with open(page, encoding="utf-8") as file:
        text = file.read()
    banner = text[text.index('class="banner') : text.index("</section>")]
    assert "banner missing" in banner
    assert "prouvées fermées" in banner


def test_a_night_is_called_what_it_was_judged_and_never_safe(vault, ask):
    """A good night says nothing of what its exports stand on."""
    words = ("report", "--for", "auditor", "--format", "json")
    document = one_document(ask(vault, *words))["report"]
    facts = [fact for clause in document["compliance"] for fact in clause["facts"]]
    for fact in facts:
        fact["values"] |= {"verdict": "sound"} if "verdict" in fact["values"] else {}
    page = render_overview(document, "auditor", "fr")
    assert "jugée « sans défaut »" in page.replace("\u202f", " ").replace("\xa0", " ")


def test_a_report_of_its_own_goes_into_a_new_file_and_never_over_one(vault, ask, tmp_path):
    """HTML for a period, CSV and JSON; a day that is none is a usage error."""
    out = tmp_path / "report.html"
    words = ("report", "--for", "auditor", "--out", str(out), "--from", "2026-01-01")
    assert ask(vault, *words).code == 0
    assert out.stat().st_mode & 0o777 == 0o640
    assert ask(vault, *words).code == 2
    assert ask(vault, "report", "--for", "auditor", "--from", "soon", "--out", "x").code == 2
    assert ask(vault, "report", "--for", "nobody").code == 2
    as_json = one_document(ask(vault, "report", "--for", "sysadmin", "--format", "json"))
    assert as_json["report"]["status"] == "locked"
    # Counted from the founding on, which may lie before midnight; the time before it is no proof.
    assert len(as_json["report"]["exposure"]["nights"]) in {1, 2}


@pytest.mark.parametrize("reader", READERS)
def test_a_csv_opens_in_a_french_spreadsheet(vault, ask, tmp_path, reader):
    """UTF-8 with its mark, semicolons, one row a thing."""
    out = tmp_path / "report.csv"
    words = ("report", "--for", reader, "--format", "csv", "--out", str(out), "--lang", "fr")
    assert ask(vault, *words).code == 0
    raw = out.read_bytes()
    assert raw.startswith(b"\xef\xbb\xbf")
    rows = list(csv.reader(io.StringIO(raw.decode("utf-8-sig")), delimiter=";"))
    assert {len(row) for row in rows} == {len(rows[0])}
    assert len(rows) > 1 or reader == "dim"


def test_the_openings_of_the_ledger_are_all_in_the_auditors_figures(vault, ask):
    """What the report adds up is what the ledger has, opening by opening."""
    told = one_document(ask(vault, "report", "--for", "auditor", "--format", "json"))["report"]
    with open(vault.state / "ledger" / "ledger.jsonl", encoding="utf-8") as file:
        entries = [json.loads(line) for line in file]
    shut = [entry["body"] for entry in entries if entry["kind"] == "vault-shut"]
    assert told["exposure"]["openings"] == len(shut)
    assert told["exposure"]["total_s"] == pytest.approx(sum(b["seconds"] for b in shut), abs=0.01)


@pytest.mark.long
@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_a_real_browser_finds_no_fault_of_accessibility(vault, ask, tmp_path, reader, dark):
    """axe-core, WCAG A and AA, in French; COFFRE_SCREENSHOTS says where its picture is kept."""
    if (missing := browser.why_no_browser()) and os.environ.get("CI") != "true":
        pytest.skip(f"NOT SHOWN: {missing}")
    page = one_document(ask(vault, "report", "--for", reader, "--lang", "fr"))["page"]
    copy = tmp_path / f"{reader}.html"
    with open(page, encoding="utf-8") as file:
        copy.write_text(file.read(), "utf-8")
    assert browser.faults(copy, tmp_path, dark=dark) == []
    if kept := os.environ.get("COFFRE_SCREENSHOTS"):
        os.makedirs(kept, exist_ok=True)
        name = f"{reader}-{'dark' if dark else 'light'}.png"
        browser.screenshot(copy, os.path.join(kept, name), dark=dark)
