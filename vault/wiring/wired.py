"""Settings in, working parts out: the only place that knows both sides.

Rule 1: nothing is opened, read or started before it is asked for; a part is made once.
Rule 2: secrets are read when the part that needs them is made, and kept nowhere else.
Rule 3: whoever moves a door or writes a record holds the vault's lock: ``Wired.locked``.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property

from vault.admission import Pins
from vault.airlock import Airlock
from vault.carrying import Carrier
from vault.catalogue import Catalogue
from vault.clock import SystemClock
from vault.config import Settings, read_secret
from vault.config.fields import SecretRef
from vault.cycle import House
from vault.doors.disk import DiskDoor
from vault.doors.folder import FolderDoor
from vault.doors.link import LinkDoor
from vault.doors.none import NoDoor
from vault.enrolment import Ceremony
from vault.errors import NeedsRoot, NotInitialised, SecretError
from vault.founding import KEY_FACT, Founding
from vault.intake import Intake, NightSource
from vault.ledger import Ledger
from vault.ledger.notes import VaultKey
from vault.ports import Medium, ProductionDoor, Progress, VaultDoor
from vault.process import run
from vault.records import CataloguePort, LedgerPort
from vault.recovery import Restorer
from vault.restic import Restic, find_restic
from vault.restored import compare
from vault.results import TargetRecord
from vault.secret import Secret
from vault.statefile import StateFolder
from vault.wiring.documents import DocumentSigner
from vault.wiring.engine import ResticRestore
from vault.wiring.landing import PinnedLanding
from vault.wiring.sources import make_self_source, make_sources, shares_gone

_SECRET_COMMAND_S = 60.0
_ROOM_LEAST_BYTES = 256 << 20  # below this a ledger or a catalogue may not be written to the end


class Quiet:
    """A progress that says nothing."""

    def step(self, name: str, detail: str = "") -> None:
        """Say nothing."""

    def advance(self, done_bytes: int, total_bytes: int) -> None:
        """Say nothing."""


class Wired:
    """One vault host, put together from its settings."""

    def __init__(self, settings: Settings, progress: Progress | None = None) -> None:
        self.settings = settings
        self.progress: Progress = progress or Quiet()
        self.clock = SystemClock()

    # -- where things are

    def path(self, *parts: str) -> str:
        """Give a path below the state folder."""
        return os.path.join(self.settings.state, *parts)

    @cached_property
    def state(self) -> StateFolder:
        """The airlock's state, the red button, the lock and the public status."""
        return StateFolder(self.settings.state, self.settings.state_group)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the vault's lock; LockHeld when another coffre has it."""
        self.require_founded()
        with self.state.lock():
            yield

    def require_founded(self) -> None:
        """Refuse to go on with a vault that was never made."""
        if not os.path.exists(self.path("catalogue.sqlite")):
            raise NotInitialised(
                "there is no vault in {state} yet",
                state=self.settings.state,
                hint="coffre init?",
            )
        if not os.access(self.settings.state, os.R_OK | os.W_OK | os.X_OK):
            raise NeedsRoot(
                "the vault in {state} belongs to another account",
                state=self.settings.state,
                hint="run as root? status and gaps are for the state_group too",
            )

    # -- records

    @cached_property
    def catalogue(self) -> Catalogue:
        """The catalogue."""
        return Catalogue.open(self.path("catalogue.sqlite"))

    @cached_property
    def ledger(self) -> Ledger:
        """The ledger."""
        return Ledger(self.path("ledger", "ledger.jsonl"), self.clock)

    @cached_property
    def key(self) -> VaultKey:
        """The vault's own signing key."""
        return VaultKey.load(self.path("keys", "vault.key"))

    # -- the landing

    @cached_property
    def restic(self) -> Restic:
        """The installed restic."""
        return find_restic()

    def secret(self, ref: SecretRef, name: str) -> Secret:
        """Read one secret."""
        return read_secret(ref, name=name, folder=self.settings.base, run=_run_for_secret)

    @cached_property
    def landing_password(self) -> Secret:
        """The landing's password."""
        return self.secret(self.settings.landing.password, "landing.password")

    @cached_property
    def pins(self) -> Pins | None:
        """What the landing is pinned to; None before the vault was founded."""
        values = [self.catalogue.fact(name) for name in ("repository_id", "config_sha256", "keys")]
        repository_id, config, keys = (value or "" for value in values)
        if not (repository_id and config and keys):
            return None
        return Pins(repository_id=repository_id, config_sha256=config, keys=frozenset(keys.split()))

    @cached_property
    def landing(self) -> PinnedLanding:
        """The landing repository."""
        return PinnedLanding(
            self.restic,
            os.fsencode(self.path("landing")),
            self.landing_password,
            pinned=self.pins,
            hint=self.catalogue.fact(KEY_FACT) or "",
        )

    # -- doors

    @cached_property
    def production(self) -> ProductionDoor:
        """The production door."""
        link = self.settings.production.door.link
        if link is None:
            return NoDoor()
        return LinkDoor(link.interface, probe=link.probe_address)

    @cached_property
    def doors(self) -> dict[str, VaultDoor]:
        """The doors of the enrolled targets, by name."""
        return {record.name: self.door_of(record) for record in self.catalogue.targets()}

    def door_of(self, record: TargetRecord) -> VaultDoor:
        """Make the door of an enrolled target: as configured now, else as it was enrolled."""
        named = self.settings.targets.get(record.name)
        door = named.door.model_dump(exclude_none=True) if named else json.loads(record.door)
        if "folder" in door:
            return FolderDoor(record.name, os.fsencode(door["folder"]))
        return DiskDoor(
            record.name,
            uuid=record.uuid,
            size_bytes=record.size_bytes,
            fs_type=record.fs_type,
            serial=record.serial,
            detach=door.get("disk", {}).get("detach", "auto"),
        )

    def new_door(self, name: str, medium: Medium) -> VaultDoor:
        """Make the door of a target that is being enrolled."""
        record = TargetRecord(
            name=name,
            target_id="",
            uuid=medium.uuid,
            fs_type=medium.fs_type,
            size_bytes=medium.size_bytes,
            serial=medium.serial,
            door=self.door_text(name),
            enrolled_at=self.clock.now(),
        )
        return self.door_of(record)

    def door_text(self, name: str) -> str:
        """Give the configured door of a target as canonical JSON."""
        door = self.settings.targets[name].door.model_dump(exclude_none=True)
        return json.dumps(door, sort_keys=True)

    @cached_property
    def airlock(self) -> Airlock:
        """Both doors and the interlock."""
        return Airlock(
            production=self.production,
            doors=self.doors,
            store=self.state,
            catalogue=self._catalogue_port,
            ledger=self._ledger_port,
            clock=self.clock,
            shares_gone=shares_gone(self),
        )

    @property
    def _catalogue_port(self) -> CataloguePort:
        return self.catalogue

    @property
    def _ledger_port(self) -> LedgerPort:
        return self.ledger

    # -- stories

    @cached_property
    def signer(self) -> DocumentSigner:
        """What signs and reads a target's documents."""
        if self.pins is None:
            raise NotInitialised("the vault has no pinned landing yet", hint="coffre init?")
        return DocumentSigner(
            self.key, site=self.settings.site.finess, pins=self.pins, now=self.clock.now
        )

    @cached_property
    def sources(self) -> dict[str, NightSource]:
        """The sources, by name, in the order of the configuration."""
        return make_sources(self)

    @cached_property
    def carrier(self) -> Carrier:
        """What carries to a target."""
        return Carrier(
            airlock=self.airlock,
            catalogue=self._catalogue_port,
            ledger=self._ledger_port,
            signer=self.signer,
            clock=self.clock,
            progress=self.progress,
        )

    @cached_property
    def house(self) -> House:
        """What a night works with."""
        return House(
            airlock=self.airlock,
            catalogue=self._catalogue_port,
            ledger=self._ledger_port,
            landing=self.landing,
            intake=Intake(
                catalogue=self._catalogue_port,
                ledger=self._ledger_port,
                landing=self.landing,
                clock=self.clock,
                progress=self.progress,
            ),
            carrier=self.carrier,
            clock=self.clock,
            progress=self.progress,
            self_source=make_self_source(self),
            export_self=self._export_self,
            room=self._room,
        )

    @cached_property
    def restorer(self) -> Restorer:
        """What gives exports back."""
        hint = self.catalogue.fact(KEY_FACT) or ""
        return Restorer(
            airlock=self.airlock,
            carrier=self.carrier,
            catalogue=self._catalogue_port,
            ledger=self._ledger_port,
            engine=ResticRestore(self.landing, self.restic, self.landing_password, hint),
            compare=compare,
            clock=self.clock,
            progress=self.progress,
        )

    @cached_property
    def ceremony(self) -> Ceremony:
        """What enrols a medium."""
        return Ceremony(
            airlock=self.airlock,
            catalogue=self._catalogue_port,
            ledger=self._ledger_port,
            landing=self.landing,
            signer=self.signer,
            clock=self.clock,
        )

    @cached_property
    def founding(self) -> Founding:
        """What makes a vault."""
        return Founding(
            catalogue=self._catalogue_port,
            ledger=self._ledger_port,
            landing=self.landing,
            vault_key=self.key.public.to_text(),
            clock=self.clock,
        )

    # -- the vault's own export, and room

    def _export_self(self) -> None:
        """Write catalogue, ledger and configuration as they stand, for their own snapshot."""
        folder = self.path("self")
        os.makedirs(folder, mode=0o700, exist_ok=True)
        self.catalogue.backup_to(os.path.join(folder, "catalogue.sqlite"))
        shutil.copyfile(self.path("ledger", "ledger.jsonl"), os.path.join(folder, "ledger.jsonl"))
        shutil.copyfile(self.settings.file, os.path.join(folder, "vault.yaml"))

    def _room(self) -> Sequence[str]:
        """Complain when the state's file system is nearly full."""
        facts = os.statvfs(self.settings.state)
        free = facts.f_bavail * facts.f_frsize
        if free >= _ROOM_LEAST_BYTES:
            return ()
        return (f"{free} bytes are free where the state is, {_ROOM_LEAST_BYTES} are needed",)


def _run_for_secret(argv: Sequence[str]) -> bytes:
    finished = run(argv, timeout_s=_SECRET_COMMAND_S)
    if finished.returncode != 0:
        raise SecretError(
            "the command of a secret ended with {code}",
            code=finished.returncode,
            hint="does it run by hand?",
        )
    return finished.stdout
