"""One restore test, as it goes.

    settle      end what an earlier death left, so that no failed test can be dropped
    begin       numbered and in the ledger before anything is looked at
    choose      a point at random, its files: all, a sample, or the oldest proof first
    restore     L0 the repository checked; everything given back, from the landing or a view
    compare     L1 every byte against the manifest that the catalogue kept
    open        L2 the restored files, as what they claim to be
    apply       L3 an application reads them
    end         verdict, what was not tested, ledger; the scratch space is gone

Rule 1: whatever is slow happens with the vault door shut: a target is only read from.
Rule 2: nothing restored is a failure; nothing to compare with is no evidence; neither is a pass.
Rule 3: every end is recorded, failures and interruptions too, before anybody is told.
Source: design, section 6; PGSSI-S 7.4.5.1 to 7.4.5.3.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from vault.amount import told_apart
from vault.errors import CatalogueError, CoffreError, Interrupted, SourceError, SpaceError
from vault.fiche import Applied, Drilled, DrillOrder, DrillRecord, Metadata, Proven
from vault.place import Application, Place, Streaming
from vault.policy import Level, Policy
from vault.ports import Clock, Examiner, OpenVault, Progress
from vault.proof import (
    DrillVerdict,
    choose,
    fit,
    judge,
    oldest_proof_first,
    sample,
)
from vault.recognition import Kept, judge_findings
from vault.records import CataloguePort, LedgerPort
from vault.recovery import LANDING, Restorer, Wish
from vault.results import Comparison, ManifestEntry, SnapshotRecord
from vault.trial import Compared, Trial

_TARGET_S = 2 * 3600.0  # how long a target may stay open for a test
_OWN = b"/coffre/manifest.jsonl.zst"
_ROOM_FACTOR = 1.05


class DrillBook(Protocol):
    """Where restore tests are remembered; the catalogue."""

    def begin_drill(self, order: DrillOrder, at: datetime) -> int:
        """Give a test its number, never used before."""
        ...

    def end_drill(self, record: DrillRecord, proven: Proven) -> None:
        """Keep how a test ended, and the contents it proved, in one transaction."""
        ...

    def note_drill(self, number: int, *, ledger_n: int, ledger_sha256: str) -> None:
        """Keep where in the ledger the end of a test stands."""
        ...

    def unsettled_drills(self) -> Sequence[DrillRecord]:
        """Give the tests without an end, or whose end the ledger does not have."""
        ...

    def proven_at(self, source: str, least: Level) -> Mapping[str, datetime]:
        """Give when each content of a source was last proven, at a level or above."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """The pure means and small machines that a test works with."""

    place_of_landing: Callable[[], Place]
    place_of_view: Callable[[OpenVault, str], Place]
    scratch: Callable[[], AbstractContextManager[bytes]]
    compare: Callable[[bytes, Sequence[ManifestEntry]], Comparison]
    read_metadata: Callable[[bytes, Sequence[ManifestEntry]], Metadata]
    read_manifest: Callable[[bytes], tuple[ManifestEntry, ...]]
    identity_of: Callable[[Sequence[ManifestEntry]], str]
    kept_findings: Callable[[Sequence[ManifestEntry]], Kept]
    examiner: Examiner | None = None
    applications: Sequence[Application] = ()


@dataclass(slots=True, kw_only=True)
class Driller:
    """Tests restores. Use it only under the vault's lock."""

    restorer: Restorer
    book: DrillBook
    catalogue: CataloguePort
    ledger: LedgerPort
    tools: Tools
    policy_of: Callable[[str], Policy | None]
    clock: Clock
    progress: Progress

    def run(self, order: DrillOrder) -> Drilled:
        """Run one test to its recorded end; the result says what differs.

        Raises what kept it from finding out, once that too is recorded as its end.
        """
        order.people.require_apart()
        self.settle()
        trial, begun_at = self._begin(order)
        try:
            with self.tools.scratch() as scratch:
                self._test(trial, scratch)
        except Interrupted:
            self._end(trial, DrillVerdict.INTERRUPTED, begun_at)
            raise
        except (CoffreError, OSError) as error:
            reference = error.reference if isinstance(error, CoffreError) else "failed"
            template = "the test could not be done: {reference}"
            trial.failed(
                DrillVerdict.FAILED, Level.L0, "run", template=template, reference=reference
            )
            self._end(trial, DrillVerdict.FAILED, begun_at)
            raise
        record = self._end(trial, judge(trial.checks, order.level), begun_at)
        return Drilled(record=record, mismatches=tuple(trial.mismatches), exposure=trial.exposure)

    def settle(self) -> int:
        """End the tests that a death left without an end, in records and ledger; give how many."""
        unsettled = self.book.unsettled_drills()
        for record in unsettled:
            if record.ended_at is None:
                record = replace(
                    record,
                    ended_at=self.clock.now(),
                    verdict=DrillVerdict.INTERRUPTED,
                    not_tested=("the test died before it ended: nothing was proven",),
                )
                self.book.end_drill(record, Proven())
            self._tell_ledger(record)
        return len(unsettled)

    def _begin(self, order: DrillOrder) -> tuple[Trial, datetime]:
        begun_at = self.clock.now()
        number = self.book.begin_drill(order, begun_at)
        self.ledger.append(
            "drill-begun",
            drill=number,
            source=order.source,
            level=str(order.level),
            origin=order.origin,
            seed=order.seed,
            reason=order.reason,
            asked_by=order.people.asked_by,
            by=order.people.by,
            validated_by=order.people.validated_by,
            login=order.people.login,
        )
        policy, began_s = self.policy_of(order.source), self.clock.boot_s()
        return Trial(number=number, order=order, policy=policy, began_s=began_s), begun_at

    # -- the levels

    def _test(self, trial: Trial, scratch: bytes) -> None:
        began_s = self.clock.boot_s()
        comparing = self._restore(trial, scratch)
        if comparing is not None:
            self.progress.step("compare", trial.order.source)
            trial.judge_bytes(comparing())
            trial.restored_s = self.clock.boot_s() - began_s
            trial.judge_pace(self.clock.now())
        if trial.order.level >= Level.L2:
            self._open_files(trial, scratch)
        if trial.order.level >= Level.L3:
            self._apply(trial, scratch)
        trial.say_untested()

    def _restore(self, trial: Trial, scratch: bytes) -> Callable[[], Compared] | None:
        """Check and give back, a target's door open for nothing else; None: nothing to compare."""
        with self._place(trial) as place:
            self.progress.step("check", trial.order.origin)
            self._check(trial, place)
            if trial.order.level is Level.L0 or not self._choose_files(trial):
                return None
            assert trial.snapshot is not None
            self.progress.step("restore", trial.order.source)
            if trial.is_whole and trial.order.level is Level.L1:
                streamed = place.stream(trial.snapshot.snapshot_id, trial.wanted)
                return lambda: self._of_stream(streamed)
            _require_room(scratch, trial.wanted)
            named = [b"/data/" + entry.path for entry in trial.wanted]
            includes = [_OWN, b"/data"] if trial.is_whole else [_OWN, *named]
            broken = place.restore(trial.snapshot.snapshot_id, scratch, includes)
        return lambda: self._of_tree(trial, scratch, broken)

    def _check(self, trial: Trial, place: Place) -> None:
        complaints = place.check()
        if complaints:
            template = "restic's check complains {count} times"
            count = len(complaints)
            trial.failed(
                DrillVerdict.CORRUPT, Level.L0, "repository", template=template, count=count
            )
        else:
            trial.passed(Level.L0, "repository", template="restic's check found no error")

    @contextmanager
    def _place(self, trial: Trial) -> Iterator[Place]:
        """Hold open what is restored from, with a point of it chosen."""
        order = trial.order
        wish = Wish(source=order.source, to=b"", origin=order.origin)
        candidates = self.restorer.restorable(wish)
        if order.origin == LANDING:
            self._choose_point(trial, candidates)
            yield self.tools.place_of_landing()
            return
        viewing = self.restorer.view_open(
            wish, candidates, purpose="drill", seconds=order.seconds or _TARGET_S
        )
        with viewing as viewed:
            trial.opening = viewed.opened.number
            self._choose_point(trial, viewed.points)
            yield self.tools.place_of_view(viewed.opened.vault, viewed.view)
        trial.exposure = viewed.opened.exposure

    def _choose_point(self, trial: Trial, points: Sequence[SnapshotRecord]) -> None:
        """Choose one of the points, newest first in the list, by the seed."""
        order, newest = trial.order, points[0]
        trial.points = len(points)
        seen = self.catalogue.last_seen(order.source)
        is_last = newest == self.catalogue.newest_snapshot(order.source)
        trial.newest_at = max(newest.taken_at, seen) if seen and is_last else newest.taken_at
        named = [point for point in points if point.snapshot_id == order.snapshot_id]
        trial.snapshot = named[0] if named else choose(points, order.seed, "point")

    def _choose_files(self, trial: Trial) -> bool:
        """Read the evidence and choose files; False when there is nothing to compare."""
        assert trial.snapshot is not None
        order, identity = trial.order, trial.snapshot.manifest
        entries: tuple[ManifestEntry, ...] | None = None
        with suppress(CatalogueError):
            found = self.catalogue.manifest(identity)
            entries = found if self.tools.identity_of(found) == identity else None
        if not trial.judge_evidence(entries):
            return False
        if order.sample is not None:
            trial.wanted = sample(trial.evidence, order.sample, order.seed)
        elif order.limit_bytes is not None:
            proven = self.book.proven_at(order.source, Level.L1)
            ordered = oldest_proof_first(trial.evidence, proven, order.seed)
            trial.wanted = fit(ordered, order.limit_bytes)
        else:
            trial.wanted = list(trial.evidence)
        return True

    def _of_stream(self, streamed: Streaming) -> Compared:
        return Compared(
            mismatches=tuple(streamed.mismatches),
            broken=streamed.broken,
            unreached=streamed.unreached,
            metadata=streamed.metadata,
            inside=self._inside(streamed.manifest),
        )

    def _of_tree(self, trial: Trial, scratch: bytes, broken: str) -> Compared:
        """Compare a restored tree."""
        data = os.path.join(scratch, b"data")
        os.makedirs(data, exist_ok=True)
        return Compared(
            mismatches=tuple(self.tools.compare(data, trial.wanted).mismatches),
            broken=broken,
            metadata=self.tools.read_metadata(data, trial.wanted),
            inside=self._inside(_read_whole(scratch + _OWN)),
        )

    def _inside(self, content: bytes | None) -> tuple[ManifestEntry, ...] | None:
        """Read the manifest that is inside the point; None when it cannot be believed."""
        if content is None:
            return None
        try:
            return self.tools.read_manifest(content)
        except SourceError:
            return None

    def _open_files(self, trial: Trial, scratch: bytes) -> None:
        """L2: let the examiner open what came back right."""
        if self.tools.examiner is None or not trial.right:
            template = "no restored file was opened as what it claims to be"
            trial.skipped(Level.L2, "formats", template=template)
            return
        self.progress.step("open-files", trial.order.source)
        kept = self.tools.kept_findings(trial.right)
        checks, proven = judge_findings(self.tools.examiner, scratch, trial.right, kept)
        trial.take(*checks)
        trial.proven[Level.L2] = proven

    def _apply(self, trial: Trial, scratch: bytes) -> None:
        """L3: let applications read what came back right."""
        self.progress.step("apply", trial.order.source)
        applied: list[Applied] = []
        for application in self.tools.applications if trial.right else ():
            applied += application.test(scratch, trial.order.source, trial.right)
        trial.take(*(one.check for one in applied))
        trial.proven[Level.L3] = tuple(sha256 for one in applied for sha256 in one.read)
        if not applied:
            template = "no application knows any of the restored files"
            trial.skipped(Level.L3, "application", template=template)

    # -- the end

    def _end(self, trial: Trial, verdict: DrillVerdict, begun_at: datetime) -> DrillRecord:
        """Keep how it ended, then say so in the ledger."""
        total_s = self.clock.boot_s() - trial.began_s
        record = trial.to_record(verdict, begun_at=begun_at, now=self.clock.now(), total_s=total_s)
        reached = record.level_reached
        proven = {n: shas for n, shas in trial.proven.items() if reached and n <= reached}
        self.book.end_drill(record, Proven(by_level=proven))
        return self._tell_ledger(record)

    def _tell_ledger(self, record: DrillRecord) -> DrillRecord:
        self.ledger.append(
            "drill-ended",
            drill=record.number,
            source=record.source,
            verdict=str(record.verdict),
            level=str(record.level_reached) if record.level_reached else None,
            origin=record.origin,
            snapshot=record.snapshot_id,
            cycle=record.cycle,
            files=record.files,
            bytes=record.bytes,
            of_files=record.of_files,
            mismatches=record.mismatches,
            seed=record.seed,
            bound=record.bound,
            duration_s=round(record.duration_s, 3),
            opening=record.opening,
            checks=[f"{check.level} {check.name}: {check.outcome}" for check in record.checks],
        )
        head = self.ledger.head()
        self.book.note_drill(record.number, ledger_n=head.n, ledger_sha256=head.sha256)
        return replace(record, ledger_n=head.n, ledger_sha256=head.sha256)


def _read_whole(path: bytes) -> bytes | None:
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        return None


def _require_room(scratch: bytes, wanted: Sequence[ManifestEntry]) -> None:
    facts = os.statvfs(scratch)
    needed = round(sum(entry.size_bytes for entry in wanted) * _ROOM_FACTOR)
    room = facts.f_bavail * facts.f_frsize
    if room < needed:
        told_room, told_needed = told_apart(room, needed)
        raise SpaceError(
            "the scratch space has room for {room} and {needed} are needed",
            room=told_room,
            needed=told_needed,
            hint="a sample is enough: coffre drill run --sample 100?",
        )
