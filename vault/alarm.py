"""Alarms: gaps that are events, told until a person has acknowledged them.

    kept alarms + gaps now  ->  judge_alarms  ->  alarms to keep, and those just raised
    alarms + gaps now       ->  tell_alarms   ->  gaps as people read them

Rule 1: no alarm clears itself: what raised it may be over, it is told until somebody acknowledges.
Rule 2: what was acknowledged and is still there is told as such. It comes back unacknowledged when
    it gets worse, when it returns after having been gone, or when it is another event of its kind:
    a door that was proven shut in between, unseen, and is open again.
Rule 3: a number that grows makes nothing worse; another period, reason or failed test does.
Rule 4: pure: facts and now in, alarms out.
Source: ``docs/decisions/0022-no-alarm-clears-itself.md``.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from vault.gap import Acknowledgement, Gap, worst_first

# The kinds that are alarms, and how each is told once what raised it is over.
_TOLD: Mapping[str, str] = {
    "door-unproven": "a door could not be proven shut; by now it is",
    "production-door-unproven": "the door to the hospital network could not be proven shut; "
    "by now it is",
    "attack-suspected": "so many exports were refused that an attack was suspected; by now "
    "they are not",
    "night-refused": "a night was refused because of what was found in the landing; the newest "
    "was not",
    "ledger-unsigned": "the ledger's head could not be signed; by now it can",
    "source-refused": "an export was REFUSED; by now none is",
    "drill-failed": "a restore test ended “{verdict}”; a later one did not",
    "target-impostor": "another medium, a clone or an old copy was in its place; by now none is",
    "target-refused": "a night was refused because of what was in the landing; the newest was not",
    "target-corrupt": "what was read back differed from what was written; in the newest night "
    "it did not",
    "exposure-unproven": "an opening was not proven shut; a later one was",
    "pmsi-shrunk": "PMSI {field} {year} of {finess}: {periods} held less than the export "
    "before; by now it does not",
}
ALARMS = frozenset(_TOLD)
# Told at once, whatever a digest would wait for.
URGENT = ALARMS - {"pmsi-shrunk"}
Untold = Mapping[str, Sequence[str]]  # recipients who could not be told, by the alarm's name
_ABOUT = ("finess", "field", "year")  # what a PMSI gap is about, besides its kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """One gap that is an event, as it was found last."""

    gap: Gap
    raised_at: datetime
    marks: frozenset[str]  # what was seen of it; when acknowledged, what was acknowledged
    over_at: datetime | None = None  # what raised it has gone since
    acknowledged: Acknowledgement | None = None
    escalated_at: datetime | None = None

    @property
    def name(self) -> str:
        """What ``coffre ack`` takes: ``target-corrupt/disk-a``."""
        return alarm_name(self.gap)

    @property
    def is_open(self) -> bool:
        """Whether nobody has acknowledged it."""
        return self.acknowledged is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """The alarms there are, and which of them were raised just now."""

    alarms: tuple[Alarm, ...]
    raised: tuple[Alarm, ...] = ()


def alarm_name(gap: Gap) -> str:
    """Name what an alarm is about: its kind, then its source, its target or its PMSI row."""
    if gap.kind.startswith("pmsi"):
        about = "/".join(str(gap.values[key]) for key in _ABOUT)
    else:
        about = gap.source or gap.target or ""
    return f"{gap.kind}/{about}" if about else gap.kind


def judge_alarms(kept: Collection[Alarm], gaps: Iterable[Gap], now: datetime) -> Judged:
    """Judge the alarms anew: raise, lower, and let go of what is both over and acknowledged."""
    found = {alarm_name(gap): gap for gap in gaps if gap.kind in ALARMS}
    alarms, raised = [], []
    for alarm in kept:
        gap = found.pop(alarm.name, None)
        after = _over(alarm, now) if gap is None else _still(alarm, gap, now)
        if after is not None:
            alarms.append(after)
            if after.raised_at == now != alarm.raised_at:
                raised.append(after)
    new = [Alarm(gap=gap, raised_at=now, marks=_marks(gap)) for gap in found.values()]
    return Judged(alarms=(*alarms, *new), raised=(*raised, *new))


def _over(alarm: Alarm, now: datetime) -> Alarm | None:
    if alarm.acknowledged is not None:
        return None
    return alarm if alarm.over_at is not None else replace(alarm, over_at=now)


def _still(alarm: Alarm, gap: Gap, now: datetime) -> Alarm:
    """Keep an alarm whose gap is there; raise it anew when it is worse than was acknowledged."""
    marks = _marks(gap)
    if alarm.acknowledged is None:
        return replace(alarm, gap=gap, marks=marks, over_at=None)
    if marks <= alarm.marks:
        return replace(alarm, gap=gap, marks=marks)  # what has gone is new when it returns
    return Alarm(gap=gap, raised_at=now, marks=marks)


def _marks(gap: Gap) -> frozenset[str]:
    """Give what an alarm consists of; numbers in its sentences do not count."""
    if gap.marks:
        return frozenset(gap.marks)
    return frozenset(
        re.sub(r"\d+", "0", part)
        for value in gap.values.values()
        if isinstance(value, str)
        for part in value.split("; ")
    )


def acknowledge(alarm: Alarm, word: Acknowledgement) -> Alarm | None:
    """Give an acknowledged alarm; None when it is over besides, so that nothing is left to tell."""
    return None if alarm.over_at is not None else replace(alarm, acknowledged=word)


def tell_alarms(alarms: Iterable[Alarm], gaps: Iterable[Gap]) -> tuple[Gap, ...]:
    """Give the gaps as they are told: who acknowledged, and those that are over and wait for it."""
    known = {alarm.name: alarm for alarm in alarms}
    told = [_told(known.get(alarm_name(gap)), gap) if gap.kind in ALARMS else gap for gap in gaps]
    return worst_first((*told, *(_told_over(one) for one in known.values() if one.over_at)))


def _told(alarm: Alarm | None, gap: Gap) -> Gap:
    word = alarm.acknowledged if alarm else None
    return replace(gap, alarm=alarm_name(gap), acknowledged=word)


def _told_over(alarm: Alarm) -> Gap:
    gap = alarm.gap
    return replace(
        gap,
        template=_TOLD[gap.kind],
        mend="coffre ack {alarm} --by NAME --reason R, once somebody knows why",
        values={**gap.values, "alarm": alarm.name},
        alarm=alarm.name,
        over_since=alarm.over_at,
    )


def to_escalate(alarms: Iterable[Alarm], *, after_s: int, now: datetime) -> tuple[Alarm, ...]:
    """Give the alarms that nobody acknowledged for so long, and that were not escalated yet."""
    return tuple(
        alarm
        for alarm in alarms
        if alarm.is_open
        and alarm.escalated_at is None
        and (now - alarm.raised_at).total_seconds() >= after_s
    )
