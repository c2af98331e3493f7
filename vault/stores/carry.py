"""Carry what a target lacks, group by group: write all, sync, read all back, only then link.

Rule 1: no name appears before its bytes were synced and read back from the medium.
Rule 2: within a group packs get their names first, then indexes, then snapshots, a sync after
    each; groups follow the plan. So whatever has a name is a sound repository at any instant.
Rule 3: one refused or corrupt file and nothing of its group is linked, nothing after it carried.
Rule 4: a failed sync is final: it is never tried again, since the second one lies.
Rule 5: only the read-back is hashed: the name is the content's SHA-256, so one hash proves source,
    copy and medium; on a mismatch the landing is hashed to tell whose fault it is.
Rule 6: records, the cycle's list and head, get their names last of all; they share the barriers of
    the last group when there is one.
Rule 7: what is found out is reported; only bugs and interruptions leave as exceptions.
Source: design, sections 2 and 5; ``docs/decisions/`` on one barrier for many files.
"""

from __future__ import annotations

import errno
import os
from array import array
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field

from vault.errors import StoreError
from vault.results import AdmissionReport, Refusal
from vault.stores.crew import Crew
from vault.stores.folders import error_name
from vault.stores.landing_file import Refused, hash_landing_file, open_landing_file
from vault.stores.new_file import NewFile, Target
from vault.stores.pace import Pace, boot_s
from vault.stores.plan_file import CARRIED, Plan
from vault.stores.presence import survey
from vault.stores.publication import Publication

GROUP_FILES = 512
GROUP_BYTES = 1 << 30
GROUP_SECONDS = 60.0  # on a slow medium a death loses about that much work, not a gigabyte
_FULL = (errno.ENOSPC, errno.EDQUOT)

Progress = Callable[[int, int], None]


@dataclass(slots=True, kw_only=True)
class Tally:
    """What is known so far; it becomes the report."""

    wanted_files: int = 0
    wanted_bytes: int = 0
    admitted_files: int = 0
    admitted_bytes: int = 0
    written_bytes: int = 0
    read_back_bytes: int = 0
    refused: list[Refusal] = field(default_factory=list)
    corrupt: list[Refusal] = field(default_factory=list)
    failure: str = ""
    failure_detail: str = ""
    seconds: float = 0.0

    def is_clean(self) -> bool:
        """Whether the next step may begin."""
        return not (self.refused or self.corrupt or self.failure)


class Carry:
    """One carry: a plan, a landing, a target, a deadline."""

    def __init__(
        self,
        plan: Plan,
        *,
        target: Target,
        landing_fd: int,
        threads: int,
        soft_closes_at_s: float,
        on_progress: Progress,
        records: Publication,
    ) -> None:
        self.published = False  # whether the records have their names
        self._records: Publication | None = records
        self._plan = plan
        self._target = target
        self._landing_fd = landing_fd
        self._threads = threads
        self._on_progress = on_progress
        self._pace = Pace(closes_at_s=soft_closes_at_s)
        self._tally = Tally()
        self._rows = array("I")  # what the target lacks, in the plan's order
        self._next = 0  # the first of them not yet taken
        self._left: set[int] = set()  # rows taken, and not admitted
        self._files: dict[int, NewFile] = {}  # of the running group, by row

    def run(self) -> AdmissionReport:
        """Find what is missing, carry it, say what happened."""
        started_s = boot_s()
        try:
            self._look()
            while self._tally.is_clean() and self._next < len(self._rows):
                if not self._carry_group():
                    break
        except OSError as error:
            self._fail(error)
        self._tally.seconds = boot_s() - started_s
        return self._report()

    def _look(self) -> None:
        """Survey the target; a plan or a target that contradicts itself gets nothing."""
        tally, plan = self._tally, self._plan
        tally.refused += plan.refused
        found = survey(self._target.root_fd, plan)
        self._rows = found.absent
        tally.wanted_files = len(found.absent)
        tally.wanted_bytes = sum(plan.size_bytes(row) for row in found.absent)
        for row in found.absent:
            if plan.kind(row) not in CARRIED:
                tally.refused.append(self._refusal(row, "keys and config never cross in a cycle"))
        for row in found.conflicts:
            tally.corrupt.append(self._refusal(row, "on the target with another size or kind"))

    def _carry_group(self) -> bool:
        """Carry one group; False when the deadline leaves no room for another file."""
        self._left.clear()
        self._pace.begin_group()
        try:
            self._write_group()
            if not self._files or not self._tally.is_clean():
                return False
            self._write_records()
            self._pace.end_writing()
            self._target.sync()
            self._read_back_group()
            if not self._tally.is_clean():
                return False
            self._link_group()
            self._pace.end_group()
        finally:
            for file in self._files.values():
                file.close()
            self._files.clear()
        return True

    def _write_group(self) -> None:
        """Write a group's files without names, several at once."""
        crew = Crew(self._write, threads=self._threads)
        with closing(crew.run(self._take())) as done:
            for row, refusal in done:
                if refusal is not None:
                    self._tally.refused.append(refusal)
                    self._left.discard(row)
                    continue
                self._pace.written_bytes += self._plan.size_bytes(row)
                self._tally.written_bytes += self._plan.size_bytes(row)
                self._tell()

    def _take(self) -> Iterator[int]:
        """Give the rows of one group; runs in the crew, one call at a time."""
        taken = 0
        while self._next < len(self._rows) and self._tally.is_clean():
            row = self._rows[self._next]
            size_bytes = self._plan.size_bytes(row)
            group_bytes = self._pace.taken_bytes + size_bytes
            full = taken == GROUP_FILES or group_bytes > GROUP_BYTES
            if taken and (full or self._pace.group_seconds() > GROUP_SECONDS):
                return
            if not self._pace.allows(size_bytes):
                return
            self._next += 1
            self._left.add(row)
            self._pace.taken_bytes = group_bytes
            taken += 1
            yield row

    def _write(self, row: int) -> Refusal | None:
        """Write one file; runs in the crew. The group closes what stands in ``_files``."""
        plan = self._plan
        folder, name, size_bytes = plan.folder(row), plan.name(row), plan.size_bytes(row)
        try:
            source_fd = open_landing_file(self._landing_fd, folder, name, size_bytes)
            try:
                file = self._files[row] = self._target.begin(f"repository/{folder}")
                file.copy_from(source_fd, size_bytes)
            finally:
                os.close(source_fd)
        except Refused as refused:
            return self._refusal(row, str(refused))
        return None

    def _write_records(self) -> None:
        """Write the records with the last group; what goes wrong with them does not touch it."""
        if self._records is None or self._next < len(self._rows):
            return
        try:
            self._records.write()
        except (StoreError, OSError):  # told when they are published alone
            self._records.close()
            self._records = None

    def _read_back_group(self) -> None:
        """Read a group back from the medium, whole: every bad file of it is named."""
        crew = Crew[int, str](lambda row: self._files[row].read_back(), threads=self._threads)
        with closing(crew.run(sorted(self._files))) as done:
            for row, digest in done:
                self._tally.read_back_bytes += self._plan.size_bytes(row)
                if digest != self._plan.name(row):
                    self._blame(row)
                self._tell()
        for path in self._records.differing() if self._records else ():
            self._tally.corrupt.append(Refusal(name=path.encode(), reason="read back differs"))

    def _blame(self, row: int) -> None:
        """Tell whether the landing or the medium is at fault for a mismatch."""
        plan = self._plan
        self._left.discard(row)
        try:
            digest = hash_landing_file(
                self._landing_fd, plan.folder(row), plan.name(row), plan.size_bytes(row)
            )
        except Refused as refused:
            self._tally.refused.append(self._refusal(row, str(refused)))
            return
        if digest == plan.name(row):
            self._tally.corrupt.append(self._refusal(row, "read back differs"))
        else:
            reason = "content does not match its name"
            self._tally.refused.append(self._refusal(row, reason))

    def _link_group(self) -> None:
        """Name packs, sync, indexes, sync, snapshots, sync: the order carries the safety."""
        for kind in CARRIED:
            phase = [row for row in sorted(self._files) if self._plan.kind(row) == kind]
            for row in phase:
                self._files[row].link(self._plan.name(row))
            is_last = kind == CARRIED[-1] and self._next == len(self._rows)
            names_records = is_last and self._records is not None and self._records.link()
            if phase or names_records:
                self._target.sync()
            self.published = names_records
            self._left.difference_update(phase)
            self._tally.admitted_files += len(phase)
            self._tally.admitted_bytes += sum(self._plan.size_bytes(row) for row in phase)

    def _refusal(self, row: int, reason: str) -> Refusal:
        return Refusal(name=self._plan.path(row).encode("ascii"), reason=reason)

    def _tell(self) -> None:
        """Say how far it is: writing is half of the way, reading back the other."""
        done = (self._tally.written_bytes + self._tally.read_back_bytes) // 2
        self._on_progress(done, self._tally.wanted_bytes)

    def _fail(self, error: OSError) -> None:
        self._tally.failure = "full" if error.errno in _FULL else "io"
        self._tally.failure_detail = error_name(error)

    def _report(self) -> AdmissionReport:
        tally = self._tally
        left = sorted(self._left) + list(self._rows[self._next :])
        sizes = [self._plan.size_bytes(row) for row in left]
        return AdmissionReport(
            wanted_files=tally.wanted_files,
            wanted_bytes=tally.wanted_bytes,
            admitted_files=tally.admitted_files,
            admitted_bytes=tally.admitted_bytes,
            read_back_bytes=tally.read_back_bytes,
            refused=tuple(tally.refused),
            corrupt=tuple(tally.corrupt),
            left_files=len(left),
            left_bytes=sum(sizes),
            failure=tally.failure,
            failure_detail=tally.failure_detail,
            largest_left_bytes=max(sizes, default=0),
            bytes_per_second=tally.admitted_bytes / tally.seconds if tally.seconds else 0.0,
        )
