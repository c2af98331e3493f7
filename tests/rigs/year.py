"""A simulated year: seeded nights with seeded faults, judged after each by an oracle.

    noon        what goes wrong begins or ends; people act, late as people are
    afternoon   sometimes a run by hand
    night       the timer fires at each window's start, by the host's clock
    morning     ``gaps`` once more

Rule 1: the same seed gives the same year.
Rule 2: at every look the gaps told are those that must be, no more and no less.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from tests.rigs.year_host import SOURCES, TARGETS, VaultHost, new_disk
from tests.rigs.year_oracle import DAY, NOT_JUDGED, Key, Opening, Oracle, Place, Promise
from tests.rigs.year_telling import Herald
from tests.rigs.year_world import MB, SIGNALS, Disk, Export, World
from vault.gap import Gap
from vault.policy import Level
from vault.wiring.night import Order

ZONE = ZoneInfo("Europe/Paris")
PROMISES = {
    "pmsi": Promise(
        objective=DAY, copies=2, at_least="unmounted", clean=9 * DAY,
        drills={"L0": 21 * DAY, "L1": 45 * DAY},
    ),
    "clinical": Promise(
        objective=2 * DAY, copies=1, at_least="detached", clean=6 * DAY,
        drills={"L0": 21 * DAY, "L1": 45 * DAY},
    ),
    "finance": Promise(
        objective=13 * DAY, copies=2, at_least="unmounted", clean=21 * DAY,
        drills={"L0": 21 * DAY, "L1": 45 * DAY},
    ),
    "archive": Promise(
        objective=61 * DAY, copies=1, at_least="unmounted", clean=40 * DAY,
        drills={"L0": 21 * DAY, "L1": 45 * DAY},
    ),
}  # fmt: skip
_EVERY_NIGHT = timedelta(hours=24 + 1 + 2)
PLACES = {
    "disk-a": Place(unseen=12 * DAY, late=_EVERY_NIGHT, open_s=40 * 60),
    "disk-b": Place(unseen=12 * DAY, late=_EVERY_NIGHT, open_s=2 * 3600),
    "sunday": Place(unseen=12 * DAY, late=timedelta(days=7, hours=1 + 3), open_s=3 * 3600),
}
WINDOWS = {
    "night": Opening(
        start=time(1), weekday=None, lasts=timedelta(hours=2), targets=("disk-a", "disk-b")
    ),
    "sunday": Opening(
        start=time(2, 30),
        weekday=6,
        lasts=timedelta(hours=3),
        targets=("sunday",),
        catch_up=timedelta(hours=12),
    ),
}
CHANGES = {"pmsi": 0.6, "clinical": 0.7, "finance": 0.25, "archive": 0.08}


@dataclass
class Spells:
    """What is going wrong, and until which day."""

    until: dict[str, int] = field(default_factory=dict)

    def begin(self, name: str, day: int, days: int) -> None:
        self.until[name] = max(day + days, self.until.get(name, 0))

    def is_on(self, name: str, day: int) -> bool:
        return self.until.get(name, -1) > day

    def ends(self, name: str, day: int) -> bool:
        if name in self.until and self.until[name] <= day:
            del self.until[name]
            return True
        return False


class Year:
    """One vault and its world, from its founding on."""

    def __init__(self, folder: Path, seed: int, *, begins: datetime | None = None) -> None:
        self.seed, self.chance = seed, random.Random(seed)
        self.world = World(
            true_at=begins or datetime(2026, 1, 5, 11, tzinfo=UTC), chance=random.Random(-seed)
        )
        self.oracle = Oracle(PROMISES, PLACES, WINDOWS, ZONE)
        self.herald = Herald(WINDOWS, ZONE)
        self.host = VaultHost(folder, self.world)
        self.spells, self.day, self.looks, self.nights = Spells(), 0, 0, 0
        self.told: dict[str, int] = {}  # kind: looks at which it was told
        self.disks_made = 0
        self.is_off = False
        self._found()

    def _found(self) -> None:
        self.people("found")
        self.host.confirm_keys()
        self.people("exercise", name="keys")
        self.host.review()
        for source in SOURCES:
            self.world.exports[source] = Export(
                {f"f{n}.csv".encode(): (10 * MB, f"{source} {n}") for n in range(6)}
            )
        self.world.unmounts_only.add("disk-b")
        for target in TARGETS:
            self._enrol(target)

    def people(self, act: str, **facts: object) -> None:
        self.world.tell("people", act=act, **facts)
        self.hear()

    # -- days

    def play(self, days: int) -> None:
        """Let days pass, each from noon to noon."""
        for _ in range(days):
            self._one_day()
            self.day += 1

    def _one_day(self) -> None:
        noon, was_off = self.world.true_at, self.is_off
        self._begin_faults()
        self._live()
        if not self.is_off:
            self.look()
            if was_off:
                self.look(self._run(Order(catch_up=True)))
            self._by_hand(noon)
        ends = datetime.combine(noon.date() + DAY, time(11), UTC)
        for at in sorted(self._timers(noon, ends)):
            if self.is_off:
                break
            self._until(at + timedelta(seconds=self.chance.uniform(0, 600)))
            self.look(self._run(Order()))
        self._until(ends - timedelta(hours=4))
        if not self.is_off:
            self.look()
        self._until(ends)

    def _until(self, at: datetime) -> None:
        left = (at - self.world.true_at).total_seconds()
        if left > 0:
            self.world.pass_s(left)

    def _timers(self, begins: datetime, ends: datetime) -> Iterator[datetime]:
        """Give the true instants at which the host's clock shows a window's start."""
        skew = self.world.skew
        first = (begins + skew).astimezone(ZONE).date()
        for n in range(-1, 4):
            day: date = first + n * DAY
            for window in WINDOWS.values():
                at = datetime.combine(day, window.start, ZONE).astimezone(UTC) - skew
                if begins <= at < ends and window.weekday in (None, day.weekday()):
                    yield at

    # -- runs

    def _run(self, order: Order) -> object:
        self.nights += 1
        self.hear()
        luck = self.chance.random()
        if luck < 0.03:
            ended = self.host.run_and_die(order, self.chance.randrange(1, 160))
        else:
            if luck < 0.05:
                self.world.signal_at = (self.chance.choice(SIGNALS), self.chance.randrange(1, 4))
            ended = self.host.run(order)
            self.world.signal_at = None
        if ended is None:
            self.world.note("the run died")
        else:
            self.world.note(f"run: {getattr(ended, 'verdict', repr(ended))}")
        self.hear()
        return ended

    def _by_hand(self, noon: datetime) -> None:
        if self.chance.random() > 0.04:
            return
        self._until(noon + timedelta(hours=self.chance.uniform(1, 6)))
        if self.chance.random() < 0.5:
            name = self.chance.choice(list(SOURCES))
            self.world.note(f"coffre run --now --source {name}")
            ended = self._run(Order(now=True, sources=(name,), for_s=3600))
        else:
            name = self.chance.choice([t for t in TARGETS if self.oracle.targets[t].enrolled])
            self.world.note(f"coffre run --now --target {name}")
            ended = self._run(Order(now=True, targets=(name,), for_s=4 * 3600))
        self.look(ended)

    # -- looks

    def hear(self) -> None:
        self.oracle.hear(self.world.log)

    def look(self, ended: object = None) -> None:
        """Compare what is told with what must be."""
        self.hear()
        self.looks += 1
        now = self.world.now()
        must, may = self.oracle.expect(now)
        gaps, told, night = self.host.look(ended)
        found = {key_of(gap) for gap in gaps}
        for kind, _, _ in found:
            self.told[kind.split()[0]] = self.told.get(kind.split()[0], 0) + 1
        judged = {key for key in found if key[0] not in NOT_JUDGED}
        missed, wrong = must - judged, judged - must - may
        self.herald.nights = self.oracle.newest_ended
        words = self.herald.judge(found, now, told, night=night)
        if missed or wrong or words:
            raise NotAsItWas(self, missed, wrong, words)

    # -- what goes wrong

    def _odds(self, name: str, odds: float, days: tuple[int, int]) -> bool:
        """Begin a spell with some odds; True on the day it begins."""
        if self.spells.is_on(name, self.day) or self.chance.random() >= odds:
            return False
        self.spells.begin(name, self.day, self.chance.randint(*days))
        self.world.note(f"begins: {name}, until day {self.spells.until[name]} (is {self.day})")
        return True

    def _begin_faults(self) -> None:
        self._odds("host off", 0.015, (1, 5))
        for target in ("disk-a", "disk-b"):
            self._odds(f"forgotten {target}", 0.02, (1, 7))
            self._odds(f"forgotten {target}", 0.003, (13, 20))
            self._odds(f"slow {target}", 0.008, (1, 3))
            if self._odds(f"lies {target}", 0.003, (1, 3)):
                self.world.disks[target].lies = True
            if self._odds(f"fails {target}", 0.003, (1, 3)):
                self.world.disks[target].fails = True
        self._odds("forgotten sunday", 0.02, (5, 20))
        self._odds("clone disk-b", 0.005, (1, 3))
        self._odds("old copy disk-a", 0.005, (1, 3))
        self._odds("host full", 0.006, (1, 3))
        self._odds("restic fails", 0.006, (1, 2))
        if self._odds("vanished disk-b", 0.006, (1, 1)):
            self._lose_files("disk-b")
        for door in (*TARGETS, "production"):
            self._odds(f"stuck {door}", 0.002, (1, 3))
        if self._odds("button", 0.004, (1, 4)):
            self.host.press()
            self.people("press")
        self._odds("clock wrong", 0.005, (1, 3))
        for source in SOURCES:
            self._odds(f"missing {source}", 0.015, (1, 4))
            self._odds(f"failing {source}", 0.006, (1, 2))
            self._odds(f"empty {source}", 0.008, (1, 3))
            self._odds(f"encrypted {source}", 0.004, (1, 4))
            self._odds(f"note {source}", 0.004, (2, 5))
            self._odds(f"emptied {source}", 0.003, (1, 3))
        if self.chance.random() < 0.003:
            for source in self.chance.sample(list(SOURCES), 2):
                self.spells.begin(f"encrypted {source}", self.day, self.chance.randint(1, 4))
                self.world.note(f"begins: an attack on {source}")

    def _lose_files(self, target: str) -> None:
        files = self.world.disks[target].files
        for path in self.chance.sample(sorted(files), min(3, len(files))):
            del files[path]

    # -- how the day is

    def _live(self) -> None:
        on = self.spells.is_on
        was_off, self.is_off = self.is_off, on("host off", self.day)
        if was_off and not self.is_off:
            self.world.boots += 1
            self.world.note("the host is back")
        self.world.host_full = on("host full", self.day)
        self.world.restic_fails = on("restic fails", self.day)
        self._set_clock()
        self._lay_exports()
        self._unstick()
        if not self.is_off:
            self._mend()
        self._fill_bay()
        if not self.is_off:
            self._act()

    def _set_clock(self) -> None:
        if self.spells.is_on("clock wrong", self.day):
            if not self.world.skew:
                hours = self.chance.choice((-30, -3, 2, 26, 24 * 9))
                self.world.skew = timedelta(hours=hours)
                self.world.note(f"the clock jumps by {hours} h")
        elif self.world.skew:
            self.world.skew = timedelta(0)
            self.world.note("the clock is right again")

    def _lay_exports(self) -> None:
        for source in SOURCES:
            export, on = self.world.exports[source], self.spells.is_on
            export.growing = False
            if self.chance.random() < CHANGES[source]:
                path = f"f{self.chance.randrange(6)}.csv".encode()
                export.files[path] = (10 * MB, f"{source} {self.day} {self.chance.random()}")
            export.state = "there"
            for state in ("empty", "failing", "missing"):
                if on(f"{state} {source}", self.day):
                    export.state = state
            self._spoil(export, source)
            if self.chance.random() < 0.02 and not _is_spoilt(export):
                export.files[b"z-new.csv"] = (5 * MB, f"{source} new {self.day}")
                export.growing = True

    def _spoil(self, export: Export, source: str) -> None:
        """Lay a note, encrypt, or empty; or have it as it was."""
        on = self.spells.is_on
        plain = {f"f{n}.csv".encode() for n in range(6)}
        if on(f"encrypted {source}", self.day):
            if plain & export.files.keys():
                export.files = {
                    path + b".dat": (size, f"encrypted {what}")
                    for path, (size, what) in export.files.items()
                }
        elif on(f"emptied {source}", self.day):
            export.files = {b"f0.csv": export.files.get(b"f0.csv", (10 * MB, f"{source} left"))}
        elif not plain <= export.files.keys():
            export.files = dict.fromkeys(plain, (10 * MB, f"{source} anew {self.day}"))
        note = b"README_TO_DECRYPT.txt"
        if on(f"note {source}", self.day) and not on(f"encrypted {source}", self.day):
            export.files[note] = (1000, f"note {source} {self.spells.until[f'note {source}']}")
        else:
            export.files.pop(note, None)

    def _unstick(self) -> None:
        for door in (*TARGETS, "production"):
            name = f"stuck {door}"
            if self.spells.is_on(name, self.day):
                self.world.stuck.add(door)
            elif door in self.world.stuck:
                self.world.stuck.discard(door)
                self.world.open_doors.discard(door)  # the cable was pulled
                self.world.note(f"the cable of {door} was pulled")
                if not self.is_off and self.chance.random() < 0.5:
                    self.host.doctor()

    def _mend(self) -> None:
        """Replace what is full or bad, some days after it was told."""
        for target in TARGETS:
            disk, known = self.world.disks[target], self.oracle.targets[target]
            bad = disk.lies or disk.fails or known.trouble == "full"
            if known.enrolled is None:
                self._enrol(target)
            elif bad and self.chance.random() < 0.4 and target not in self.world.open_doors:
                self.world.note(f"{target} is retired")
                self.host.retire(target)
                self.people("retire", target=target)
                if self.chance.random() < 0.7:
                    self._enrol(target)

    def _enrol(self, target: str) -> None:
        self.disks_made += 1
        room = {"disk-a": 5_000, "disk-b": 9_000, "sunday": 20_000}[target] * MB
        size = sum(self.world.landing.values()) + room  # of what there is, and some months more
        disk = new_disk(target, self.disks_made, size_bytes=size, speed=40)
        self.world.disks[target] = disk
        self.world.bay.append(disk)
        if self._is_ready():
            self.host.enrol(target, disk)
            self.people("enrol", target=target)
            self.world.note(f"{disk.label} is enrolled")

    def _is_ready(self) -> bool:
        """Whether anything may open: no button, no door that is not proven shut."""
        oracle = self.oracle
        self.hear()
        return not (
            oracle.secured
            or self.world.open_doors
            or oracle.production_unproven
            or any(known.unproven for known in oracle.targets.values())
        )

    def _fill_bay(self) -> None:
        self.world.bay.clear()
        tonight = (self.world.now().astimezone(ZONE).date() + DAY).weekday()
        for target in TARGETS:
            disk = self.world.disks[target]
            disk.speed = (0.02 if self.spells.is_on(f"slow {target}", self.day) else 40) * MB
            is_brought = target != "sunday" or tonight == 6
            if is_brought and not self.spells.is_on(f"forgotten {target}", self.day):
                self.world.bay.append(disk)
        self._mix_up("clone disk-b", "disk-b", with_genuine=True)
        self._mix_up("old copy disk-a", "disk-a", with_genuine=False)

    def _mix_up(self, name: str, target: str, *, with_genuine: bool) -> None:
        """Put a copy of a medium into the bay, beside it or in its place."""
        if not self.spells.is_on(name, self.day):
            return
        genuine = self.world.disks[target]
        if genuine in self.world.bay and not with_genuine:
            self.world.bay.remove(genuine)
        copy = Disk(
            label=f"copy of {genuine.label}",
            uuid=genuine.uuid,
            size_bytes=genuine.size_bytes,
            files=dict(genuine.files),
            texts=dict(genuine.texts),
        )
        heads = [path for path in copy.texts if path.startswith("coffre/heads/")]
        if heads:
            del copy.texts[max(heads, key=lambda path: int(path[13:]))]  # copied before that one
            self.world.bay.append(copy)

    # -- what people do

    def _act(self) -> None:
        chance = self.chance
        if self.spells.ends("button", self.day) and self.host.release():
            self.people("release")
        behind = self.oracle.newest is not None and self.oracle.newest > self.world.now()
        if behind and not self.world.skew and chance.random() < 0.6:
            self.host.confirm_clock()
            self.people("confirm_clock")
        for name, source in self.oracle.sources.items():
            is_sure = source.perhaps is None and not source.accepted
            if source.refused is not None and is_sure and chance.random() < 0.2:
                self.host.accept(name)
                self.people("accept", source=name)
                self.world.note(f"the export of {name} is accepted")
            if chance.random() < 1 / 16 and any(p.source == name for p in self.oracle.points):
                self._drill(name)
        for name in self.host.open_alarms():
            if chance.random() < 0.3:
                self.host.acknowledge(name)
                self.herald.acknowledge(name)
        for exercise in ("red-button", "keys", "rebuild-kit"):
            if chance.random() < 1 / 90:
                if exercise == "keys":
                    self.host.confirm_keys()
                elif exercise == "red-button":
                    continue  # it is exercised when it is released
                else:
                    self.host.exercise(exercise)
                self.people("exercise", name=exercise)

    def _drill(self, source: str) -> None:
        level = self.chance.choice((Level.L0, Level.L1, Level.L1))
        good = self.chance.random() > 0.06
        self.host.drill(source, level, good=good)
        self.people("drill", source=source, level=str(level), good=good)


class NotAsItWas(AssertionError):
    """A gap was not told, or one was told that there was not."""

    def __init__(self, year: Year, missed: set[Key], wrong: set[Key], words: list[str]) -> None:
        lines = [
            f"seed {year.seed}, day {year.day}, {year.world.now():%Y-%m-%d %H:%M} by its clock",
            *(f"  not told: {key}" for key in sorted(missed, key=str)),
            *(f"  told and not so: {key}" for key in sorted(wrong, key=str)),
            *(f"  {line}" for line in words),
            *year.world.diary[-40:],
        ]
        super().__init__("\n".join(lines))
        self.missed, self.wrong = missed, wrong


def key_of(gap: Gap) -> Key:
    kind = gap.kind
    if kind == "drill-overdue":
        kind += f" {gap.values['level']}"
    if kind == "window-missed":
        kind += f" {gap.values['window']}"
    return kind, gap.source, gap.target


def _is_spoilt(export: Export) -> bool:
    return len(export.files) != 6 or any(path.endswith(b".dat") for path in export.files)
