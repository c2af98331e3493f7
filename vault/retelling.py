"""Finished English sentences told again in another language, from the templates that made them.

Rule 1: a sentence that no template fits is told as it is.
Rule 2: of several templates that fit, the one with most letters of its own is taken.
"""

from __future__ import annotations

import gettext
import re
from collections.abc import Iterable
from functools import cached_property, lru_cache

from vault.amount import said_again

_VALUE = re.compile(r"{\w*}")
_LEAST_LETTERS = 6  # a template of fewer letters would match anything
_REMEMBERED = 4096  # sentences


class Retelling:
    """Tells again by one catalogue of texts."""

    def __init__(self, known: gettext.NullTranslations, language: str) -> None:
        self._catalogue = known
        self._language = language
        self._known = lru_cache(maxsize=_REMEMBERED)(self._find)  # hundreds of gaps say the same

    def retell(self, text: str) -> str:
        """Tell a finished English sentence; as it is when nobody knows it.

        ``NAME: REASON`` and ``REASON; REASON`` are told part by part, a list line by line.
        """
        if "\n" in text:
            return "\n".join(self.retell(line) for line in text.split("\n"))
        return self._known(text) or self._in_parts(text)

    def _find(self, text: str) -> str | None:
        """Give the telling of an amount, or of a sentence whose template the catalogue has."""
        if (size := said_again(text, self._language)) is not None:
            return size
        told = self._catalogue.gettext(text)
        if told != text:
            return told
        for longest, literals, template in self._templates:
            if longest not in text or not _holds(text, literals):
                continue
            pattern = _pattern(template)
            found = pattern.fullmatch(text) if pattern is not None else None
            if found is not None:
                values = {name: self.retell(value) for name, value in found.groupdict().items()}
                return self._catalogue.gettext(template).format(**values)
        return None

    def _in_parts(self, text: str) -> str:
        """Tell what stands behind a name, else the sentences of a list, else both sides of a colon.

        One word before a colon is a name, as the keys of vault.yaml are: not ours to tell.
        """
        before, colon, after = text.partition(": ")
        if colon and " " not in before:
            return f"{before}: {self.retell(after)}"
        if "; " in text:
            parts = text.split("; ")
            told = [*map(self.retell, parts)]
            return listed(told, self._language) if told != parts else text
        if not colon:
            return text
        return coloned(self.retell(before), self.retell(after), self._language)

    @cached_property
    def _templates(self) -> list[tuple[str, tuple[str, ...], str]]:
        """Give the catalogue's templates, the most telling first.

        Before each stand its longest fixed part, and all of them.

        Nearly every one is told from a text by its fixed parts alone: what is left is compiled.
        """
        found = []
        for key in getattr(self._catalogue, "_catalog", {}):
            if not isinstance(key, str) or "{" not in key:
                continue
            parts = _VALUE.split(key)
            letters = sum(map(str.isalpha, "".join(parts)))
            if letters >= _LEAST_LETTERS:
                fixed = (part.replace("{{", "{").replace("}}", "}") for part in parts if part)
                found.append((letters, tuple(fixed), key))
        found.sort(key=lambda item: -item[0])
        return [(max(literals, key=len), literals, key) for _letters, literals, key in found]


def listed(parts: Iterable[str], language: str) -> str:
    """Join what may hold commas itself: a; b; c."""
    return ("\u00a0; " if language == "fr" else "; ").join(parts)


def coloned(before: str, after: str, language: str) -> str:
    """Put a colon between what is named and what is said of it."""
    return f"{before}\u00a0: {after}" if language == "fr" else f"{before}: {after}"


def _holds(text: str, literals: tuple[str, ...]) -> bool:
    """Say whether the fixed parts of a template stand in a text, in their order."""
    at = 0
    for part in literals:
        found = text.find(part, at)
        if found < 0:
            return False
        at = found + len(part)
    return True


@lru_cache(maxsize=256)
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
