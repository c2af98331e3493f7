"""How far a night is: live on a terminal, plain lines elsewhere, nothing when quiet.

Rule 1: progress is told on standard error, so that a document or a pipe stays clean.
Rule 2: telling never fails a night.
"""

from __future__ import annotations

import contextlib
import sys
from types import TracebackType
from typing import Self

from vault.cli.shown import size
from vault.cli.words import _

STEPS = {
    "recover": "Shutting and asking every door",
    "preflight": "Looking at keys, landing, clock and room",
    "collect": "Collecting",
    "await": "Waiting for",
    "inspect": "Inspecting",
    "snapshot": "Snapshotting",
    "authenticate": "Checking the landing",
    "open": "Opening the door of",
    "carry": "Carrying to",
    "read-old": "Reading back what crossed earlier to",
    "shut": "Door shut and proven:",
    "restore": "Restoring",
    "compare": "Comparing with the manifest of",
    "check": "Checking the repository in",
    "open-files": "Opening the restored files of",
    "forget": "Letting the landing go of points",
    "remove": "Removing from",
    "prune": "Giving room back in the landing",
    "apply": "Letting applications read the files of",
}


class PlainProgress:
    """One line a step."""

    def step(self, name: str, detail: str = "") -> None:
        """Say that a step begins."""
        words = _(STEPS.get(name, name))
        with contextlib.suppress(OSError):  # a pipe that nobody reads any more
            print(f"· {words} {detail}".rstrip(), file=sys.stderr, flush=True)  # noqa: T201

    def note(self, text: str) -> None:
        """Say a sentence between two steps."""
        with contextlib.suppress(OSError):
            print(f"· {text}", file=sys.stderr, flush=True)  # noqa: T201

    def advance(self, done_bytes: int, total_bytes: int) -> None:
        """Say nothing between steps."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Nothing is left to clear."""


class LiveProgress(PlainProgress):
    """A spinner with the running step and a bar while bytes move."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn

        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[moved]}"),
            console=Console(stderr=True),
            transient=True,
        )
        self._task = self._progress.add_task("", total=None, moved="")

    def step(self, name: str, detail: str = "") -> None:
        """Show the step, and leave a line of it behind."""
        words = f"{_(STEPS.get(name, name))} {detail}".rstrip()
        self._progress.console.print(f"· {words}", highlight=False, markup=False)
        self._progress.update(self._task, description=words, total=None, completed=0, moved="")

    def note(self, text: str) -> None:
        """Leave a sentence behind."""
        self._progress.console.print(f"· {text}", highlight=False, markup=False)

    def advance(self, done_bytes: int, total_bytes: int) -> None:
        """Move the bar."""
        self._progress.update(
            self._task,
            total=total_bytes or None,
            completed=done_bytes,
            moved=f"{size(done_bytes)} / {size(total_bytes)}" if total_bytes else "",
        )

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._progress.stop()


class SilentProgress(PlainProgress):
    """Nothing at all."""

    def step(self, name: str, detail: str = "") -> None:
        """Say nothing."""

    def note(self, text: str) -> None:
        """Say nothing."""


def make_progress(*, quiet: bool) -> PlainProgress:
    """Choose how to tell."""
    if quiet:
        return SilentProgress()
    return LiveProgress() if sys.stderr.isatty() else PlainProgress()
