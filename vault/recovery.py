"""Giving back: which snapshot, from where, restored, and every byte compared.

    choose      the newest snapshot of the source that the cycle or the date allows
    refuse      a folder that already holds something
    restore     from the landing; or from a target, read-only, through the view of a cycle
    compare     every restored byte with the manifest taken at the source

Rule 1: a snapshot is named by its full id, never by date or as the latest.
Rule 2: a target is read through a view only, so that whatever came later cannot reach the restore.
Rule 3: restoring needs neither the landing (from a target) nor any door (from the landing).
Rule 4: a restore whose bytes differ is corrupt, and says which files.
Source: design, sections 2 and 6.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from vault.airlock import Airlock, Opened, Opening
from vault.amount import told_apart
from vault.believing import Believer
from vault.errors import DestinationNotEmpty, NothingToRestore, RestoreError
from vault.moments import Moments
from vault.names import printable
from vault.ports import Clock, OpenVault, Progress
from vault.records import CataloguePort, LedgerPort
from vault.results import (
    Comparison,
    Exposure,
    ManifestEntry,
    Refusal,
    SnapshotRecord,
)

LANDING = "landing"
_OPEN_S = 12 * 3600.0  # a restore may read a whole disk; the kernel shuts the door then
_WORK = b".coffre-restore"


class RestoreEngine(Protocol):
    """Runs restic's restore; on this host, or inside an open vault door."""

    def from_landing(self, snapshot_id: str, to: bytes, includes: Sequence[bytes]) -> None:
        """Restore from the landing; ResticError."""
        ...

    def from_view(
        self, vault: OpenVault, view: str, snapshot_id: str, to: bytes, includes: Sequence[bytes]
    ) -> None:
        """Restore from a view laid over an open target; ResticError."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What somebody wants back."""

    source: str
    to: bytes
    paths: tuple[bytes, ...] = ()
    at: datetime | None = None
    cycle: int | None = None
    origin: str = LANDING
    login: str = ""  # who really typed, as far as the host knows


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """What came back."""

    source: str
    snapshot: SnapshotRecord
    origin: str
    files: int
    bytes: int
    mismatches: tuple[Refusal, ...]
    duration_s: float
    exposure: Exposure | None = None


@dataclass(slots=True, kw_only=True)
class Viewed:
    """A target that stands open read-only, with the view of a cycle laid over it."""

    opened: Opened
    view: str  # where restic reads it
    points: Sequence[SnapshotRecord]  # the candidates that it holds whole, newest first


@dataclass(slots=True, kw_only=True)
class Restorer:
    """Restores exports."""

    airlock: Airlock
    believer: Believer
    catalogue: CataloguePort
    ledger: LedgerPort
    engine: RestoreEngine
    compare: Callable[[bytes, Sequence[ManifestEntry]], Comparison]
    clock: Clock
    progress: Progress
    moments: Moments

    def restore(self, wish: Wish) -> Restored:
        """Restore and compare; the result lists what differs."""
        candidates = self.restorable(wish)
        began_s = self.clock.boot_s()
        with _empty_folder(wish.to) as work:
            if wish.origin == LANDING:
                snapshot, exposure = candidates[0], None
                wanted = self._wanted(snapshot, wish)
                self.progress.step("restore", wish.source)
                self.engine.from_landing(snapshot.snapshot_id, work, _includes(wish))
            else:
                snapshot, wanted, exposure = self._from_target(wish, candidates, work)
            self.progress.step("compare", wish.source)
            data = os.path.join(work, b"data")
            os.makedirs(data, exist_ok=True)
            compared = self.compare(data, wanted)
            _move_up(data, wish.to)
        restored = Restored(
            source=wish.source,
            snapshot=snapshot,
            origin=wish.origin,
            files=compared.files,
            bytes=compared.bytes,
            mismatches=compared.mismatches,
            duration_s=self.clock.boot_s() - began_s,
            exposure=exposure,
        )
        self._record(restored, wish)
        return restored

    def candidates(self, wish: Wish) -> list[SnapshotRecord]:
        """Give the snapshots that answer the wish, newest first; NothingToRestore."""
        last = self.catalogue.last_cycle()
        if wish.cycle is not None and (last is None or wish.cycle > last.cycle):
            raise NothingToRestore(
                "there was no night {cycle}; the last one is {last}",
                cycle=wish.cycle,
                last=last.cycle if last else 0,
            )
        found = [
            snapshot
            for snapshot in self.catalogue.snapshots(wish.source)
            if (wish.cycle is None or snapshot.cycle <= wish.cycle)
            and (wish.at is None or snapshot.taken_at <= wish.at)
        ]
        if not found:
            if wish.cycle is None and wish.at is None:
                raise NothingToRestore(
                    "there is no snapshot of {source} yet",
                    source=wish.source,
                    hint="why did no night take it? coffre gaps",
                )
            raise NothingToRestore(
                "no snapshot of {source} is as old as that",
                source=wish.source,
                hint="what does coffre ls {source} --all show?",
            )
        return found[::-1]

    def restorable(self, wish: Wish) -> list[SnapshotRecord]:
        """Give the candidates that the origin may have; NothingToRestore.

        The newest that answers the wish is what is meant: where the landing let go of it, an
        older one is no answer, and the media that hold it are named.
        """
        found = self.candidates(wish)
        if wish.origin != LANDING:
            return found
        wanted = found[0]
        if wanted.forgotten_at is not None:
            media = [record.name for record in self.catalogue.targets()]
            holding = [name for name in media if self._holding(name, wanted, None)]
            raise NothingToRestore(
                "the landing let go of night {cycle} of {source} on {day}",
                cycle=wanted.cycle,
                source=wish.source,
                day=wanted.forgotten_at.isoformat(timespec="seconds"),
                hint="add --from TARGET; it is held by: {media}"
                if holding
                else "no medium in use holds it; what does coffre ls {source} --all show?",
                media=", ".join(holding),
            )
        return [point for point in found if point.forgotten_at is None]

    def _holding(self, target: str, point: SnapshotRecord, limit: int | None) -> list[int]:
        """Give the nights a target holds, in part at least, whose lists name a point."""
        last = point.forgotten_after
        return [
            night
            for night in self.catalogue.holds(target)
            if point.cycle <= night
            and (limit is None or night <= limit)
            and (last is None or night <= last)
        ]

    def entries(self, snapshot: SnapshotRecord, paths: Sequence[bytes]) -> list[ManifestEntry]:
        """Give the manifest's entries at or below the paths; all when none is given."""
        entries = self.catalogue.manifest(snapshot.manifest)
        if not paths:
            return list(entries)
        wanted = [path.strip(b"/") for path in paths]
        return [
            entry
            for entry in entries
            if any(entry.path == path or entry.path.startswith(path + b"/") for path in wanted)
        ]

    def _wanted(self, snapshot: SnapshotRecord, wish: Wish) -> list[ManifestEntry]:
        wanted = self.entries(snapshot, wish.paths)
        if not wanted:
            raise NothingToRestore(
                "nothing in {source} of {taken} is named {paths}",
                source=wish.source,
                taken=snapshot.taken_at.isoformat(timespec="minutes"),
                paths=", ".join(printable(path) for path in wish.paths),
                hint="what does coffre ls {source} show?",
            )
        _require_room(wish.to, sum(entry.size_bytes for entry in wanted))
        return wanted

    # -- from a target

    def _from_target(
        self, wish: Wish, candidates: Sequence[SnapshotRecord], work: bytes
    ) -> tuple[SnapshotRecord, list[ManifestEntry], Exposure | None]:
        with self.view_open(wish, candidates, purpose="restore") as viewed:
            snapshot = viewed.points[0]
            wanted = self._wanted(snapshot, wish)
            self.progress.step("restore", wish.source)
            self.engine.from_view(
                viewed.opened.vault, viewed.view, snapshot.snapshot_id, work, _includes(wish)
            )
        return snapshot, wanted, viewed.opened.exposure

    @contextlib.contextmanager
    def view_open(
        self,
        wish: Wish,
        candidates: Sequence[SnapshotRecord],
        *,
        purpose: str,
        seconds: float = _OPEN_S,
    ) -> Iterator[Viewed]:
        """Hold a target open read-only, its marks believed, with the view of a held cycle laid.

        NothingToRestore when the target is none, or holds no whole copy of a candidate.
        """
        target = self.catalogue.target(wish.origin)
        if target is None:
            raise NothingToRestore(
                "{origin} is not an enrolled target",
                origin=wish.origin,
                hint="which ones does coffre target list show?",
            )
        cycle = self._view_cycle(wish, candidates)
        with self.moments.at_door(wish.origin, purpose) as find:
            medium = find()
            opening = Opening(
                target=wish.origin,
                medium=medium,
                purpose=purpose,
                writing=False,
                closes_at_s=self.clock.boot_s() + seconds,
            )
            self.progress.step("open", wish.origin)
            with self.airlock.vault_open(opening) as opened:
                self.believer.believe(target, medium, opened.vault.read_marks())
                points = self._held(opened.vault, candidates, cycle)
                view = opened.vault.lay_view(self.catalogue.landing_list(cycle))
                yield Viewed(opened=opened, view=view, points=points)

    def _view_cycle(self, wish: Wish, candidates: Sequence[SnapshotRecord]) -> int:
        """Choose the newest held night whose list names the newest candidate that any does."""
        for point in candidates:
            if nights := self._holding(wish.origin, point, wish.cycle):
                return max(nights)
        raise NothingToRestore(
            "{origin} holds no cycle as old as that",
            origin=wish.origin,
            hint="what does coffre target list show for it?",
        )

    def _held(
        self, vault: OpenVault, candidates: Sequence[SnapshotRecord], cycle: int
    ) -> list[SnapshotRecord]:
        """Give the candidates that the night's list names and the target holds whole.

        Where a file of the list is missing, whole is what stands before it in the order of the
        batches; a file that belongs to none, since the landing let go of it, may be of any.
        """
        named = {file.path: file for file in self.catalogue.landing_list(cycle)}
        missing = {file.path for file in vault.missing(named.values())}
        whole = set(named)
        if missing:
            whole = self._before_missing(named, missing)
        held = [
            snapshot
            for snapshot in candidates
            if snapshot.cycle <= cycle and f"snapshots/{snapshot.snapshot_id}" in whole
        ]
        if not held:
            raise NothingToRestore(
                "the target holds no whole copy of that source yet",
                hint="is its first copy still going on? coffre status tells what is left",
            )
        return held

    def _before_missing(self, named: Collection[str], missing: set[str]) -> set[str]:
        """Give what stands before the first missing file, in the order files are carried."""
        carried = [
            file.path
            for batch in self.catalogue.batches()
            for file in batch.files
            if file.path in named
        ]
        if not missing <= set(carried):
            return set()
        first = next(n for n, path in enumerate(carried) if path in missing)
        return set(carried[:first])

    def _record(self, restored: Restored, wish: Wish) -> None:
        self.ledger.append(
            "restored",
            source=restored.source,
            cycle=restored.snapshot.cycle,
            snapshot=restored.snapshot.snapshot_id,
            origin=restored.origin,
            whole=not wish.paths,
            files=restored.files,
            bytes=restored.bytes,
            mismatches=len(restored.mismatches),
            login=wish.login,
            duration_s=round(restored.duration_s, 3),
        )


def _includes(wish: Wish) -> list[bytes]:
    """Give restic's paths inside the snapshot; empty means everything below ``data``."""
    return [b"/data/" + path.strip(b"/") for path in wish.paths] or [b"/data"]


def _require_room(folder: bytes, needed: int) -> None:
    facts = os.statvfs(folder)
    room = facts.f_bavail * facts.f_frsize
    if room < needed:
        told_room, told_needed = told_apart(room, needed)
        raise RestoreError(
            "{folder} has room for {room} and {needed} are to be restored",
            folder=printable(folder),
            room=told_room,
            needed=told_needed,
            hint="is there a larger disk, or a part of the export that is enough?",
        )


@contextlib.contextmanager
def _empty_folder(folder: bytes) -> Iterator[bytes]:
    """Yield a work folder inside an empty one; nothing of it stays when the restore fails."""
    made = not os.path.lexists(folder)
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)
        if os.listdir(folder):
            raise DestinationNotEmpty(
                "{folder} already holds something",
                folder=printable(folder),
                hint="is there an empty folder to restore into?",
            )
    except OSError as error:
        raise RestoreError(
            "{folder} cannot be restored into: {reason}",
            folder=printable(folder),
            reason=error.strerror or str(error),
            hint="is it a folder that may be written to?",
        ) from error
    work = os.path.join(folder, _WORK)
    os.mkdir(work, 0o700)
    try:
        yield work
    finally:
        _remove_tree(work)
        if made and not os.listdir(folder):
            os.rmdir(folder)


def _move_up(data: bytes, folder: bytes) -> None:
    for name in os.listdir(data):
        os.rename(os.path.join(data, name), os.path.join(folder, name))


def _remove_tree(folder: bytes) -> None:
    import shutil

    shutil.rmtree(folder, ignore_errors=True)
