"""Read back, in each opening, some of what crossed in earlier ones; remember how far it came.

    choose            before the door moves: where the last opening stopped
    read              after all that is new crossed, within the seconds of the configuration
    keep              after the door is shut

Rule 1: what is new goes first: nothing old is read in an opening that did not carry everything.
Rule 2: reading ends in time for the soft deadline, whatever the configuration says.
Rule 3: the round belongs to the enrolment: another medium under the name begins anew.
Source: design, section 4, on ``read_back_old``.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from vault.admission import is_carried
from vault.ports import Clock, OpenVault, Progress
from vault.reading_back import Round, after_reading, choose
from vault.records import CataloguePort, LedgerPort
from vault.results import OldRead, RepositoryFile, TargetRecord

ROUND_FACT = "read-back."  # before a target's id: how far its reading is, JSON


@dataclass(slots=True, kw_only=True)
class OldFiles:
    """The old files of one target in one opening."""

    target: TargetRecord
    now: Round
    chosen: Sequence[RepositoryFile]
    is_last: bool  # whether the last of the chosen ends the round
    seconds: float
    found: OldRead | None = None

    def read(
        self, vault: OpenVault, *, soft_closes_at_s: float, clock: Clock, progress: Progress
    ) -> None:
        """Read as many as time allows, the longest unread first."""
        if not self.chosen:
            return
        progress.step("read-old", self.target.name)
        ends_at_s = min(clock.boot_s() + self.seconds, soft_closes_at_s)
        self.found = vault.read_old(self.chosen, ends_at_s=ends_at_s, progress=progress.advance)

    def keep(
        self, catalogue: CataloguePort, ledger: LedgerPort, *, cycle: int, at: datetime
    ) -> None:
        """Remember how far it came, and tell the ledger what was found."""
        found = self.found
        if found is None:
            return
        after = after_reading(
            self.now, self.chosen, found.first_unproven, at=at, is_last=self.is_last
        )
        write_round(catalogue, self.target, after)
        ledger.append(
            "read-back",
            target=self.target.name,
            cycle=cycle,
            files=found.files,
            bytes=found.bytes,
            seconds=round(found.seconds, 6),
            corrupt=[refusal.name.decode("ascii") for refusal in found.corrupt],
            proven_since=after.proven_since.isoformat() if after.proven_since else None,
        )


def choose_old(catalogue: CataloguePort, target: TargetRecord, seconds: float) -> OldFiles | None:
    """Choose what to read of what the target's last whole night names; None when nothing is."""
    whole = [cycle for cycle, hold in catalogue.holds(target.name).items() if hold.complete]
    if not seconds or not whole:
        return None
    files = [file for file in catalogue.landing_list(max(whole)) if is_carried(file.path)]
    now = read_round(catalogue, target)
    chosen = choose(files, now, seconds)
    if not chosen:  # all after that place were let go of
        now = Round(proven_since=now.began_at or now.proven_since)
        chosen = choose(files, now, seconds)
    is_last = bool(chosen) and chosen[-1] == files[-1]
    return OldFiles(target=target, now=now, chosen=chosen, is_last=is_last, seconds=seconds)


def read_round(catalogue: CataloguePort, target: TargetRecord) -> Round:
    """Give how far the reading of a target's old files is."""
    text = catalogue.fact(ROUND_FACT + target.target_id)
    if not text:
        return Round()
    kept = json.loads(text)
    for name in ("began_at", "proven_since"):
        kept[name] = datetime.fromisoformat(kept[name]) if kept[name] else None
    return Round(**kept)


def write_round(catalogue: CataloguePort, target: TargetRecord, now: Round) -> None:
    """Keep how far it is."""
    kept = {
        "after": now.after,
        "began_at": now.began_at.isoformat() if now.began_at else None,
        "files": now.files,
        "bytes": now.bytes,
        "proven_since": now.proven_since.isoformat() if now.proven_since else None,
    }
    catalogue.set_fact(ROUND_FACT + target.target_id, json.dumps(kept, sort_keys=True))
