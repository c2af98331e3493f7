"""The words a person reads, in French or English.

Rule 1: an English text is its own key; a catalogue that lacks it shows the English.
Rule 2: an error is translated as its template, and its values are put in afterwards.
Rule 3: a reason that was kept as a finished English sentence is told again from its template.
Rule 4: what a machine reads (JSON keys, verdicts, references, kinds of gaps) is never translated.
Source: ``scripts/translations.py`` collects the texts; ``vault/locale`` holds the French.
"""

from __future__ import annotations

import gettext
import os
import re
import sys
from contextlib import suppress
from datetime import datetime
from functools import lru_cache
from typing import Any

from vault.amount import Amount, amount
from vault.called import DISCONNECTIONS, OUTCOMES
from vault.errors import CoffreError
from vault.owners import OWNERS
from vault.retelling import Retelling

LANGUAGES = ("fr", "en")
_FOLDER = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "locale")
_current: gettext.NullTranslations = gettext.NullTranslations()
_spoken = "en"
_zone = "Etc/UTC"
_NAMING = ("noun", "kind", "done")  # values that name a sort of thing, or what is done to it
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?[+-]\d\d:\d\d")

# What a verdict, an outcome, a status or a class of disconnection is called.
CALLED = {
    **OUTCOMES,
    **DISCONNECTIONS,
    "saved": "saved",
    "unchanged": "unchanged",
    "not-due": "not due",
    "admitted": "carried across",
    "nothing-new": "nothing new",
    "not-opened": "not opened",
    "locked": "locked",
    "unlocked": "UNLOCKED",
    "landing": "the landing",
    "passed": "passed",
    "warned": "worth reading",
    "skipped": "not tested",
}

# What the parser of the command line says; its sentences come finished.
PARSER = (
    "No such command '{name}'.",
    "No such option: {name}",
    "No such option: {name} Did you mean {near}?",
    "Missing command.",
    "Missing option '{name}'.",
    "Missing argument '{name}'.",
    "Option '{name}' requires an argument.",
    "Option '{name}' does not take a value.",
    "Got unexpected extra argument(s) ({names})",
    "Invalid value for '{name}': {reason}",
    "Input should be a valid integer, unable to parse string as an integer",
    "Show this message and exit.",
    "Install completion for the current shell.",
    "Show completion for the current shell, to copy it or customize the installation.",
    "Arguments",
    "Options",
    "Commands",
    "required",
    "default: {default}",
)


def speak(language: str) -> None:
    """Speak a language from now on."""
    global _current, _spoken  # noqa: PLW0603, one process speaks one language
    _spoken = language
    if language == "en":
        _current = gettext.NullTranslations()
    else:
        _current = gettext.translation("coffre", _FOLDER, languages=[language], fallback=True)
    _retelling.cache_clear()


def spoken() -> str:
    """Give the language spoken now."""
    return _spoken


def language_of_environment() -> str:
    """Give the language the environment asks for; English unless French is named first."""
    for variable in ("LC_ALL", "LC_MESSAGES", "LANG"):
        value = os.environ.get(variable)
        if value:
            return "fr" if value.startswith("fr") else "en"
    return "en"


def _(text: str) -> str:
    return _current.gettext(text)


def plural(one: str, many: str, count: int) -> str:
    """Give the form for a count, with ``{count}`` put in."""
    return _current.ngettext(one, many, count).format(count=count)


def complain(text: str) -> None:
    """Say on standard error what went wrong; that nobody hears it stops nothing."""
    with suppress(OSError):
        print(text, file=sys.stderr, flush=True)  # noqa: T201


def about(what: str, text: str) -> str:
    """Say what a sentence is about, before it."""
    return _("{what}: {text}").format(what=what, text=text)


def called(name: str) -> str:
    """Give what a person calls a verdict, an outcome, a status, a disconnection or an owner."""
    if name in OWNERS:
        return _(name)
    return _(CALLED[name]) if name in CALLED else name


def message_of(error: CoffreError) -> str:
    """Give an error's message in the language spoken."""
    return _(error.template).format(**_told(error.values))


def hint_of(error: CoffreError) -> str:
    """Give an error's hint in the language spoken; empty when it has none."""
    return _(error.hint_template).format(**_told(error.values)) if error.hint_template else ""


def keep_time_of(zone: str) -> None:
    """Show the instants inside messages on this clock from now on."""
    global _zone  # noqa: PLW0603, one process serves one site
    _zone = zone


def _told(values: dict[str, Any]) -> dict[str, Any]:
    """Tell again the values that are sentences themselves, instants on the site's clock, sizes.

    What a thing is called or what is done to it is a single word that is translated there alone.
    """
    return {
        key: _(value) if key in _NAMING and isinstance(value, str) else _value(value)
        for key, value in values.items()
    }


def _value(value: object) -> object:
    if isinstance(value, Amount):
        return amount(value, _spoken)
    return _value_of(value) if isinstance(value, str) else value


def _value_of(text: str) -> str:
    if _INSTANT.fullmatch(text):
        from vault.cli.shown import moment

        return moment(datetime.fromisoformat(text), _zone)
    return retell(text) if " " in text else text


# -- sentences that come finished


def retell(text: str) -> str:
    """Tell a finished English sentence in the language spoken; as it is when nobody knows it.

    ``NAME: REASON`` and ``REASON; REASON`` are told part by part, a list line by line.
    """
    if _spoken == "en" or not text:
        return text
    return _retelling().retell(text)


@lru_cache(maxsize=1)
def _retelling() -> Retelling:
    return Retelling(_current, _spoken)


# -- the help of the command


def tell_help(command: Any) -> None:  # noqa: ANN401, the parser is imported in one place only
    """Put the help of a command, of its options and of all commands below it into words."""
    if _spoken == "en":
        return
    for member in ("help", "short_help", "epilog"):
        if text := getattr(command, member, None):
            setattr(command, member, _(text))
    own = command.get_help_option(command.context_class(command))
    for option in (*command.params, own):
        if text := getattr(option, "help", None):
            option.help = _(text)
    for below in getattr(command, "commands", {}).values():
        tell_help(below)
