"""What is missing of each source: promises of its policy against what the targets hold.

Rule 1: a gap is judged from what targets hold, at the class of disconnection they proved, never
    from what a job said.
Rule 2: a night with nothing new renews a source's objective, and the age of its clean point.
Rule 3: pure: facts and now in, gaps out; every gap names the owner that the policy names.
Source: design, sections 3 and 6.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from vault.gap import Gap
from vault.policy import Level, Policy
from vault.proof import DrillFacts
from vault.results import Disconnection

_TOLD = 3  # reasons of a refusal that a gap repeats


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
    drills: DrillFacts = field(default_factory=DrillFacts)
    refused_since: datetime | None = None  # by inspection, and no other export came since
    refused_reasons: tuple[str, ...] = ()
    accepted_by: str = ""  # who let the refused export pass at the next run
    clean_at: datetime | None = None  # newest point that inspection took without a warning


def find_source_gaps(source: SourceFacts, now: datetime) -> Iterator[Gap]:
    """Give what is missing of one source, each with the owner of its data."""
    for gap in (
        *_of_export(source),
        *_of_copies(source, now),
        *_of_clean_points(source, now),
        *_of_drills(source, now),
    ):
        yield replace(gap, owner=source.policy.owner)


def _of_export(source: SourceFacts) -> Iterator[Gap]:
    """Give what was wrong with what came last."""
    if source.accepted_by:
        yield Gap(
            kind="source-accepted",
            source=source.name,
            since=source.refused_since,
            template="the export was refused, then accepted by {by}: it has not passed yet",
            values={"by": source.accepted_by},
            mend="coffre run --now --source {source}, before another export comes",
        )
    elif source.refused_since is not None:
        yield Gap(
            kind="source-refused",
            source=source.name,
            since=source.refused_since,
            template="the export was REFUSED, it does not look like itself: {reasons}",
            values={"reasons": "; ".join(source.refused_reasons[:_TOLD]) or "?"},
            mend="look at the exporting host first (what was pulled is kept aside in "
            "refused/{source}); a false alarm passes by "
            "coffre inspect accept {source} --reason R --by NAME",
        )
    elif source.last_verdict == "partial":
        yield Gap(
            kind="source-partial",
            source=source.name,
            since=source.last_verdict_at,
            template="files were left out: still being written when it was last due",
            mend="does the export end before the night? coffre run --now --source {source} "
            "tries again",
        )
    elif source.last_verdict in ("missing", "empty", "failed"):
        yield Gap(
            kind=f"source-{source.last_verdict}",
            source=source.name,
            since=source.last_verdict_at,
            template="when it was last due, the export was judged “{verdict}”",
            values={"verdict": source.last_verdict},
            mend="does its export run, and can it be reached? coffre run --now --source {source} "
            "tries again, and says why not",
        )


def _of_copies(source: SourceFacts, now: datetime) -> Iterator[Gap]:
    """Compare what targets hold with the objective, the copies and the disconnection promised."""
    policy = source.policy
    if not source.held:
        yield Gap(
            kind="never-offline",
            source=source.name,
            since=source.first_seen,
            template="no target holds a copy yet",
            mend="coffre run --now --source {source}, once a target is enrolled",
        )
        return
    newest = max(point.point_at for point in source.held)
    allowed = policy.allowed_age_s
    if (now - newest).total_seconds() > allowed:
        yield Gap(
            kind="objective-missed",
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
            source=source.name,
            template="copies that are disconnected enough: {count}, promised: {wanted}",
            values={"count": len(counted), "wanted": policy.copies},
            mend="enrol another target",
        )
    strongest = min((point.disconnection for point in source.held), key=lambda kind: kind.rank)
    if strongest.rank > policy.min_disconnection.rank:
        yield Gap(
            kind="disconnection-too-weak",
            source=source.name,
            template="between nights the copies are no more than “{found}”; "
            "the policy asks for “{wanted}”",
            values={"found": str(strongest), "wanted": str(policy.min_disconnection)},
            mend="use a door that disconnects more",
        )
    elif not strongest.is_offline:
        yield Gap(
            kind="not-offline",
            source=source.name,
            template="between nights the copies are only “{found}”, which is not offline",
            values={"found": str(strongest)},
            mend="take the medium out, or use a door that detaches it",
        )


def _of_clean_points(source: SourceFacts, now: datetime) -> Iterator[Gap]:
    """Give how old the newest point is that nobody needs to doubt."""
    allowed = source.policy.max_clean_age_s
    since = source.clean_at or source.first_seen
    if since is None or (now - since).total_seconds() <= allowed:
        return
    yield Gap(
        kind="clean-point-old",
        source=source.name,
        since=since + timedelta(seconds=allowed),
        template="the newest point that inspection took without a warning is {days} days old"
        if source.clean_at
        else "for {days} days inspection has taken no point without a warning",
        values={"days": (now - since).days},
        mend="coffre run --now --source {source} tells the warnings; mend them in the export, or "
        "raise max_clean_age in its policy",
    )


def _of_drills(source: SourceFacts, now: datetime) -> Iterator[Gap]:
    """Give what restore tests owe: their cadence, a failure, a restore that takes too long."""
    policy, drills = source.policy, source.drills
    if drills.bad_verdict:
        yield Gap(
            kind="drill-failed",
            source=source.name,
            since=drills.bad_at,
            template="the last restore test ended “{verdict}”",
            values={"verdict": drills.bad_verdict, "drill": drills.bad_drill},
            marks=(f"drill {drills.bad_drill}",),
            mend="coffre drill show {drill} says why; mend it, then coffre drill run "
            "--source {source}",
        )
    for owed in drills.owed:
        if owed.due_at <= now:
            yield Gap(
                kind="drill-overdue",
                source=source.name,
                since=owed.due_at,
                template="a restore test of level {level} is overdue",
                values={"level": str(owed.level)},
                mend="restore it, let its referent read it in production, then coffre drill sign"
                if owed.level is Level.L4
                else "coffre drill run --source {source} --level {level}",
            )
    if drills.slow_at is not None:
        yield Gap(
            kind="restore-too-slow",
            source=source.name,
            since=drills.slow_at,
            template="restoring takes {seconds} s and its DMIA is {dmia_s} s",
            values={"seconds": drills.slow_s, "dmia_s": policy.dmia_s},
            mend="a faster disk, smaller exports, or another DMIA, argued with its owner",
        )
