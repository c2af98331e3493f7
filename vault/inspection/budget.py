"""How much one file may unfold to, and how long its inspection may take.

Rule 1: a bound is shared by a file and all that is folded into it, at every depth.
Rule 2: meeting a bound is not damage: it ends the reading with a remark.
Source: the archives that unfold without end, of which 42.zip is the best known.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field


class LongLine(Exception):
    """A line is longer than any lawful one; what would be a matter of memory becomes a remark."""


class OverBudget(Exception):
    """A file unfolds to more than it may, or takes longer; ``bound`` says which bound it met."""

    def __init__(self, bound: str) -> None:
        self.bound = bound
        super().__init__(bound)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The bounds of one file."""

    seconds: float = 600.0
    total_bytes: int = 64 * 1024**3  # unfolded, all depths together
    members: int = 200_000
    depth: int = 4  # archives in archives; the file itself is depth 0
    ratio: int = 1000  # unfolded against folded bytes, past ``ratio_from_bytes``
    ratio_from_bytes: int = 16 * 1024**2
    spool_bytes: int = 4 * 1024**3  # a member that must be read out of order is laid down whole


@dataclass(slots=True, kw_only=True)
class Budget:
    """What is left of the limits of one file."""

    limits: Limits = field(default_factory=Limits)
    clock: Callable[[], float] = time.monotonic
    began_s: float = field(init=False)
    spent_bytes: int = 0
    members: int = 0

    def __post_init__(self) -> None:
        self.began_s = self.clock()

    def check_time(self) -> None:
        """Raise OverBudget when the time is over."""
        if self.clock() - self.began_s > self.limits.seconds:
            raise OverBudget("seconds")

    def unfold(self, count: int) -> None:
        """Book unfolded bytes; raises OverBudget."""
        self.spent_bytes += count
        if self.spent_bytes > self.limits.total_bytes:
            raise OverBudget("total_bytes")
        self.check_time()

    def enter(self, depth: int, members: int = 1) -> None:
        """Book members of an archive at a depth; raises OverBudget."""
        self.members += members
        if self.members > self.limits.members:
            raise OverBudget("members")
        if depth > self.limits.depth:
            raise OverBudget("depth")
        self.check_time()

    def check_ratio(self, unfolded: int, folded: int) -> None:
        """Raise OverBudget when a member unfolds beyond measure."""
        if unfolded > self.limits.ratio_from_bytes and unfolded > self.limits.ratio * max(
            1, folded
        ):
            raise OverBudget("ratio")
