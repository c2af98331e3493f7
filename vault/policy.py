"""What a class of data owes: when it is due, how much may be lost, how it is proven and kept.

Rule 1: a policy is a promise of the hospital about a class of data; it names no source, no
    target and no path.
Rule 2: a night that is missed is caught up: what was due and not saved stays due.
Rule 3: there is no clock and no file here; calendars are local, instants are aware UTC.
Source: design, sections 5, 6 and 8; ANSSI's backup guide for the figures argued in policies/.
"""

from __future__ import annotations

from calendar import monthrange
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from enum import StrEnum

from vault.results import Disconnection

DAY_S = 86_400
LONGEST_DWELL_DAYS = 90  # nightly points by default: an intruder waited 57 days in HSE Ireland


class Level(StrEnum):
    """How far a restore test went; no test claims more than the level it reached."""

    L0 = "L0"  # the repository is checked
    L1 = "L1"  # every byte restored equals the manifest taken at the source
    L2 = "L2"  # the restored files open as what they claim to be
    L3 = "L3"  # an application reads the restored data
    L4 = "L4"  # back in production, signed by the business referent


@dataclass(frozen=True, slots=True, kw_only=True)
class Nightly:
    """Due at every run: what has not changed costs no snapshot."""

    interval_s: int = DAY_S


@dataclass(frozen=True, slots=True, kw_only=True)
class Weekly:
    """Due from one weekday on, until saved."""

    weekday: int  # 0 is Monday
    interval_s: int = 7 * DAY_S


@dataclass(frozen=True, slots=True, kw_only=True)
class Monthly:
    """Due every night up to a day of the month, and after it until saved in that month."""

    by_day: int  # 1 to 31; the last day of a month that is shorter
    interval_s: int = 31 * DAY_S


Due = Nightly | Weekly | Monthly


@dataclass(frozen=True, slots=True, kw_only=True)
class Titles:
    """The name of the class of data, for people."""

    fr: str
    en: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Drills:
    """How often each level of proof is owed, in seconds; None is never."""

    l0_s: int | None
    l1_s: int | None
    l2_s: int | None = None
    l3_s: int | None = None
    l4_s: int | None = None

    def every_s(self, level: Level) -> int | None:
        """Give the interval of one level."""
        intervals = (self.l0_s, self.l1_s, self.l2_s, self.l3_s, self.l4_s)
        return intervals[list(Level).index(level)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """What is kept at least, by ledger time."""

    nightly_days: int = LONGEST_DWELL_DAYS
    monthlies: int = 12
    yearlies: int = 5
    keep_m12_years: int = 0  # PMSI: the December archive of each of the last years
    max_forget: int = 7  # points of one source that one day may let go


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What the sources of one class of data owe."""

    name: str
    titles: Titles
    owner: str  # a role, never a person
    priority: int  # 1 is carried first
    due: Due
    pdma_s: int  # how much work may be lost: recovery point objective
    dmia_s: int  # how long it may be missing: recovery time objective
    drills: Drills
    retention: Retention
    copies: int  # media that must hold a point of each source, however old
    min_disconnection: Disconnection
    max_medium_age_s: int  # how long a medium may stay unseen
    allow_empty: bool
    max_shrink_percent: int  # of files, bytes or records, from one night to the next: warned of
    max_refusals: int  # files not taken from one pull (links, unlawful names)
    max_deleted_percent: int = 75  # of files, bytes or records: refused
    max_changed_percent: int = 100  # of files, whatever their formats say: refused
    max_damaged_percent: int = 1  # of files that look encrypted or lost their format: refused
    max_clean_age_s: int = 35 * DAY_S  # of the newest point that was taken without a warning
    wait_s: int = 0  # how long a night waits for an export that is late
    attack_refusals: int = 2  # refused sources that mean an attack, one of this policy among them

    @property
    def allowed_age_s(self) -> int:
        """How old the newest offline point may be: nights without anything due do not count."""
        return self.due.interval_s - DAY_S + self.pdma_s


def is_due(policy: Policy, last_saved: datetime | None, now: datetime, tz: tzinfo) -> bool:
    """Whether a source of this policy is to be collected in the night of ``now``.

    ``last_saved`` is when its last point was taken or found unchanged. A point from the future
    counts as none: the clock cannot be trusted, so the source is collected.
    """
    if last_saved is None or last_saved.astimezone(UTC) > now.astimezone(UTC):
        return True
    today, saved_on = now.astimezone(tz).date(), last_saved.astimezone(tz).date()
    match policy.due:
        case Nightly():
            return True
        case Weekly(weekday=weekday):
            return saved_on < today - timedelta(days=(today.weekday() - weekday) % 7)
        case Monthly(by_day=by_day):
            return today <= _day_of_month(today, by_day) or saved_on < today.replace(day=1)


def _day_of_month(day: date, by_day: int) -> date:
    return day.replace(day=min(by_day, monthrange(day.year, day.month)[1]))
