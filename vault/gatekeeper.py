"""Step 4 of a night, for one source: examine, compare with the habit, judge, keep what came of it.

Rule 1: an export is compared with the last *accepted* one, never with what a refused night left in
    the mirror: what was refused once is refused until it is another export or a person accepts.
Rule 2: an acceptance is of one export, by the identity of its manifest; it is used up when that
    export is in the landing, and void when another one comes.
Rule 3: a file is examined once for its content and name; findings are kept some at a time, so
    that an interrupted inspection goes on where it stopped, in the memory of a few thousand files.
Rule 4: what was accepted is remembered only after it is in the landing.
Source: design, section 4, step 4; docs/decisions/0015 and 0016.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from vault.errors import SourceError
from vault.finding import Finding, subject_of
from vault.gate import Evidence, Inspection, Judgement, inspect_pull, is_attack
from vault.habit import NIGHTS, Habit, learn
from vault.look import Look, look_of
from vault.records import CataloguePort, KeptFinding, LedgerPort, RefusedExport
from vault.results import ManifestEntry, Pull, SourceVerdict
from vault.shape import Shape, Tally, trace, unchanged

if TYPE_CHECKING:
    from vault.intake import NightSource
    from vault.ports import Clock, Examiner, Progress

_CHUNK = 5000  # files whose findings are held at a time


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspected:
    """What came of inspecting an export."""

    verdict: SourceVerdict | None  # None: it may enter the landing
    reasons: tuple[str, ...] = ()
    shape: Shape | None = None  # of what may enter


PASSED = Inspected(verdict=None)  # the vault's own records are not inspected


@dataclass(slots=True, kw_only=True)
class Gatekeeper:
    """Lets exports into the landing, or sets them aside."""

    catalogue: CataloguePort
    ledger: LedgerPort
    examiner: Examiner
    clock: Clock
    progress: Progress

    def inspect(self, source: NightSource, pull: Pull, *, cycle: int) -> Inspected:
        """Judge an export; what is refused is set aside and recorded."""
        self.progress.step("inspect", source.name)
        identity = source.reception.identity(pull)
        refused = self._refused(source.name, identity)
        habit = learn(self.catalogue.shapes(source.name, NIGHTS))
        try:
            evidence = self._evidence(source, pull, identity, habit)
        except (SourceError, OSError) as error:
            reason = str(error)
            return Inspected(verdict=SourceVerdict.FAILED, reasons=(reason,))
        found = inspect_pull(evidence, source.policy)
        if found.judgement is Judgement.EMPTY:
            return Inspected(verdict=SourceVerdict.EMPTY, reasons=found.reasons)
        if found.judgement is not Judgement.REFUSED:
            return Inspected(verdict=None, reasons=found.reasons, shape=evidence.shape)
        if refused is not None and refused.accepted is not None:
            reasons = ("refused, then accepted by a person", *found.reasons)
            shape = replace(evidence.shape, by_hand=True)
            return Inspected(verdict=None, reasons=reasons, shape=shape)
        self._refuse(source, pull, found, refused, identity=identity, cycle=cycle)
        return Inspected(verdict=SourceVerdict.REFUSED, reasons=found.reasons)

    def remember(self, source: str, inspected: Inspected, *, cycle: int) -> None:
        """Make what is in the landing now part of the habit; no refusal of the source stands."""
        if inspected.shape is None:
            return
        self.catalogue.put_shape(source, cycle, inspected.shape)
        refused = self.catalogue.refused(source)
        if refused is None:
            return
        if inspected.shape.by_hand and refused.accepted is not None:
            self.ledger.append(
                "acceptance-used",
                cycle=cycle,
                source=source,
                export=refused.identity,
                by=refused.accepted.by,
            )
        self.catalogue.clear_refused(source)

    def suspects(self, sources: Collection[str]) -> tuple[RefusedExport, ...]:
        """Give the refusals that together mean an attack; none when they do not."""
        return suspected(self.catalogue.all_refused(), sources)

    # -- the parts

    def _refused(self, source: str, identity: str) -> RefusedExport | None:
        """Give what was refused before, when it is this export; void an acceptance of another."""
        refused = self.catalogue.refused(source)
        if refused is None or refused.identity == identity:
            return refused
        if refused.accepted is not None:
            self.ledger.append(
                "acceptance-expired", source=source, export=refused.identity, came=identity
            )
            self.catalogue.put_refused(replace(refused, accepted=None))
        return None

    def _evidence(self, source: NightSource, pull: Pull, identity: str, habit: Habit) -> Evidence:
        newest = self.catalogue.newest_snapshot(source.name)
        previous = self.catalogue.manifest(newest.manifest) if newest is not None else ()
        last = habit.last
        if (
            newest is not None
            and newest.manifest == identity
            and last is not None
            and last.tables == self.examiner.tables
        ):
            shape = unchanged(last)
        else:
            shape = self._shape(source, pull, previous, habit)
        return Evidence(
            previous=previous, pull=pull, shape=shape, habit=habit, canaries=source.canaries
        )

    def _shape(
        self, source: NightSource, pull: Pull, previous: Sequence[ManifestEntry], habit: Habit
    ) -> Shape:
        """Examine what was never examined, and count what became of every file."""
        lineage = trace(previous, pull.entries)
        tally = Tally(
            previous,
            lineage,
            habit.extensions,
            shrink_percent=source.policy.max_shrink_percent,
            tables=self.examiner.tables,
        )
        total = sum(entry.size_bytes for entry in pull.entries)
        done = 0
        for chunk in _chunks(pull.entries):
            looks = self._looks(source, chunk)
            olds = [old for entry in chunk if (old := lineage.before.get(entry.path))]
            before = self._kept(olds)
            for entry in chunk:
                old = lineage.before.get(entry.path)
                known = before.get(_subject(old)) if old is not None else None
                tally.feed(entry, looks[_subject(entry)], known)
                done += entry.size_bytes
            self.progress.advance(done, total)
        return tally.shape()

    def _looks(self, source: NightSource, chunk: Sequence[ManifestEntry]) -> Mapping[str, Look]:
        """Give the look of each file; what these tables never saw is examined and kept."""
        tables = self.examiner.tables
        kept = self._kept(chunk)
        looks = {subject: look for subject, look in kept.items() if look.tables == tables}
        unknown = {_subject(entry): entry for entry in chunk}
        unknown = {subject: entry for subject, entry in unknown.items() if subject not in looks}
        fresh: dict[str, Finding] = {}
        try:
            found = self.examiner.examine_each(source.reception.folder, [*unknown.values()])
            for subject, finding in zip(unknown, found, strict=True):
                fresh[subject] = finding
                looks[subject] = look_of(finding, tables)
        finally:
            self.catalogue.put_findings(tables, fresh)
        return looks

    def _kept(self, entries: Sequence[ManifestEntry]) -> Mapping[str, Look]:
        found: Iterator[tuple[str, KeptFinding]] = iter(
            self.catalogue.findings([_subject(entry) for entry in entries])
        )
        return {subject: look_of(kept.finding, kept.tables) for subject, kept in found}

    def _refuse(
        self,
        source: NightSource,
        pull: Pull,
        found: Inspection,
        refused: RefusedExport | None,
        *,
        identity: str,
        cycle: int,
    ) -> None:
        """Record a refusal, then set the export aside."""
        self.catalogue.put_refused(
            RefusedExport(
                source=source.name,
                identity=identity,
                cycle=cycle,
                at=refused.at if refused is not None else self.clock.now(),
                reasons=found.reasons,
                attack_at=source.policy.attack_refusals if found.is_attack else 0,
            )
        )
        self.ledger.append(
            "export-refused",
            cycle=cycle,
            source=source.name,
            export=identity,
            reasons=list(found.reasons),
        )
        source.reception.set_aside(pull, source.kept)


def suspected(
    refused: Sequence[RefusedExport], sources: Collection[str]
) -> tuple[RefusedExport, ...]:
    """Give the refusals of these sources when together they mean an attack, else none."""
    found = tuple(one for one in refused if one.source in sources)
    return found if is_attack(found) else ()


def _subject(entry: ManifestEntry) -> str:
    return subject_of(entry.path, entry.sha256)


def _chunks(entries: Sequence[ManifestEntry]) -> Iterator[Sequence[ManifestEntry]]:
    for start in range(0, len(entries), _CHUNK):
        yield entries[start : start + _CHUNK]
