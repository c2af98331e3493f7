"""The slip of a medium: what stands on it, in both languages, on one page that needs nothing."""

from __future__ import annotations

import re

import pytest

from tests.rigs.browser import faults, why_no_browser
from vault.report.slip_page import render_slip

SLIP = {
    "name": "disk-a", "set": "daily", "home": "safe <of> the pharmacy", "serial": "WD-1234",
    "disconnection": "removed", "expected_on": "2026-11-26", "others_before": 0,
    "last_seen": "2026-11-25T00:00:00+00:00", "last_whole": "2026-11-25T00:00:00+00:00",
    "last_proven": None, "expires": "2031-06-30", "every": "night", "of": 2, "position": 1,
    "target_id": "a" * 64, "uuid": "0e6f", "fs_type": "ext4", "size_bytes": 2_000_000_000_000,
    "enrolled_at": "2026-01-01T12:00:00+00:00", "nights": ["2026-11-26", "2026-11-28"],
    "site": "CH de la Lande", "finess": "990000010", "time_zone": "Europe/Paris",
    "printed_at": "2026-11-26T08:00:00+00:00",
}  # fmt: skip


@pytest.mark.parametrize(
    ("language", "wanted"),
    [
        ("en", ["set daily, 1 of 2", "2031-06-30", "2026-11-26, 2026-11-28", "2000.0 GB"]),
        ("fr", ["jeu daily, 1 sur 2", "30/06/2031", "26/11/2026, 28/11/2026", "2000,0\u00a0Go"]),
    ],
)
def test_the_slip_says_which_medium_it_is_and_when_it_is_wanted(language, wanted) -> None:
    """Name, serial number, set, home, identity and dates."""
    page = render_slip(SLIP, language)
    for text in (*wanted, "disk-a", "WD-1234", "CH de la Lande", "a" * 64):
        assert text in page, text
    assert "safe &lt;of&gt; the pharmacy" in page
    assert "<of>" not in page


def test_the_slip_needs_nothing_from_outside_and_its_code_is_the_identity() -> None:
    """No script, no address; a picture inside the page."""
    page = render_slip(SLIP, "en")
    assert not re.search(r"(?i)<script|https?://(?!www\.w3\.org)", page)
    assert 'src="data:image/svg+xml' in page
    assert f"coffre target disk-a 990000010 {'a' * 64} 0e6f" in page


def test_a_medium_of_no_set_has_a_slip_too() -> None:
    """Without home, serial number or end of life."""
    bare = {**SLIP, "set": None, "home": None, "serial": None, "expires": None, "every": None}
    page = render_slip({**bare, "nights": []}, "en")
    assert "in no set: every night" in page
    assert "no night that is known yet" in page


def test_the_slip_is_one_page():
    """With everything on it, as a PDF."""
    weasyprint = pytest.importorskip("weasyprint", reason="the extra [pdf] is not installed")
    assert len(weasyprint.HTML(string=render_slip(SLIP, "fr")).render().pages) == 1


@pytest.mark.long
def test_axe_finds_nothing_wrong_with_the_slip(tmp_path):
    """In a real browser, for WCAG 2.2 A and AA."""
    if reason := why_no_browser():
        pytest.skip(reason)
    page = tmp_path / "slip.html"
    page.write_text(render_slip(SLIP, "fr"), "utf-8")
    assert faults(page, tmp_path) == []
