"""Which nights a target holds whole: every file of the landing's list, as it was last open.

Rule 1: what a target lacks is what the target said, never what was carried to it.
Rule 2: a night that is left partial may have ended older ones, and may find older ones gone.
Rule 3: lists are compared as sorted streams, in constant memory.
Source: design, section 2, views; invariant 8.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from vault.records import CataloguePort
from vault.results import RepositoryFile, TargetRecord

FREE_FACT = "free."  # before a target's name, JSON: bytes free when it was last open, uuid, at

SEEN_FACT = "seen."  # before a target's name: when its own medium was met last, and believed


@dataclass(frozen=True, slots=True, kw_only=True)
class Night:
    """What is the same for every target of one night."""

    cycle: int
    closes_at_s: float  # hard, on the boot clock
    window_s: float  # how long such a window is, for the nights left
    landing: bytes  # the repository's folder
    files: Sequence[RepositoryFile]  # the landing's whole list, sorted by path
    read_back_old_s: float = 0.0  # of this target: time for files of earlier openings


def lacking(
    wanted: Iterable[RepositoryFile], held: Iterable[RepositoryFile]
) -> Iterator[RepositoryFile]:
    """Give what is wanted and not held; both sorted by path, in constant memory."""
    held_iter = iter(held)
    there = next(held_iter, None)
    for file in wanted:
        while there is not None and there.path < file.path:
            there = next(held_iter, None)
        if there is None or there != file:
            yield file


def complete_older(catalogue: CataloguePort, target: str, night: Night, *, at: datetime) -> None:
    """Keep as held the lists that were left partial and are whole now that tonight's is."""
    for cycle, hold in dict(catalogue.holds(target)).items():
        if hold.complete or cycle == night.cycle:
            continue
        if not any(lacking(catalogue.landing_list(cycle), night.files)):
            catalogue.set_holds(target, cycle, complete=True, at=at)


def keep_free(
    catalogue: CataloguePort, target: TargetRecord, free_bytes: int, *, at: datetime
) -> None:
    """Remember what is free on a medium, for the forecast of the nights to come."""
    kept = {"bytes": max(0, free_bytes), "uuid": target.uuid, "at": at.isoformat()}
    catalogue.set_fact(FREE_FACT + target.name, json.dumps(kept))


def keep_whole(
    catalogue: CataloguePort,
    target: str,
    night: Night,
    lacks: Sequence[RepositoryFile],
    *,
    at: datetime,
) -> None:
    """Keep the newest list that a target holds whole, by what it lacks of tonight's."""
    first = catalogue.first_cycle(lacks)
    holds = catalogue.holds(target)
    for cycle, hold in holds.items():
        if hold.complete and cycle >= first:  # what it held is gone from it
            catalogue.set_holds(target, cycle, complete=False, at=at)
    held = list(lacking(night.files, sorted(lacks, key=lambda file: file.path)))
    for cycle in catalogue.listed_cycles(before=first):
        if cycle in holds and holds[cycle].complete:
            return
        if not any(lacking(catalogue.landing_list(cycle), held)):
            catalogue.set_holds(target, cycle, complete=True, at=at)
            return
