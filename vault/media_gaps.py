"""What is missing of media that take turns: late sets, ends of life, no copy out of reach.

Rule 1: a set is late by what none of its media has taken yet: a night without news makes none late.
Rule 2: a copy out of reach is judged for the night to come, in which its expected media connect.
Rule 3: pure: facts and now in, gaps out.
Source: design, section 3, invariant 7; ``docs/decisions/0025``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from vault.gap import Gap
from vault.shield import Shield


@dataclass(frozen=True, slots=True, kw_only=True)
class SetFacts:
    """One set of media."""

    name: str
    expected: str | None  # the medium whose turn it is; None when nothing is owed
    behind_since: datetime | None  # the oldest point that none of its media holds was taken then
    max_absence_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaFacts:
    """All media."""

    sets: tuple[SetFacts, ...]
    expires: Mapping[str, date]  # enrolled target -> planned end of life
    today: date
    holds_any: bool  # whether some target holds a whole night
    shield: Shield
    shield_s: int  # how old the newest copy out of reach may be
    dwell_s: int
    founded_at: datetime | None


def find_media_gaps(facts: MediaFacts, now: datetime) -> tuple[Gap, ...]:
    """Give what is missing, in no order of weight."""
    return (*_late(facts, now), *_expired(facts), *_shield(facts, now), *_dwell(facts, now))


def _late(facts: MediaFacts, now: datetime) -> Iterator[Gap]:
    for one in facts.sets:
        behind = one.behind_since
        if behind is None or one.expected is None:
            continue
        if (now - behind).total_seconds() > one.max_absence_s:
            yield Gap(
                kind="set-late",
                target=one.expected,
                since=behind + timedelta(seconds=one.max_absence_s),
                template="it is its turn in the set {set}, and for {days} days no medium of the "
                "set has taken what is new",
                values={"set": one.name, "days": (now - behind).days},
                mend="bring {target}, then coffre run --now --target {target}",
            )


def _expired(facts: MediaFacts) -> Iterator[Gap]:
    for name, day in facts.expires.items():
        if day <= facts.today:
            yield Gap(
                kind="media-expired",
                target=name,
                template="the medium's planned life ended on {day}",
                values={"day": day.isoformat()},
                mend="a new medium: coffre target retire {target} --yes, then coffre target enrol "
                "{target}; or another day at expires: in vault.yaml",
            )


def _shield(facts: MediaFacts, now: datetime) -> Iterator[Gap]:
    """Say that whoever holds the host while tonight's media connect would reach every copy."""
    if not facts.holds_any:
        return  # never-offline says it of each source
    copy = facts.shield.youngest
    if copy is None:
        yield Gap(
            kind="no-copy-out-of-reach",
            template="while the next night's media are connected, no other copy is offline: "
            "whoever holds this host then reaches every one",
            mend="a second medium that stays away that night: sets: in vault.yaml lets media take "
            "turns",
        )
        return
    age = now - copy.written_at
    if copy.lacks_since is not None and age.total_seconds() > facts.shield_s:
        yield Gap(
            kind="copy-out-of-reach-old",
            target=copy.target,
            since=copy.written_at + timedelta(seconds=facts.shield_s),
            template="the newest copy out of reach in the next night was written {days} days ago",
            values={"days": age.days},
            mend="let media change more often: every: in the set in vault.yaml, or a larger "
            "out_of_reach: in exercises",
        )


def _dwell(facts: MediaFacts, now: datetime) -> Iterator[Gap]:
    """Say that an intruder who stayed as long as they may has met every medium."""
    dwell = timedelta(seconds=facts.dwell_s)
    if not facts.holds_any or facts.founded_at is None or now - facts.founded_at <= dwell:
        return
    longest = facts.shield.longest
    if longest is not None and now - longest.away_since > dwell:
        return
    yield Gap(
        kind="dwell-unshielded",
        template="every medium was connected within the last {dwell} days: an intruder who was "
        "inside so long has met them all",
        values={"dwell": dwell.days},
        mend="a set of monthly media that stay away longer: docs/sysadmin.md, “Media that take "
        "turns”",
    )
