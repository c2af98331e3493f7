"""Who must be told of what in a simulated year: alarms, mails, and the dead man's switch.

Written from the manual, like ``year_oracle``, and as blind to the product: an alarm is told at
once, once; it stays until a person has acknowledged it, also when what raised it is over; what
nobody acknowledged for two days goes to another person, once. Each night in which something is
missing has one digest for each recipient. The file for the monitoring host names the end of the
next window and an hour.

What the world's people acknowledge and get worse afterwards (another reason of a refusal, another
failed test) may be told again; this oracle knows no reasons, and allows it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from tests.rigs.year_oracle import DAY, Key, Opening

ALARMS = frozenset(
    (
        "door-unproven", "production-door-unproven", "exposure-unproven", "attack-suspected",
        "source-refused", "target-impostor", "target-refused", "target-corrupt", "drill-failed",
        "ledger-unsigned",
    )
)  # fmt: skip
RECIPIENTS = 2
ESCALATE_AFTER = 2 * DAY
_FOR_INFORMATION = {"dwell-unshielded"}  # nobody is written to for it
_MAY_GET_WORSE = ("source-refused", "drill-failed")


@dataclass
class Told:
    """What came of one look: the alarms raised, escalated and over, and the mails written."""

    raised: Collection[str] = ()
    escalated: Collection[str] = ()
    over: Collection[str] = ()
    urgent: int = 0
    digests: int = 0
    next_before: datetime | None = None  # as the file for the monitoring host says


@dataclass
class _Alarm:
    raised: datetime
    is_acknowledged: bool = False
    is_over: bool = False
    is_escalated: bool = False


@dataclass
class Herald:
    """Follows the alarms and says what must have been told."""

    windows: Mapping[str, Opening]
    zone: ZoneInfo
    alarms: dict[str, _Alarm] = field(default_factory=dict)
    nights: set[datetime] = field(default_factory=set)  # at one of these the newest one ended

    def judge(self, found: Collection[Key], now: datetime, told: Told, *, night: str) -> list[str]:
        """Say what was told wrongly at a look; ``night`` is the verdict of one that just ended."""
        names = {name_of(key) for key in found if key[0] in ALARMS}
        raised = self._raise(names, now, told)
        wrong = _differ("raised", raised, set(told.raised))
        over = {name for name, one in self.alarms.items() if one.is_over}
        wrong += _differ("over and told", over, set(told.over))
        late = self._escalate(now) if night else set()
        wrong += _differ("escalated", late, set(told.escalated))
        urgent = RECIPIENTS * bool(raised) + bool(late)
        if told.urgent != urgent:
            wrong.append(f"{told.urgent} urgent mails, {urgent} owed")
        is_owed = night != "sound" or over or {key[0] for key in found} - _FOR_INFORMATION
        digests = RECIPIENTS if night and is_owed else 0
        if told.digests != digests:
            wrong.append(f"{told.digests} digests, {digests} owed")
        return wrong + self._of_monitoring(told)

    def _raise(self, names: set[str], now: datetime, told: Told) -> set[str]:
        raised = set()
        for name in names:
            one = self.alarms.get(name)
            again = name in told.raised and name.startswith(_MAY_GET_WORSE)
            if one is None or (one.is_acknowledged and again):
                raised.add(name)
                self.alarms[name] = _Alarm(raised=now)
            else:
                one.is_over = False
        for name in [name for name in self.alarms if name not in names]:
            if self.alarms[name].is_acknowledged:
                del self.alarms[name]
            else:
                self.alarms[name].is_over = True
        return raised

    def _escalate(self, now: datetime) -> set[str]:
        late = set()
        for name, one in self.alarms.items():
            is_open = not (one.is_acknowledged or one.is_escalated)
            if is_open and now - one.raised >= ESCALATE_AFTER:
                one.is_escalated = True
                late.add(name)
        return late

    def acknowledge(self, name: str) -> None:
        """Hear a person's word: what is over goes, what is there stays as acknowledged."""
        if self.alarms[name].is_over:
            del self.alarms[name]
        else:
            self.alarms[name].is_acknowledged = True

    def _of_monitoring(self, told: Told) -> list[str]:
        """Compare until when the next night is expected with the windows."""
        if told.next_before is None or not self.nights:
            return []
        owed = {self.deadline(at).replace(microsecond=0) for at in self.nights}
        if told.next_before in owed:
            return []
        return [f"the next night is expected before {told.next_before}, owed: {owed}"]

    def deadline(self, ended: datetime) -> datetime:
        """Give until when a night must follow one that ended: the next window's end, an hour more.

        A window whose start has passed is no next one, also when it is still open.
        """
        ends = [
            at + window.lasts
            for window in self.windows.values()
            for at in window.since(ended, ended + 9 * DAY, self.zone)
        ]
        return min(ends) + timedelta(hours=1)


def name_of(key: Key) -> str:
    """Name an alarm as ``coffre ack`` takes it."""
    about = key[1] or key[2]
    return f"{key[0]}/{about}" if about else key[0]


def _differ(what: str, owed: set[str], told: set[str]) -> list[str]:
    wrong = [f"not {what}: {name}" for name in sorted(owed - told)]
    return wrong + [f"{what}, and not so: {name}" for name in sorted(told - owed)]
