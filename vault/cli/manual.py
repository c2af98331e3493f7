"""``coffre man``: the manual pages, made from the commands and from the page on ``vault.yaml``.

Rule 1: what ``--help`` says is what a page says: both are read from the same commands.
Rule 2: coffre(1) is written in English and in French; vault.yaml(5) in English, as its page is.
Rule 3: the same code gives the same bytes: no date, no host, no path.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from vault import __version__
from vault.cli.roff import entry, escaped, from_markdown, head, heading, laid, marked
from vault.cli.session import Session
from vault.cli.words import LANGUAGES, _, speak, spoken, tell_help
from vault.config import shipped
from vault.config.glance import SYSTEM_FILE, VARIABLE


def man_command(session: Session, *, to: str) -> int:
    """Write the pages into the folders that ``man`` looks into."""
    folder = Path(os.path.abspath(to))
    pages = {folder / "man5" / "vault.yaml.5": configuration_page()}
    speaks = spoken()
    for language in LANGUAGES:
        speak(language)
        place = folder if language == "en" else folder / language
        pages[place / "man1" / "coffre.1"] = command_page()
    speak(speaks)
    for path, text in sorted(pages.items()):
        path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        path.write_text(text, "ascii")
        path.chmod(0o644)  # for every reader, whatever the umask
        session.whisper(str(path))
    return session.emit({"written": [str(path) for path in sorted(pages)]})


def command_page() -> str:
    """Give coffre(1) in the language spoken."""
    from vault.cli.app import app

    root: Any = typer.main.get_command(app)
    tell_help(root)
    lines = [
        head("coffre", 1, version=__version__, title=_("Manual of Coffre")),
        heading(_("NAME")),
        f"coffre \\- {escaped(root.help.rstrip('.'))}",
        heading(_("SYNOPSIS")),
        f"\\fBcoffre\\fR [\\fIOPTIONS\\fR] {escaped(_('COMMAND'))} [\\fIARGS\\fR]",
        heading(_("DESCRIPTION")),
        marked(
            _(
                "Coffre pulls exports at night, keeps them in a restic repository of the vault "
                "host, and carries what is new to media that are connected only for that. A vault "
                "door opens only when the door to the network is proven shut, and is proven shut "
                "itself before a night ends."
            )
        ),
        heading(_("GLOBAL OPTIONS")),
        marked(_("They stand before or after the command.")),
        *_options(root),
        heading(_("COMMANDS")),
        *_commands(root),
        heading(_("EXIT STATUS")),
        marked(root.epilog.partition(":")[2].strip()),
        heading(_("ENVIRONMENT")),
        *entry(f"\\fB{VARIABLE}\\fR", _("The vault.yaml to use when --config names none.")),
        *entry("\\fBNO_COLOR\\fR", _("Colours nothing.")),
        *entry("\\fBCOLUMNS\\fR", _("The width to write for.")),
        heading(_("FILES")),
        *entry(f"\\fI{SYSTEM_FILE}\\fR", _("The configuration: vault.yaml(5).")),
        *entry("\\fISTATE/public/status.json\\fR", _("What coffre status reads.")),
        heading(_("SEE ALSO")),
        "\\fBvault.yaml\\fR(5), \\fBrestic\\fR(1), \\fBsystemd.timer\\fR(5)",
    ]
    return laid(lines)


def configuration_page() -> str:
    """Give vault.yaml(5), from the page of the manual that describes it."""
    page = Path(shipped("docs/configuration.md")).read_text("utf-8").splitlines()
    lines = [
        head("vault.yaml", 5, version=__version__, title="Manual of Coffre"),
        heading("NAME"),
        "vault.yaml \\- what a vault pulls, when its doors open, where it carries",
        heading("DESCRIPTION"),
        *from_markdown(page),
        heading("SEE ALSO"),
        "\\fBcoffre\\fR(1)",
    ]
    return laid(lines)


def _commands(root: Any) -> Iterator[str]:  # noqa: ANN401, a click of typer's own
    for name, command in root.commands.items():
        below = getattr(command, "commands", {})
        if not below or command.invoke_without_command:
            yield from _command(name, command)
        for one, two in below.items():
            yield from _command(f"{name} {one}", two)


def _command(name: str, command: Any) -> Iterator[str]:  # noqa: ANN401
    arguments = [param for param in command.params if not _is_option(param)]
    words = [f"\\fBcoffre {escaped(name)}\\fR"]
    if len(arguments) < len(command.params):
        words.append("[\\fIOPTIONS\\fR]")
    words += [_argument(param) for param in arguments]
    yield f'.SS "coffre {escaped(name)}"'
    yield " ".join(words)
    yield ".PP"
    yield marked(command.help or "")
    yield from _options(command)


def _argument(param: Any) -> str:  # noqa: ANN401
    name = str(param.metavar or param.name.upper())
    many = "..." if param.nargs == -1 and not name.startswith("[") else ""
    told = f"\\fI{escaped(name)}\\fR{many}"
    return told if param.required or name.startswith("[") else f"[{told}]"


def _options(command: Any) -> Iterator[str]:  # noqa: ANN401
    for param in command.params:
        if not _is_option(param):
            if text := getattr(param, "help", None):
                yield from entry(_argument(param), text)
            continue
        names = ", ".join(f"\\fB{escaped(name)}\\fR" for name in sorted(param.opts, key=len))
        value = "" if param.is_flag else f" \\fI{escaped(str(param.metavar or 'TEXT'))}\\fR"
        text = param.help or ""
        if param.required:
            text += f" [{_('required')}]"
        elif isinstance(param.default, str) and param.default:
            text += " [" + _("default: {default}").format(default=param.default) + "]"
        yield from entry(names + value, text)


def _is_option(param: Any) -> bool:  # noqa: ANN401
    return str(param.opts[0]).startswith("-")
