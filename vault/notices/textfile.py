"""Metrics as a text file for Prometheus's node exporter.

Rule 1: a metric stands in the table below or cannot be written; ``docs/monitoring`` names no other.
Rule 2: the registry is our own: nothing of the process or of Python is in the file.
Rule 3: the file is replaced whole; a reader never sees half of it.
Rule 4: labels are the names of sources and targets; no name of an exported file.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

_Table = Mapping[str, tuple[str, tuple[str, ...]]]
METRICS: _Table = MappingProxyType(
    {
        "coffre_written_timestamp_seconds": ("when this file was written", ()),
        "coffre_status_code": ("the doors: 0 locked, 1 in a window, 5 degraded, 6 secured", ()),
        "coffre_last_cycle": ("number of the newest night", ()),
        "coffre_last_cycle_timestamp_seconds": ("when the newest night ended", ()),
        "coffre_last_cycle_exit_code": ("what it came to, as the exit code of coffre run", ()),
        "coffre_last_cycle_open_seconds": ("how long vault doors were open in it", ()),
        "coffre_gaps": ("what is missing and nobody has acknowledged", ("severity",)),
        "coffre_gaps_acknowledged": ("what is missing and somebody has acknowledged", ()),
        "coffre_alarms_open": ("alarms that nobody has acknowledged", ()),
        "coffre_source_age_seconds": ("age of the newest point that a target holds", ("source",)),
        "coffre_source_objective_ratio": ("that age over what the policy allows",
                                          ("source",)),
        "coffre_source_drill_timestamp_seconds": ("when a restore test last reached a level",
                                                  ("source", "level")),
        "coffre_target_seen_timestamp_seconds": ("when the medium was last opened", ("target",)),
        "coffre_target_held_cycle": ("newest night that the target holds whole", ("target",)),
        "coffre_free_bytes": ("room where the state is", ()),
        "coffre_notices_pending": ("notices that wait for a network", ()),
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Sample:
    """One value of one metric."""

    name: str
    value: float
    labels: Mapping[str, str] = field(default_factory=dict)


def write_textfile(path: str, samples: Iterable[Sample]) -> None:
    """Replace the file; OSError when it cannot be written."""
    from prometheus_client import CollectorRegistry, Gauge, write_to_textfile

    registry = CollectorRegistry()
    gauges: dict[str, Gauge] = {}  # what has no value is absent: 0 would be one
    for sample in samples:
        if sample.name not in gauges:
            says, labels = METRICS[sample.name]
            gauges[sample.name] = Gauge(sample.name, says, labels, registry=registry)
        gauge = gauges[sample.name]
        (gauge.labels(**sample.labels) if sample.labels else gauge).set(sample.value)
    before = os.umask(0o022)  # the exporter is another account
    try:
        write_to_textfile(path, registry)
    finally:
        os.umask(before)
