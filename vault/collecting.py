"""Step 2 of a night: every due source into its mirror, and the late ones asked again.

    round             production door open, each source in order of priority; shut, proven
    late              missing, or with files that are still being written: asked again, every few
                      minutes, until its policy's ``wait`` is over; then the night goes on without

Rule 1: both doors are shut between two rounds, and the vault door during all of them.
Rule 2: waiting ends at half of the time there is: the rest belongs to the carrying.
Rule 3: a night that a person ordered, or one that catches up, asks once.
Source: design, section 4; ``docs/decisions/0030``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from vault.results import SourceVerdict

if TYPE_CHECKING:
    from vault.agenda import Plan
    from vault.cycle import House
    from vault.intake import Collected, NightSource

ASK_EVERY_S = 300.0
_OVER_S = 0.5  # so near its end, a wait is over


def collect_due(house: House, plan: Plan, *, cycle: int) -> list[Collected]:
    """Give what each due source brought, in the order of the plan; writes who was waited for."""
    if not plan.sources:
        return []
    began_s = house.clock.boot_s()
    collected = _ask(house, plan, plan.sources, cycle)
    awaited: set[str] = set()
    while late := _late(house, plan, collected, began_s):
        names = [source.name for source in late]
        awaited |= set(names)
        house.progress.step("await", ", ".join(names))
        ends_s = max(_gives_up_s(plan, source, began_s) for source in late)
        house.pause(min(ASK_EVERY_S, ends_s - house.clock.boot_s()))
        collected |= _ask(house, plan, late, cycle)
    if awaited:
        house.ledger.append(
            "sources-awaited",
            cycle=cycle,
            sources=sorted(awaited),
            came=sorted(name for name in awaited if name not in _names_late(collected)),
            seconds=round(house.clock.boot_s() - began_s),
        )
    return list(collected.values())


def _ask(
    house: House, plan: Plan, sources: Sequence[NightSource], cycle: int
) -> dict[str, Collected]:
    """Collect some sources with the production door open; it is shut and proven afterwards."""
    names = [source.name for source in sources]
    around = house.moments.between("before-collect", "after-collect", cycle=cycle, sources=names)
    house.catalogue.set_step(cycle, 2)
    with around, house.airlock.production_open(cycle=cycle):
        found = [house.intake.collect(one, closes_at_s=plan.closes_at_s) for one in sources]
        house.catalogue.set_step(cycle, 3)
    return {one.name: what for one, what in zip(sources, found, strict=True)}


def _late(
    house: House, plan: Plan, collected: dict[str, Collected], began_s: float
) -> list[NightSource]:
    """Give the sources that are worth waiting for, now."""
    if plan.forced:
        return []
    now_s, late = house.clock.boot_s(), _names_late(collected)
    return [
        source
        for source in plan.sources
        if source.name in late and now_s + _OVER_S < _gives_up_s(plan, source, began_s)
    ]


def _gives_up_s(plan: Plan, source: NightSource, began_s: float) -> float:
    half_s = (plan.closes_at_s - began_s) / 2
    return began_s + min(source.policy.wait_s, half_s)


def _names_late(collected: dict[str, Collected]) -> set[str]:
    """Name what is missing or not whole yet; what failed does not come by waiting."""
    return {name for name, found in collected.items() if _is_late(found)}


def _is_late(found: Collected) -> bool:
    if found.result is not None:
        return found.result.verdict is SourceVerdict.MISSING
    return found.pull is not None and bool(found.pull.waiting)
