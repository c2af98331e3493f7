"""The commands: one module a word, found by itself."""

from __future__ import annotations

import pkgutil

import pytest
import typer

from vault.cli import commands
from vault.cli.app import app, document_name


def test_each_first_word_has_a_module_of_its_name_and_each_module_its_word():
    """So that a new command touches no file but its own."""
    words = list(typer.main.get_command(app).commands)
    assert sorted(words) == sorted(
        module.name for module in pkgutil.iter_modules(commands.__path__)
    )
    assert words[:3] == ["init", "doctor", "run"]


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ([], "coffre"),
        (["gaps", "--source", "hr"], "gaps"),
        (["target", "enrol", "x"], "target-enrol"),
        (["target", "nothing"], "target"),
        (["pmsi", "--year", "2024"], "pmsi"),
        (["pmsi", "learn", "x"], "pmsi-learn"),
        (["inspect", "target"], "inspect-path"),
        (["inspect", "accept", "hr"], "inspect-accept"),
        (["nothing", "at", "all"], "nothing"),
    ],
)
def test_a_document_is_named_after_its_command(words, name):
    """By the words that name it, not by what they are given."""
    assert document_name(typer.main.get_command(app), words) == name
