"""The ceremony that makes a medium a target: never inside a cycle.

    look        what the device holds, what will be destroyed
    format      only when asked for, only with a yes
    open        under the kernel's deadline, like any opening
    write       folders, config, keys, and a signed identity; no data
    pin         identity, file system, size, repository

Rule 1: nothing is destroyed that was not named before.
Rule 2: the key set is pinned, so the recovery key must exist before the first medium.
Rule 3: a medium that already carries an identity is refused, ours or another vault's; formatting it
    anew makes it a new medium.
Source: design, sections 2 and 5.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Protocol

from vault.airlock import Airlock, Opening
from vault.believing import SignedFile
from vault.errors import DoorError, UsageError
from vault.ports import Clock, LandingRepository, Medium
from vault.records import CataloguePort, LedgerPort
from vault.results import Exposure, TargetRecord

_CEREMONY_S = 600.0  # an enrolment writes a few kilobytes; a hung disk must not stay open


class IdentitySigner(Protocol):
    """Makes the identity that a medium carries for life."""

    def sign_identity(self, target: TargetRecord, *, repository_id: str) -> SignedFile:
        """Sign the identity of a target."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrolment:
    """What a ceremony did."""

    target: TargetRecord
    exposure: Exposure


@dataclass(slots=True, kw_only=True)
class Ceremony:
    """Enrols one medium."""

    airlock: Airlock
    catalogue: CataloguePort
    ledger: LedgerPort
    landing: LandingRepository
    signer: IdentitySigner
    clock: Clock

    def enrol(self, name: str, *, medium: Medium, door: str) -> Enrolment:
        """Make ``medium`` the target ``name``, whose door the airlock already has.

        ``door`` is the configured door as canonical JSON. Raises UsageError when the name is
        taken.
        """
        if self.catalogue.target(name) is not None:
            raise UsageError(
                "{name} is enrolled already",
                name=name,
                hint="is the old medium gone for good? coffre target retire {name}",
            )
        record = TargetRecord(
            name=name,
            target_id=secrets.token_hex(32),
            uuid=medium.uuid,
            fs_type=medium.fs_type,
            size_bytes=medium.size_bytes,
            serial=medium.serial,
            door=door,
            enrolled_at=self.clock.now(),
        )
        exposure = self._write(record, medium)
        self.catalogue.add_target(record)
        self.ledger.append(
            "target-enrolled",
            target=name,
            target_id=record.target_id,
            uuid=record.uuid,
            fs_type=record.fs_type,
            size_bytes=record.size_bytes,
            serial=record.serial,
        )
        return Enrolment(target=record, exposure=exposure)

    def _write(self, record: TargetRecord, medium: Medium) -> Exposure:
        identity = self.signer.sign_identity(
            record, repository_id=self.catalogue.fact("repository_id") or ""
        )
        opening = Opening(
            target=record.name,
            medium=medium,
            purpose="enrol",
            writing=True,
            closes_at_s=self.clock.boot_s() + _CEREMONY_S,
        )
        with self.airlock.vault_open(opening) as opened:
            if opened.vault.read_marks().identity:
                raise _carries_identity(medium)
            opened.vault.make_writable()
            opened.vault.prepare_repository()
            provision = [(f"repository/{path}", data) for path, data in self.landing.provision()]
            opened.vault.publish_all(provision)
            opened.vault.publish(identity.path, identity.content)  # last: it says that all is there
        assert opened.exposure is not None
        return opened.exposure


def _carries_identity(medium: Medium) -> DoorError:
    """Say how such a medium is made new: nothing of ours empties a folder."""
    if medium.fs_type != "folder":
        return DoorError(
            "the medium already carries an identity: it is a target of some vault",
            hint="is it free for reuse? then enrol it with --format --yes",
        )
    return DoorError(
        "the folder already carries an identity: it is a target of some vault",
        hint="is it free for reuse? move it away, mv {folder} {folder}.old, and enrol again",
        folder=medium.device,
    )
