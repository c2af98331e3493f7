"""The words a person reads, in French or English.

Rule 1: an English text is its own key; a catalogue that lacks it shows the English.
Rule 2: an error is translated as its template, and its values are put in afterwards.
"""

from __future__ import annotations

import gettext
import os

from vault.errors import CoffreError

LANGUAGES = ("fr", "en")
_FOLDER = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "locale")
_current: gettext.NullTranslations = gettext.NullTranslations()


def speak(language: str) -> None:
    """Speak a language from now on."""
    global _current  # noqa: PLW0603, one process speaks one language
    if language == "en":
        _current = gettext.NullTranslations()
    else:
        _current = gettext.translation("coffre", _FOLDER, languages=[language], fallback=True)


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


def message_of(error: CoffreError) -> str:
    """Give an error's message in the language spoken."""
    return _(error.template).format(**error.values)


def hint_of(error: CoffreError) -> str:
    """Give an error's hint in the language spoken; empty when it has none."""
    return _(error.hint_template).format(**error.values) if error.hint_template else ""
