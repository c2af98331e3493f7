"""Steps 2 and 5 of a night, for one source: collect, snapshot; between them the gatekeeper.

Rule 1: a source that fails is a gap of its own; the others go on.
Rule 2: what the gatekeeper refused is set aside before anything is snapshotted, and what it let
    pass becomes part of the habit only once it is in the landing.
Rule 3: every run of ours is announced before it starts; what it added is its batch, and what a
    dead one left is cleared up before the next can build on it.
Rule 4: a source whose manifest is that of its newest snapshot gets no new one.
Source: design, section 4.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace

from vault.admission import budget_for, is_carried, over_budget, unlawful_in_run
from vault.errors import CoffreError, ResticError, SourceError, SourceMissing, SourceUnreachable
from vault.finding import subject_of
from vault.gatekeeper import Gatekeeper, Inspected
from vault.policy import Policy
from vault.ports import Clock, LandingRepository, Progress, Reception, Source
from vault.records import CataloguePort, LedgerPort
from vault.results import (
    Pull,
    RepositoryFile,
    SnapshotRecord,
    SourceResult,
    SourceVerdict,
    shown_refusals,
)

ALIENS_FACT = "aliens-before-backups"  # paths, one a line: never a run's, whatever becomes of it
RUN_FACT = "running-backup"  # the announced run, until its batch is kept
_ARCHIVE = b".zip"  # what every name of a PMSI archive ends with


@dataclass(frozen=True, slots=True, kw_only=True)
class NightSource:
    """A source with what a night needs to take it in."""

    name: str
    source: Source
    reception: Reception
    policy: Policy
    kept: bytes  # folder where a refused export is set aside
    canaries: frozenset[bytes] = frozenset()  # paths below the export that nobody ever touches


@dataclass(frozen=True, slots=True, kw_only=True)
class Collected:
    """What step 2 brought for one source: a pull, or the result it already came to."""

    night_source: NightSource
    pull: Pull | None = None
    result: SourceResult | None = None


@dataclass(slots=True, kw_only=True)
class Intake:
    """Takes exports in, one source after the other."""

    catalogue: CataloguePort
    ledger: LedgerPort
    landing: LandingRepository
    gatekeeper: Gatekeeper
    clock: Clock
    progress: Progress
    names_shown: bool = False  # at a terminal: elsewhere, what is said may be kept in a log

    # -- step 2

    def collect(self, source: NightSource, *, closes_at_s: float) -> Collected:
        """Bring a source's mirror up to date."""
        self.progress.step("collect", source.name)
        try:
            pull = source.source.collect(
                source.reception, closes_at_s=closes_at_s, progress=self.progress
            )
        except SourceError as error:
            missing = isinstance(error, SourceMissing | SourceUnreachable)
            verdict = SourceVerdict.MISSING if missing else SourceVerdict.FAILED
            return Collected(night_source=source, result=_gap(source, verdict, str(error)))
        except OSError as error:
            reason = f"{error.strerror} ({error.errno})"
            return Collected(night_source=source, result=_gap(source, SourceVerdict.FAILED, reason))
        return Collected(night_source=source, pull=pull)

    # -- steps 4 and 5

    def inspect(self, collected: Collected, *, cycle: int) -> Inspected:
        """Judge a pull; the reasons name, for a person at a terminal only, what was not taken."""
        assert collected.pull is not None
        found = self.gatekeeper.inspect(collected.night_source, collected.pull, cycle=cycle)
        if not self.names_shown:
            return found
        return replace(
            found,
            reasons=found.reasons + shown_refusals(collected.pull.refused + collected.pull.waiting),
        )

    def snapshot(self, collected: Collected, inspected: Inspected, *, cycle: int) -> SourceResult:
        """Snapshot an accepted export, unless nothing changed since its newest snapshot."""
        assert collected.pull is not None
        source, pull = collected.night_source, collected.pull
        identity = source.reception.seal(pull)
        newest = self.catalogue.newest_snapshot(source.name)
        total = sum(entry.size_bytes for entry in pull.entries)
        if newest is not None and newest.manifest == identity:
            self.gatekeeper.remember(source.name, inspected, cycle=cycle)
            self._note_pmsi(source.name, pull, cycle=newest.cycle)
            verdict = SourceVerdict.PARTIAL if pull.waiting else SourceVerdict.UNCHANGED
            return _result(source, pull, verdict, newest.snapshot_id, inspected.reasons)
        self.progress.step("snapshot", source.name)
        try:
            snapshot_id = self._run_backup(
                source, cycle=cycle, parent=newest.snapshot_id if newest else None, total=total
            )
        except ResticError as error:
            return _gap(source, SourceVerdict.FAILED, str(error))
        self.catalogue.put_manifest(source.name, identity, pull.entries)
        self.catalogue.record_snapshot(
            SnapshotRecord(
                source=source.name,
                snapshot_id=snapshot_id,
                taken_at=self.clock.now(),
                cycle=cycle,
                manifest=identity,
                files=len(pull.entries),
                bytes=total,
                warned=bool(inspected.reasons),
            )
        )
        self.gatekeeper.remember(source.name, inspected, cycle=cycle)
        self._note_pmsi(source.name, pull, cycle=cycle)
        verdict = SourceVerdict.PARTIAL if pull.waiting else SourceVerdict.SAVED
        return _result(source, pull, verdict, snapshot_id, inspected.reasons)

    def _note_pmsi(self, source: str, pull: Pull, *, cycle: int) -> None:
        """Remember which PMSI archives a snapshot holds: the calendar reads no manifest.

        A night that died before this is caught up by the next one, changed or not.
        """
        subjects = [
            subject_of(entry.path, entry.sha256)
            for entry in pull.entries
            if entry.path.lower().endswith(_ARCHIVE)
        ]
        found = self.catalogue.findings(subjects)
        archives = [subject for subject, kept in found if kept.finding.pmsi is not None]
        self.catalogue.note_pmsi(source, cycle, archives)

    def _run_backup(
        self, source: NightSource, *, cycle: int, parent: str | None, total: int
    ) -> str:
        """Run one backup and keep what it added, whether it ended well or not."""
        announced = {"cycle": cycle, "source": source.name, "bytes": total}
        self.catalogue.set_fact(RUN_FACT, json.dumps(announced))
        try:
            backup = self.landing.backup(source.reception.folder, source=source.name, parent=parent)
        except CoffreError:
            self.settle_dead_run()
            raise
        self._keep_batch(cycle, source.name, backup.added, total)
        return backup.snapshot_id

    def settle_dead_run(self) -> None:
        """Clear up after a run that never ended well. Idempotent; nothing is done without one.

        Packs that no index names serve nobody and are removed. Once an index of the run is there
        a later run may build on it, so all that the run left is kept as its batch. What was an
        alien before the run is neither removed nor kept: it stays an alien.
        """
        announced = self.catalogue.fact(RUN_FACT)
        if not announced:
            return
        run = json.loads(announced)
        ours = {file.path for file in self.catalogue.known_paths()}
        provisioned = {file.path for file in self.landing.list_files() if not is_carried(file.path)}
        aliens = set((self.catalogue.fact(ALIENS_FACT) or "").split())
        left = self.landing.disown(ours | provisioned | aliens)
        is_named = any(file.path.startswith("index/") for file in left)
        removed = self.landing.sweep(() if is_named else left)
        kept = left if is_named else ()
        self._keep_batch(int(run["cycle"]), str(run["source"]), kept, int(run["bytes"]))
        self.ledger.append(
            "dead-run-settled",
            cycle=run["cycle"],
            source=run["source"],
            removed=removed,
            kept=len(kept),
        )

    def _keep_batch(
        self, cycle: int, source: str, added: Sequence[RepositoryFile], total: int
    ) -> None:
        problems = over_budget(added, budget_for(total))
        problems += tuple(refusal.reason for refusal in unlawful_in_run(added)[:1])
        if problems:
            self.ledger.append("run-refused", cycle=cycle, source=source, reasons=list(problems))
            self.catalogue.set_fact(RUN_FACT, "")
            raise ResticError(
                "the backup of {source} added more to the landing than it may: {reasons}",
                source=source,
                reasons="; ".join(problems),
                hint="who else writes to the landing? its new files are not carried",
            )
        if added:
            self.catalogue.add_batch(cycle, source, added)
        self.catalogue.set_fact(RUN_FACT, "")


def _gap(source: NightSource, verdict: SourceVerdict, reason: str) -> SourceResult:
    return SourceResult(name=source.name, verdict=verdict, reasons=(reason,))


def _result(
    source: NightSource,
    pull: Pull,
    verdict: SourceVerdict,
    snapshot_id: str,
    reasons: tuple[str, ...],
) -> SourceResult:
    return SourceResult(
        name=source.name,
        verdict=verdict,
        files=len(pull.entries),
        bytes=sum(entry.size_bytes for entry in pull.entries),
        pulled_files=pull.pulled,
        pulled_bytes=pull.pulled_bytes,
        snapshot_id=snapshot_id,
        reasons=reasons,
    )
