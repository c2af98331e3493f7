"""What a pull asks of the place where a source stands, and how long it may take.

Rule 1: an origin lists and reads; it judges nothing, places nothing and writes nothing there.
Rule 2: time is the boot clock's; a pull that is given up ends in every thread at its next step.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Protocol

from vault.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vault.ports import Clock
    from vault.sources.part import Part
    from vault.sources.tree import Seen, Survey


class Changed(Exception):
    """A file is not what was listed any more."""


class Unreadable(Exception):
    """A file is there and may not be read."""


class Deadline:
    """The end of a pull on the boot clock, or earlier when the pull is given up."""

    def __init__(self, source: str, clock: Clock, closes_at_s: float) -> None:
        self.clock = clock
        self._source = source
        self._closes_at_s = closes_at_s
        self._given_up = threading.Event()

    def left_s(self) -> float:
        """Give the seconds left; never less than none."""
        return max(0.0, self._closes_at_s - self.clock.boot_s())

    def give_up(self) -> None:
        """Make every thread of the pull end at its next step."""
        self._given_up.set()

    def check(self) -> None:
        """Raise SourceError when the time is over."""
        if self._given_up.is_set() or not self.left_s():
            raise SourceError(
                "the pull of {source} did not end in its time",
                hint="the next run goes on where it stopped; is the window long enough?",
                source=self._source,
            )


class Origin(Protocol):
    """Where the files of one source stand during one pull."""

    name: str
    workers: int

    def survey(self, deadline: Deadline) -> Survey:
        """List everything; raises SourceMissing, SourceUnreachable."""
        ...

    def fetch(self, seen: Seen, part: Part, deadline: Deadline) -> None:
        """Bring one file's bytes from ``part.offset`` on; Changed, Unreadable. Any thread."""
        ...

    def look_again(self, batch: Sequence[Seen], deadline: Deadline) -> list[bool]:
        """Say of each file whether it still looks as it did."""
        ...
