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
from datetime import datetime
from functools import lru_cache
from typing import Any

from vault.errors import CoffreError

LANGUAGES = ("fr", "en")
_FOLDER = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "locale")
_LEAST_LETTERS = 6  # a template of fewer letters would match anything
_current: gettext.NullTranslations = gettext.NullTranslations()
_spoken = "en"
_zone = "Etc/UTC"
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?[+-]\d\d:\d\d")

# What a verdict, an outcome, a status or a class of disconnection is called.
CALLED = {
    "sound": "sound",
    "incomplete": "incomplete",
    "partial": "partial",
    "corrupt": "CORRUPT",
    "refused": "REFUSED",
    "failed": "FAILED",
    "media-absent": "media absent",
    "interrupted": "interrupted",
    "secured": "SECURED",
    "degraded": "DEGRADED",
    "saved": "saved",
    "unchanged": "unchanged",
    "not-due": "not due",
    "missing": "MISSING",
    "empty": "EMPTY",
    "admitted": "carried across",
    "nothing-new": "nothing new",
    "impostor": "IMPOSTOR",
    "full": "FULL",
    "not-opened": "not opened",
    "locked": "locked",
    "unlocked": "UNLOCKED",
    "removed": "removed",
    "powered-off": "powered off",
    "link-down": "link down",
    "detached": "detached",
    "unmounted": "unmounted",
    "none": "not disconnected",
    "landing": "the landing",
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
)


def speak(language: str) -> None:
    """Speak a language from now on."""
    global _current, _spoken  # noqa: PLW0603, one process speaks one language
    _spoken = language
    if language == "en":
        _current = gettext.NullTranslations()
    else:
        _current = gettext.translation("coffre", _FOLDER, languages=[language], fallback=True)
    _templates.cache_clear()


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


def called(name: str) -> str:
    """Give what a person calls a verdict, an outcome, a status or a class of disconnection."""
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
    """Tell again the values that are sentences themselves, and instants on the site's clock."""
    return {
        key: _value(value) if isinstance(value, str) else value for key, value in values.items()
    }


def _value(text: str) -> str:
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
    if "\n" in text:
        return "\n".join(retell(line) for line in text.split("\n"))
    return _known(text) or _in_parts(text) or text


def _known(text: str) -> str | None:
    """Give the French of a sentence whose template the catalogue has."""
    told = _current.gettext(text)
    if told != text:
        return told
    for pattern, template in _templates():
        found = pattern.fullmatch(text)
        if found is not None:
            values = {name: retell(value) for name, value in found.groupdict().items()}
            return _current.gettext(template).format(**values)
    return None


def _in_parts(text: str) -> str | None:
    for mark, joint in (("; ", "\u00a0; " if _spoken == "fr" else "; "), (": ", ": ")):
        if mark not in text:
            continue
        parts = text.split(mark) if mark == "; " else list(text.partition(mark)[::2])
        told = [retell(part) for part in parts]
        if told != parts:
            return joint.join(told)
    return None


@lru_cache(maxsize=1)
def _templates() -> list[tuple[re.Pattern[str], str]]:
    """Give the catalogue's templates with values, the most telling first."""
    keys = getattr(_current, "_catalog", {})
    found = []
    for key in keys:
        if not isinstance(key, str) or "{" not in key:
            continue
        letters = sum(char.isalpha() for char in re.sub(r"{\w*}", "", key))
        if letters >= _LEAST_LETTERS and (pattern := _pattern(key)) is not None:
            found.append((letters, pattern, key))
    found.sort(key=lambda item: -item[0])
    return [(pattern, key) for _letters, pattern, key in found]


def _pattern(template: str) -> re.Pattern[str] | None:
    """Turn a template into a pattern; None when a value is formatted and cannot be read back."""
    pattern, seen = "", set[str]()
    for literal, name in re.findall(r"((?:[^{}]|{{|}})+)|{(\w+)}", template):
        if literal:
            pattern += re.escape(literal.replace("{{", "{").replace("}}", "}"))
        elif name in seen:
            pattern += f"(?P={name})"
        else:
            seen.add(name)
            pattern += f"(?P<{name}>.+?)"
    plain = re.sub(r"{{|}}|{\w+}", "", template)
    return None if "{" in plain else re.compile(pattern, re.DOTALL)


# -- the help of the command


def tell_help(command: Any) -> None:  # noqa: ANN401, the parser is imported in one place only
    """Put the help of a command, of its options and of all commands below it into words."""
    for member in ("help", "short_help", "epilog"):
        if text := getattr(command, member, None):
            setattr(command, member, _(text))
    for option in command.params:
        if text := getattr(option, "help", None):
            option.help = _(text)
    for below in getattr(command, "commands", {}).values():
        tell_help(below)
