"""The browser rig finds what is wrong with a page, and nothing where nothing is."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.rigs import browser

pytestmark = pytest.mark.long

_PAGE = """<!doctype html><html{lang}><head><meta charset="utf-8"><title>Page</title><style>
body {{ color: #111; background: #fff }}
@media (prefers-color-scheme: dark) {{ body {{ color: {dark}; background: #000 }} }}
</style></head><body><main><h1>Title</h1><p>Text</p></main></body></html>"""


@pytest.fixture(autouse=True)
def _needs_a_browser():
    if (missing := browser.why_no_browser()) and os.environ.get("CI") != "true":
        pytest.skip(f"NOT SHOWN: {missing}")


def page(folder: Path, *, lang: str = ' lang="fr"', dark: str = "#eee") -> Path:
    path = folder / "page.html"
    path.write_text(_PAGE.format(lang=lang, dark=dark), "utf-8")
    return path


def test_a_sound_page_has_no_faults_in_either_scheme(tmp_path):
    """Light and dark are drawn apart."""
    for dark in (False, True):
        assert browser.faults(page(tmp_path), tmp_path, dark=dark) == []


def test_faults_are_found_and_only_where_they_are_drawn(tmp_path):
    """A page without its language; a text that cannot be read in the dark scheme only."""
    mute = page(tmp_path, lang="")
    assert [fault["id"] for fault in browser.faults(mute, tmp_path)] == ["html-has-lang"]
    faint = page(tmp_path, dark="#222")
    assert browser.faults(faint, tmp_path) == []
    assert [fault["id"] for fault in browser.faults(faint, tmp_path, dark=True)] == [
        "color-contrast"
    ]


def test_a_screenshot_is_a_picture(tmp_path):
    """PNG, of the size asked for."""
    browser.screenshot(page(tmp_path), tmp_path / "page.png", width=320, height=200)
    head = (tmp_path / "page.png").read_bytes()[:24]
    assert head.startswith(b"\x89PNG")
    assert (int.from_bytes(head[16:20]), int.from_bytes(head[20:24])) == (320, 200)
