"""Exercises and reviews: what was recorded, what is due, and the acts that record them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime, timedelta

from vault.founding import CONFIRMED_FACT, SHEET_FACT
from vault.practice import EXERCISES, OpeningFacts, PracticeFacts, Review
from vault.window import WITHOUT_S
from vault.wiring.wired import Wired

ONE_FACT = "one-person-removal"  # JSON: two persons agreed that one suffices
REVIEW_FACT = "policies_reviewed"  # JSON: at, by, policies
EXERCISE_FACT = "exercised."  # before an exercise's name: when it was last recorded
_LOOKED_AT = timedelta(days=31)  # openings older than a month are history, not a gap


def practice_facts(wired: Wired) -> PracticeFacts:
    """Gather what people did, and when."""
    founded = wired.catalogue.fact(SHEET_FACT)
    settings = wired.settings
    return PracticeFacts(
        founded_at=datetime.fromisoformat(founded) if founded else None,
        exercised={name: exercised_at(wired, name) for name in EXERCISES},
        exercise_every_s=settings.exercises.every,
        policies=policy_hashes(wired),
        review=last_review(wired),
        dwell_days=settings.exercises.dwell // 86_400,
        retained={name: settings.policy_of(name) for name in settings.sources},
        homes={
            record.name: settings.targets[record.name].home
            for record in wired.catalogue.targets()
            if record.name in settings.targets and settings.targets[record.name].door.disk
        },
        openings=tuple(_longest(wired)),
        one_removes=_one_removes(wired),
    )


def exercised_at(wired: Wired, name: str) -> datetime | None:
    """Give when an exercise was last done: recorded as such, or done in earnest."""
    told = [wired.catalogue.fact(EXERCISE_FACT + name)]
    if name == "keys":
        told.append(wired.catalogue.fact(CONFIRMED_FACT))
    return max((datetime.fromisoformat(text) for text in told if text), default=None)


def policy_hashes(wired: Wired) -> dict[str, str]:
    """Give, for each policy that a source follows, the hash of its values."""
    used = {source.policy for source in wired.settings.sources.values()}
    return {
        name: hashlib.sha256(
            json.dumps(asdict(policy), sort_keys=True, default=str).encode()
        ).hexdigest()
        for name, policy in wired.settings.loaded_policies.items()
        if name in used
    }


def last_review(wired: Wired) -> Review | None:
    """Give the policies as they were last reviewed."""
    text = wired.catalogue.fact(REVIEW_FACT)
    if not text:
        return None
    kept: Mapping[str, object] = json.loads(text)
    policies = kept["policies"]
    assert isinstance(policies, dict)
    return Review(at=datetime.fromisoformat(str(kept["at"])), by=str(kept["by"]), policies=policies)


def record_review(wired: Wired, *, by: str, login: str) -> Review:
    """Record that a person has read the policies as they are now."""
    review = Review(at=wired.clock.now(), by=by, policies=policy_hashes(wired))
    wired.ledger.append("policies-reviewed", by=by, login=login, policies=dict(review.policies))
    kept = {"at": review.at.isoformat(), "by": by, "policies": dict(review.policies)}
    wired.catalogue.set_fact(REVIEW_FACT, json.dumps(kept, sort_keys=True))
    return review


def record_exercise(wired: Wired, name: str, *, by: str, login: str, note: str) -> datetime:
    """Record that an exercise was done."""
    wired.ledger.append("exercise", exercise=name, by=by, login=login, note=note)
    return note_exercised(wired, name)


def note_exercised(wired: Wired, name: str) -> datetime:
    """Note that an exercise was done just now; what was done is in the ledger already."""
    at = wired.clock.now()
    wired.catalogue.set_fact(EXERCISE_FACT + name, at.isoformat())
    return at


def _one_removes(wired: Wired) -> tuple[str, str, datetime] | None:
    """Give who agreed that one person may remove from media, and since when."""
    kept = wired.catalogue.fact(ONE_FACT)
    if not kept:
        return None
    told = json.loads(kept)
    return str(told["by"]), str(told["seconded_by"]), datetime.fromisoformat(told["since"])


def _longest(wired: Wired) -> list[OpeningFacts]:
    """Give the longest opening of the last month of each target that stands in the config."""
    since = wired.clock.now() - _LOOKED_AT
    longest: dict[str, OpeningFacts] = {}
    for opening in wired.catalogue.openings(since=since):
        named = wired.settings.targets.get(opening.target)
        if opening.exposure is None or named is None:
            continue
        window = wired.settings.window_of(opening.target)
        found = OpeningFacts(
            target=opening.target,
            longest_s=opening.exposure.seconds,
            bound_s=named.max_open or (window.for_s if window else WITHOUT_S),
            at=opening.opened_at,
        )
        before = longest.get(opening.target)
        if before is None or found.longest_s > before.longest_s:
            longest[opening.target] = found
    return list(longest.values())
