"""What tests restores, put together: the landing or a view, the catalogue's book, the scratch."""

from __future__ import annotations

import os
from collections.abc import Sequence

from vault.applications import HookApplication, PostgresApplication, SqliteApplication
from vault.drill import Driller, Tools
from vault.errors import UsageError
from vault.fiche import DrillRecord
from vault.finding import subject_of
from vault.founding import KEY_FACT
from vault.ledger.countersigning import Countersigned, judge
from vault.ledger.dsse import Envelope, RestoreTest
from vault.policy import Policy
from vault.ports import OpenVault
from vault.recognition import Kept
from vault.restored import compare, read_metadata
from vault.results import ManifestEntry
from vault.scratch import Scratch
from vault.sources.manifest import identity_of, read_manifest
from vault.wiring.engine import ResticRestore
from vault.wiring.heads import cosigners
from vault.wiring.places import LandingPlace, ViewPlace
from vault.wiring.wired import Wired


def make_driller(wired: Wired) -> Driller:
    """Make what tests restores."""
    hint = wired.catalogue.fact(KEY_FACT) or ""
    engine = ResticRestore(wired.landing, wired.restic, wired.landing_password, hint)

    def place_of_view(vault: OpenVault, view: str) -> ViewPlace:
        return ViewPlace(
            vault,
            view,
            engine=engine,
            restic=wired.restic,
            password=wired.landing_password,
            hint=hint,
        )

    return Driller(
        restorer=wired.restorer,
        book=wired.catalogue,
        catalogue=wired.restorer.catalogue,
        ledger=wired.restorer.ledger,
        tools=Tools(
            place_of_landing=lambda: LandingPlace(wired.landing),
            place_of_view=place_of_view,
            scratch=scratch_of(wired).space,
            compare=compare,
            read_metadata=read_metadata,
            read_manifest=read_manifest,
            identity_of=identity_of,
            kept_findings=lambda entries: _kept_findings(wired, entries),
            examiner=wired.examiner,
            applications=(
                SqliteApplication(),
                PostgresApplication(),
                HookApplication(os.path.join(wired.settings.base, "hooks", "drill")),
            ),
        ),
        policy_of=lambda source: policy_of(wired, source),
        clock=wired.clock,
        progress=wired.progress,
    )


def scratch_of(wired: Wired) -> Scratch:
    """Give the scratch space of a vault."""
    return Scratch(os.fsencode(wired.path("scratch")))


def policy_of(wired: Wired, source: str) -> Policy | None:
    """Give a source's policy; None for a source that is configured no more, and for our own."""
    known = source in wired.settings.sources
    return wired.settings.policy_of(source) if known else None


def _kept_findings(wired: Wired, entries: Sequence[ManifestEntry]) -> Kept:
    """Give how sound the source's own files were found, by path; by the same inspectors only."""
    tables = wired.examiner.tables
    paths: dict[str, list[bytes]] = {}
    for entry in entries:
        paths.setdefault(subject_of(entry.path, entry.sha256), []).append(entry.path)
    return {
        path: kept.finding.soundness
        for subject, kept in wired.catalogue.findings(paths)
        if kept.tables == tables
        for path in paths[subject]
    }


def signed_record(wired: Wired, record: DrillRecord) -> bytes:
    """Give a test as an in-toto statement in a DSSE envelope, signed by the vault's key."""
    return envelope_of(record).signed_by(wired.key).to_bytes()


def countersigned(wired: Wired, record: DrillRecord, data: bytes) -> Countersigned:
    """Judge a file that came back with a second signature; SignatureError, UsageError."""
    return judge(
        Envelope.from_bytes(data),
        envelope_of(record).payload,
        vault=[wired.key.public, *wired.retired_keys],
        cosigners=cosigners(wired),
        operator=record.people.by,
    )


def envelope_of(record: DrillRecord) -> Envelope:
    """Give a test as it is signed, not signed yet; the same bytes whenever it is made."""
    if record.snapshot_id is None or record.ended_at is None:
        raise UsageError(
            "restore test {number} restored nothing, so nobody can sign it", number=record.number
        )
    people = record.people
    roles = {"asked_by": people.asked_by, "by": people.by, "validated_by": people.validated_by}
    return (
        RestoreTest(
            drill=str(record.number),
            source=record.source,
            snapshot_id=record.snapshot_id,
            cycle=record.cycle or 0,
            origin=record.origin,
            level_reached=str(record.level_reached) if record.level_reached else "",
            verdict=str(record.verdict),
            files=record.files,
            size_bytes=record.bytes,
            mismatches=record.mismatches,
            duration_s=record.duration_s,
            started_at=record.begun_at.isoformat(),
            ended_at=record.ended_at.isoformat(),
            seed=record.seed,
            bound="" if record.bound is None else str(record.bound),
            people={role: name for role, name in roles.items() if name},
            not_tested=record.not_tested,
        )
        .to_statement()
        .to_envelope()
    )
