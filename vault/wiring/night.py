"""What tonight is to do, from the configuration, the calendar and the records.

Rule 1: a plan is a value; making it opens nothing and writes nothing.
Rule 2: outside every window nothing runs, unless it was asked for by ``--now``, which is recorded.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from vault.config import Settings
from vault.cycle import Plan, PlannedTarget
from vault.errors import OutsideWindow, UsageError
from vault.intake import NightSource
from vault.policy import is_due
from vault.ports import Clock
from vault.records import CataloguePort
from vault.window import closes_at, next_opening

NO_WINDOW_S = 12 * 3600  # a target without a window may be open this long at any run


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What a person or a timer asked for."""

    now: bool = False
    for_s: int | None = None
    sources: Collection[str] = ()
    targets: Collection[str] = ()


def plan_night(
    settings: Settings,
    catalogue: CataloguePort,
    sources: Mapping[str, NightSource],
    clock: Clock,
    order: Order,
) -> Plan:
    """Plan one night; UsageError for unknown names, OutsideWindow when no target is due."""
    _require_known(order.sources, settings.sources, "source")
    _require_known(order.targets, settings.targets, "target")
    if order.for_s is not None and not order.now:
        raise UsageError("--for goes with --now: inside a window the window's end holds")
    now = clock.now()
    ends = _ends(settings, order, now)
    if not ends:
        raise _outside(settings, order, now)
    records = {record.name: record for record in catalogue.targets()}
    planned = tuple(
        PlannedTarget(
            record=records[name],
            closes_at=end,
            closes_at_s=clock.boot_s() + (end - now).total_seconds(),
            window_s=_window_s(settings, name),
        )
        for name, end in ends.items()
        if name in records
    )
    if not planned:
        raise UsageError(
            "none of the targets due is enrolled: {names}",
            names=", ".join(ends),
            hint="coffre target enrol NAME?",
        )
    due, not_due = _sources(settings, catalogue, sources, order, now)
    return Plan(
        sources=due,
        not_due=not_due,
        targets=planned,
        not_enrolled=tuple(name for name in ends if name not in records),
        forced=order.now,
    )


def _ends(settings: Settings, order: Order, now: datetime) -> dict[str, datetime]:
    """Give, for each target that is due, when its door must be shut."""
    ends = {}
    for name in settings.targets:
        if order.targets and name not in order.targets:
            continue
        window = settings.window_of(name)
        running = closes_at(window, now, settings.time_zone) if window else None
        if order.now and order.for_s is not None:
            ends[name] = now + timedelta(seconds=order.for_s)
        elif running is not None:
            ends[name] = running
        elif order.now or window is None:
            ends[name] = now + timedelta(seconds=_window_s(settings, name))
    return ends


def _window_s(settings: Settings, target: str) -> float:
    window = settings.window_of(target)
    return float(window.for_s) if window else float(NO_WINDOW_S)


def _outside(settings: Settings, order: Order, now: datetime) -> UsageError:
    if not settings.targets:
        return UsageError("vault.yaml names no target", hint="where is the offline copy to go?")
    windows = [settings.window_of(name) for name in order.targets or settings.targets]
    opens = min(next_opening(w, now, settings.time_zone) for w in windows if w is not None)
    return OutsideWindow(
        "no window is open; the next one opens {opens}",
        opens=opens.astimezone(settings.time_zone).isoformat(timespec="minutes"),
        hint="is it urgent? coffre run --now runs outside the window, and is recorded as such",
    )


def _sources(
    settings: Settings,
    catalogue: CataloguePort,
    sources: Mapping[str, NightSource],
    order: Order,
    now: datetime,
) -> tuple[tuple[NightSource, ...], tuple[str, ...]]:
    """Split the sources into those due, in order of priority, and the others."""
    due: list[NightSource] = []
    not_due: list[NightSource] = []
    for name, source in sources.items():
        if order.sources:
            wanted = name in order.sources
        else:
            last = catalogue.last_seen(name)
            wanted = is_due(source.policy, last, now, settings.time_zone)
        (due if wanted else not_due).append(source)
    due.sort(key=lambda source: (source.policy.priority, source.name))
    return tuple(due), tuple(source.name for source in not_due)


def _require_known(names: Collection[str], known: Collection[str], kind: str) -> None:
    for name in names:
        if name not in known:
            raise UsageError(
                "vault.yaml names no {kind} {name}",
                kind=kind,
                name=name,
                hint="there is: {known}",
                known=", ".join(known) or "none",
            )
