"""A restore test while it goes: what was chosen, what was found, and the judgement of it.

Rule 1: pure: what was read is handed in; nothing here touches the world.
Rule 2: nothing restored is a failure; nothing to compare with is no evidence; neither is a pass.
Rule 3: a check that was not made is not tested and is said, never passed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from vault.fiche import DrillOrder, DrillRecord, Metadata
from vault.policy import Level, Policy
from vault.proof import Check, DrillVerdict, Outcome, bound, level_reached
from vault.results import Exposure, ManifestEntry, Refusal, SnapshotRecord

_DAY_S = 86_400
_BEYOND = {
    Level.L1: "nothing was restored: only the repository was checked",
    Level.L2: "whether the files open as what they claim to be (L2)",
    Level.L3: "whether an application reads the restored data (L3)",
    Level.L4: "whether the data work back in production (L4): a business referent signs that",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """A comparison with the manifest, of a stream or of a restored tree."""

    mismatches: tuple[Refusal, ...]
    metadata: Metadata
    inside: tuple[ManifestEntry, ...] | None  # the manifest in the point; None: none to believe
    broken: str = ""  # what the repository could not give back
    unreached: frozenset[bytes] = frozenset()  # files after the point where a stream broke off


@dataclass(slots=True, kw_only=True)
class Trial:
    """One test as it goes."""

    number: int
    order: DrillOrder
    policy: Policy | None
    began_s: float
    snapshot: SnapshotRecord | None = None
    newest_at: datetime | None = None
    points: int = 0
    evidence: tuple[ManifestEntry, ...] = ()  # the whole manifest of the point
    wanted: list[ManifestEntry] = field(default_factory=list)
    right: list[ManifestEntry] = field(default_factory=list)
    checks: list[Check] = field(default_factory=list)
    mismatches: list[Refusal] = field(default_factory=list)
    not_tested: list[str] = field(default_factory=list)
    proven: dict[Level, Sequence[str]] = field(default_factory=dict)
    restored_s: float = 0.0
    opening: int | None = None
    exposure: Exposure | None = None

    # -- the checks

    def passed(self, level: Level, name: str, *, template: str, **values: float | str) -> None:
        """Keep a check that passed."""
        self._keep(Outcome.PASSED, level, name, template, values)

    def warned(self, level: Level, name: str, *, template: str, **values: float | str) -> None:
        """Keep a check that passed and is worth reading."""
        self._keep(Outcome.WARNED, level, name, template, values)

    def skipped(self, level: Level, name: str, *, template: str, **values: float | str) -> None:
        """Keep what could not be tested; it is told as not tested too."""
        self._keep(Outcome.SKIPPED, level, name, template, values)

    def failed(
        self, verdict: DrillVerdict, level: Level, name: str, template: str,
        **values: float | str,
    ) -> None:  # fmt: skip
        """Keep a check that failed, and what it makes of the whole."""
        self._keep(Outcome.FAILED, level, name, template, values, verdict)

    def _keep(
        self, outcome: Outcome, level: Level, name: str, template: str,
        values: Mapping[str, int | float | str], verdict: DrillVerdict | None = None,
    ) -> None:  # fmt: skip
        self.take(
            Check(
                level=level,
                name=name,
                outcome=outcome,
                template=template,
                values=values,
                verdict=verdict,
            )
        )

    def take(self, *checks: Check) -> None:
        """Keep checks as they are."""
        self.checks += checks
        self.not_tested += [one.sentence for one in checks if one.outcome is Outcome.SKIPPED]

    # -- the evidence

    def judge_evidence(self, entries: tuple[ManifestEntry, ...] | None) -> bool:
        """Judge what there is to compare with, None when it cannot be believed; False to stop."""
        if entries is None:
            self.failed(
                DrillVerdict.NO_EVIDENCE, Level.L1, "manifest",
                template="the manifest that the catalogue kept is not the one that was taken",
            )  # fmt: skip
        elif not entries:
            self.failed(
                DrillVerdict.FAILED, Level.L1, "bytes",
                template="the point holds no file: an empty restore proves nothing",
            )  # fmt: skip
        else:
            self.evidence = entries
        return bool(entries)

    @property
    def is_whole(self) -> bool:
        """Whether all files of the point were chosen."""
        return len(self.wanted) == len(self.evidence)

    # -- L1

    def judge_bytes(self, compared: Compared) -> None:
        """Judge L1: the manifest inside the point, and every byte."""
        self.mismatches = list(compared.mismatches)
        wrong = {item.name for item in compared.mismatches}
        lost = wrong | compared.unreached
        self.right = [entry for entry in self.wanted if entry.path not in lost]
        self._judge_inside(compared)
        if compared.broken or lost:
            self._tell_corrupt(compared, wrong=len(wrong))
            return
        self.proven[Level.L1] = [entry.sha256 for entry in self.right]
        self.passed(
            Level.L1, "bytes",
            template="{files} files of {of}: every byte is what the source had",
            files=len(self.right), of=len(self.evidence),
        )  # fmt: skip
        self._judge_metadata(compared.metadata)

    def _tell_corrupt(self, compared: Compared, *, wrong: int) -> None:
        kinds = sorted(Counter(_reason_counted(item.reason) for item in compared.mismatches))
        reasons = [*kinds, compared.broken] if compared.broken else kinds
        self.failed(
            DrillVerdict.CORRUPT, Level.L1, "bytes",
            template="of {files} files {wrong} differ and {lost} were not reached: {reasons}",
            files=len(self.wanted), wrong=wrong, lost=len(compared.unreached),
            reasons="; ".join(reasons),
        )  # fmt: skip

    def _judge_inside(self, compared: Compared) -> None:
        if compared.inside == self.evidence:
            self.passed(
                Level.L1,
                "manifest",
                template="the manifest inside the point is the one the catalogue kept",
            )
        elif not compared.broken:
            self.failed(
                DrillVerdict.NO_EVIDENCE, Level.L1, "manifest",
                template="the manifest inside the point is not the one the catalogue kept",
            )  # fmt: skip

    def _judge_metadata(self, metadata: Metadata) -> None:
        values = {"count": metadata.other_time, "files": metadata.compared}
        if metadata.other_time:
            template = "{count} of {files} files have another time of change than at the source"
            self.warned(Level.L1, "metadata", template=template, **values)
        else:
            template = "{files} files have the time of change that they had at the source"
            self.passed(Level.L1, "metadata", template=template, **values)
        self.not_tested.append(
            "owners, modes, links and extended attributes: the manifest of the source has none"
        )

    # -- the objectives: being late fails nothing, and is told

    def judge_pace(self, now: datetime) -> None:
        """Measure the restore against DMIA, and the age of the newest point against PDMA."""
        if self.policy is None or not self.right:
            return
        share = max(1.0, _bytes(self.evidence) / max(1, _bytes(self.right)))
        whole_s, dmia_s = self.restored_s * share, self.policy.dmia_s
        tell = self.passed if whole_s <= dmia_s else self.warned
        template = "at this speed the whole point is back in {seconds} s; its DMIA is {dmia} h"
        values = {"seconds": round(whole_s, 1), "dmia": dmia_s // 3600}
        tell(Level.L1, "duration", template=template, **values)
        age_s = self.age_s(now)
        if age_s is None:
            return
        allowed_s = self.policy.due.interval_s - _DAY_S + self.policy.pdma_s
        tell = self.passed if age_s <= allowed_s else self.warned
        template = "the newest point there is {hours} h old; its PDMA allows {allowed} h"
        tell(
            Level.L1, "age", template=template, hours=int(age_s // 3600), allowed=allowed_s // 3600
        )

    def age_s(self, now: datetime) -> float | None:
        """Give the age of the newest point that there is."""
        return max(0.0, (now - self.newest_at).total_seconds()) if self.newest_at else None

    # -- the end

    def say_untested(self) -> None:
        """Say what no check looked at."""
        self.not_tested += [_BEYOND[level] for level in Level if level > self.order.level]
        if self.evidence and not self.is_whole:
            left, of = len(self.evidence) - len(self.wanted), len(self.evidence)
            self.not_tested.append(f"{left} of {of} files of the point were not restored")
        if self.points > 1:
            others = self.points - 1
            self.not_tested.append(f"other points of the source: {others}")
        self.not_tested.append("restic's check reads how the repository is built, not every pack")

    def to_record(
        self, verdict: DrillVerdict, *, begun_at: datetime, now: datetime, total_s: float
    ) -> DrillRecord:
        """Give the record of the ended test."""
        order, snapshot, policy = self.order, self.snapshot, self.policy
        is_random = order.sample is not None
        left_open = bound(tested=len(self.right), of=len(self.evidence), is_random=is_random)
        return DrillRecord(
            number=self.number,
            source=order.source,
            level_asked=order.level,
            origin=order.origin,
            seed=order.seed,
            reason=order.reason,
            people=order.people,
            begun_at=begun_at,
            ended_at=now,
            verdict=verdict,
            level_reached=level_reached(self.checks, order.level) if _counts(verdict) else None,
            snapshot_id=snapshot.snapshot_id if snapshot else None,
            cycle=snapshot.cycle if snapshot else None,
            point_at=snapshot.taken_at if snapshot else None,
            files=len(self.right),
            bytes=_bytes(self.right),
            of_files=len(self.evidence),
            of_bytes=_bytes(self.evidence),
            mismatches=len(self.mismatches),
            duration_s=self.restored_s,
            total_s=total_s,
            age_s=self.age_s(now),
            dmia_s=policy.dmia_s if policy else None,
            pdma_s=policy.pdma_s if policy else None,
            bound=left_open if verdict.is_good else None,
            opening=self.opening,
            exposure_s=self.exposure.seconds if self.exposure else 0.0,
            disconnection=str(self.exposure.shut.disconnection) if self.exposure else "",
            checks=tuple(self.checks),
            not_tested=tuple(dict.fromkeys(self.not_tested)) or ("nothing was proven",),
        )


def _counts(verdict: DrillVerdict) -> bool:
    """Whether levels that passed count: not when the evidence or the run itself is in doubt."""
    return verdict not in (DrillVerdict.NO_EVIDENCE, DrillVerdict.INTERRUPTED)


def _reason_counted(reason: str) -> str:
    """Give a reason without its numbers, so that equal ones are counted together."""
    return "another size than at the source" if reason[:1].isdigit() else reason


def _bytes(entries: Sequence[ManifestEntry]) -> int:
    return sum(entry.size_bytes for entry in entries)
