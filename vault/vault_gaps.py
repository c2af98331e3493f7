"""What is missing of the vault itself: doors, nights, evidence, media; and all gaps together.

Rule 1: pure: facts and now in, gaps out; a gap says since when, how bad, and what to do.
Rule 2: when a medium was last seen goes on ageing, whatever the nights without it said.
Rule 3: a door that is not proven shut is told by its name; the production door is its own kind.
Source: design, sections 3 and 7.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo

from vault.due_runs import Watch, missed
from vault.gap import Gap, worst_first
from vault.results import CycleVerdict, Disconnection
from vault.source_gaps import SourceFacts, find_source_gaps
from vault.window import Window, longest_wait_s

_BAD_OUTCOMES = frozenset({"impostor", "full", "refused", "corrupt", "failed"})
_BROKEN_OFF = (CycleVerdict.FAILED, CycleVerdict.INTERRUPTED)
# Verdicts of sources and outcomes of targets that say why a night was refused, or failed.
_REFUSING = ({"refused"}, {"refused", "impostor"})
_FAILING = ({"refused", "missing", "empty", "failed"}, _BAD_OUTCOMES)
SILENCE_S = 50 * 3600  # two nights and two hours without any run


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetFacts:
    """One configured target."""

    name: str
    enrolled_at: datetime | None
    last_met: datetime | None  # when its own medium was there and believed
    disconnection: Disconnection
    unproven_since: datetime | None
    max_unseen_s: int
    last_outcome: str = ""  # of the newest night
    last_outcome_at: datetime | None = None
    behind_since: datetime | None = None  # the oldest point that it lacks was taken then
    late_after_s: int = 0  # how long it may lack a point: from one window's start to the next's end


@dataclass(frozen=True, slots=True, kw_only=True)
class CosignerFacts:
    """One person who signs the ledger's heads."""

    name: str
    cosigned_at: datetime | None  # when the newest head of theirs was imported
    within_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class VaultFacts:
    """The whole vault."""

    founded_at: datetime | None
    keys_confirmed: bool
    production_door: str
    sources: tuple[SourceFacts, ...]
    targets: tuple[TargetFacts, ...]
    last_cycle_at: datetime | None
    last_verdict: CycleVerdict | None
    secured_since: datetime | None = None
    degraded_since: datetime | None = None
    unproven_production: datetime | None = None  # since when, while degraded
    unproven_targets: Mapping[str, datetime] = field(default_factory=dict)  # and whose vault doors
    attacked_since: datetime | None = None  # so much is refused that no vault door opens
    cosigners: tuple[CosignerFacts, ...] = ()
    bracketed_within_s: int = 0  # how long the clock may go without a time from outside
    clock_behind_s: float = 0.0  # the clock is behind what was written; 0 within the tolerance
    unsigned_since: datetime | None = None  # the ledger's head
    watches: tuple[Watch, ...] = ()  # the windows that nights are owed in
    zone: tzinfo = UTC  # of the windows
    silence_s: int = SILENCE_S  # how long it may be without any night


def find_gaps(facts: VaultFacts, now: datetime) -> tuple[Gap, ...]:
    """Give every gap, the worst first."""
    found = [
        *_of_doors(facts),
        *_of_vault(facts, now),
        *_of_windows(facts, now),
        *_of_evidence(facts, now),
        *_of_clock(facts, now),
    ]
    for source in facts.sources:
        found += find_source_gaps(source, now)
    for target in facts.targets:
        found += _of_target(target, now)
    return worst_first(found)


def silence_s(windows: Iterable[Window]) -> int:
    """Give how long it may be without any night: the shortest wait for a window, and 26 hours."""
    waits = [longest_wait_s(window) - window.for_s - 3600 for window in windows]
    return max(SILENCE_S, min(waits, default=0) + 26 * 3600)


def _of_doors(facts: VaultFacts) -> Iterator[Gap]:
    """Name each door that is not proven shut; one whose name could not be kept is told as well."""
    for name, since in facts.unproven_targets.items():
        yield Gap(
            kind="door-unproven",
            target=name,
            since=since,
            template="its door could not be proven shut",
            marks=(since.isoformat(),),
            mend="pull the medium's cable, then coffre doctor",
        )
    if facts.unproven_production is not None:
        yield Gap(
            kind="production-door-unproven",
            since=facts.unproven_production,
            template="the door to the hospital network could not be proven shut",
            marks=(facts.unproven_production.isoformat(),),
            mend="pull the cable to the hospital network, then coffre doctor",
        )
    is_named = facts.unproven_targets or facts.unproven_production
    if facts.degraded_since is not None and not is_named:
        yield Gap(
            kind="door-unproven",
            since=facts.degraded_since,
            template="a door could not be proven shut",
            mend="pull the medium's cable, then coffre doctor",
        )


def _of_vault(facts: VaultFacts, now: datetime) -> Iterator[Gap]:
    if facts.secured_since is not None:
        yield Gap(
            kind="secured",
            since=facts.secured_since,
            template="the red button is pressed: no night runs",
            mend="another person checks, then coffre release --by NAME",
        )
    if facts.attacked_since is not None:
        yield Gap(
            kind="attack-suspected",
            since=facts.attacked_since,
            template="so many exports are refused that an attack is suspected: no vault door opens",
            mend="look at the exporting hosts; coffre secure when in doubt; "
            "docs/sysadmin.md says how a false alarm passes",
        )
    is_attack = facts.attacked_since is not None
    is_refused = facts.last_verdict is CycleVerdict.REFUSED and not is_attack
    if is_refused and not _is_told_by(facts, *_REFUSING):
        yield Gap(
            kind="night-refused",
            since=facts.last_cycle_at,
            template="the newest night was REFUSED because of what was found in the landing: no "
            "vault door opened",
            mend="coffre run --now names what it finds; docs/sysadmin.md, “The night is refused”, "
            "says what then",
        )
    if facts.last_verdict in _BROKEN_OFF and not _is_told_by(facts, *_FAILING):
        yield Gap(
            kind="night-failed",
            since=facts.last_cycle_at,
            template="the newest night ended “{verdict}”: nothing says that it saved anything",
            values={"verdict": str(facts.last_verdict)},
            mend="coffre doctor looks at what a night needs; coffre run --now makes up for it",
        )
    if not facts.keys_confirmed:
        yield Gap(
            kind="keys-unconfirmed",
            since=facts.founded_at,
            template="nobody has read the recovery password back",
            mend="coffre keys confirm, with the printed sheet in hand",
        )
    if facts.production_door == "none":
        yield Gap(
            kind="production-door-none",
            since=facts.founded_at,
            template="no production door is configured: no airlock is claimed",
            mend="production: {{door: {{link: INTERFACE}}}} in vault.yaml",
        )
    last = facts.last_cycle_at or facts.founded_at
    if last is not None and (now - last).total_seconds() > facts.silence_s:
        yield Gap(
            kind="no-night",
            since=last,
            template="no night has run",
            mend="is the timer on? coffre run tells what holds it",
        )


def _is_told_by(facts: VaultFacts, verdicts: Collection[str], outcomes: Collection[str]) -> bool:
    """Whether its exports or a medium are what the newest night was refused for, or failed for.

    One export of several is not. What an older night found stands until it is looked at again, and
    says nothing of this one.
    """
    at = facts.last_cycle_at
    exports = [one.last_verdict in verdicts for one in facts.sources if one.last_verdict_at == at]
    media = (one.last_outcome in outcomes for one in facts.targets if one.last_outcome_at == at)
    return (bool(exports) and all(exports)) or any(media)


def _of_windows(facts: VaultFacts, now: datetime) -> Iterator[Gap]:
    """Tell of each window that passed without a night, until a night has carried what it should."""
    for watch in facts.watches:
        lost = missed(watch, now, facts.zone)
        if lost:
            yield Gap(
                kind="window-missed",
                since=lost[0].closes_at,
                template="the window {window} passed and no night came to its end in it; missed: "
                "{count}",
                values={"window": watch.window.name, "count": len(lost)},
                mend="was the host off, or the timer? coffre run --now makes up for it",
            )


def _of_evidence(facts: VaultFacts, now: datetime) -> Iterator[Gap]:
    if facts.unsigned_since is not None:
        yield Gap(
            kind="ledger-unsigned",
            since=facts.unsigned_since,
            template="the ledger's head could not be signed",
            mend="coffre evidence verify --ledger tells what does not hold",
        )
    for person in facts.cosigners:
        since = person.cosigned_at or facts.founded_at
        if since is None or (now - since).total_seconds() <= person.within_s:
            continue
        yield Gap(
            kind="head-not-cosigned",
            since=since,
            template="{name} has not cosigned the ledger for {days} days",
            values={"name": person.name, "days": (now - since).days},
            mend="coffre evidence head --qr; {name} signs it; coffre evidence cosign --add FILE",
        )


def _of_clock(facts: VaultFacts, now: datetime) -> Iterator[Gap]:
    """Say that the dates of this vault rest on its own clock alone, or on one that went back."""
    if facts.clock_behind_s:
        yield Gap(
            kind="clock-behind",
            template="the clock is {seconds} s behind what was written under it: no night begins",
            values={"seconds": round(facts.clock_behind_s)},
            mend="set the clock; when it is right and the records are not, coffre clock confirm",
        )
    times = [person.cosigned_at for person in facts.cosigners if person.cosigned_at]
    since = max(times, default=facts.founded_at)
    if not facts.cosigners or since is None:
        return
    if (now - since).total_seconds() > facts.bracketed_within_s:
        yield Gap(
            kind="clock-unbracketed",
            since=since + timedelta(seconds=facts.bracketed_within_s),
            template="for {days} days no cosigner has vouched for this host's time: only its own "
            "clock dates what was written",
            values={"days": (now - since).days},
            mend="coffre evidence head --qr; a cosigner signs it; coffre evidence cosign --add "
            "FILE",
        )


def _of_target(target: TargetFacts, now: datetime) -> Iterator[Gap]:
    if target.enrolled_at is None:
        yield Gap(
            kind="target-not-enrolled",
            target=target.name,
            template="named in vault.yaml and never enrolled",
            mend="coffre target enrol {target}",
        )
        return
    if target.unproven_since is not None:
        yield Gap(
            kind="exposure-unproven",
            target=target.name,
            since=target.unproven_since,
            template="an opening was not proven shut",
            marks=(target.unproven_since.isoformat(),),
            mend="coffre doctor asks again; else pull the cable",
        )
    if target.last_outcome in _BAD_OUTCOMES:
        yield Gap(
            kind=f"target-{target.last_outcome}",
            target=target.name,
            since=target.last_outcome_at,
            template="when it was last met it came to “{outcome}”: what is new is not on it",
            values={"outcome": target.last_outcome},
            mend="docs/sysadmin.md says what to do; coffre run --now --target {target} tries again",
        )
    seen = target.last_met or target.enrolled_at
    if (now - seen).total_seconds() > target.max_unseen_s:
        yield Gap(
            kind="media-unseen",
            target=target.name,
            since=seen,
            template="the medium has not been seen for {days} days",
            values={"days": (now - seen).days},
            mend="bring it, then coffre run --now --target {target}",
        )
    behind = target.behind_since
    if behind is None or target.last_met is None or target.last_met < behind:
        return  # a medium that was away is unseen, not late
    if (now - behind).total_seconds() > target.late_after_s:
        yield Gap(
            kind="medium-late",
            target=target.name,
            since=behind + timedelta(seconds=target.late_after_s),
            template="the medium was here, and for {hours} h it has lacked what its window should "
            "have brought",
            values={"hours": int((now - behind).total_seconds()) // 3600},
            mend="coffre run --now --target {target} --for 12h carries the rest",
        )
