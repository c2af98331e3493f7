"""All commands of ``coffre`` together, as typer knows them, and the call of one.

Rule: a command is registered by its own module in ``vault.cli.commands``; this one only finds it.
"""

from __future__ import annotations

import copy
import importlib
import pkgutil
from collections.abc import Sequence
from typing import Any

import typer

from vault.cli import commands
from vault.cli.completing import is_completing, part_joined_words, take_globals_anywhere
from vault.cli.root import root
from vault.cli.session import Session
from vault.cli.words import _, tell_help
from vault.errors import ExitCode, Interrupted, UsageError

# The order of the help; a word that is not named here comes after these, by its letters.
_ORDER = (
    "init", "doctor", "run", "serve", "schedule", "status", "gaps", "compliance", "ls", "restore",
    "secure", "release", "demo", "version", "report", "inspect", "target", "source", "keys",
    "clock", "config", "drill", "exercise", "pmsi", "evidence",
)  # fmt: skip
# What the parser raises: newer releases of typer carry a click of their own.
_ParserError: type[Any] = typer.BadParameter.__mro__[2]


def __getattr__(name: str) -> typer.Typer:
    """Give ``app``, all commands together, when somebody asks for it."""
    if name == "app":
        return _whole()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def _whole() -> typer.Typer:
    """Let every module of the commands register itself, in the order of the help."""
    known = _words()
    for word in (*_ORDER, *sorted(known - set(_ORDER))):
        _register(word)
    root.registered_commands.sort(key=lambda command: _place(_name_of(command)))
    root.registered_groups.sort(key=lambda group: _place(str(group.name)))
    return root


def _narrow(word: str) -> typer.Typer:
    """Give the parser of one first word alone: making those of all is most of a start.

    A word that names nothing gets them all, to tell what it may have meant.
    """
    if word not in _words():
        return _whole()
    _register(word)
    narrow = copy.copy(root)
    narrow.registered_commands = [c for c in root.registered_commands if _name_of(c) == word]
    narrow.registered_groups = [g for g in root.registered_groups if g.name == word]
    return narrow


def _words() -> set[str]:
    return {module.name for module in pkgutil.iter_modules(commands.__path__)}


def _register(word: str) -> None:
    importlib.import_module(f"{commands.__name__}.{word}")


def _place(word: str) -> tuple[int, str]:
    return (_ORDER.index(word) if word in _ORDER else len(_ORDER), word)


def _name_of(command: typer.models.CommandInfo) -> str:
    assert command.callback is not None
    return command.name or typer.main.get_command_name(command.callback.__name__)


def call(session: Session, words: list[str]) -> int:
    """Run the command that the words name; give its exit code. CoffreError passes through."""
    is_one = bool(words) and not is_completing()
    command = typer.main.get_command(_narrow(words[0]) if is_one else _whole())
    session.command = document_name(command, words)
    tell_help(command)
    setattr(typer.core, "_", _)  # noqa: B010, the name by which the parser tells its headings
    if is_completing():
        part_joined_words()
        take_globals_anywhere(command)
    try:
        code = command.main(args=words, prog_name="coffre", standalone_mode=False, obj=session)
    except _ParserError as error:
        if type(error).__name__ == "NoArgsIsHelpError" and not session.as_json:
            print(error.format_message())  # noqa: T201
            return int(ExitCode.USAGE)
        if type(error).__name__ == "NoArgsIsHelpError":
            raise UsageError("no command was given", hint="coffre --help lists them") from None
        session.speak_as_the_site()
        raise UsageError("{words}", words=error.format_message()) from None
    except SystemExit as end:  # the parser's own way out: names proposed, or a pipe that broke
        if is_completing():
            raise
        if end.code:
            raise BrokenPipeError from None
        code = ExitCode.SOUND
    except typer.Abort:
        raise Interrupted("ended at the terminal") from None
    return int(code or 0)


def document_name(command: Any, words: Sequence[str]) -> str:  # noqa: ANN401, a click of typer's own
    """Name the command for its document: ``run``, ``target-enrol``."""
    named = [word for word in words if not word.startswith("-")]
    if not named:
        return "coffre"
    below = getattr(command.commands.get(named[0]), "commands", {})
    if named[1:2] and named[1] in below:
        return "-".join(named[:2])
    # The second word of ``inspect`` may be the name of a file.
    return "inspect-path" if named[0] == "inspect" else named[0]
