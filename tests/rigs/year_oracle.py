"""What must be told of a simulated year: written from the manual, not from the product.

It knows what happened (the world's log) and what was promised (the policies' figures), and derives
in plain code which gaps there must be at an instant. It imports nothing that judges.

Covered: never-offline, objective-missed, too-few-copies, disconnection-too-weak, not-offline,
clean-point-old, source-missing, -empty, -failed, -partial, -refused, -accepted, attack-suspected,
media-unseen, medium-late, target-full, -corrupt, -impostor, -failed, target-not-enrolled,
exposure-over-bound, exposure-unproven, door-unproven, production-door-unproven, secured, no-night,
window-missed, no-copy-out-of-reach, copy-out-of-reach-old, dwell-unshielded, clock-behind,
drill-failed, drill-overdue, red-button-, keys- and rebuild-kit-not-
exercised.
What is a forecast (target-filling, landing-filling) is neither asked nor refused; nor is
night-failed, since what a run that was broken off came to is the product's own word.
Of every other kind it says that there must be none (the year's policies are reviewed, its homes
said, its ledger signed); what makes those is not in this world: PMSI periods, cosigners, changed
policies, slow restores.

Rule 1: a copy counts from the moment the vault looked and lived to know it. Where a run died, what
    it had made sure of is doubtful until the next one: both answers are allowed, no third.
Rule 2: ages are by the host's clock, as the vault has no other; what it dated ahead, points and
    meetings, was not after the word of the person who confirmed it.
Rule 3: a source is known as of when it was collected; told up to the end of that night later is
    in time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from itertools import product
from typing import Any
from zoneinfo import ZoneInfo

# kind (of a drill with its level, of a window with its name), source, target
Key = tuple[str, str | None, str | None]
DAY = timedelta(days=1)
MINUTE = timedelta(minutes=1)  # what is shorter is not worth a door
NOT_JUDGED = frozenset(("target-filling", "landing-filling", "night-failed"))
NO_NIGHT = timedelta(hours=50)
_STRENGTH = ("removed", "powered-off", "link-down", "detached", "unmounted", "none")
_NOTE = b"README_TO_DECRYPT.txt"
_ORDER = ("pmsi", "clinical", "finance", "archive")


@dataclass(frozen=True)
class Promise:
    """What is owed for a source."""

    objective: timedelta  # how old the newest copy may be: the interval less a day, and the PDMA
    copies: int
    at_least: str  # class of disconnection
    clean: timedelta
    drills: Mapping[str, timedelta]


@dataclass(frozen=True)
class Place:
    """What is owed of a target."""

    unseen: timedelta
    late: timedelta  # from one window's start to the end of the next, in the longest of its weeks
    open_s: float


@dataclass(frozen=True)
class Opening:
    """When nights are owed."""

    start: time  # on the wall clock of the site
    weekday: int | None
    lasts: timedelta
    targets: tuple[str, ...]
    catch_up: timedelta = timedelta(0)  # how long after its end a missed one is made up for

    def since(self, after: datetime, until: datetime, zone: ZoneInfo) -> list[datetime]:
        """Give the starts after one instant that were over at another."""
        first = after.astimezone(zone).date() - DAY
        days = (first + n * DAY for n in range((until - after).days + 4))
        starts = [
            datetime.combine(day, self.start, zone).astimezone(UTC)
            for day in days
            if self.weekday in (None, day.weekday())
        ]
        return [at for at in starts if after < at and at + self.lasts <= until]


@dataclass
class Point:
    """A state of a source that is in the landing."""

    source: str
    files: frozenset[str]
    at: datetime
    collected: datetime
    night: int
    clean: bool
    content: Any
    dated: datetime | None = None  # with what, when the clock was ahead and nobody had said so
    doubtful: bool = False  # its run died: nobody may know of it


@dataclass
class Known:
    """A target as the vault knows it."""

    enrolled: datetime | None = None
    seen: datetime | None = None  # the genuine medium
    whole: int = 0  # the newest night it holds whole
    whole_at: datetime | None = None  # when it last held a whole night
    away: datetime | None = None  # since when its door was proven shut
    perhaps: set[int] = field(default_factory=set)  # or these: the run that saw it died
    perhaps_seen: datetime | None = None
    trouble: str = ""
    perhaps_trouble: str | None = None  # or so: the run that met it died
    how: str = "none"
    unproven: bool = False
    opened: tuple[datetime, datetime, float] | None = None  # not closed yet: host's, true time
    perhaps_open: bool = False  # a run died that may have been about to open it
    dead_s: float | None = None  # how long it may have stood open: its process died
    openings: list[tuple[datetime, float, float]] = field(default_factory=list)  # truly, at most


@dataclass
class Source:
    """A source as the vault knows it."""

    verdict: str = ""
    content: Any = None  # as last taken into the landing
    seen: tuple[datetime, datetime] | None = None  # collected, and the end of that night
    refused: Any = None  # what was refused
    attack: bool = False
    accepted: bool = False
    perhaps: tuple[Any, bool, bool] | None = None  # or so: the run that judged it died
    drilled: dict[str, datetime] = field(default_factory=dict)
    bad_drill: bool = False


@dataclass
class Night:
    """A run as it goes."""

    order: Any
    at: datetime
    number: int
    collected: dict[str, dict[str, Any]] = field(default_factory=dict)
    snapshots: dict[str, Point] = field(default_factory=dict)
    ledger: list[str] = field(default_factory=list)
    troubles: dict[str, str] = field(default_factory=dict)
    looked: dict[str, frozenset[str]] = field(default_factory=dict)
    seen: dict[str, datetime] = field(default_factory=dict)
    unjudged: bool = False  # broken off while the exports were pulled
    broken_off: bool = False  # by a signal
    targets: frozenset[str] = frozenset()  # that it was for


class Oracle:
    """Follows the world's log and says what must be told."""

    def __init__(
        self,
        promises: Mapping[str, Promise],
        places: Mapping[str, Place],
        windows: Mapping[str, Opening],
        zone: ZoneInfo,
    ) -> None:
        self.promises, self.places, self.windows, self.zone = promises, places, windows, zone
        self.served: dict[str, datetime] = {}  # window: when its newest night began
        self.sources = {name: Source() for name in promises}
        self.targets = {name: Known() for name in places}
        self.points: list[Point] = []
        self.founded: datetime | None = None
        self.exercised: dict[str, datetime] = {}
        self.exercise_every = timedelta(days=120)
        self.ended: datetime | None = None
        self.newest_ended: set[datetime] = set()  # at one of these the newest night ended
        self.has_died = False
        self.written: datetime | None = None
        self.newest: datetime | None = None
        self.secured = False
        self.production_unproven = False
        self.lists: list[tuple[int, frozenset[str]]] = []  # night, what came to the landing
        self.listed: frozenset[str] = frozenset()
        self.number = 0
        self.night: Night | None = None
        self.true_at: datetime | None = None

    # -- what happened

    def hear(self, log: list[tuple[str, datetime, dict[str, Any]]]) -> None:
        """Take in what is new, and empty the log."""
        for what, at, facts in log:
            getattr(self, "_" + what.replace(" ", "_"))(at, **facts)
        log.clear()

    def _run_begins(self, at: datetime, order: Any) -> None:
        self.number += 1
        if self.has_died:  # the next start ends the night of the dead
            self.newest_ended = self.newest_ended | {at}
        named = frozenset(order.targets or self.places)
        is_open = {
            target
            for window in self.windows.values()
            if window.since(at - window.lasts, at + window.lasts, self.zone)
            for target in window.targets
        }
        if order.catch_up:
            is_open |= {one for name in self.windows for one in self._to_catch_up(name, at)}
        for_now = named if order.now else named & is_open
        self.night = Night(order=order, at=at, number=self.number, targets=for_now)

    def _missed(self, name: str, now: datetime) -> list[datetime]:
        """Give the openings of a window that passed since its newest night, or since it is owed."""
        window = self.windows[name]
        users = [self.targets[target].enrolled for target in window.targets]
        owed = min((at for at in users if at is not None), default=None)
        if owed is None:
            return []
        return window.since(max(owed, self.served.get(name, owed)), now, self.zone)

    def _to_catch_up(self, name: str, now: datetime) -> tuple[str, ...]:
        window, missed = self.windows[name], self._missed(name, now)
        is_late = not missed or now + MINUTE > missed[-1] + window.lasts + window.catch_up
        return () if is_late else window.targets

    def _ledger(self, at: datetime, kind: str) -> None:
        self.written = at
        if self.night is not None:
            self.night.ledger.append(kind)

    def _asked(self, at: datetime, target: str, shut: bool, how: str, true_at: datetime) -> None:
        if target == "production":
            self.production_unproven = not shut
            if self.night is not None and not shut:
                self.night.unjudged = True
            return
        known = self.targets[target]
        known.unproven, known.how = not shut, how if shut else "none"
        known.perhaps_open = False
        if known.opened is not None and shut:
            opened, truly, _ = known.opened
            lasted_s = (true_at - truly).total_seconds()
            if known.dead_s is None:
                known.openings.append((opened, lasted_s, lasted_s))
            else:  # the kernel shut it at once; all that is known is its deadline
                known.openings.append((opened, 0.0, min(lasted_s, known.dead_s)))
            known.opened, known.dead_s, known.away = None, None, at
        elif known.opened is not None:
            known.dead_s = None  # it was found open: no deadline bounds it

    def _collected(self, at: datetime, source: str, **facts: Any) -> None:
        assert self.night is not None
        self.night.collected[source] = {"at": at, **facts}

    def _snapshot(self, at: datetime, source: str, files: tuple[str, ...]) -> None:
        assert self.night is not None
        came = self.night.collected[source]
        judged = self._judge(source, came) if source in self.sources else "clean"
        self.night.snapshots[source] = Point(
            source=source,
            files=frozenset(files),
            at=at,
            collected=came["at"],
            night=self.night.number,
            clean=judged == "clean",
            content=came["content"],
        )

    def _disowned(self, at: datetime, snapshots: list[str]) -> None:
        gone = set(snapshots)
        self.points = [point for point in self.points if not point.files & gone]

    def _settled(self, at: datetime, files: tuple[str, ...]) -> None:
        assert self.night is not None
        now = frozenset(files)
        self.lists.append((self.night.number, now - self.listed))
        self.listed = now

    def _signal(self, at: datetime, name: str) -> None:
        assert self.night is not None
        self.night.unjudged |= name == "collect"
        self.night.broken_off = True

    def _deadline(self, at: datetime, target: str) -> None:
        """Change nothing: what crossed is not known, what was there when it opened is."""

    def _absent(self, at: datetime, target: str) -> None:
        """Change nothing: what was known of it stands."""

    def _wrong_medium(self, at: datetime, target: str) -> None:
        assert self.night is not None
        self.night.troubles[target] = "impostor"

    def _failed_to_open(self, at: datetime, target: str) -> None:
        assert self.night is not None
        self.night.troubles[target] = "failed"

    def _opened(
        self, at: datetime, target: str, true_at: datetime, closes_s: float, genuine: bool,
        full: bool, files: frozenset[str],
    ) -> None:  # fmt: skip
        self.targets[target].opened = (at, true_at, closes_s)
        if self.night is None:
            return  # an enrolment
        if not genuine:
            self.night.troubles[target] = "impostor"
            return
        self.night.seen[target] = at
        self.night.looked[target] = files
        self.night.troubles[target] = "full" if full else ""

    def _carried(
        self, at: datetime, target: str, files: frozenset[str], lied: bool, full: bool
    ) -> None:
        assert self.night is not None
        self.night.looked[target] = files
        self.night.troubles[target] = "corrupt" if lied else "full" if full else ""

    def _run_ends(self, at: datetime, how: str) -> None:
        night, self.night = self.night, None
        assert night is not None
        if how == "OutsideWindow" or "cycle-ended" not in night.ledger:
            return
        self.ended = self.newest = at
        self.newest_ended, self.has_died = {at}, False
        enrolled = {target for target in night.targets if self.targets[target].enrolled}
        for name, window in self.windows.items():
            if enrolled & set(window.targets) and not night.broken_off:
                self.served[name] = night.at
        self._take_sources(night, at)
        for target, trouble in night.troubles.items():
            self.targets[target].trouble = trouble
            self.targets[target].perhaps_trouble = None
        for target, seen in night.seen.items():
            self.targets[target].seen, self.targets[target].perhaps_seen = seen, None
        for target, files in night.looked.items():
            known = self.targets[target]
            before, known.whole, known.perhaps = known.whole, self._whole(files), set()
            if known.whole > before:
                known.whole_at = night.seen[target]

    def _died(self, at: datetime, step: str) -> None:
        """Keep as doubtful what the dead run may have made known."""
        if (
            step.startswith("open ") and step[5:] in self.targets
        ):  # announced as moving, and never moved: nobody knows
            self.targets[step[5:]].openings.append((at, 0.0, 12 * 3600.0))
        self.has_died = True
        night, self.night = self.night, None
        assert night is not None
        for point in night.snapshots.values():
            point.doubtful = True
            self.points.append(point)
        for known in self.targets.values():
            known.perhaps_open = True
            if known.opened is not None and not known.unproven:
                known.dead_s = known.opened[2]
        for target, files in night.looked.items():
            self.targets[target].perhaps.add(self._whole(files))
            self.targets[target].perhaps_seen = night.seen.get(target)
            self.targets[target].perhaps_trouble = ""
        for name, came in night.collected.items():
            if name not in self.sources:
                continue
            source = self.sources[name]
            verdict = self._judge(name, came)
            if verdict == "attack":
                source.perhaps = (came["content"], True, False)
            elif verdict in ("clean", "warned"):
                source.perhaps = (None, False, False)
            elif verdict == "empty":
                source.perhaps = (source.refused, source.attack, False)

    def _whole(self, files: frozenset[str]) -> int:
        """Give the newest night of which a medium holds every file that the landing had."""
        whole = 0
        for number, came in self.lists:
            if not came <= files:
                break
            whole = number
        return whole

    def _take_sources(self, night: Night, ended: datetime) -> None:
        """Say what became of each source in a night that ended."""
        inspected = [name for name in _ORDER if name in night.collected]
        if night.unjudged:
            return
        taken: list[str] = []
        for name in inspected:
            verdict = self._judge(name, night.collected[name])
            if verdict in ("missing", "failed", "empty", "refused", "attack"):
                self._keep_out(name, verdict, night.collected[name])
            else:
                taken.append(name)
        for name in taken:
            if not self._take_in(name, night, ended):
                return
        if "coffre" in night.snapshots:
            self.points.append(night.snapshots["coffre"])

    def _keep_out(self, name: str, verdict: str, came: Mapping[str, Any]) -> None:
        source = self.sources[name]
        source.verdict = "refused" if verdict == "attack" else verdict
        if source.verdict == "refused":
            source.refused, source.attack = came["content"], verdict == "attack"
            source.accepted, source.perhaps = False, None
        elif verdict == "empty":
            source.accepted = False  # another export came than the one that was accepted

    def _take_in(self, name: str, night: Night, ended: datetime) -> bool:
        """Say what became of an export that passed; False when the night did not get so far."""
        source, came = self.sources[name], night.collected[name]
        point = night.snapshots.get(name)
        newest = next((p for p in reversed(self.points) if p.source == name), None)
        known = newest.content if newest else None
        if point is not None:
            if newest is not None and newest.doubtful and newest.content == came["content"]:
                self.points.remove(newest)  # it was taken once more: nobody knew of it
            self.points.append(point)
        elif known != came["content"]:
            if not came["restic_fails"]:
                return False
            source.verdict = "failed"
            return True
        elif newest is not None:
            newest.doubtful = False
        source.content = came["content"]
        source.refused, source.attack, source.accepted = None, False, False
        source.perhaps = None
        source.verdict = "partial" if came["growing"] else ""
        if not came["growing"]:
            source.seen = (came["at"], ended)
        return True

    # -- the gate, as the manual says it

    def _judge(self, name: str, came: Mapping[str, Any]) -> str:
        if came["state"] in ("missing", "failing"):
            return "failed" if came["state"] == "failing" else "missing"
        now, source = came["content"], self.sources.get(name, Source())
        if not now:
            return "empty"
        newest = next((p for p in reversed(self.points) if p.source == name), None)
        before = newest.content if newest else {}
        marks = (_NOTE, b".dat") if before else (_NOTE,)  # a first export is like no other
        bad = [path for path in now if path not in before and path.endswith(marks)]
        gone = max(
            _lost(len(now), len(before)), _lost(sum(s for s, _ in now.values()),
                                                sum(s for s, _ in before.values())),
        )  # fmt: skip
        if bad or gone > 80:
            is_let_in = source.accepted and source.refused == now
            return "warned" if is_let_in else "attack"
        return "warned" if gone > 30 or came["growing"] else "clean"

    # -- what people did

    def _people(self, at: datetime, act: str, **facts: Any) -> None:
        getattr(self, "_did_" + act)(at, **facts)

    def _did_found(self, at: datetime) -> None:
        self.founded = at
        self.exercised = dict.fromkeys(("red-button", "keys", "rebuild-kit"), at)

    def _did_enrol(self, at: datetime, target: str) -> None:
        old = self.targets[target]
        self.targets[target] = Known(
            enrolled=at, how=old.how, openings=old.openings, seen=at, unproven=old.unproven
        )

    def _did_retire(self, at: datetime, target: str) -> None:
        old = self.targets[target]
        self.targets[target] = Known(openings=old.openings, how=old.how)

    def _did_press(self, at: datetime) -> None:
        self.secured = True

    def _did_release(self, at: datetime) -> None:
        self.secured = False
        self.exercised["red-button"] = at

    def _did_exercise(self, at: datetime, name: str) -> None:
        self.exercised[name] = at

    def _did_confirm_clock(self, at: datetime) -> None:
        """Know from a person that nothing of before was later than now."""
        self.newest = at
        for point in self.points:
            point.dated = point.dated or point.at
            point.at, point.collected = min(point.at, at), min(point.collected, at)
        for source in self.sources.values():
            if source.seen is not None:
                source.seen = (min(source.seen[0], at), min(source.seen[1], at))
        for known in self.targets.values():
            if known.seen is not None:
                known.seen = min(known.seen, at)

    def _did_accept(self, at: datetime, source: str) -> None:
        self.sources[source].accepted = True

    def _did_drill(self, at: datetime, source: str, level: str, good: bool) -> None:
        known = self.sources[source]
        known.bad_drill = not good
        if good:
            known.drilled[level] = at

    # -- what must be told

    def expect(self, now: datetime) -> tuple[set[Key], set[Key]]:
        """Give the gaps that must be told, and those that may be, besides."""
        always: set[Key] | None = None
        ever: set[Key] = set()
        for variant in self._variants():
            for is_strict in (True, False):
                variant["is strict"] = is_strict
                found = set(self._all(now, variant, is_strict))
                always = found if always is None else always & found
                ever |= found
        assert always is not None
        return always, ever - always

    def _variants(self) -> Iterator[dict[str, Any]]:
        """Give every way in which what is doubtful may be known."""
        doubts: list[tuple[str, tuple[Any, ...]]] = []
        for name, known in self.targets.items():
            if known.perhaps:
                doubts.append((f"whole {name}", (known.whole, *known.perhaps)))
            if known.perhaps_trouble not in (None, known.trouble):
                doubts.append((f"trouble {name}", (known.trouble, known.perhaps_trouble)))
            if known.perhaps_seen is not None:
                doubts.append((f"seen {name}", (known.seen, known.perhaps_seen)))
        for name, source in self.sources.items():
            kept = (source.refused, source.attack, source.accepted)
            if source.perhaps is not None and source.perhaps != kept:
                doubts.append((f"kept out {name}", (kept, source.perhaps)))
        if any(point.doubtful for point in self.points):
            doubts.append(("points", (True, False)))
        names = [name for name, _ in doubts]
        for values in product(*(values for _, values in doubts)):
            yield dict(zip(names, values, strict=True))

    def _all(self, now: datetime, variant: dict[str, Any], is_strict: bool) -> Iterator[Key]:
        yield from self._of_vault(now, variant)
        points = [p for p in self.points if not p.doubtful or variant["points"]]
        for name in self.sources:
            yield from self._of_source(name, now, points, variant, is_strict)
        for name in self.targets:
            yield from self._of_target(name, now, points, variant)
        yield from self._of_reach(now, points, variant)

    def _of_vault(self, now: datetime, variant: dict[str, Any]) -> Iterator[Key]:
        if self.secured:
            yield "secured", None, None
        if self.production_unproven:
            yield "production-door-unproven", None, None
        last = self.ended or self.founded
        if last is not None and now - last > NO_NIGHT:
            yield "no-night", None, None
        newest = max((at for at in (self.newest, self.written) if at), default=now)
        if newest - now > timedelta(minutes=5):
            yield "clock-behind", None, None
        kept = [self._kept_out(name, variant) for name in self.sources]
        if sum(what is not None and attack and not by for what, attack, by in kept) >= 2:
            yield "attack-suspected", None, None
        for name in self.windows:
            if self._missed(name, now):
                yield f"window-missed {name}", None, None
        for name, at in self.exercised.items():
            if now - at > self.exercise_every:
                yield f"{name}-not-exercised", None, None

    def _kept_out(self, name: str, variant: dict[str, Any]) -> tuple[Any, bool, bool]:
        """Give what was refused of a source, whether as by an attack, and whether it may pass."""
        source = self.sources[name]
        now = (source.refused, source.attack, source.accepted)
        found: tuple[Any, bool, bool] = variant.get(f"kept out {name}", now)
        return found

    def _of_source(
        self, name: str, now: datetime, points: list[Point], variant: dict[str, Any],
        is_strict: bool,
    ) -> Iterator[Key]:  # fmt: skip
        source, promise = self.sources[name], self.promises[name]
        own = [point for point in points if point.source == name]
        refused, _, accepted = self._kept_out(name, variant)
        if accepted:
            yield "source-accepted", name, None
        elif refused is not None:
            yield "source-refused", name, None
        elif source.verdict in ("partial", "missing", "empty", "failed"):
            yield f"source-{source.verdict}", name, None
        held: dict[str, datetime] = {}
        for target, known in self.targets.items():
            whole = variant.get(f"whole {target}", known.whole)
            mine = [point for point in own if point.night <= whole]
            if mine and known.enrolled is not None:
                held[target] = self._as_of(mine[-1], own, source, is_strict)
        if not held:
            yield "never-offline", name, None
        else:
            yield from self._of_copies(name, now, held)
        clean = [point for point in own if point.clean]
        since = self._as_of(clean[-1], own, source, is_strict) if clean else None
        if since is None and own:
            since = own[0].at
        if since is not None and now - since > promise.clean:
            yield "clean-point-old", name, None
        if source.bad_drill:
            yield "drill-failed", name, None
        if own:
            yield from self._of_drills(name, now, own[0].at)

    def _as_of(self, point: Point, own: list[Point], source: Source, is_strict: bool) -> datetime:
        """Give until when a source was known to be as in a point."""
        at = point.collected if is_strict else point.at
        if point is own[-1] and source.seen is not None:
            at = max(at, source.seen[0 if is_strict else 1])
        return at

    def _of_copies(self, name: str, now: datetime, held: dict[str, datetime]) -> Iterator[Key]:
        promise = self.promises[name]
        if now - max(held.values()) > promise.objective:
            yield "objective-missed", name, None
        apart = [_STRENGTH.index(self.targets[target].how) for target in held]
        asked = _STRENGTH.index(promise.at_least)
        if sum(one <= asked for one in apart) < promise.copies:
            yield "too-few-copies", name, None
        if min(apart) > asked:
            yield "disconnection-too-weak", name, None
        elif min(apart) > _STRENGTH.index("detached"):
            yield "not-offline", name, None

    def _of_drills(self, name: str, now: datetime, first: datetime) -> Iterator[Key]:
        drilled = self.sources[name].drilled
        for level, every in self.promises[name].drills.items():
            last = max((at for done, at in drilled.items() if done >= level), default=first)
            if now >= last + every:
                yield f"drill-overdue {level}", name, None

    def _of_target(
        self, name: str, now: datetime, points: list[Point], variant: dict[str, Any]
    ) -> Iterator[Key]:
        known, place = self.targets[name], self.places[name]
        if known.unproven:
            yield "door-unproven", None, name
        recent = [lasted for at, *lasted in known.openings if at >= now - 31 * DAY]
        if any(lasted[not variant["is strict"]] > place.open_s for lasted in recent):
            yield "exposure-over-bound", None, name
        if known.enrolled is None:
            yield "target-not-enrolled", None, name
            return
        if known.opened is not None or (known.perhaps_open and not variant["is strict"]):
            yield "exposure-unproven", None, name
        if trouble := variant.get(f"trouble {name}", known.trouble):
            yield f"target-{trouble}", None, name
        seen = variant.get(f"seen {name}", known.seen)
        assert seen is not None
        if now - seen > place.unseen:
            yield "media-unseen", None, name
        whole = variant.get(f"whole {name}", known.whole)
        lacked = [point.dated or point.at for point in points if point.night > whole]
        if lacked and seen >= min(lacked) and now - min(lacked) > place.late:
            yield "medium-late", None, name

    def _of_reach(
        self, now: datetime, points: list[Point], variant: dict[str, Any]
    ) -> Iterator[Key]:
        """Say whether a copy is offline and stays away while the next night's media connect."""
        holding = {}
        for name, known in self.targets.items():
            whole = variant.get(f"whole {name}", known.whole)
            at = known.whole_at if whole == known.whole else known.perhaps_seen
            if known.enrolled is not None and at is not None and whole:
                holding[name] = (known, whole, at)
        if not holding:
            return
        tonight = self._tonight(now)
        away = {}
        for name, (known, whole, at) in holding.items():
            is_shut = known.opened is None and not known.unproven
            is_sure = not known.perhaps_open or variant["is strict"]
            is_offline = known.how in _STRENGTH[:4]
            if is_shut and is_sure and is_offline and name not in tonight:
                away[name] = (known, whole, at)
        if not away:
            yield "no-copy-out-of-reach", None, None
        else:
            name, (_, whole, at) = max(away.items(), key=lambda one: one[1][2])
            if any(point.night > whole for point in points) and now - at > 35 * DAY:
                yield "copy-out-of-reach-old", None, name
        since = [known.away for known, _, _ in away.values() if known.away is not None]
        is_long = any(now - at > 90 * DAY for at in since)
        if self.founded is not None and now - self.founded > 90 * DAY and not is_long:
            yield "dwell-unshielded", None, None

    def _tonight(self, now: datetime) -> set[str]:
        """Give the targets of the next night, from noon to noon, in which a door is to open."""
        coming: dict[date, set[str]] = {}
        for window in self.windows.values():
            enrolled = {name for name in window.targets if self.targets[name].enrolled}
            for at in window.since(now - window.lasts, now + 9 * DAY, self.zone):
                local = at.astimezone(self.zone)
                night = local.date() if local.hour >= 12 else local.date() - DAY
                coming.setdefault(night, set()).update(enrolled)
        return next((coming[night] for night in sorted(coming) if coming[night]), set())


def _lost(now: int, before: int) -> float:
    return 100 * (before - now) / before if before else 0.0
