"""What a person reads fits 80 columns, in either language, and loses nothing by it."""

from __future__ import annotations

import re

import pytest

from vault.cli.shown import table

pytestmark = pytest.mark.xdist_group("cli")

SLOW = [("drill", "run", "--source", "pmsi", "--sample", "2"), ("run", "--now")]
TOLD = [
    ("status",), ("gaps",), ("target", "list"), ("target", "due"),
    ("drill", "list"), ("drill", "show", "1"),
    ("pmsi",), ("pmsi", "--year", "2024"), ("ls", "pmsi", "--all"), ("exercise", "list"),
    ("doctor",), ("compliance",), ("evidence", "verify", "--ledger"),
    ("config", "validate"), ("ack",), ("retention", "plan"), ("schedule", "show"), ("version",),
    ("run", "--dry-run"), ("inspect", "{exports}"), ("keys", "--help"),
    ("--help",), ("drill", "run", "--help"), ("target", "close"), ("source", "key", "--help"),
]  # fmt: skip


@pytest.mark.parametrize("language", ["fr", "en"])
def test_no_line_leaves_the_screen(vault, ask, monkeypatch, language):
    """Of any command that tells a person something; an address is one word."""
    monkeypatch.setenv("COLUMNS", "80")
    wide = []
    for words in (*(SLOW if language == "fr" else ()), *TOLD):
        asked = [word.format(exports=vault.exports("pmsi")) for word in words]
        told = ask(vault, "--lang", language, *asked, json_too=False)
        assert told.code in (0, 1, 3), (words, told.stderr)
        assert told.stdout.strip(), words
        wide += [
            (" ".join(words), line)
            for line in told.stdout.splitlines()
            if len(line) > 80 and " " in line.strip()
        ]
    assert wide == []


def test_a_table_that_fits_is_left_alone(monkeypatch):
    """Nothing wraps that need not."""
    monkeypatch.setenv("COLUMNS", "80")
    assert table(["a", "b"], [["1 2", "x"]]) == "a    b\n1 2  x"


def test_days_keep_their_hours_while_there_is_room(monkeypatch):
    """Words give way first, then a day from its hour; a number never from its unit."""
    row = ["2026-11-26 05:31", "some words that may wrap", "12.5 MB"]
    monkeypatch.setenv("COLUMNS", "40")
    assert "2026-11-26 05:31" in table(["when", "what", "size"], [row], right=(2,))
    monkeypatch.setenv("COLUMNS", "27")
    narrow = table(["when", "what", "size"], [row], right=(2,))
    assert "2026-11-26 05:31" not in narrow
    assert "12.5 MB" in narrow
    assert max(map(len, narrow.splitlines())) <= 27


def test_a_long_name_is_broken_behind_its_marks_and_nothing_of_it_is_lost(monkeypatch):
    """When all else gave way; what is to be copied stays whole."""
    name = "smr/990000010.2024.10.20112024112254.out.zip" * 3
    monkeypatch.setenv("COLUMNS", "60")
    broken = table(["name", "size"], [[name, "1.2 MB"]], right=(1,))
    assert max(map(len, broken.splitlines())) <= 60
    parts = [re.split(r"\s{2,}", line)[0] for line in broken.splitlines()[1:]]
    assert "".join(parts) == name
    assert all(part[-1] in "/._-" for part in parts[:-1])
    assert name in table(["size", "name"], [["1.2 MB", name]], right=(0,), whole=(1,))


@pytest.mark.parametrize("columns", range(30, 121, 7))
def test_no_table_loses_a_word(monkeypatch, columns):
    """At any width."""
    monkeypatch.setenv("COLUMNS", str(columns))
    rows = [["n" * 41, "2026-11-26 05:31", "three words here", "9,8 Mo"], ["b", "-", "", "0 o"]]
    told = table(["source", "last seen", "why it stays", "size"], rows, right=(3,))
    letters = re.sub(r"\s", "", "".join(["source", "last seen", "why it stays", "size"]))
    for row in rows:
        letters += re.sub(r"\s", "", "".join(row))
    assert sorted(re.sub(r"\s", "", told)) == sorted(letters)
