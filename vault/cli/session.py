"""One invocation: its global options, its output, its way to the vault.

Rule 1: with ``--json`` standard output carries one document and nothing else; all else goes to
    standard error.
Rule 2: a command gives its exit code back; it never exits by itself.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vault.cli.words import complain, hint_of, keep_time_of, message_of, speak
from vault.errors import CoffreError, ExitCode, NotInitialised

if TYPE_CHECKING:
    from vault.config import Peek, Settings
    from vault.formats import Tables
    from vault.ports import Progress
    from vault.wiring.wired import Wired


@dataclass(slots=True, kw_only=True)
class Session:
    """The global options of one invocation."""

    config: str | None = None
    as_json: bool = False
    language: str | None = None
    verbosity: int = 0
    command: str = "coffre"
    is_overruled: bool = False  # DEGRADED took the place of what the command came to
    _vault: Wired | None = None  # what the command put together last

    def settings(self) -> Settings:
        """Load the configuration, and speak its language unless another was asked for."""
        from vault.config import load

        settings = load(self.config)
        if self.language is None:
            speak(settings.site.language)
        keep_time_of(settings.site.time_zone)
        return settings

    def peek(self) -> Peek:
        """Read where the state is and no more, and speak the site's language as ``settings`` do."""
        from vault.config import peek

        found = peek(self.config)
        if self.language is None:
            speak(found.language)
        return found

    def speak_as_the_site(self) -> None:
        """Speak the site's language, as far as a configuration can be read; for telling errors."""
        if self.language is None:
            with contextlib.suppress(CoffreError, OSError):
                self.peek()

    def tables(self) -> Tables:
        """Load the site's PMSI tables; the package's where there is no configuration."""
        from vault.config import find, load_formats

        try:
            find(self.config)
        except NotInitialised:
            if self.config is not None:
                raise
            return load_formats()
        return self.settings().load_formats()

    def wired(self, progress: Progress | None = None) -> Wired:
        """Put the vault together."""
        from vault.wiring.wired import Wired

        self._vault = Wired(self.settings(), progress)
        return self._vault

    def final_code(self, code: int) -> int:
        """Give the exit code: DEGRADED whatever the command came to, while a door is unproven.

        Of the doors that the command asked; one that asks none ends as it does.
        """
        if code == ExitCode.DEGRADED or self._vault is None or not self._vault.is_degraded:
            return int(code)
        self.is_overruled = True
        return int(ExitCode.DEGRADED)

    # -- output

    @property
    def is_quiet(self) -> bool:
        """Whether only the result and errors are wanted."""
        return self.verbosity < 0 or self.as_json

    def say(self, text: str = "") -> None:
        """Print a line for a person; to standard error when a document is wanted."""
        stream = sys.stderr if self.as_json else sys.stdout
        print(text, file=stream)

    def whisper(self, text: str) -> None:
        """Print a line that ``-q`` and ``--json`` leave out."""
        if not self.is_quiet:
            self.say(text)

    def document(self, members: Mapping[str, object], code: int) -> dict[str, object]:
        """Give the command's document."""
        schema = f"coffre/{self.command}/1"
        return {"schema": schema, "exit_code": self.final_code(code), **members}

    def emit(self, members: Mapping[str, object], code: int = ExitCode.SOUND) -> int:
        """Print the command's document when one is wanted; give the exit code."""
        if self.as_json:
            document = self.document(members, code)
            print(json.dumps(document, ensure_ascii=False, default=str))  # noqa: T201
        return self.final_code(code)

    def fail(self, error: CoffreError) -> int:
        """Tell an error in one line and its mend in a second; give the exit code."""
        self.speak_as_the_site()
        code = error.exit_code
        if self.as_json:
            return self.emit({"error": error_members(error)}, code)
        complain(f"coffre: {message_of(error)} [{error.reference}]")
        if hint := hint_of(error):
            complain(f"  → {hint}")
        return self.final_code(code)


def error_members(error: CoffreError) -> dict[str, str]:
    """Give an error as the members of a document."""
    return {
        "reference": error.reference,
        "message": message_of(error),
        "hint": hint_of(error),
    }


def is_root() -> bool:
    """Whether this process is root."""
    return os.geteuid() == 0
