"""What is wrong with a file, line by line, and the one error that lists all of it.

Rule 1: a problem names file, line and key, then says what is wrong and how to mend it, in one line.
Rule 2: no value of the file is shown where a secret may stand; keys and line numbers suffice.
Rule 3: all problems of a file are listed at once; a technician mends them in one go.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches

from vault.errors import ConfigError
from vault.names import printable

MOST_SHOWN = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that is wrong, as a template with its values, so that it can be translated."""

    file: str
    template: str
    line: int | None = None
    column: int | None = None
    key: str = ""  # dotted
    values: dict[str, object] = field(default_factory=dict)

    def __str__(self) -> str:
        """Give ``file:line: key: what is wrong``."""
        place = ":".join(str(part) for part in (self.file, self.line, self.column) if part)
        what = self.template.format(**self.values)
        return ": ".join(part for part in (place, self.key, what) if part)


class ConfigProblems(ConfigError):
    """One or several problems of the configuration, each on a line of its own."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        shown = [str(problem) for problem in self.problems[:MOST_SHOWN]]
        if len(self.problems) > MOST_SHOWN:
            shown.append(f"and {len(self.problems) - MOST_SHOWN} more")
        super().__init__(
            "{problems}",
            hint="mend the file, then run: coffre config validate?",
            problems="\n".join(shown),
        )


# What people write who know other tools, and the key that means it here.
_SYNONYMS = {
    "rpo": "pdma",
    "rto": "dmia",
    "schedule": "due",
    "cadence": "due",
    "duration": "for",
    "length": "for",
    "timezone": "time_zone",
    "tz": "time_zone",
    "lang": "language",
    "directory": "folder",
    "dir": "folder",
    "hostname": "host",
    "username": "user",
    "share": "what",
    "keep": "retention",
}


def suggest(key: str, known: Sequence[str]) -> str:
    """Give the end of a line about an unknown key: the nearest known one, else all of them."""
    wanted = key.lower().replace("-", "_")
    by_small = {name.lower(): name for name in known}
    near = get_close_matches(wanted, by_small, n=1, cutoff=0.5)
    if (synonym := _SYNONYMS.get(wanted)) in by_small:
        near = [synonym]
    if near:
        return f'did you mean "{by_small[near[0]]}"?'
    names = ", ".join(sorted(known))
    return f"known here: {names}" if known else "nothing is known here"


def shown(text: str) -> str:
    """Show a text of the file: escaped and short, so that it cannot forge a line."""
    escaped = printable(text.encode("utf-8", "surrogatepass"))
    return escaped if len(escaped) <= 60 else escaped[:57] + "..."
