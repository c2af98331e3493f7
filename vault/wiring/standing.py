"""Where the vault stands: gaps judged from the records, and the public status."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import datetime

from vault.airlock import PROVEN_FACT
from vault.founding import CONFIRMED_FACT
from vault.gap import Gap, HeldPoint, SourceFacts, TargetFacts, VaultFacts, find_gaps
from vault.results import CycleResult, Disconnection, Exposure
from vault.state import State, status_of
from vault.wiring.wired import Wired


def judge_gaps(wired: Wired) -> tuple[Gap, ...]:
    """Judge what is missing now."""
    return find_gaps(vault_facts(wired), wired.clock.now())


def vault_facts(wired: Wired) -> VaultFacts:
    """Gather what gaps are judged from."""
    catalogue = wired.catalogue
    last = catalogue.last_cycle()
    record = wired.state.load()
    pressed = wired.state.pressed()
    founded = catalogue.fact("recovery_sheet_at")
    return VaultFacts(
        founded_at=datetime.fromisoformat(founded) if founded else None,
        keys_confirmed=bool(catalogue.fact(CONFIRMED_FACT)),
        production_door=wired.settings.production.door.kind,
        sources=tuple(_source(wired, name, last) for name in wired.settings.sources),
        targets=tuple(_target(wired, name, last) for name in wired.settings.targets),
        last_cycle_at=last.ended_at if last else None,
        last_verdict=last.verdict if last else None,
        secured_since=pressed.at if pressed else None,
        degraded_since=record.since if record and record.state is State.DEGRADED else None,
    )


def _source(wired: Wired, name: str, last: CycleResult | None) -> SourceFacts:
    snapshots = wired.catalogue.snapshots(name)
    result = next((s for s in last.sources if s.name == name), None) if last else None
    held = []
    for target in wired.catalogue.targets():
        if target.name not in wired.settings.targets:
            continue  # nobody carries there any more: it ages, and counts for nothing
        complete = [n for n, hold in wired.catalogue.holds(target.name).items() if hold.complete]
        if not complete:
            continue
        points = [snapshot for snapshot in snapshots if snapshot.cycle <= max(complete)]
        if not points:
            continue
        newest = points[-1]
        seen = wired.catalogue.last_seen(name) if newest is snapshots[-1] else None
        held.append(
            HeldPoint(
                target=target.name,
                point_at=max(newest.taken_at, seen) if seen else newest.taken_at,
                disconnection=_proven(wired, target.name),
            )
        )
    return SourceFacts(
        name=name,
        policy=wired.settings.policy_of(name),
        held=tuple(held),
        first_seen=snapshots[0].taken_at if snapshots else None,
        last_verdict=str(result.verdict) if result else "",
        last_verdict_at=last.ended_at if last and result else None,
    )


def _target(wired: Wired, name: str, night: CycleResult | None) -> TargetFacts:
    result = next((t for t in night.targets if t.name == name), None) if night else None
    record = wired.catalogue.target(name)
    openings = wired.catalogue.openings(name) if record else []
    closed = [opening for opening in openings if opening.exposure is not None]
    last = closed[-1].exposure if closed else None
    unproven = None if last is None or last.shut.is_shut else last.opened_at
    ages = [policy.max_medium_age_s for policy in wired.settings.loaded_policies.values()]
    return TargetFacts(
        name=name,
        enrolled_at=record.enrolled_at if record else None,
        last_opened=openings[-1].opened_at if openings else None,
        disconnection=_proven(wired, name),
        unproven_since=unproven,
        max_unseen_s=min(ages, default=31 * 86_400),
        last_outcome=str(result.outcome) if result else "",
        last_outcome_at=night.ended_at if night and result else None,
    )


def _last_exposure(wired: Wired, target: str) -> Exposure | None:
    closed = [o.exposure for o in wired.catalogue.openings(target) if o.exposure is not None]
    return closed[-1] if closed else None


def _proven(wired: Wired, target: str) -> Disconnection:
    """Give the class of disconnection that the target's door proved last."""
    return Disconnection(wired.catalogue.fact(PROVEN_FACT + target) or Disconnection.NONE)


def gap_members(gap: Gap) -> dict[str, object]:
    """Give a gap as the members of its document; the sentences in English beside their keys."""
    values = {"source": gap.source, "target": gap.target, **gap.values}
    return {
        "kind": gap.kind,
        "severity": str(gap.severity),
        "source": gap.source,
        "target": gap.target,
        "since": gap.since.isoformat() if gap.since else None,
        "message": gap.template.format(**values),
        "mend": gap.mend.format(**values),
        "template": gap.template,
        "mend_template": gap.mend,
        "values": gap.values,
    }


def public_status(wired: Wired) -> Mapping[str, object]:
    """Give what those who are not root may read; no name of an exported file is in it."""
    last = wired.catalogue.last_cycle()
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
        "targets": [_public_target(wired, name, last) for name in wired.settings.targets],
        "gaps": [gap_members(gap) for gap in judge_gaps(wired)],
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


def _public_target(wired: Wired, name: str, night: CycleResult | None) -> Mapping[str, object]:
    facts = _target(wired, name, night)
    is_enrolled = facts.enrolled_at is not None
    exposure = _last_exposure(wired, name) if is_enrolled else None
    holds = wired.catalogue.holds(name) if is_enrolled else {}
    complete = [n for n, hold in holds.items() if hold.complete]
    return {
        "name": name,
        "enrolled": is_enrolled,
        "disconnection": str(facts.disconnection),
        "last_cycle": max(complete, default=None),
        "last_opened": facts.last_opened.isoformat() if facts.last_opened else None,
        "last_exposure_s": exposure.seconds if exposure else None,
    }
