"""The fiche de restauration: what it says, what it never claims, and that it needs nothing else."""

from __future__ import annotations

import re
import sys

import pytest

from tests.rigs.browser import faults, why_no_browser
from vault.errors import UsageError
from vault.report.fiche_page import render_fiche
from vault.report.pages import to_pdf

SHA = "ab" * 32


def document(**more: object) -> dict[str, object]:
    found: dict[str, object] = {
        "drill": 7, "source": "pmsi", "from": "disk-a", "reason": "asked", "level": "L2",
        "level_reached": "L1", "verdict": "incomplete", "begun_at": "2026-11-25T21:00:00+00:00",
        "ended_at": "2026-11-25T21:00:09+00:00", "cycle": 412, "snapshot_id": SHA,
        "point_at": "2026-11-22T00:07:00+00:00", "files": 300, "bytes": 1_234_567,
        "of_files": 1200, "of_bytes": 4_938_268, "mismatches": 0, "duration_s": 9.0,
        "total_s": 9.5, "dmia_s": 259_200, "age_s": 3600.0, "pdma_s": 86_400, "seed": "s1",
        "bound": 0.01, "opening": 9, "exposure_s": 4.2, "disconnection": "detached",
        "checks": [
            {"level": "L1", "name": "bytes", "outcome": "passed", "message": "m", "told": "all"},
            {"level": "L2", "name": "f", "outcome": "skipped", "message": "m", "told": "nothing"},
        ],
        "told_not_tested": ["the moon"], "projected_s": 36.0, "site": "CH de la Lande",
        "people": {"asked_by": "Jean E", "by": "Ada <b>E</b>", "validated_by": ""},
        "signature": None, "ledger": {"n": 34, "sha256": SHA}, "finess": "990000010",
        "time_zone": "Europe/Paris", "class_title": "PMSI", "owner": "DIM",
        "next_due": {"L1": "2026-12-25"}, "repository_id": SHA, "program": "coffre", "host": "h",
        "printed_at": "2026-11-25T21:10:00+00:00",
    }  # fmt: skip
    return {**found, **more}


@pytest.mark.parametrize("language", ["fr", "en"])
def test_the_fiche_has_what_the_canevas_asks_for(language):
    """PGSSI-S 7.4.5.3: operator, who asked, files, both dates, every check; and what was not."""
    page = render_fiche(document(), language)
    asked = {
        "fr": ["Opérateur de sauvegarde", "Demandeur", "Fichiers restaurés", "25/11/2026 22:00",
               "Date de la sauvegarde", "22/11/2026 01:07", "Vérifications effectuées",
               "Non testé", "Prochain L1", "25/12/2026", "au plus 1\u00a0%", "300 sur 1\u202f200"],
        "en": ["Backup operator", "Asked by", "Files restored", "2026-11-25 22:00", "Not tested",
               "Date of the backup", "2026-11-22 01:07", "at most 1 %", "300 of 1,200"],
    }[language]  # fmt: skip
    for text in [*asked, "the moon", SHA, "CH de la Lande", "990000010"]:
        assert text in page, text
    assert "Ada &lt;b&gt;E&lt;/b&gt;" in page


def test_the_fiche_needs_nothing_from_outside():
    """No script, no address, no picture but the one inside."""
    page = render_fiche(document(), "fr")
    assert "<script" not in page
    assert set(re.findall(r'(?:src|href)="([a-z]+):', page)) == {"data"}
    assert "url(" not in page
    assert not re.search(r"https?:", re.sub(r'src="data:[^"]*"', "", page))


@pytest.mark.parametrize(
    ("verdict", "level", "word"),
    [
        ("sound", "L2", "RESTORED AND PROVEN"),
        ("incomplete", "L1", "RESTORED, NOT PROVEN AS FAR AS ASKED"),
        ("corrupt", "L0", "NOT RESTORED AS IT WAS"),
        ("no-evidence", None, "NO EVIDENCE TO COMPARE WITH"),
        ("failed", None, "FAILED"),
        ("interrupted", None, "INTERRUPTED"),
    ],
)
def test_the_banner_never_claims_more_than_the_verdict(verdict, level, word):
    """One word for each verdict; green for sound alone."""
    page = render_fiche(document(verdict=verdict, level_reached=level, bound=None), "en")
    assert f'<p class="word">{word}</p>' in page
    assert ('class="banner good"' in page) is (verdict == "sound")
    assert ("No level of proof was reached" in page) is (level is None)


def test_a_test_from_the_landing_is_laid_beside_no_clause_about_media():
    """Only a medium that was read proves anything of media."""
    assert "7.4.5.1" in render_fiche(document(), "en")
    assert "7.4.5.1" not in render_fiche(document(**{"from": "landing"}), "en")


def test_a_typed_name_is_declared_and_a_cosignature_is_proven():
    """Reports print which."""
    signed = {"by": "Dr T", "at": "2026-11-25T21:05:00+00:00", "proof": "declared"}
    assert "declared, 2026-11-25 22:05" in render_fiche(document(signature=signed), "en")
    signed |= {"proof": "proven", "role": "dim", "key_id": "1a2b3c4d"}
    page = render_fiche(document(signature=signed), "en")
    assert "proven by a cosignature (dim, 1a2b3c4d), 2026-11-25 22:05" in page
    assert "proven by a cosignature: dim, key 1a2b3c4d." in page
    assert "L4 declared" not in page


def test_without_weasyprint_the_mend_is_said(monkeypatch):
    """The extra is named, and what to do without it."""
    monkeypatch.setitem(sys.modules, "weasyprint", None)
    with pytest.raises(UsageError) as told:
        to_pdf("<p>x</p>")
    assert "coffre[pdf]" in told.value.hint
    assert "--format html" in told.value.hint


def test_the_pdf_is_one_page_and_an_annex():
    """What people sign fits on one page."""
    weasyprint = pytest.importorskip("weasyprint", reason="the extra [pdf] is not installed")
    page = render_fiche(document(), "fr")
    assert to_pdf(page).startswith(b"%PDF-")
    assert len(weasyprint.HTML(string=page).render().pages) == 2


@pytest.mark.long
def test_axe_finds_nothing_wrong_with_the_fiche(tmp_path):
    """In a real browser, for WCAG 2.2 A and AA."""
    if reason := why_no_browser():
        pytest.skip(reason)
    page = tmp_path / "fiche.html"
    page.write_text(render_fiche(document(), "fr"), "utf-8")
    assert faults(page, tmp_path) == []
