"""The moments of an act at which the site's hooks run, and the medium that one of them may power.

    fire      may it run?  run it  keep what became of it
    between   one hook before, another on every end
    at_door   door-open  look for the medium  …  door-shut

Rule 1: no hook runs while a vault door is or may be open: every one was asked and is proven shut,
    or the hook is skipped, with the reason. The red button skips all of them.
Rule 2: what becomes of a hook changes nothing of what the act does or is judged to be.
Rule 3: on every end ``door-shut`` follows ``door-open``: what one powered, the other cuts.
Rule 4: the search for a medium is repeated only after a ``door-open`` hook that ran, and only
    while the medium is absent.
Source: hooks/README.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from vault.airlock import Airlock
from vault.errors import CoffreError, Interrupted, MediaAbsent
from vault.ports import Clock, Hooks, Medium
from vault.records import LedgerPort
from vault.results import HookOutcome, HookResult

_LOOK_EVERY_S = 0.5


@dataclass(slots=True, kw_only=True)
class Moments:
    """Fires hooks where they may run, and keeps what became of each."""

    hooks: Hooks
    airlock: Airlock
    ledger: LedgerPort
    clock: Clock
    pause: Callable[[float], None]  # for so many seconds
    medium_wait_s: float = 0.0
    fired: list[HookResult] = field(default_factory=list)  # also what was absent or skipped

    def fire(self, moment: str, **facts: object) -> HookResult:
        """Run the hook of a moment; Interrupted when a signal came meanwhile, else a result."""
        if reason := self._why_skipped():
            result = HookResult(moment=moment, outcome=HookOutcome.SKIPPED, detail=reason)
            self.fired.append(result)
            return result
        try:
            result = self.hooks.fire(moment, facts)
        except Interrupted:
            told = HookResult(
                moment=moment, outcome=HookOutcome.FAILED, detail="ended with the whole run"
            )
            self._keep(told, facts)
            raise
        self._keep(result, facts)
        return result

    def _why_skipped(self) -> str:
        if self.airlock.store.pressed() is not None:
            return "the red button is pressed"
        if not self.airlock.is_proven_shut:
            return "not every door was asked and proven shut"
        return ""

    def _keep(self, result: HookResult, facts: dict[str, object]) -> None:
        self.fired.append(result)
        if not result.outcome.is_told:
            return
        about = {name: facts[name] for name in ("cycle", "target", "purpose") if name in facts}
        try:
            self.ledger.append(
                "hook",
                moment=result.moment,
                outcome=str(result.outcome),
                detail=result.detail,
                duration_s=round(result.duration_s, 3),
                **about,
            )
        except Interrupted:
            raise
        except (CoffreError, OSError) as error:  # the next entry that matters will say so too
            self.airlock.warnings.append(f"a record could not be written: {error}")

    @contextmanager
    def between(self, before: str, afterwards: str, **facts: object) -> Iterator[HookResult]:
        """Fire one moment now, and another at the end, whatever the end is."""
        try:
            yield self.fire(before, **facts)
        finally:
            self.fire(afterwards, **facts)

    @contextmanager
    def at_door(self, target: str, purpose: str, **facts: object) -> Iterator[Callable[[], Medium]]:
        """Fire ``door-open``, give the search for the medium, fire ``door-shut`` at the end.

        The search raises what the door's own does: MediaAbsent, CloneFound, Impostor.
        """
        around = self.between("door-open", "door-shut", target=target, purpose=purpose, **facts)
        with around as opened:
            wait_s = self.medium_wait_s if opened.outcome is HookOutcome.RAN else 0.0
            yield lambda: self._find(target, wait_s)

    def _find(self, target: str, wait_s: float) -> Medium:
        gives_up_at_s = self.clock.boot_s() + wait_s
        while True:
            try:
                return self.airlock.doors[target].find()
            except MediaAbsent:
                if self.clock.boot_s() >= gives_up_at_s:
                    raise
            self.pause(_LOOK_EVERY_S)
