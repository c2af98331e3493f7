"""What a shell may put for a word that is half typed: names and numbers of this vault.

Rule 1: a name that cannot be read is not proposed, and nothing is said: the person is typing.
Rule 2: only the configuration's names and the catalogue's numbers are read, without our models
    and without the database layer; nothing is written.
Rule 3: the global options stand after a command too, so they are proposed there.
Source: the manual of typer, "CLI Option autocompletion"; bash(1), "Programmable Completion".
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

import typer

VARIABLE = "_COFFRE_COMPLETE"
_LEAVE_OUT = {"help", "install_completion", "show_completion"}
_FORMS = ("html", "pdf", "csv", "json")


def is_completing() -> bool:
    """Whether a shell asks for words instead of a person for a command."""
    return VARIABLE in os.environ


def take_globals_anywhere(command: Any) -> None:  # noqa: ANN401, a click of typer's own
    """Let every command below take the global options, as ``main`` lets a person give them."""
    shared = [option for option in command.params if option.name not in _LEAVE_OUT]

    def give(below: Any) -> None:  # noqa: ANN401
        below.params.extend(shared)
        for one in getattr(below, "commands", {}).values():
            give(one)

    for one in command.commands.values():
        give(one)


def part_joined_words() -> None:
    """Forget the ``=`` that bash makes a word of its own in ``--source=NAME``."""
    words = os.environ.get("COMP_WORDS", "").split("\n")
    at = os.environ.get("COMP_CWORD", "")
    if "=" not in words or not at.isdigit():
        return
    kept = [n for n, word in enumerate(words) if word != "=" or n == int(at)]
    os.environ["COMP_WORDS"] = "\n".join(words[n] for n in kept)
    os.environ["COMP_CWORD"] = str(sum(n < int(at) for n in kept))


# -- names


def source_names(ctx: typer.Context) -> list[str]:
    """Give the sources of vault.yaml."""
    return _quietly(lambda: list(_named(ctx, "sources")))


def sftp_source_names(ctx: typer.Context) -> list[str]:
    """Give the sources of vault.yaml that are pulled by SFTP."""
    return _quietly(
        lambda: [
            name
            for name, source in _named(ctx, "sources").items()
            if isinstance(source, Mapping) and "sftp" in source
        ]
    )


def target_names(ctx: typer.Context) -> list[str]:
    """Give the targets of vault.yaml."""
    return _quietly(lambda: list(_named(ctx, "targets")))


def origin_names(ctx: typer.Context) -> list[str]:
    """Give where a restore may come from: the landing, or a target."""
    return ["landing", *target_names(ctx)]


def cycle_numbers(ctx: typer.Context) -> list[str]:
    """Give the newest nights, the newest first."""
    return _quietly(lambda: _numbers(ctx, "cycle"))


def drill_numbers(ctx: typer.Context) -> list[str]:
    """Give the newest restore tests, the newest first."""
    return _quietly(lambda: _numbers(ctx, "drill"))


# -- words that are always the same


def languages() -> list[str]:
    """Give what ``--lang`` takes."""
    from vault.cli.words import LANGUAGES

    return list(LANGUAGES)


def levels() -> list[str]:
    """Give the levels of proof that a test can reach by itself."""
    return ["L0", "L1", "L2", "L3"]


def readers() -> list[str]:
    """Give for whom a report is written."""
    return ["dim", "sysadmin", "auditor"]


def report_forms() -> list[str]:
    """Give how a report is written."""
    return list(_FORMS)


def page_forms() -> list[str]:
    """Give how a page to print is written."""
    return ["html", "pdf"]


def fiche_forms() -> list[str]:
    """Give how a fiche is written."""
    return ["html", "pdf", "dsse"]


def exercises() -> list[str]:
    """Give what people practise."""
    from vault.practice import EXERCISES

    return list(EXERCISES)


def fields() -> list[str]:
    """Give the fields of the PMSI."""
    return ["MCO", "SMR", "HAD", "PSY"]


# -- reading


def _quietly(ask: Callable[[], list[str]]) -> list[str]:
    try:
        return ask()
    except Exception:  # noqa: BLE001, rule 1
        return []


def _config_of(ctx: Any) -> str | None:  # noqa: ANN401
    """Give the ``--config`` that stands on the line, before or after the command."""
    while ctx is not None:
        if (path := ctx.params.get("_config")) is not None:
            return str(path)
        ctx = ctx.parent
    return None


def _named(ctx: typer.Context, key: str) -> Mapping[str, object]:
    from vault.config.glance import glance

    found = glance(_config_of(ctx)).get(key)
    return found if isinstance(found, Mapping) else {}


def _numbers(ctx: typer.Context, table: str) -> list[str]:
    from vault.catalogue.numbers import newest_numbers
    from vault.config import peek

    path = os.path.join(peek(_config_of(ctx)).state, "catalogue.sqlite")
    return [str(number) for number in newest_numbers(path, table)]
