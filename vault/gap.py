"""What is missing: promises of the policies against what the targets hold.

Rule 1: a gap is judged from what targets hold, at the class of disconnection they proved, never
    from what a job said.
Rule 2: pure: facts and now in, gaps out; a gap says since when, how bad, and what to do.
Rule 3: a night with nothing new renews a source's objective; when a medium was last seen goes on
    ageing.
Source: design, sections 3 and 6.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from vault.policy import Policy
from vault.results import CycleVerdict, Disconnection

_BAD_OUTCOMES = frozenset({"impostor", "full", "refused", "corrupt", "failed"})
_SILENCE = timedelta(hours=50)  # two nights and two hours without any run


class Severity(StrEnum):
    """How bad a gap is."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """One thing that is missing; the texts are templates with their values."""

    kind: str
    severity: Severity
    template: str
    mend: str
    values: dict[str, object] = field(default_factory=dict)
    source: str | None = None
    target: str | None = None
    since: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldPoint:
    """The newest point of a source that a target holds."""

    target: str
    point_at: datetime  # when the source was last known to be in that state
    disconnection: Disconnection


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFacts:
    """One source."""

    name: str
    policy: Policy
    held: tuple[HeldPoint, ...]
    first_seen: datetime | None
    last_verdict: str = ""
    last_verdict_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetFacts:
    """One configured target."""

    name: str
    enrolled_at: datetime | None
    last_opened: datetime | None
    disconnection: Disconnection
    unproven_since: datetime | None
    max_unseen_s: int
    last_outcome: str = ""  # of the newest night
    last_outcome_at: datetime | None = None


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


def find_gaps(facts: VaultFacts, now: datetime) -> tuple[Gap, ...]:
    """Give every gap, the worst first."""
    found = [*_of_vault(facts, now)]
    for source in facts.sources:
        found += _of_source(source, now)
    for target in facts.targets:
        found += _of_target(target, now)
    order = [Severity.CRITICAL, Severity.WARNING, Severity.INFO]
    return tuple(sorted(found, key=lambda gap: order.index(gap.severity)))


def nagios_code(severities: Collection[str]) -> int:
    """Give the code a monitoring host reads for these severities: 0 good, 1 warning, 2 critical."""
    if Severity.CRITICAL in severities:
        return 2
    return 1 if Severity.WARNING in severities else 0


def _of_vault(facts: VaultFacts, now: datetime) -> Iterator[Gap]:
    if facts.degraded_since is not None:
        yield Gap(
            kind="door-unproven",
            severity=Severity.CRITICAL,
            since=facts.degraded_since,
            template="a door could not be proven shut",
            mend="pull the medium's cable, then coffre doctor",
        )
    if facts.secured_since is not None:
        yield Gap(
            kind="secured",
            severity=Severity.CRITICAL,
            since=facts.secured_since,
            template="the red button is pressed: no night runs",
            mend="another person checks, then coffre release --by NAME",
        )
    if not facts.keys_confirmed:
        yield Gap(
            kind="keys-unconfirmed",
            severity=Severity.CRITICAL,
            since=facts.founded_at,
            template="nobody has read the recovery password back",
            mend="coffre keys confirm, with the printed sheet in hand",
        )
    if facts.production_door == "none":
        yield Gap(
            kind="production-door-none",
            severity=Severity.WARNING,
            since=facts.founded_at,
            template="no production door is configured: no airlock is claimed",
            mend="production: {{door: {{link: INTERFACE}}}} in vault.yaml",
        )
    last = facts.last_cycle_at or facts.founded_at
    if last is not None and now - last > _SILENCE:
        yield Gap(
            kind="no-night",
            severity=Severity.CRITICAL,
            since=last,
            template="no night has run",
            mend="is the timer on? coffre run tells what holds it",
        )


def _of_source(source: SourceFacts, now: datetime) -> Iterator[Gap]:
    policy = source.policy
    if source.last_verdict == "refused":
        yield Gap(
            kind="source-refused",
            severity=Severity.CRITICAL,
            source=source.name,
            since=source.last_verdict_at,
            template="the export was REFUSED: it does not look like itself",
            mend="run nothing again; look at the exporting host first "
            "(what was pulled is kept aside in refused/{source})",
        )
    elif source.last_verdict == "partial":
        yield Gap(
            kind="source-partial",
            severity=Severity.WARNING,
            source=source.name,
            since=source.last_verdict_at,
            template="files were left out last night: still being written",
            mend="does the export end before the night? coffre run --now --source {source} "
            "tries again",
        )
    elif source.last_verdict in ("missing", "empty", "failed"):
        yield Gap(
            kind=f"source-{source.last_verdict}",
            severity=Severity.WARNING,
            source=source.name,
            since=source.last_verdict_at,
            template="last night the export was judged “{verdict}”",
            values={"verdict": source.last_verdict},
            mend="does its export run? coffre run --now --source {source} tries again",
        )
    if not source.held:
        yield Gap(
            kind="never-offline",
            severity=Severity.CRITICAL,
            source=source.name,
            since=source.first_seen,
            template="no target holds a copy yet",
            mend="coffre run --now --source {source}, once a target is enrolled",
        )
        return
    newest = max(point.point_at for point in source.held)
    allowed = policy.due.interval_s - 86_400 + policy.pdma_s
    if (now - newest).total_seconds() > allowed:
        yield Gap(
            kind="objective-missed",
            severity=Severity.CRITICAL,
            source=source.name,
            since=newest + timedelta(seconds=allowed),
            template="the newest offline point is older than its objective of {hours} h",
            values={"hours": allowed // 3600},
            mend="coffre run --now; coffre status tells what held the last nights",
        )
    counted = [
        point for point in source.held if point.disconnection.rank <= policy.min_disconnection.rank
    ]
    if len(counted) < policy.copies:
        yield Gap(
            kind="too-few-copies",
            severity=Severity.WARNING,
            source=source.name,
            template="held by {count} target(s), {wanted} promised",
            values={"count": len(counted), "wanted": policy.copies},
            mend="enrol another target",
        )
    strongest = min((point.disconnection for point in source.held), key=lambda kind: kind.rank)
    if strongest.rank > policy.min_disconnection.rank:
        yield Gap(
            kind="disconnection-too-weak",
            severity=Severity.CRITICAL,
            source=source.name,
            template="between nights the copies are no more than “{found}”; "
            "the policy asks for “{wanted}”",
            values={"found": str(strongest), "wanted": str(policy.min_disconnection)},
            mend="use a door that disconnects more",
        )
    elif not strongest.is_offline:
        yield Gap(
            kind="not-offline",
            severity=Severity.WARNING,
            source=source.name,
            template="between nights the copies are only “{found}”, which is not offline",
            values={"found": str(strongest)},
            mend="take the medium out, or use a door that detaches it",
        )


def _of_target(target: TargetFacts, now: datetime) -> Iterator[Gap]:
    if target.enrolled_at is None:
        yield Gap(
            kind="target-not-enrolled",
            severity=Severity.WARNING,
            target=target.name,
            template="named in vault.yaml and never enrolled",
            mend="coffre target enrol {target}",
        )
        return
    if target.unproven_since is not None:
        yield Gap(
            kind="exposure-unproven",
            severity=Severity.CRITICAL,
            target=target.name,
            since=target.unproven_since,
            template="an opening was not proven shut",
            mend="coffre doctor asks again; else pull the cable",
        )
    if target.last_outcome in _BAD_OUTCOMES:
        yield Gap(
            kind=f"target-{target.last_outcome}",
            severity=Severity.CRITICAL,
            target=target.name,
            since=target.last_outcome_at,
            template="last night it came to “{outcome}”: what is new is not on it",
            values={"outcome": target.last_outcome},
            mend="docs/sysadmin.md says what to do; coffre run --now --target {target} tries again",
        )
    seen = target.last_opened or target.enrolled_at
    if (now - seen).total_seconds() > target.max_unseen_s:
        yield Gap(
            kind="media-unseen",
            severity=Severity.WARNING,
            target=target.name,
            since=seen,
            template="the medium has not been seen for {days} days",
            values={"days": (now - seen).days},
            mend="bring it, then coffre run --now --target {target}",
        )
