"""The vault host of a simulated year: the product's own wiring over an outside in memory.

Real here: configuration and policies read from files, catalogue (SQLite), ledger, heads and
signatures, airlock, state folder and lock, plan of the night, intake, gate and gatekeeper,
carrying, enrolment, red button, verdicts, gaps. From ``year_world``: what lies outside.

Rule 1: each run is a process of its own, as far as anybody can tell: a new wiring, a recovery.
Rule 2: a run that is to be killed really is one: a forked child that ends by ``_exit``.
"""

from __future__ import annotations

import os
import pickle
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from tests.rigs.year_telling import Told
from tests.rigs.year_world import (
    MB,
    Disk,
    Door,
    Examiner,
    Export,
    Exporter,
    Landing,
    Production,
    Reception,
    World,
    sha,
)
from vault.catalogue import Catalogue
from vault.config import load
from vault.cycle import House, record_unbegun, run_night
from vault.errors import CoffreError, DoorUnproven, OutsideWindow, Secured
from vault.fiche import DrillOrder, Proven
from vault.gap import Acknowledgement, Gap
from vault.intake import NightSource
from vault.ledger import Ledger
from vault.policy import Level
from vault.ports import Medium
from vault.proof import DrillVerdict
from vault.records import Acceptance, ListedDoor, Pressed
from vault.results import CycleResult
from vault.shutting import AllDoors
from vault.timekeeping import confirm_clock
from vault.wiring.alarms import acknowledge_alarm, keep_alarms
from vault.wiring.deadman import publish_expected
from vault.wiring.making import make_vault
from vault.wiring.night import Order, plan_night
from vault.wiring.notices import spool_alarms, spool_escalation, spool_night, spool_of
from vault.wiring.practice import note_exercised, record_exercise, record_review
from vault.wiring.standing import public_status
from vault.wiring.wired import Wired

POLICY = """\
titles: {{fr: {name}, en: {name}}}
owner: owner of {name}
priority: {priority}
due: {due}
pdma: {pdma}
dmia: 7d
drills: {{L0: 21d, L1: 45d}}
copies: {copies}
min_disconnection: {disconnection}
max_medium_age: {medium_age}
max_clean_age: {clean_age}
max_shrink_percent: 30
max_deleted_percent: 80
attack_refusals: 2
"""
POLICIES: dict[str, dict[str, Any]] = {
    "pmsi-like": {
        "priority": 10, "due": "nightly", "pdma": "24h", "copies": 2,
        "disconnection": "unmounted", "medium_age": "12d", "clean_age": "9d",
    },
    "clinical-like": {
        "priority": 20, "due": "nightly", "pdma": "48h", "copies": 1,
        "disconnection": "detached", "medium_age": "35d", "clean_age": "6d",
    },
    "finance-like": {
        "priority": 30, "due": "{weekly: mon}", "pdma": "7d", "copies": 2,
        "disconnection": "unmounted", "medium_age": "35d", "clean_age": "21d",
    },
    "archive-like": {
        "priority": 40, "due": "{monthly: {by: 5}}", "pdma": "31d", "copies": 1,
        "disconnection": "unmounted", "medium_age": "35d", "clean_age": "40d",
    },
}  # fmt: skip
SOURCES = {"pmsi": "pmsi-like", "clinical": "clinical-like", "finance": "finance-like",
           "archive": "archive-like"}  # fmt: skip
CONFIG = """\
site: {name: CH de la Lande, finess: "990000010", time_zone: Europe/Paris, language: en}
state: state
landing: {password: {file: secrets/landing.pw}}
production: {door: {link: eth9}}
windows:
  night: {start: "01:00", for: 2h, days: all}
  sunday: {start: "02:30", for: 3h, days: [sun], catch_up: 12h}
exercises: {every: 120d}
notices:
  to:
    sysadmin: {url: {file: secrets/mail}}
    rssi: {url: {file: secrets/mail}}
  escalate_to: rssi
  escalate_after: 2d
sources:
SOURCES
targets:
  disk-a: {door: disk, store: files, window: night, home: the safe, max_open: 40m}
  disk-b: {door: disk, store: files, window: night, home: the other site}
  sunday: {door: disk, store: files, window: sunday, home: the bank}
"""
TARGETS = ("disk-a", "disk-b", "sunday")


class SteppedLedger(Ledger):
    """The real ledger; each append is a step of the world, and known to the oracle."""

    world: World

    def append(self, kind: str, **body: object) -> Any:
        self.world.step(f"ledger {kind}")
        self.world.tell("ledger", kind=kind)
        return super().append(kind, **body)


class SteppedCatalogue(Catalogue):
    """The real catalogue; each writing is a step of the world."""

    world: World | None = None

    @contextmanager
    def _writing(self) -> Iterator[Any]:
        if self.world is not None:
            self.world.step("catalogue")
        with super()._writing() as connection:
            yield connection


class Host(Wired):
    """A wiring whose outside is a world in memory."""

    def __init__(self, settings: Any, world: World) -> None:
        super().__init__(settings)
        self.world = world
        self.clock = world  # type: ignore[assignment]

    @cached_property
    def catalogue(self) -> Catalogue:
        opened = SteppedCatalogue.open(self.path("catalogue.sqlite"))
        opened.world = self.world
        return opened

    @cached_property
    def ledger(self) -> Ledger:
        made = SteppedLedger.__new__(SteppedLedger)
        made.world = self.world
        made.__init__(self.path("ledger", "ledger.jsonl"), self.world)  # type: ignore[misc]
        return made

    @cached_property
    def landing(self) -> Any:
        return Landing(self.world)

    @cached_property
    def all_doors(self) -> AllDoors:
        doors = {
            record.name: Door(self.world, record.name, record.uuid, record.size_bytes)
            for record in self.catalogue.targets()
        }
        return AllDoors(production=Production(self.world), vault=doors, shares_gone=None)  # type: ignore[arg-type]

    def add_door(self, name: str, medium: Medium) -> None:
        listed = self.state.read_doors()
        door = ListedDoor(
            target=name, uuid=medium.uuid, fs_type="ext4", size_bytes=medium.size_bytes,
            serial="", door='{"disk": {"detach": "auto"}}',
        )  # fmt: skip
        self.state.write_doors(replace(listed, vault={**listed.vault, name: door}))
        self.doors[name] = Door(self.world, name, medium.uuid, medium.size_bytes)  # type: ignore[assignment]

    @cached_property
    def sources(self) -> dict[str, NightSource]:
        return {name: self._night_source(name) for name in self.settings.sources}

    def _night_source(self, name: str) -> NightSource:
        policy = self.settings.policy_of(name if name in self.settings.sources else "pmsi")
        return NightSource(
            name=name,
            source=Exporter(self.world, name),
            reception=Reception(self.world, name, folder=name.encode()),
            policy=policy,
            kept=b"",
        )

    @cached_property
    def examiner(self) -> Any:
        return Examiner(self.world)

    @cached_property
    def house(self) -> House:
        made = super().house
        made.self_source = self._night_source("coffre")
        made.export_self = self._export_self
        made.pause = self.world.pass_s
        made.room = lambda: ("the host's disk is full",) if self.world.host_full else ()
        return made

    def _export_self(self) -> None:
        self.world.exports["coffre"] = Export({b"catalogue.sqlite": (1, str(self.world.steps))})


class VaultHost:
    """The host as its people and its timer see it."""

    def __init__(self, folder: Path, world: World) -> None:
        self.world = world
        self.folder = folder
        write_configuration(folder)
        self.settings = load(str(folder / "vault.yaml"))
        wired = self.wired()
        made = make_vault(wired)
        assert made.sheet is not None
        wired.founding.note_printed(made.sheet)
        self._kept = wired
        self._count = 0  # of nights, at the last look

    def wired(self) -> Host:
        """Give a wiring as a new process would have it."""
        return Host(self.settings, self.world)

    def fresh(self) -> Host:
        """Give a new wiring that goes on with the open files of the last one: cheaper."""
        wired = self.wired()
        wired.__dict__["catalogue"] = self._kept.catalogue
        wired.__dict__["ledger"] = self._kept.ledger
        return wired

    # -- what people do

    def enrol(self, target: str, disk: Disk) -> None:
        wired = self.fresh()
        medium = Medium(
            device=disk.label, uuid=disk.uuid, fs_type="ext4", size_bytes=disk.size_bytes
        )
        with wired.locked():
            wired.airlock.recover()
            wired.add_door(target, medium)
            wired.ceremony.enrol(target, medium=medium, door='{"disk": {"detach": "auto"}}')

    def retire(self, target: str) -> None:
        wired = self.fresh()
        with wired.locked():
            assert wired.doors[target].shut("retired").is_shut
            wired.catalogue.retire_target(target, wired.clock.now())
            wired.ledger.append("target-retired", target=target)
            wired.drop_door(target)

    def confirm_keys(self) -> None:
        from vault.secret import Secret

        self.fresh().founding.confirm(Secret(b"as printed"))

    def review(self) -> None:
        record_review(self.fresh(), by="RSSI", login="root")

    def exercise(self, name: str) -> None:
        record_exercise(self.fresh(), name, by="RSSI", login="root", note="")

    def press(self) -> None:
        wired = self.fresh()
        pressed = Pressed(by="night technician", reason="doubt", at=self.world.now())
        wired.state.press(pressed)
        with wired.state.lock():
            wired.airlock.secure(pressed)

    def release(self) -> bool:
        """Release the button; a door that is not proven shut keeps it pressed."""
        wired = self.fresh()
        with wired.locked():
            wired.airlock.recover()
            try:
                wired.airlock.release(by="RSSI", login="root")
            except DoorUnproven:
                return False
            note_exercised(wired, "red-button")
        return True

    def doctor(self) -> None:
        """Ask the doors again, as after a cable was pulled."""
        wired = self.fresh()
        with wired.locked():
            wired.airlock.recover()

    def confirm_clock(self) -> None:
        wired = self.fresh()
        with wired.locked(), suppress(CoffreError):
            confirm_clock(
                wired.catalogue, wired.ledger, wired.clock, by="RSSI", login="root", reason="right"
            )

    def accept(self, source: str) -> None:
        wired = self.fresh()
        with wired.locked():
            refused = wired.catalogue.refused(source)
            assert refused is not None, source
            word = Acceptance(by="DIM", reason="seen", at=wired.clock.now(), login="root")
            wired.ledger.append("export-accepted", source=source, export=refused.identity)
            wired.catalogue.put_refused(replace(refused, accepted=word))

    def drill(self, source: str, level: Level, *, good: bool) -> None:
        """Keep a restore test as its story keeps it; nothing is restored here."""
        wired = self.fresh()
        order = DrillOrder(source=source, level=level, origin="landing", seed="year")
        number = wired.catalogue.begin_drill(order, self.world.now())
        record = replace(
            wired.catalogue.drill(number),  # type: ignore[type-var]
            ended_at=self.world.now(),
            verdict=DrillVerdict.SOUND if good else DrillVerdict.CORRUPT,
            level_reached=level if good else None,
        )
        wired.catalogue.end_drill(record, Proven())  # type: ignore[arg-type]
        entry = wired.ledger.append("drill-ended", drill=number)
        wired.catalogue.note_drill(number, ledger_n=entry.n, ledger_sha256=entry.sha256)

    # -- what the timer does

    def run(self, order: Order) -> CycleResult | CoffreError:
        """Run a night in this process."""
        return self._run(self.fresh(), order)

    def _run(self, wired: Host, order: Order) -> CycleResult | CoffreError:
        self.world.steps = 0
        self.world.tell("run begins", order=order)
        with wired.locked():
            try:
                ended: CycleResult | CoffreError = run_night(wired.house, _plan(wired, order))
            except CoffreError as error:
                ended = error
        self.world.tell("run ends", how=type(ended).__name__)
        self.world.steps = self.world.ends_at_step = 0
        return ended

    def run_and_die(self, order: Order, step: int) -> CycleResult | CoffreError | None:
        """Run a night in a child that dies at a step; None when it died."""
        self._kept.catalogue.close()
        reader, writer = os.pipe()
        child = os.fork()
        if not child:
            os.close(reader)
            self._be_killed(order, step, writer)
        os.close(writer)
        with os.fdopen(reader, "rb") as pipe:
            died, world, ended = pickle.load(pipe)
        os.waitpid(child, 0)
        self.world.__dict__.update(world.__dict__)
        self.world.end = None
        return None if died else ended

    def _be_killed(self, order: Order, step: int, writer: int) -> None:
        """Run in the child; whatever happens, it ends here."""

        def end(died: bool, ended: object = None) -> None:
            self.world.end = None
            if died:  # the kernel shuts the doors of the dead
                self.world.open_doors -= self.world.open_doors - self.world.stuck
                self.world.tell("died", step=self.world.last_step)
            with os.fdopen(writer, "wb") as pipe:
                pickle.dump((died, self.world, ended), pipe)
            os._exit(0)

        try:
            self.world.end, self.world.ends_at_step = (lambda: end(True)), step
            ended = self._run(self.wired(), order)
            end(False, ended if isinstance(ended, CycleResult) else CoffreError(str(ended)))
        except BaseException:  # noqa: BLE001, told by the broken pipe
            import traceback

            traceback.print_exc(file=sys.__stderr__)
            os._exit(1)

    # -- what anybody may ask

    def look(self, ended: object = None) -> tuple[list[Gap], Told, str]:
        """Judge, keep and tell as every command does at its end; after a night, all of it.

        Gives the gaps that are there, what was told, and the verdict of a night that ended. The
        mails are taken from the spool by a postman who always comes.
        """
        wired, before = self.fresh(), self._count
        night = self._verdict_of(wired, ended)
        self._count = _nights(wired)
        told, escalated = Told(), set(self._escalated(wired))

        gaps, raised = keep_alarms(wired, lambda due, untold: spool_alarms(wired, due, untold)[0])
        if night is None and isinstance(ended, CoffreError) and self._count > before:
            night = str(wired.catalogue.last_cycle().verdict)  # type: ignore[union-attr]
        if night is not None:
            status = public_status(wired, gaps)
            publish_expected(wired, status)
            spool_night(wired, status, night)
            spool_escalation(wired)
            told.next_before = self._expected(wired)
        told.raised = [alarm.name for alarm in raised]
        told.over = [gap.alarm for gap in gaps if gap.over_since is not None]
        told.escalated = set(self._escalated(wired)) - escalated
        self._take_mails(told)
        return [gap for gap in gaps if gap.over_since is None], told, night or ""

    def _verdict_of(self, wired: Host, ended: object) -> str | None:
        if isinstance(ended, CycleResult):
            return str(ended.verdict)
        if isinstance(ended, Secured):
            return "secured"
        return "degraded" if isinstance(ended, DoorUnproven) else None

    def _escalated(self, wired: Host) -> list[str]:
        return [one.name for one in wired.catalogue.alarms() if one.escalated_at is not None]

    def _expected(self, wired: Host) -> datetime | None:
        path = Path(wired.settings.state, "public", "expected-next")
        if not path.exists():
            return None
        text = wired.key.public.verify(path.read_bytes()).decode()
        words = dict(line.split(" ", 1) for line in text.splitlines())
        return datetime.fromisoformat(words["next-before"])

    def _take_mails(self, told: Told) -> None:
        spool = spool_of(self.settings)
        for name, notice in spool.waiting():
            told.urgent += notice.is_urgent
            told.digests += not notice.is_urgent
            spool.drop(name)

    def open_alarms(self) -> list[str]:
        return [one.name for one in self.fresh().catalogue.alarms() if one.is_open]

    def acknowledge(self, name: str) -> None:
        wired = self.fresh()
        word = Acknowledgement(by="RSSI", reason="seen", at=self.world.now(), login="root")
        alarm = next(one for one in wired.catalogue.alarms() if one.name == name)
        acknowledge_alarm(wired, alarm, word)


def _nights(wired: Wired) -> int:
    last = wired.catalogue.last_cycle()
    return last.cycle if last else 0


def _plan(wired: Host, order: Order) -> Any:
    """Plan as ``coffre run`` does: what keeps a night from beginning shuts the doors all the same.

    The same steps as ``vault.cli.night._plan``, which also prints.
    """
    try:
        return plan_night(wired.settings, wired.catalogue, wired.sources, wired.clock, order)
    except CoffreError as error:
        wired.airlock.recover()
        if not isinstance(error, OutsideWindow | Secured):
            record_unbegun(
                wired.catalogue, wired.ledger, wired.clock, forced=order.now, reason=str(error)
            )
        raise


def write_configuration(folder: Path) -> None:
    """Write ``vault.yaml``, its policies and its secret."""
    folder.chmod(0o700)
    policies = folder / "policies"
    policies.mkdir(mode=0o700)
    for name, values in POLICIES.items():
        (policies / f"{name}.yaml").write_text(POLICY.format(name=name, **values))
    sources = "".join(
        f"  {name}: {{policy: {policy}, folder: exports/{name}}}\n"
        for name, policy in SOURCES.items()
    )
    secrets = folder / "secrets"
    secrets.mkdir(mode=0o700)
    (secrets / "mail").write_text("json://127.0.0.1:9\n")  # nothing is sent
    (secrets / "mail").chmod(0o600)
    config = folder / "vault.yaml"
    config.write_text(CONFIG.replace("SOURCES\n", sources))
    for path in (config, *policies.iterdir()):
        path.chmod(0o600)


def new_disk(target: str, number: int, *, size_bytes: int, speed: float) -> Disk:
    """Give a new medium."""
    label = f"{target} #{number}"
    return Disk(label=label, uuid=sha(label)[:36], size_bytes=size_bytes, speed=speed * MB)
