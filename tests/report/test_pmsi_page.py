"""The page of the DIM: what is missing is said first, in words, in both languages, readably."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tests.report.conftest import told
from tests.rigs.browser import faults, why_no_browser
from tests.rigs.pmsi_exports import pairs
from vault.report import render_pmsi

CSS = Path(__file__).parents[2] / "vault" / "report" / "style.css"
VOID = {"meta", "br", "link", "img", "input", "hr"}


class _Outline(HTMLParser):
    """The page as a reader without eyes has it: headings, tables, texts."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict]] = []
        self.texts: list[tuple[str, str]] = []
        self.rows: list[list[str]] = []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, f"</{tag}> closes another"

    def handle_data(self, data):
        if data.strip():
            self.texts.append((self.open[-1], data.strip()))
        if self.rows and ({"td", "th"} & set(self.open)):
            self.rows[-1][-1] += data.strip() + " "


def read(page: str) -> _Outline:
    outline = _Outline()
    outline.feed(page)
    assert outline.open == []
    return outline


def words(page: str) -> str:
    return re.sub(r"\s+", " ", " ".join(text for _tag, text in read(page).texts))


def test_the_first_heading_says_that_exports_are_missing(hospital, status):
    """In three seconds: how many, which."""
    page = render_pmsi(hospital, status, "fr")
    (head,) = [text for tag, text in read(page).texts if tag == "h1"]
    assert head == "Il MANQUE 3 exports PMSI."
    assert page.index("<h1>") < page.index("SMR 2024 M11 et M12") < page.index("<table")


def test_a_missing_month_is_named_in_a_sentence_with_what_to_do(hospital, status):
    """In French, for somebody who is not technical."""
    said = words(render_pmsi(hospital, status, "fr"))
    assert "En retard ou manquant : novembre (attendu pour le 31/12/2024)" in said.replace(
        "\u00a0", " "
    )
    assert "À faire" in said
    assert "Refaites l’export M11 et M12, IN et OUT" in said


def test_the_grid_has_a_field_a_row_and_a_month_a_column(hospital, status):
    """Each box has its word for those who do not see its sign."""
    rows = read(render_pmsi(hospital, status, "fr")).rows
    heads = [row for row in rows if row and row[-1].strip() == "M12"]
    assert all(len(row) == 13 for row in heads)
    (smr,) = [r for r in rows if r[0].startswith("SMR") and len(r) == 13 and "✗" in r[11]]
    assert smr[10].split() == ["✓", "à", "l’abri"]
    assert smr[11].split(" ", 1)[1].strip() == "EN RETARD OU MANQUANT"


def test_what_never_came_and_is_not_expected_has_a_sign_too(hospital, status):
    """Of 2023 one December came: eleven months before it never did, and nobody waits for them."""
    rows = read(render_pmsi(hospital, status, "fr")).rows
    (mco,) = [
        r for r in rows if r[0].startswith("MCO") and [c[:1] for c in r[1:]] == ["–"] * 11 + ["✓"]
    ]
    assert mco[1].split(" ", 1)[1].strip() == "jamais déposé"


def test_every_colour_goes_with_a_sign_and_a_word(hospital, status):
    """No state is told by colour alone."""
    outline = read(render_pmsi(hospital, status, "en"))
    for tag, attributes in outline.tags:
        if tag == "td" and attributes.get("class") not in (None, "none"):
            assert attributes["title"]
    for row in outline.rows:
        for box in row[1:]:
            if re.match(r"[✓~✗!↓·–] ", box):
                assert re.search(r"[A-Za-z]{3}", box), row


def test_nothing_is_fetched_and_nothing_runs(hospital, status):
    """A page that is mailed or printed is whole."""
    page = render_pmsi(hospital, status, "fr")
    assert not re.search(r"<script|<link|<img|src=|url\(|@import|https?:", page)
    assert "default-src 'none'" in page


def test_names_are_text_and_never_markup(hospital, status):
    """The site's name is its own."""
    page = render_pmsi(hospital, status, "en")
    assert "CH de la Lande &lt;b&gt;&amp;" in page
    assert "<b>" not in page


def test_a_sound_calendar_says_that_nothing_is_missing(status):
    """And no list of tasks stands above it."""
    found = told(pairs("MCO", 2024, range(1, 13)) + pairs("MCO", 2025, [1, 2]))
    page = render_pmsi(found, status, "fr")
    assert "Rien ne manque." in words(page)
    assert 'class="task' not in page


def test_an_empty_vault_claims_nothing(status):
    """Not one export is not the same as nothing missing."""
    said = words(render_pmsi(told([]), status, "en"))
    assert "No PMSI export has come yet." in said
    assert "Nothing is missing" not in said


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ("degraded", "A DOOR OF THE VAULT IS NOT PROVEN SHUT."),
        ("secured", "The red button is pressed"),
        ("locked", "trial is not offline between nights (not disconnected)"),
    ],
)
def test_what_holds_for_all_of_it_is_said(hospital, status, state, said):
    """Doors, the red button, media that stay connected."""
    page = words(render_pmsi(hospital, {**status, "status": state}, "en"))
    assert said in page
    assert "Offline between nights: disk-a." in page
    assert "new is not offline" not in page  # never enrolled: nothing is on it


@pytest.mark.parametrize(
    ("verdict", "said"),
    [("refused", "was REFUSED"), ("missing", "nothing could be taken"), ("saved", None)],
)
def test_an_export_that_was_not_taken_is_said_above_all(hospital, status, verdict, said):
    """The calendar shows what is held; a bad last night stands before it."""
    status["last_cycle"]["sources"] = {"pmsi": verdict, "hr": "refused"}
    page = render_pmsi(hospital, status, "en")
    assert (said is None) or page.index(said) < page.index("<h2>")
    assert "export of hr" not in page


def test_the_french_page_is_french(hospital, status):
    """What the English page says in words, no French page says."""
    english = {text for _tag, text in read(render_pmsi(hospital, status, "en")).texts}
    french = {text for _tag, text in read(render_pmsi(hospital, status, "fr")).texts}
    same = {
        text for text in english & french if re.search(r"[a-z]{3}", text) and ":root" not in text
    }
    assert same == {"CH de la Lande <b>&"}


# -- contrast, from the colours as they are written


def _palettes() -> dict[str, dict[str, str]]:
    blocks = re.findall(r":root \{(.*?)\}", CSS.read_text("utf-8"), re.S)
    names = ("light", "dark", "print")
    found = [dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", block)) for block in blocks]
    return dict(zip(names, found, strict=True))


def _luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """Give the contrast ratio of WCAG 2.1."""
    dark, light = sorted((_luminance(one), _luminance(other)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("palette", ["light", "dark", "print"])
@pytest.mark.parametrize("pair", [
    ("ink", "ground"), ("muted", "ground"), ("ink", "panel"), ("muted", "panel"),
    ("sound-ink", "sound-ground"), ("amber-ink", "amber-ground"), ("wrong-ink", "wrong-ground"),
    ("shrunk-ink", "shrunk-ground"), ("quiet-ink", "quiet-ground"),
], ids="-on-".join)  # fmt: skip
def test_every_text_stands_out_from_its_ground(palette, pair):
    """WCAG AA: 4.5 to 1, in light, dark and print."""
    colours = _palettes()[palette]
    assert contrast(colours[pair[0]], colours[pair[1]]) >= 4.5


def test_the_measure_of_contrast_is_right():
    """Black on white is 21 to 1; the grey that WCAG names is at its bound."""
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.01)


@pytest.mark.long
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_axe_finds_nothing_wrong_with_the_page(hospital, status, tmp_path, dark):
    """In a real browser, for WCAG 2.2 A and AA."""
    if reason := why_no_browser():
        pytest.skip(reason)
    page = tmp_path / "pmsi.fr.html"
    page.write_text(render_pmsi(hospital, status, "fr"), "utf-8")
    assert faults(page, tmp_path, dark=dark) == []
