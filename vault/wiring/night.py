"""What tonight is to do, from the configuration, the calendar and the records.

Rule 1: a plan is a value; making it opens nothing and writes nothing.
Rule 2: outside every window nothing runs, unless it was asked for by ``--now``, which is recorded.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from vault.agenda import Plan, PlannedTarget, Resting
from vault.due_runs import Call, decide
from vault.errors import OutsideWindow, UsageError
from vault.policy import is_due
from vault.rotation import turn_of
from vault.window import WITHOUT_S, closes_at, next_opening
from vault.wiring.schedule import watches
from vault.wiring.sets import media_sets

if TYPE_CHECKING:
    from vault.catalogue import Catalogue
    from vault.config import Settings
    from vault.intake import NightSource
    from vault.ports import Clock
    from vault.records import CataloguePort


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What a person or a timer asked for."""

    now: bool = False
    for_s: int | None = None
    sources: Collection[str] = ()
    targets: Collection[str] = ()
    catch_up: bool = False  # a missed opening, when its window lets it


def plan_night(
    settings: Settings,
    catalogue: Catalogue,
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
    caught_up = _to_catch_up(settings, catalogue, order, now)
    ends = _ends(settings, order, now, caught_up)
    if not ends:
        raise _outside(settings, order, now)
    records = {record.name: record for record in catalogue.targets()}
    enrolled = [name for name in ends if name in records]
    if not enrolled:
        raise UsageError(
            "none of the targets due is enrolled: {names}",
            names=", ".join(ends),
            hint="coffre target enrol NAME?",
        )
    in_turn = _in_turn(settings, catalogue, enrolled, order, now)
    planned = tuple(
        PlannedTarget(
            record=records[name],
            closes_at=ends[name],
            closes_at_s=clock.boot_s() + (ends[name] - now).total_seconds(),
            window_s=_window_s(settings, name),
            read_back_old_s=float(settings.targets[name].read_back_old),
            set_name=in_turn.set_of.get(name, ""),
            stands_in=name in in_turn.stand_ins,
        )
        for name in in_turn.media
    )
    due, not_due = _sources(settings, catalogue, sources, order, now)
    closes_at = max(target.closes_at for target in planned) if planned else max(ends.values())
    return Plan(
        sources=due,
        not_due=not_due,
        targets=planned,
        not_enrolled=tuple(name for name in ends if name not in records),
        forced=order.now or bool(caught_up),
        caught_up=tuple(caught_up),
        closes_at=closes_at,
        closes_at_s=clock.boot_s() + (closes_at - now).total_seconds(),
        resting=tuple(in_turn.resting),
        out_of_turn=tuple(in_turn.forced),
    )


def opened_at(settings: Settings, plan: Plan, now: datetime) -> datetime:
    """Give when the newest window of a plan opened; the beginning of time when none is open."""
    opened = [datetime.fromtimestamp(0, UTC)]
    for target in plan.targets:
        window = settings.window_of(target.name)
        ends_at = closes_at(window, now, settings.time_zone) if window else None
        if window and ends_at:
            opened.append(ends_at - timedelta(seconds=window.for_s))
    return max(opened)


@dataclass(slots=True)
class _InTurn:
    """Which media of tonight may be opened for writing, and which may not."""

    media: list[str] = field(default_factory=list)  # in the order in which they are tried
    set_of: dict[str, str] = field(default_factory=dict)
    stand_ins: set[str] = field(default_factory=set)
    resting: list[Resting] = field(default_factory=list)
    forced: list[Resting] = field(default_factory=list)  # out of turn, by a recorded --now


def _in_turn(
    settings: Settings,
    catalogue: CataloguePort,
    enrolled: Collection[str],
    order: Order,
    now: datetime,
) -> _InTurn:
    """Split tonight's media into those whose turn it is and those that rest."""
    found = _InTurn()
    sets = {name: one for one in media_sets(settings, catalogue) for name in one.media}
    written = catalogue.last_whole()
    turns = {one.name: turn_of(one, written, now, settings.time_zone) for one in sets.values()}
    for name in enrolled:
        if name not in sets:
            found.media.append(name)
            continue
        turn = turns[sets[name].name]
        found.set_of[name] = turn.set_name
        resting = Resting(
            name=name,
            set_name=turn.set_name,
            expected=turn.expected or "",
            others=turn.resting.get(name, 0),
            asked=name in order.targets,
        )
        if name == turn.expected or (name in order.targets and order.now):
            found.media.append(name)
            if name != turn.expected:
                found.forced.append(resting)
        elif name in turn.media and not order.targets:
            found.stand_ins.add(name)
        else:
            found.resting.append(resting)
    for turn in turns.values():  # whoever stands in is tried after the one whose turn it is
        found.media += [name for name in turn.media if name in found.stand_ins]
    return found


def _to_catch_up(
    settings: Settings, catalogue: Catalogue, order: Order, now: datetime
) -> dict[str, datetime]:
    """Give the windows to catch up, and until when; a window that is open needs no catching up."""
    if not order.catch_up:
        return {}
    dues = [decide(watch, now, settings.time_zone) for watch in watches(settings, catalogue)]
    return {due.opening.window: due.closes_at for due in dues if due.call is Call.CATCH_UP}


def _ends(
    settings: Settings, order: Order, now: datetime, caught_up: Mapping[str, datetime]
) -> dict[str, datetime]:
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
        elif window is not None and window.name in caught_up:
            ends[name] = caught_up[window.name]
        elif window is None and caught_up:
            ends[name] = max(caught_up.values())
        elif order.now or window is None:
            ends[name] = now + timedelta(seconds=_window_s(settings, name))
    return ends


def _window_s(settings: Settings, target: str) -> float:
    window = settings.window_of(target)
    return float(window.for_s) if window else float(WITHOUT_S)


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
