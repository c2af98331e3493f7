"""Which of the files that crossed long ago are read back next, and since when all of them were.

Rule 1: files are read in the order of their names, round after round, from where the last opening
    stopped: the next one is always among those that were proven longest ago.
Rule 2: a round is over when its last file was read; all that was there when it began, and is there
    still, was read back since.
Rule 3: pure: lists and instants in, values out.
Source: design, section 4, on ``read_back_old``.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from vault.results import RepositoryFile

FASTEST_BYTES_PER_S = 2e9  # no medium is faster: what is chosen is never too little
MOST_FILES = 20_000  # of one opening: their list travels while the door is open


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """How far the reading of one target's old files is."""

    after: str = ""  # the path that was read last; empty at the beginning of a round
    began_at: datetime | None = None  # the running round
    files: int = 0  # of the running round
    bytes: int = 0
    proven_since: datetime | None = None  # when the last whole round began


def choose(files: Sequence[RepositoryFile], now: Round, seconds: float) -> Sequence[RepositoryFile]:
    """Give the files that one opening may come to, in order; ``files`` is sorted by path."""
    start = bisect_right(files, now.after, key=lambda file: file.path)
    budget = seconds * FASTEST_BYTES_PER_S
    chosen: list[RepositoryFile] = []
    for file in files[start : start + MOST_FILES]:
        if budget <= 0:
            break
        budget -= file.size_bytes
        chosen.append(file)
    return chosen


def after_reading(
    now: Round,
    chosen: Sequence[RepositoryFile],
    read: int,
    *,
    at: datetime,
    is_last: bool,
) -> Round:
    """Give the round after the first ``read`` files of ``chosen`` were read from ``at`` on.

    ``is_last`` says that the last of ``chosen`` is the last file there is.
    """
    began_at = now.began_at or at
    if read == len(chosen) and is_last:
        return Round(proven_since=began_at)
    done = chosen[:read]
    return replace(
        now,
        after=done[-1].path if done else now.after,
        began_at=began_at,
        files=now.files + len(done),
        bytes=now.bytes + sum(file.size_bytes for file in done),
    )
