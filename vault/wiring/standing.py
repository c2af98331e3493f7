"""Where the vault stands: gaps judged from the records, and the public status."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from vault.airlock import UNPROVEN_FACT, ended_by
from vault.alarm import judge_alarms, tell_alarms
from vault.founding import CONFIRMED_FACT, SHEET_FACT
from vault.gap import Gap, worst_first
from vault.media_gaps import find_media_gaps
from vault.pmsi_gaps import find_pmsi_gaps
from vault.practice import find_practice_gaps
from vault.records import OpeningRecord
from vault.results import (
    CycleResult,
    Exposure,
    SnapshotRecord,
    SourceVerdict,
    TargetOutcome,
)
from vault.shutting import PRODUCTION
from vault.source_gaps import HeldPoint, SourceFacts
from vault.state import State, status_of
from vault.timekeeping import behind_s, true_instant
from vault.vault_gaps import CosignerFacts, TargetFacts, VaultFacts, find_gaps, silence_s
from vault.window import WAIT_WITHOUT_S, longest_wait_s
from vault.wiring.due import drill_facts
from vault.wiring.filling import filling_gaps
from vault.wiring.heads import UNSIGNED_FACT, cosigned_at, cosigners
from vault.wiring.pmsi import pmsi_calendar
from vault.wiring.practice import practice_facts
from vault.wiring.schedule import watches
from vault.wiring.turns import (
    behind_since,
    coming,
    due_members,
    max_unseen_s,
    media_facts,
    met_at,
    proven,
    shield,
    shield_members,
)
from vault.wiring.wired import Wired

if TYPE_CHECKING:
    from vault.config import Settings
    from vault.policy import Policy


def judge_gaps(wired: Wired) -> tuple[Gap, ...]:
    """Judge what is missing now, and what is over but waits for somebody's word."""
    gaps = find_all_gaps(wired)
    judged = judge_alarms(wired.catalogue.alarms(), gaps, wired.clock.now())
    return tell_alarms(judged.alarms, gaps)


def find_all_gaps(wired: Wired) -> tuple[Gap, ...]:
    """Judge what is missing now, whoever has acknowledged it, from one view of the records."""
    with wired.catalogue.one_view():
        return worst_first(_find_gaps(wired, wired.clock.now()))


def _find_gaps(wired: Wired, now: datetime) -> Iterator[Gap]:
    behind, settings = behind_since(wired), wired.settings
    policies = [settings.policy_of(name) for name in settings.sources]
    practice = find_practice_gaps(practice_facts(wired), now)
    pmsi = find_pmsi_gaps(pmsi_calendar(wired), settings.time_zone)
    yield from find_gaps(vault_facts(wired, behind), now)
    yield from find_media_gaps(media_facts(wired, behind), now)
    yield from _owned(practice, settings, of_all=_sole_owner(policies))
    yield from filling_gaps(wired, now)
    # A period that never came is theirs whose policies keep December.
    keepers = [one for one in policies if one.retention.keep_m12_years]
    yield from _owned(pmsi, settings, of_all=_sole_owner(keepers))


def _owned(gaps: Iterable[Gap], settings: Settings, *, of_all: str) -> Iterator[Gap]:
    """Name who answers for what lacks: the owner in the source's policy, else ``of_all``."""
    for gap in gaps:
        if gap.source in settings.sources:
            yield replace(gap, owner=settings.policy_of(gap.source).owner)
        else:
            yield gap if gap.source else replace(gap, owner=of_all)


def _sole_owner(policies: Iterable[Policy]) -> str:
    """Give whose policies these are; "" when they are several persons'."""
    owners = {policy.owner for policy in policies}
    return owners.pop() if len(owners) == 1 else ""


def vault_facts(wired: Wired, behind: Mapping[str, datetime | None]) -> VaultFacts:
    """Gather what gaps are judged from."""
    catalogue = wired.catalogue
    last = catalogue.last_cycle()
    record = wired.state.load()
    pressed = wired.state.pressed()
    founded = catalogue.fact(SHEET_FACT)
    unsigned = catalogue.fact(UNSIGNED_FACT)
    degraded_since = record.since if record and record.state is State.DEGRADED else None
    doors = (PRODUCTION, *wired.settings.targets) if degraded_since else ()
    unproven = {name: at for name in doors if (at := _since(wired, UNPROVEN_FACT + name))}
    first, met = catalogue.first_taken(), catalogue.newest_outcomes(wired.settings.targets)
    return VaultFacts(
        founded_at=datetime.fromisoformat(founded) if founded else None,
        keys_confirmed=bool(catalogue.fact(CONFIRMED_FACT)),
        production_door=wired.settings.production.door.kind,
        sources=tuple(_sources(wired, last, first)),
        targets=tuple(
            replace(_target(wired, name, met.get(name)), behind_since=since)
            for name, since in behind.items()
        ),
        last_cycle_at=last.ended_at if last else None,
        last_verdict=last.verdict if last else None,
        secured_since=pressed.at if pressed else None,
        degraded_since=degraded_since,
        unproven_production=unproven.pop(PRODUCTION, None),
        unproven_targets=unproven,
        attacked_since=_attacked_since(wired),
        cosigners=tuple(
            CosignerFacts(
                name=name,
                cosigned_at=cosigned_at(wired, cosigner),
                within_s=wired.settings.evidence.cosigned_within,
            )
            for name, cosigner in cosigners(wired).items()
        ),
        bracketed_within_s=wired.settings.evidence.bracketed_within,
        clock_behind_s=behind_s(catalogue, wired.ledger, wired.clock),
        unsigned_since=datetime.fromisoformat(unsigned) if unsigned else None,
        watches=(watched := watches(wired.settings, wired.catalogue)),
        zone=wired.settings.time_zone,
        silence_s=silence_s(watch.window for watch in watched),
    )


def _attacked_since(wired: Wired) -> datetime | None:
    """Give when the refusals that stand began to look like an attack; None when they do not."""
    refused = wired.catalogue.all_refused()
    if not refused:
        return None
    from vault.gatekeeper import suspected

    return max((one.at for one in suspected(refused, wired.settings.sources)), default=None)


def _since(wired: Wired, name: str) -> datetime | None:
    text = wired.catalogue.fact(name)
    return datetime.fromisoformat(text) if text else None


def _sources(
    wired: Wired, last: CycleResult | None, first: Mapping[str, datetime]
) -> Iterator[SourceFacts]:
    results = _verdicts(wired, last)
    newest, until = wired.catalogue.newest_points(), _known_until(wired)
    held = _held(wired, newest, until)
    clean = wired.catalogue.clean_points()
    refused = {one.source: one for one in wired.catalogue.all_refused()}
    reached, tests = wired.catalogue.all_reached(), wired.catalogue.newest_tests()
    for name in wired.settings.sources:
        result, policy = results.get(name), wired.settings.policy_of(name)
        kept_out = refused.get(name)
        yield SourceFacts(
            name=name,
            policy=policy,
            held=tuple(held.get(name, ())),
            first_seen=first.get(name),
            last_verdict=str(result[0]) if result else "",
            last_verdict_at=result[1] if result else None,
            drills=drill_facts(
                policy,
                name,
                since=first.get(name),
                reached=reached.get(name, {}),
                newest=tests.get(name),
            ),
            refused_since=kept_out.at if kept_out else None,
            refused_reasons=kept_out.reasons if kept_out else (),
            clean_at=until(clean[name], newest.get(name)) if name in clean else None,
            accepted_by=kept_out.accepted.by if kept_out and kept_out.accepted else "",
        )


def _verdicts(wired: Wired, last: CycleResult | None) -> dict[str, tuple[SourceVerdict, datetime]]:
    """Give what each source came to in the newest night that was for it.

    A night for others, or one that broke off before it, changes nothing of what was told.
    """
    told = {one.name: one.verdict for one in last.sources} if last else {}
    told = {name: word for name, word in told.items() if word is not SourceVerdict.NOT_DUE}
    others = [name for name in wired.settings.sources if name not in told]
    now = {name: (word, last.ended_at) for name, word in told.items()} if last else {}
    return {**wired.catalogue.newest_verdicts(others), **now}


_Until = Callable[[SnapshotRecord, SnapshotRecord | None], datetime]


def _known_until(wired: Wired) -> _Until:
    """Give what says until when a source was known to be as in a point, beside its newest.

    The newest is found unchanged. What was dated before the clock was confirmed was not after it.
    """
    seen, dated = wired.catalogue.all_last_seen(), true_instant(wired.catalogue)

    def until(point: SnapshotRecord, newest: SnapshotRecord | None) -> datetime:
        taken_at = dated(point.cycle, point.taken_at)
        if point != newest or point.source not in seen:
            return taken_at
        return max(taken_at, dated(*seen[point.source]))

    return until


def _held(
    wired: Wired, newest: Mapping[str, SnapshotRecord], until: _Until
) -> dict[str, list[HeldPoint]]:
    """Give the newest point of each source on each target that holds one.

    A target that stands in vault.yaml no more ages, and counts for nothing.
    """
    complete = wired.catalogue.newest_complete()
    points = {
        cycle: wired.catalogue.newest_points(up_to=cycle)
        for cycle in {n for name, n in complete.items() if name in wired.settings.targets}
    }
    found: dict[str, list[HeldPoint]] = {}
    for target, cycle in complete.items():
        if target not in wired.settings.targets:
            continue
        disconnection = proven(wired, target)
        for name, point in points[cycle].items():
            at = until(point, newest.get(name))
            found.setdefault(name, []).append(
                HeldPoint(target=target, point_at=at, disconnection=disconnection)
            )
    return found


def _target(wired: Wired, name: str, met: tuple[TargetOutcome, datetime] | None) -> TargetFacts:
    record = wired.catalogue.target(name)
    outcome, outcome_at = met or ("", None)
    if record is None or outcome_at is None or outcome_at < record.enrolled_at:
        outcome, outcome_at = "", None  # another medium's, under the same name
    newest, closed = wired.catalogue.last_openings(name) if record else (None, None)
    last = closed.exposure if closed else None
    unproven = None if last is None or last.shut.is_shut else last.opened_at
    if newest is not None and newest.exposure is None and _is_left_open(wired, newest):
        unproven = newest.opened_at
    window = wired.settings.window_of(name)
    return TargetFacts(
        name=name,
        enrolled_at=record.enrolled_at if record else None,
        last_met=met_at(wired, record) if record else None,
        disconnection=proven(wired, name),
        unproven_since=unproven,
        max_unseen_s=max_unseen_s(wired, name),
        last_outcome=str(outcome),
        last_outcome_at=outcome_at,
        late_after_s=longest_wait_s(window) if window else WAIT_WITHOUT_S,
    )


def _is_left_open(wired: Wired, opening: OpeningRecord) -> bool:
    """Say whether the process of an opening died, and nobody has asked its door since."""
    is_dead = wired.state.lock().holder() is None
    return is_dead and ended_by(wired.state.load(), opening) is None


def _last_exposure(wired: Wired, target: str) -> Exposure | None:
    _, closed = wired.catalogue.last_openings(target)
    return closed.exposure if closed else None


def gap_members(gap: Gap) -> dict[str, object]:
    """Give a gap as the members of its document; the sentences in English beside their keys."""
    values = {"source": gap.source, "target": gap.target, **gap.values}
    return {
        "kind": gap.kind,
        "severity": str(gap.severity),
        "source": gap.source,
        "target": gap.target,
        "owner": gap.owner or None,
        "since": gap.since.isoformat() if gap.since else None,
        "message": gap.template.format(**values),
        "mend": gap.mend.format(**values),
        "template": gap.template,
        "mend_template": gap.mend,
        "values": gap.values,
        "alarm": gap.alarm or None,
        "acknowledged": _word(gap),
        "over_since": gap.over_since.isoformat() if gap.over_since else None,
    }


def _word(gap: Gap) -> dict[str, str] | None:
    """Give who acknowledged a gap; logins are for the ledger."""
    word = gap.acknowledged
    if word is None:
        return None
    return {"by": word.by, "at": word.at.isoformat(), "reason": word.reason}


def public_status(wired: Wired, gaps: Iterable[Gap] | None = None) -> Mapping[str, object]:
    """Give what those who are not root may read; no name of an exported file is in it.

    ``gaps``, when they were judged already.
    """
    last, dues = wired.catalogue.last_cycle(), coming(wired)
    record = wired.state.load()
    state = State.SECURED if wired.state.pressed() else (record.state if record else State.LOCKED)
    if record and record.state is State.DEGRADED:
        state = State.DEGRADED
    return {
        "status": str(status_of(state)),
        "state": str(state),
        "sources": list(wired.settings.sources),
        "written_at": wired.clock.now().isoformat(),
        "pid": os.getpid(),
        "site": wired.settings.site.name,
        "production_door": wired.settings.production.door.kind,
        "last_cycle": _last_cycle(last),
        "targets": [_public_target(wired, name) for name in wired.settings.targets],
        "due": due_members(wired, [due for due in dues if due.night == dues[0].night]),
        "shield": shield_members(shield(wired, dues, behind_since(wired))),
        "gaps": [gap_members(gap) for gap in (judge_gaps(wired) if gaps is None else gaps)],
    }


def _last_cycle(last: CycleResult | None) -> Mapping[str, object] | None:
    if last is None:
        return None
    return {
        "cycle": last.cycle,
        "verdict": str(last.verdict),
        "started_at": last.started_at.isoformat(),
        "ended_at": last.ended_at.isoformat(),
        "sources": {source.name: str(source.verdict) for source in last.sources},
    }


def _public_target(wired: Wired, name: str) -> Mapping[str, object]:
    facts = _target(wired, name, None)
    is_enrolled = facts.enrolled_at is not None
    newest, _ = wired.catalogue.last_openings(name) if is_enrolled else (None, None)
    exposure = _last_exposure(wired, name) if is_enrolled else None
    return {
        "name": name,
        "enrolled": is_enrolled,
        "disconnection": str(facts.disconnection),
        "last_cycle": wired.catalogue.newest_complete().get(name),
        "last_opened": newest.opened_at.isoformat() if newest else None,
        "last_exposure_s": exposure.seconds if exposure else None,
    }
