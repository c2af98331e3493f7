"""One target in one night, as it goes, and what it came to.

Rule 1: it never came to more than happened: what was broken off is partial, whatever had crossed.
Rule 2: pure: facts of the opening in, a result with its reasons out.
Source: design, sections 4 and 9.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from vault.airlock import Opened
from vault.believing import SignedFile
from vault.errors import (
    CoffreError,
    DeadlineReached,
    DoorUnproven,
    Impostor,
    Interrupted,
    MediaAbsent,
    ReadBackFailed,
    Secured,
    SignatureError,
    StoreError,
    TargetFull,
)
from vault.holding import Night
from vault.ports import Medium
from vault.rereading import OldFiles
from vault.results import (
    AdmissionReport,
    Disconnection,
    OldRead,
    RepositoryFile,
    ShutReport,
    TargetOutcome,
    TargetRecord,
    TargetResult,
    shown_refusals,
)


@dataclass(slots=True, kw_only=True)
class Trip:
    """One target in one night, as it goes."""

    target: TargetRecord
    night: Night
    medium: Medium | None = None
    opened: Opened | None = None
    report: AdmissionReport | None = None
    lacks: Sequence[RepositoryFile] = ()  # of tonight's list, as the target said at the end
    view: SignedFile | None = None
    head: SignedFile | None = None
    number: int = 0  # of the opening
    free_bytes: int | None = None  # before the carrying
    published: bool = False
    error: CoffreError | None = None
    proof: ShutReport | None = None  # before the night, for a door that is not opened
    has_nothing_new: bool = False
    old: OldFiles | None = None  # what crossed in earlier openings, and is read back in this one
    new: list[RepositoryFile] | None = None  # None: no cycle is complete there yet

    def settle(self, report: AdmissionReport) -> None:
        """Keep what the carrying came to, whatever the publishing after it comes to."""
        self.report = report

    def result(self, rate: float | None) -> TargetResult:
        """Say what it came to."""
        report = self.report or AdmissionReport()
        exposure = self.opened.exposure if self.opened else None
        shut = exposure.shut if exposure else self.proof
        outcome, reasons = self._outcome(report)
        left = report.left_bytes
        if self.report is None and outcome is TargetOutcome.PARTIAL:  # the kernel shut: count all
            files = self.night.files if self.new is None else self.new
            left = sum(file.size_bytes for file in files)
        return TargetResult(
            name=self.target.name,
            outcome=outcome,
            admitted_files=report.admitted_files,
            admitted_bytes=report.admitted_bytes,
            read_back_bytes=report.read_back_bytes,
            refused_files=len(report.refused),
            exposure_s=exposure.seconds if exposure else 0.0,
            disconnection=shut.disconnection if shut else Disconnection.NONE,
            left_bytes=left,
            nights_left=_nights(left, rate or report.bytes_per_second, self.night.window_s),
            reasons=reasons,
            old_files=self.old_read.files,
            old_bytes=self.old_read.bytes,
            old_s=self.old_read.seconds,
        )

    @property
    def old_read(self) -> OldRead:
        """What was read back of earlier openings."""
        return (self.old.found if self.old else None) or OldRead()

    def _outcome(self, report: AdmissionReport) -> tuple[TargetOutcome, tuple[str, ...]]:
        if self.has_nothing_new:
            return TargetOutcome.NOTHING_NEW, ()
        is_broken_off = isinstance(self.error, DoorUnproven | Interrupted | Secured)
        if self.opened is None and is_broken_off:
            return TargetOutcome.NOT_OPENED, (str(self.error),)
        is_ours = is_broken_off or isinstance(self.error, DeadlineReached)
        if self.error is not None and not is_ours:
            return _outcome_of(self.error), (str(self.error),)
        if report.corrupt or self.old_read.corrupt:
            return TargetOutcome.CORRUPT, (*_reasons(report), *_why_damaged(self.old_read))
        if report.refused:
            return TargetOutcome.REFUSED, _reasons(report)
        if report.failure:
            full = report.failure == "full"
            return (TargetOutcome.FULL if full else TargetOutcome.FAILED), _reasons(report)
        if self.error is not None and not (self.published and report.is_complete):
            return TargetOutcome.PARTIAL, (str(self.error),)
        if self.error is not None:  # the copy is good; where its door is, is the vault's state
            return TargetOutcome.ADMITTED, (str(self.error),)
        if report.left_files:
            return TargetOutcome.PARTIAL, (
                f"the window ends, files left for the next one: {report.left_files}",
            )
        gone = 0 if self.new is None else report.wanted_files - len(self.new)
        if gone > 0:
            return TargetOutcome.ADMITTED, (
                f"files gone from the medium that had crossed before, carried again: {gone}",
            )
        return TargetOutcome.ADMITTED, ()


def _outcome_of(error: CoffreError) -> TargetOutcome:
    for kind, outcome in (
        (MediaAbsent, TargetOutcome.MEDIA_ABSENT),
        (Impostor, TargetOutcome.IMPOSTOR),
        (SignatureError, TargetOutcome.IMPOSTOR),
        (TargetFull, TargetOutcome.FULL),
        (ReadBackFailed, TargetOutcome.CORRUPT),
        (StoreError, TargetOutcome.FAILED),
    ):
        if isinstance(error, kind):
            return outcome
    return TargetOutcome.FAILED


def _why_damaged(found: OldRead) -> tuple[str, ...]:
    bad, files = len(found.corrupt), found.files
    if not bad:
        return ()
    return (f"{bad} of {files} files of earlier nights are damaged", *shown_refusals(found.corrupt))


def _reasons(report: AdmissionReport) -> tuple[str, ...]:
    shown = shown_refusals(report.corrupt + report.refused)
    return (*shown, report.failure_detail) if report.failure_detail else shown


def _nights(left_bytes: int, rate: float, window_s: float) -> int | None:
    """How many more windows the bytes left need at the measured speed; None when unknown."""
    if not left_bytes:
        return 0
    if rate <= 0 or window_s <= 0:
        return None
    return math.ceil(left_bytes / rate / window_s)
