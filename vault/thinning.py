"""The landing lets go of points: forget by full ids, prune, and every record that follows.

    settle      what an earlier run that died left undone is finished in the records
    require     pins, nothing that is not ours, whole, checked: else nothing is touched
    forget      the planned snapshots, by their full ids; what is gone is seen on disk
    prune       now and then: packs that nothing needs go, the index is written anew
    check       and the files that came and went are kept as such

Rule 1: what goes is in the ledger before the first of it goes.
Rule 2: nothing is repacked: a pack is there as it was carried, or it is not there.
Rule 3: killed anywhere, the landing stays sound, and the next start finishes the records from what
    is on disk: before any run of ours could build on it.
Guarantee not given: an index that an intruder with the landing's key writes between the death of
    a prune and the next start passes for the prune's own.
Source: design, section 8; ``docs/decisions/0024``.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from vault.admission import is_carried
from vault.authentication import Authentication
from vault.errors import ResticError, RetentionRefused
from vault.ports import Clock, Progress, Pruned
from vault.records import LedgerPort
from vault.results import CycleResult, RepositoryFile
from vault.retention import Plan

RUN_FACT = "running-retention"  # the announced run, until its records are whole
PRUNED_FACT = "pruned-at"
PRUNE_EVERY = timedelta(days=28)  # each prune sends every target a whole new index


class Book(Protocol):
    """What is asked of the catalogue."""

    def fact(self, name: str) -> str | None:
        """Give a small fact."""
        ...

    def set_fact(self, name: str, value: str) -> None:
        """Keep a small fact."""
        ...

    def last_cycle(self) -> CycleResult | None:
        """Give the newest ended cycle."""
        ...

    def known_paths(self) -> Iterator[RepositoryFile]:
        """Give the files of all batches, sorted by path."""
        ...

    def mark_forgotten(self, snapshot_ids: Collection[str], *, at: datetime) -> None:
        """Say that the landing forgot these snapshots; idempotent."""
        ...

    def settle_prune(
        self, number: int, *, gone: Iterable[RepositoryFile], new: Sequence[RepositoryFile]
    ) -> None:
        """Keep what a prune took away and what it wrote; idempotent."""
        ...


class Repository(Protocol):
    """What is asked of the landing."""

    def list_files(self) -> Iterator[RepositoryFile]:
        """Walk the lawful files, sorted by path."""
        ...

    def forget(self, snapshot_ids: Sequence[str]) -> None:
        """Forget snapshots by their full ids; ResticError when not just these are gone then."""
        ...

    def prune(self) -> Pruned:
        """Remove the packs that nothing needs; give what is gone and what was written."""
        ...

    def check(self) -> Sequence[str]:
        """Give restic's complaints, none when it is sound."""
        ...

    def unlock_stale(self) -> None:
        """Remove the locks of dead restics."""
        ...

    def sweep(self, files: Sequence[RepositoryFile]) -> int:
        """Remove files, and what a dead restic was still writing."""
        ...

    def settle(self) -> None:
        """Sync the landing's file system."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Who lets the landing go of something."""

    by: str  # as declared; the timer has a name too
    login: str
    prune: bool = False  # now, whenever the last one was


@dataclass(frozen=True, slots=True, kw_only=True)
class Thinned:
    """What the landing let go of."""

    forgotten: int = 0
    pruned: bool = False
    removed_files: int = 0  # packs and indexes
    removed_bytes: int = 0
    written_files: int = 0  # indexes


@dataclass(slots=True, kw_only=True)
class Thinner:
    """Lets the landing go of points. Use it only under the vault's lock."""

    book: Book
    ledger: LedgerPort
    landing: Repository
    authentication: Authentication
    clock: Clock
    progress: Progress

    def apply(self, plan: Plan, asked: Asked) -> Thinned:
        """Let go of what a plan lets go of; RetentionRefused when anything stands against it."""
        self.settle()
        ids = [point.snapshot_id for point in plan.may_go]
        reasons = [stop.template.format(**stop.values) for stop in plan.stops]
        reasons += () if reasons else self.unsound()
        if reasons:
            self._refuse(asked, reasons)
        prunes = asked.prune or (bool(ids) and self._is_prune_due())
        self.ledger.append(
            "retention-begun",
            by=asked.by,
            login=asked.login,
            prunes=prunes,
            kept=len(plan.kept),
            let_go=[
                {"source": one.source, "cycle": one.cycle, "snapshot": one.snapshot_id}
                for one in plan.may_go
            ],
        )
        if not (ids or prunes):
            return self._end(Thinned(forgotten=0, pruned=False), asked)
        self.book.set_fact(RUN_FACT, json.dumps({"ids": ids, "prunes": prunes}))
        if ids:
            self.progress.step("forget")
            self.landing.forget(ids)
            self.book.mark_forgotten(ids, at=self.clock.now())
        thinned = Thinned(forgotten=len(ids), pruned=False)
        if prunes:
            thinned = self._prune(thinned)
        self.landing.settle()
        return self._end(thinned, asked)

    def unsound(self) -> list[str]:
        """Say what is not as our runs left it: nothing is taken from such a landing."""
        self.progress.step("authenticate")
        odd = [*self.authentication.odd_pins()]
        looked = self.authentication.look(self._number())
        return [*odd, *looked.reasons, *(() if odd else self.landing.check())]

    def _refuse(self, asked: Asked, reasons: Sequence[str]) -> None:
        self.ledger.append(
            "retention-refused", by=asked.by, login=asked.login, reasons=list(reasons[:20])
        )
        raise RetentionRefused(
            "nothing is let go of: {reasons}",
            reasons="; ".join(reasons[:20]),
            hint="coffre gaps names the mend of each; then coffre retention plan",
        )

    def _is_prune_due(self) -> bool:
        last = self.book.fact(PRUNED_FACT)
        return not last or self.clock.now() - datetime.fromisoformat(last) >= PRUNE_EVERY

    def _prune(self, thinned: Thinned) -> Thinned:
        self.progress.step("prune")
        pruned = self.landing.prune()
        self.book.settle_prune(self._number(), gone=pruned.removed, new=pruned.written)
        self.progress.step("check")
        if complaints := self.landing.check():
            self.ledger.append("landing-refused", reasons=list(complaints[:20]))
            raise ResticError(
                "after the prune restic's check complains: {reasons}",
                reasons="; ".join(complaints[:5]),
                hint="no night builds on it; the media hold what it held: docs/sysadmin.md",
            )
        self.book.set_fact(PRUNED_FACT, self.clock.now().isoformat())
        return Thinned(
            forgotten=thinned.forgotten,
            pruned=True,
            removed_files=len(pruned.removed),
            removed_bytes=sum(file.size_bytes for file in pruned.removed),
            written_files=len(pruned.written),
        )

    def _end(self, thinned: Thinned, asked: Asked) -> Thinned:
        self.ledger.append(
            "retention-ended",
            by=asked.by,
            forgotten=thinned.forgotten,
            pruned=thinned.pruned,
            removed_files=thinned.removed_files,
            removed_bytes=thinned.removed_bytes,
            written_files=thinned.written_files,
        )
        self.book.set_fact(RUN_FACT, "")
        return thinned

    def _number(self) -> int:
        last = self.book.last_cycle()
        return last.cycle if last else 0

    # -- after a death

    def settle(self) -> bool:
        """Finish the records of a run that died, from what is on disk; False when there is none.

        What it wrote is taken for ours only when restic finds the landing sound: otherwise it
        stays an alien, and no night builds on it.
        """
        announced = self.book.fact(RUN_FACT)
        if not announced:
            return False
        run = json.loads(announced)
        self.landing.unlock_stale()
        there = {file.path: file for file in self.landing.list_files()}
        ids = [one for one in run["ids"] if f"snapshots/{one}" not in there]
        self.book.mark_forgotten(ids, at=self.clock.now())
        gone: list[RepositoryFile] = []
        new: list[RepositoryFile] = []
        sound = True
        if run["prunes"]:
            self.landing.sweep(())
            known = {file.path: file for file in self.book.known_paths()}
            gone = [
                file
                for path, file in known.items()
                if path not in there and path.startswith(("data/", "index/"))
            ]
            new = [
                file
                for path, file in there.items()
                if path not in known and is_carried(path) and path.startswith("index/")
            ]
            sound = not (gone or new) or not self.landing.check()
            if sound:
                self.book.settle_prune(self._number(), gone=gone, new=new)
        self.ledger.append(
            "retention-settled",
            forgotten=len(ids),
            removed_files=len(gone),
            written_files=len(new),
            sound=sound,
        )
        self.book.set_fact(RUN_FACT, "")
        return True
