"""The metrics of a vault, from its records and its public status."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from vault.notices.textfile import Sample, write_textfile
from vault.results import CycleVerdict
from vault.wiring.notices import spool_of
from vault.wiring.standing import vault_facts

if TYPE_CHECKING:
    from vault.source_gaps import SourceFacts
    from vault.wiring.wired import Wired

_STATUS = {"locked": 0, "unlocked": 1, "degraded": 5, "secured": 6}


def publish_metrics(wired: Wired, status: Mapping[str, Any]) -> None:
    """Write the text file; OSError when it cannot be written."""
    assert wired.settings.metrics is not None
    write_textfile(wired.settings.metrics.textfile, samples(wired, status))


def samples(wired: Wired, status: Mapping[str, Any]) -> Iterator[Sample]:
    """Give the value of every metric; what has none is left out."""
    now = wired.clock.now()
    yield Sample("coffre_written_timestamp_seconds", now.timestamp())
    yield Sample("coffre_status_code", _STATUS[status["status"]])
    yield from _of_night(wired)
    yield from _of_gaps(wired, status)
    reached = wired.catalogue.all_reached()
    for source in vault_facts(wired, {}).sources:
        yield from _of_source(source, now)
        for level, at in reached.get(source.name, {}).items():
            labels = {"source": source.name, "level": str(level)}
            yield Sample("coffre_source_drill_timestamp_seconds", at.timestamp(), labels)
    for target in status["targets"]:
        yield from _of_target(target)
    room = os.statvfs(wired.settings.state)
    yield Sample("coffre_free_bytes", room.f_bavail * room.f_frsize)
    yield Sample("coffre_notices_pending", len(spool_of(wired.settings).waiting()))


def _of_night(wired: Wired) -> Iterator[Sample]:
    last = wired.catalogue.last_cycle()
    if last is None:
        return
    yield Sample("coffre_last_cycle", last.cycle)
    yield Sample("coffre_last_cycle_timestamp_seconds", last.ended_at.timestamp())
    yield Sample("coffre_last_cycle_exit_code", int(CycleVerdict(last.verdict).exit_code))
    open_s = sum(target.exposure_s for target in last.targets)
    yield Sample("coffre_last_cycle_open_seconds", open_s)


def _of_gaps(wired: Wired, status: Mapping[str, Any]) -> Iterator[Sample]:
    loud = [gap["severity"] for gap in status["gaps"] if not gap["acknowledged"]]
    for severity in ("critical", "warning", "info"):
        yield Sample("coffre_gaps", loud.count(severity), {"severity": severity})
    yield Sample("coffre_gaps_acknowledged", len(status["gaps"]) - len(loud))
    yield Sample("coffre_alarms_open", sum(alarm.is_open for alarm in wired.catalogue.alarms()))


def _of_source(source: SourceFacts, now: datetime) -> Iterator[Sample]:
    if not source.held:
        return
    labels = {"source": source.name}
    age_s = (now - max(point.point_at for point in source.held)).total_seconds()
    yield Sample("coffre_source_age_seconds", age_s, labels)
    yield Sample("coffre_source_objective_ratio", age_s / source.policy.allowed_age_s, labels)


def _of_target(target: Mapping[str, Any]) -> Iterator[Sample]:
    labels = {"target": target["name"]}
    if target["last_opened"]:
        at = datetime.fromisoformat(target["last_opened"]).timestamp()
        yield Sample("coffre_target_seen_timestamp_seconds", at, labels)
    if target["last_cycle"]:
        yield Sample("coffre_target_held_cycle", target["last_cycle"], labels)
