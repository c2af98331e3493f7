"""Settings in, working parts out: the only place that knows both sides.

Rule 1: nothing is opened, read or started before it is asked for; a part is made once.
Rule 2: secrets are read when the part that needs them is made, and kept nowhere else.
Rule 3: whoever moves a door or writes a record holds the vault's lock: ``Wired.locked``.
"""

from __future__ import annotations

import os
import secrets
import shutil
import time
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

from vault.amount import told_apart
from vault.catalogue import Catalogue
from vault.clock import SystemClock
from vault.errors import (
    CatalogueError,
    CoffreError,
    DoorUnproven,
    NeedsRoot,
    NotInitialised,
    SecretError,
)
from vault.ledger import Ledger
from vault.ledger.checkpoint import Checkpoints
from vault.ledger.notes import PublicKey, VaultKey
from vault.records import ListedDoor
from vault.scratch import Scratch
from vault.state import State
from vault.statefile import StateFolder
from vault.vault_lock import BRIEF_S, brief_patience
from vault.wiring.doors import CATALOGUE, door_text, list_doors, make_doors, make_vault_door
from vault.wiring.heads import RETIRED_FACT, finish_rotation, sign_if_sound
from vault.wiring.schedule import note_missed

if TYPE_CHECKING:  # each part is loaded when it is made: most commands make few of them
    from collections.abc import Callable, Iterator, Sequence

    from vault.admission import Pins
    from vault.airlock import Airlock
    from vault.believing import Believer
    from vault.carrying import Carrier
    from vault.config import Settings
    from vault.config.fields import SecretRef
    from vault.cycle import House
    from vault.enrolment import Ceremony
    from vault.forecast import Forecast
    from vault.founding import Founding
    from vault.intake import NightSource
    from vault.moments import Moments
    from vault.ports import Examiner, Medium, Progress, VaultDoor
    from vault.records import CataloguePort, LedgerPort
    from vault.recovery import Restorer
    from vault.restic import Restic
    from vault.secret import Secret
    from vault.shutting import AllDoors
    from vault.thinning import Thinner
    from vault.vault_lock import Holder
    from vault.wiring.documents import DocumentSigner
    from vault.wiring.landing import PinnedLanding

SEED_FACT = "sampling-seed"
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
        self.foretold: Callable[[Forecast], object] = bool  # hears how long a carry will take
        self.names_shown = False  # of exported files, in what a night says
        self._no_catalogue: CatalogueError | None = None

    # -- where things are

    def path(self, *parts: str) -> str:
        """Give a path below the state folder."""
        return os.path.join(self.settings.state, *parts)

    @cached_property
    def state(self) -> StateFolder:
        """The airlock's state, the red button, the lock and the public status."""
        return StateFolder(self.settings.state, self.settings.state_group)

    @contextmanager
    def locked(
        self,
        *,
        is_brief: bool = False,
        is_night: bool = False,
        patience: Callable[[Holder], float] = brief_patience,
    ) -> Iterator[None]:
        """Hold the vault's lock; LockHeld when another coffre has it for longer than we wait."""
        self.require_founded()
        for_s = BRIEF_S if is_brief else 0.0
        with self.state.lock(for_s=for_s, is_night=is_night, patience=patience):
            self._keep_list()
            Scratch(os.fsencode(self.path("scratch"))).clear()  # a killed restore test left it
            yield

    def require_founded(self) -> None:
        """Refuse to go on with a vault that was never made."""
        if not os.path.exists(self.path(CATALOGUE)):
            raise NotInitialised(
                "there is no vault in {state} yet",
                state=self.settings.state,
                hint="coffre init?",
            )
        if not os.access(self.settings.state, os.R_OK | os.W_OK | os.X_OK):
            if os.geteuid() == 0:
                raise CoffreError(
                    "the vault in {state} cannot be written",
                    state=self.settings.state,
                    hint="is its file system mounted read-only, or failing?",
                )
            raise NeedsRoot(
                "the vault in {state} belongs to another account",
                state=self.settings.state,
                hint="run as root? status and gaps are for the state_group too",
            )

    # -- records

    @cached_property
    def catalogue(self) -> Catalogue:
        """The catalogue; a file that did not open is not waited for again."""
        if self._no_catalogue is None:
            try:
                return Catalogue.open(self.path(CATALOGUE))
            except CatalogueError as error:
                self._no_catalogue = error
        raise self._no_catalogue

    @cached_property
    def ledger(self) -> Ledger:
        """The ledger."""
        return Ledger(self.path("ledger", "ledger.jsonl"), self.clock)

    @cached_property
    def key(self) -> VaultKey:
        """The vault's own signing key."""
        finish_rotation(self.path("keys"), self.ledger)
        return VaultKey.load(self.path("keys", "vault.key"))

    @property
    def retired_keys(self) -> tuple[PublicKey, ...]:
        """The public keys that were the vault's before."""
        lines = (self.catalogue.fact(RETIRED_FACT) or "").split()
        return tuple(PublicKey.from_text(line) for line in lines)

    @cached_property
    def checkpoints(self) -> Checkpoints:
        """The signed heads of the ledger."""
        return Checkpoints(self.path("ledger", "checkpoints"))

    # -- the landing

    @cached_property
    def restic(self) -> Restic:
        """The installed restic."""
        from vault.restic import find_restic

        return find_restic()

    def secret(self, ref: SecretRef, name: str) -> Secret:
        """Read one secret."""
        from vault.config import read_secret

        return read_secret(ref, name=name, folder=self.settings.base, run=_run_for_secret)

    @cached_property
    def landing_password(self) -> Secret:
        """The landing's password."""
        return self.secret(self.settings.landing.password, "landing.password")

    @cached_property
    def pins(self) -> Pins | None:
        """What the landing is pinned to; None before the vault was founded."""
        from vault.authentication import landing_pins

        return landing_pins(self.catalogue)

    @cached_property
    def landing(self) -> PinnedLanding:
        """The landing repository."""
        from vault.founding import KEY_FACT
        from vault.wiring.landing import PinnedLanding

        return PinnedLanding(
            self.restic,
            os.fsencode(self.path("landing")),
            self.landing_password,
            pinned=self.pins,
            hint=self.catalogue.fact(KEY_FACT) or "",
        )

    # -- doors

    @cached_property
    def all_doors(self) -> AllDoors:
        """Every door of the list, of which the enrolled targets' are part."""
        return make_doors(list_doors(self.state, self.catalogue.targets(), self.settings))

    @property
    def doors(self) -> dict[str, VaultDoor]:
        """The vault doors, by target."""
        vault = self.all_doors.vault
        assert isinstance(vault, dict)
        return vault

    def add_door(self, name: str, medium: Medium) -> None:
        """Put the door of a medium on the list before anything of it moves."""
        door = ListedDoor(
            target=name,
            uuid=medium.uuid,
            fs_type=medium.fs_type,
            size_bytes=medium.size_bytes,
            serial=medium.serial,
            door=door_text(self.settings, name),
        )
        listed = self.state.read_doors()
        self.state.write_doors(replace(listed, vault={**listed.vault, name: door}))
        self.doors[name] = make_vault_door(door)

    def drop_door(self, name: str) -> None:
        """Take the door of a target that is no more off the list."""
        listed = self.state.read_doors()
        left = {target: door for target, door in listed.vault.items() if target != name}
        self.state.write_doors(replace(listed, vault=left))

    def _keep_list(self) -> None:
        """Write the list anew where configuration and catalogue say more than it does."""
        with suppress(OSError, CoffreError):  # whoever shuts goes by the list that is there
            now = list_doors(self.state, self.catalogue.targets(), self.settings)
            with suppress(DoorUnproven):
                if now == self.state.read_doors():
                    return
            self.state.write_doors(now)

    @cached_property
    def airlock(self) -> Airlock:
        """Both doors and the interlock."""
        from vault.airlock import Airlock

        return Airlock(
            production=self.all_doors.production,
            doors=self.doors,
            store=self.state,
            catalogue=self._catalogue_port,
            ledger=self._ledger_port,
            clock=self.clock,
            shares_gone=self.all_doors.shares_gone,
        )

    @property
    def is_degraded(self) -> bool:
        """Whether a door that was asked in this run is not proven shut, or nobody knows.

        A command that ends with a door still moving met a fault of ours on its way.
        """
        asked = "airlock" in self.__dict__  # nobody made it, nobody asked
        return asked and self.airlock.state not in (State.LOCKED, State.SECURED)

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
        from vault.wiring.documents import DocumentSigner

        if self.pins is None:
            raise NotInitialised("the vault has no pinned landing yet", hint="coffre init?")
        return DocumentSigner(
            self.key,
            retired=self.retired_keys,
            site=self.settings.site.finess,
            pins=self.pins,
            now=self.clock.now,
            sign_ledger=lambda: sign_if_sound(self),
        )

    @cached_property
    def sources(self) -> dict[str, NightSource]:
        """The sources, by name, in the order of the configuration."""
        from vault.wiring.sources import make_sources

        return make_sources(self)

    @cached_property
    def moments(self) -> Moments:
        """The moments of this run, and the site's hooks."""
        from vault.wiring.moments import make_moments

        return make_moments(self)

    @cached_property
    def carrier(self) -> Carrier:
        """What carries to a target."""
        from vault.carrying import Carrier

        return Carrier(
            airlock=self.airlock,
            catalogue=self._catalogue_port,
            ledger=self._ledger_port,
            signer=self.signer,
            believer=self.believer,
            clock=self.clock,
            progress=self.progress,
            moments=self.moments,
            foretold=self.foretold,
        )

    @cached_property
    def believer(self) -> Believer:
        """What says whether a medium is the one that was enrolled."""
        from vault.believing import Believer

        return Believer(catalogue=self._catalogue_port, signer=self.signer, clock=self.clock)

    @cached_property
    def examiner(self) -> Examiner:
        """What opens exports and says what they are."""
        from vault.inspection.examiner import FileExaminer
        from vault.inspection.registry import load_registry
        from vault.wiring.examining import SharedExaminer
        from vault.wiring.formats import pmsi_inspectors

        registry = load_registry(pmsi_inspectors(self.settings.load_formats()))
        seed = self._sampling_seed()
        examiner = FileExaminer(registry, seed=seed, clock_s=self.clock.boot_s)
        return SharedExaminer(examiner, seed=seed, policies=self.settings.site_policies)

    def _sampling_seed(self) -> bytes:
        """Give what decides which bytes are sampled: drawn once, told to nobody outside."""
        drawn = self.catalogue.fact(SEED_FACT)
        if drawn is None:
            drawn = secrets.token_hex(16)
            self.catalogue.set_fact(SEED_FACT, drawn)
        return bytes.fromhex(drawn)

    @cached_property
    def house(self) -> House:
        """What a night works with."""
        from vault.cycle import House
        from vault.gatekeeper import Gatekeeper
        from vault.intake import Intake
        from vault.wiring.sources import make_self_source

        return House(
            airlock=self.airlock,
            catalogue=self._catalogue_port,
            ledger=self._ledger_port,
            landing=self.landing,
            intake=Intake(
                catalogue=self._catalogue_port,
                ledger=self._ledger_port,
                landing=self.landing,
                gatekeeper=Gatekeeper(
                    catalogue=self._catalogue_port,
                    ledger=self._ledger_port,
                    examiner=self.examiner,
                    clock=self.clock,
                    progress=self.progress,
                ),
                names_shown=self.names_shown,
                clock=self.clock,
                progress=self.progress,
            ),
            carrier=self.carrier,
            moments=self.moments,
            clock=self.clock,
            progress=self.progress,
            self_source=make_self_source(self),
            export_self=self._export_self,
            room=self._room,
            pause=time.sleep,
            note_missed=self._note_missed,
            settle_retention=self.thinner.settle,
        )

    @cached_property
    def thinner(self) -> Thinner:
        """What lets the landing go of points."""
        from vault.authentication import Authentication
        from vault.thinning import Thinner

        return Thinner(
            book=self.catalogue,
            ledger=self._ledger_port,
            landing=self.landing,
            authentication=Authentication(
                catalogue=self._catalogue_port, ledger=self._ledger_port, landing=self.landing
            ),
            clock=self.clock,
            progress=self.progress,
        )

    @cached_property
    def restorer(self) -> Restorer:
        """What gives exports back."""
        from vault.founding import KEY_FACT
        from vault.recovery import Restorer
        from vault.restored import compare
        from vault.wiring.engine import ResticRestore

        hint = self.catalogue.fact(KEY_FACT) or ""
        return Restorer(
            airlock=self.airlock,
            believer=self.believer,
            catalogue=self._catalogue_port,
            ledger=self._ledger_port,
            engine=ResticRestore(self.landing, self.restic, self.landing_password, hint),
            compare=compare,
            clock=self.clock,
            progress=self.progress,
            moments=self.moments,
        )

    @cached_property
    def ceremony(self) -> Ceremony:
        """What enrols a medium."""
        from vault.enrolment import Ceremony

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
        from vault.founding import Founding

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

    def _note_missed(self) -> None:
        note_missed(self)

    def _room(self) -> Sequence[str]:
        """Complain when the state's file system is nearly full."""
        facts = os.statvfs(self.settings.state)
        free, needed = told_apart(facts.f_bavail * facts.f_frsize, _ROOM_LEAST_BYTES)
        if free >= needed:
            return ()
        return (f"{free} are free where the state is, {needed} are needed",)


def _run_for_secret(argv: Sequence[str]) -> bytes:
    from vault.process import run

    finished = run(argv, timeout_s=_SECRET_COMMAND_S)
    if finished.returncode != 0:
        raise SecretError(
            "the command of a secret ended with {code}",
            code=finished.returncode,
            hint="does it run by hand?",
        )
    return finished.stdout
