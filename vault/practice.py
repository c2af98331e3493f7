"""What people must keep doing for the vault to stay worth its name: exercises, reviews, bounds.

Rule 1: an exercise counts from the day it was done; what was never done counts from the founding.
Rule 2: a policy that is not the one last reviewed is told by its name; who changed it is the
    host's business, that it changed is ours.
Rule 3: pure: facts and now in, gaps out.
Source: ANSSI BP-100 (red button, keys, rebuild kit, check for changed policies); HSE Ireland's
    57 days between intrusion and detonation for the dwell bound.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from vault.gap import Gap
from vault.policy import Policy

EXERCISES = ("red-button", "keys", "rebuild-kit")
YEAR_S = 365 * 86_400
_TOLD = {
    "red-button": "the red button was not pressed, even as an exercise, for {days} days",
    "keys": "nobody has read the recovery password back for {days} days",
    "rebuild-kit": "nobody has rebuilt a vault host from its kit for {days} days",
}
_MENDS = {
    "red-button": "coffre secure --reason exercise --by NAME, then another person: "
    "coffre release --by NAME",
    "keys": "coffre keys confirm, with the printed sheet in hand",
    "rebuild-kit": "rebuild one on a spare machine, then coffre exercise record rebuild-kit "
    "--by NAME",
    "review": "read them with coffre config show, then coffre config review --by NAME",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """The policies as a person last looked at them."""

    at: datetime
    by: str
    policies: Mapping[str, str]  # name -> hash of its values


@dataclass(frozen=True, slots=True, kw_only=True)
class OpeningFacts:
    """The longest recent opening of a target beside its bound."""

    target: str
    longest_s: float
    bound_s: float
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class PracticeFacts:
    """What was done, and when."""

    founded_at: datetime | None
    exercised: Mapping[str, datetime | None]  # by the names of EXERCISES
    exercise_every_s: int
    policies: Mapping[str, str]  # name -> hash of its values, now
    review: Review | None
    dwell_days: int
    retained: Mapping[str, Policy]  # source -> its policy
    homes: Mapping[str, str | None]  # enrolled target -> where its medium lives, as declared
    openings: tuple[OpeningFacts, ...] = ()
    one_removes: tuple[str, str, datetime] | None = None  # who agreed to it, and since when


def find_practice_gaps(facts: PracticeFacts, now: datetime) -> tuple[Gap, ...]:
    """Give what is missing, in no order of weight."""
    return (
        *_exercises(facts, now),
        *_reviews(facts),
        *_retention(facts),
        *_persons(facts),
        *_homes(facts),
        *_openings(facts),
    )


def _exercises(facts: PracticeFacts, now: datetime) -> Iterator[Gap]:
    for name in EXERCISES:
        last = facts.exercised.get(name) or facts.founded_at
        if last is None or now - last <= timedelta(seconds=facts.exercise_every_s):
            continue
        yield Gap(
            kind=f"{name}-not-exercised",
            since=last + timedelta(seconds=facts.exercise_every_s),
            template=_TOLD[name],
            values={"days": (now - last).days},
            mend=_MENDS[name],
        )


def _reviews(facts: PracticeFacts) -> Iterator[Gap]:
    if facts.review is None:
        yield Gap(
            kind="policies-unreviewed",
            since=facts.founded_at,
            template="nobody has reviewed the policies yet",
            mend=_MENDS["review"],
        )
        return
    seen = facts.review.policies
    changed = sorted(
        name for name in {*seen, *facts.policies} if seen.get(name) != facts.policies.get(name)
    )
    if changed:
        yield Gap(
            kind="policy-changed",
            since=facts.review.at,
            template="not as they were last reviewed: {names}",
            values={"names": ", ".join(changed)},
            mend=_MENDS["review"],
        )


def _retention(facts: PracticeFacts) -> Iterator[Gap]:
    for source, policy in facts.retained.items():
        if policy.retention.nightly_days < facts.dwell_days:
            yield Gap(
                kind="retention-short",
                source=source,
                template="nightly points are kept for {kept} days; an intruder may be inside for "
                "{dwell} before anything shows",
                values={"kept": policy.retention.nightly_days, "dwell": facts.dwell_days},
                mend="retention: {{nightly_days: {dwell}}} in the policy of {source}",
            )


def _persons(facts: PracticeFacts) -> Iterator[Gap]:
    if facts.one_removes is not None:
        one, other, since = facts.one_removes
        yield Gap(
            kind="one-person-removes",
            since=since,
            template="one person may remove from media: {one} and {other} agreed to it",
            values={"one": one, "other": other},
            mend="coffre retention persons two --reason R --by NAME",
        )


def _homes(facts: PracticeFacts) -> Iterator[Gap]:
    homes = {home for home in facts.homes.values() if home}
    unsaid = sorted(name for name, home in facts.homes.items() if not home)
    if unsaid:
        yield Gap(
            kind="medium-home-unsaid",
            template="nobody has said where these media live: {names}",
            values={"names": ", ".join(unsaid)},
            mend="home: PLACE at each of them in vault.yaml",
        )
    elif len(homes) == 1 and len(facts.homes) > 1:
        yield Gap(
            kind="media-in-one-place",
            template="every medium lives in the same place: {home}",
            values={"home": next(iter(homes))},
            mend="keep one where a fire here does not reach",
        )


def _openings(facts: PracticeFacts) -> Iterator[Gap]:
    for opening in facts.openings:
        if opening.longest_s > opening.bound_s:
            yield Gap(
                kind="exposure-over-bound",
                target=opening.target,
                since=opening.at,
                template="it stood open for {minutes} min in one go; {bound} min are allowed",
                values={
                    "minutes": round(opening.longest_s / 60),
                    "bound": round(opening.bound_s / 60),
                },
                mend="coffre report shows each opening; raise max_open of {target}, or give it "
                "fewer bytes at once",
            )
