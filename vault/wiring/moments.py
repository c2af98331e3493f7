"""The site's hooks put together; which gaps are new, and where the pages that were written are.

Rule 1: a gap is new until ``on-gap`` was told of it: one that a hook failed over is told again.
Rule 2: a number that grows each night makes no new gap; whoever has no such hook misses none.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from vault.config.safety import check_executable
from vault.hooks import HookFolder
from vault.moments import Moments
from vault.results import HookOutcome
from vault.wiring.events import PingingHooks

if TYPE_CHECKING:
    from vault.wiring.wired import Wired

TOLD_FACT = "gaps-told"  # names of the gaps that on-gap was told of


def make_moments(wired: Wired) -> Moments:
    """Make what fires the hooks beside ``vault.yaml``."""
    settings = wired.settings.hooks
    return Moments(
        hooks=PingingHooks(hook_folder(wired), wired),
        airlock=wired.airlock,
        ledger=wired.ledger,
        clock=wired.clock,
        pause=time.sleep,
        medium_wait_s=settings.medium_wait,
    )


def hook_folder(wired: Wired) -> HookFolder:
    """Give the hooks beside ``vault.yaml``."""
    return HookFolder(
        folder=os.path.join(wired.settings.base, "hooks"),
        check=check_executable,
        timeout_s=wired.settings.hooks.timeout,
    )


def tell_gaps(wired: Wired, gaps: Sequence[Mapping[str, Any]]) -> None:
    """Fire ``on-gap`` when something is missing that it was not told of."""
    now = {_name(gap): gap for gap in gaps if gap["severity"] != "info"}
    told = set(json.loads(wired.catalogue.fact(TOLD_FACT) or "[]"))
    if new := [gap for name, gap in now.items() if name not in told]:
        fired = wired.moments.fire("on-gap", gaps=new)
        if fired.outcome in (HookOutcome.RAN, HookOutcome.ABSENT):
            told = set(now)
    still = json.dumps(sorted(told & set(now)))
    if still != (wired.catalogue.fact(TOLD_FACT) or "[]"):
        wired.catalogue.set_fact(TOLD_FACT, still)


def _name(gap: Mapping[str, Any]) -> str:
    """Tell one gap from another, whatever is counted in it."""
    words = {key: value for key, value in gap["values"].items() if isinstance(value, str)}
    return json.dumps([gap["kind"], gap["source"], gap["target"], words], sort_keys=True)


def tell_pages(wired: Wired) -> None:
    """Fire ``publish`` with the paths of what the state group may read."""
    public = wired.path("public")
    found = [os.path.join(folder, name) for folder, _, names in os.walk(public) for name in names]
    wired.moments.fire("publish", paths=sorted(found))
