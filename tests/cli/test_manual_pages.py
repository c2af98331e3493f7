"""Manual pages: made from the commands, whole, and lawful roff."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest
import typer

from vault.cli.app import app
from vault.cli.roff import escaped, from_markdown, laid, marked

PAGES = ("man1/coffre.1", "fr/man1/coffre.1", "man5/vault.yaml.5")


@pytest.fixture(scope="module")
def pages(tmp_path_factory, ask):
    """Write the pages once."""
    folder = tmp_path_factory.mktemp("man")
    told = ask(None, "man", "--to", str(folder)).ok().document
    assert sorted(told["written"]) == sorted(str(folder / page) for page in PAGES)
    return folder


def shown(path) -> str:
    """Format a page as ``man`` does, every warning on; without its bold and its joints."""
    ended = subprocess.run(
        ["groff", "-man", "-Tutf8", "-ww", "-rHY=0", "-P-c", str(path)],
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    assert ended.stderr == ""
    return re.sub(r"\s+", " ", re.sub(r".\x08", "", ended.stdout)).replace("−", "-")


@pytest.mark.parametrize("page", PAGES)
def test_a_page_is_lawful_and_fits_its_screen(pages, page):
    """To groff without a warning; to mandoc, but for the date that it leaves out, too."""
    shown(pages / page)
    text = (pages / page).read_text("ascii")
    assert max(map(len, text.splitlines())) <= 140
    if shutil.which("mandoc"):
        linted = subprocess.run(
            ["mandoc", "-Tlint", "-W", "warning", str(pages / page)],
            capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
        told = [line for line in linted.stdout.splitlines() if "missing date" not in line]
        assert told == []


@pytest.mark.parametrize("page", PAGES[:2])
def test_every_command_option_and_exit_code_stands_in_the_page(pages, page):
    """What is registered is what is described."""
    text = shown(pages / page)
    root = typer.main.get_command(app)
    for name, command in root.commands.items():
        for below, one in getattr(command, "commands", {"": command}).items():
            assert f"coffre {name} {below}".strip() in text
            for option in one.params:
                assert all(word in text for word in option.opts if word.startswith("-"))
    for code in ("5 DE" if page == PAGES[0] else "5 DÉ", "75 ", "130 "):
        assert code in text


def test_the_french_page_is_french(pages):
    """To its headings and its letters."""
    text = shown(pages / PAGES[1])
    for word in ("NOM", "OPTIONS GÉNÉRALES", "CODES DE SORTIE", "VOIR AUSSI", "déconnecté"):
        assert word in text


def test_every_key_of_the_configuration_stands_in_its_page(pages):
    """As docs/configuration.md has it."""
    text = shown(pages / PAGES[2])
    for words in (
        "state_group (nobody)",
        "stable_for (60s)",
        "never a shell line",
        "WHO MAY WRITE",
    ):
        assert words in text


def test_what_roff_would_take_for_itself_is_escaped():
    """Backslashes, quotes, a dot that begins a line, dashes of options, other alphabets."""
    assert escaped(r"a\b") == r"a\eb"
    assert escaped("--to air-gapped") == r"\-\-to air-gapped"
    assert escaped('it\'s "é"') == r"it\(aqs \(dq\[u00E9]\(dq"
    assert escaped(".SH") == r"\&.SH"
    assert marked("`a-b` and **c**") == r"\fBa\-b\fR and \fBc\fR"
    assert laid(["x" * 77 + " .TP evil"]).splitlines()[1:] == [r"\&.TP evil"]


def test_markdown_becomes_sections_entries_and_lists():
    """A table's head and rule are left out; a default stands behind its key."""
    page = ["# Title", "## One", "words", "on two lines", "- a", "1. b", "| key | default | m |",
            "|---|---|---|", "| `k` | 3 | what |", "```", ".raw -x", "```"]  # fmt: skip
    assert list(from_markdown(page)) == [
        '.SH "ONE"', ".PP", "words on two lines", r".IP \(bu 4", "a", ".IP 1. 4", "b",
        ".TP", r"\fBk\fR (3)", "what", ".PP\n.RS 4\n.nf", r"\&\&.raw \-x", ".fi\n.RE",
    ]  # fmt: skip
