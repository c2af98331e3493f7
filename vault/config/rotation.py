"""Sets of media that take turns, as ``vault.yaml`` says them.

Rule 1: the media of a set are targets; a target is in one set at most, all in one window.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, StrictInt

from vault.config.fields import Duration, Model, Name
from vault.config.problems import suggest
from vault.rotation import Every

if TYPE_CHECKING:
    from vault.config.nodes import Document, Loc
    from vault.config.problems import Problem
    from vault.config.settings import TargetSettings

_MISSED_S = {Every.NIGHT: 2 * 86_400, Every.WEEK: 10 * 86_400, Every.MONTH: 40 * 86_400}


class SetSettings(Model):
    """Media that take turns."""

    targets: Annotated[tuple[Name, ...], Field(min_length=2)] = Field(
        description="its media, in the order in which they begin; two at least"
    )
    every: Literal["night", "week", "month"] = Field(
        description="when the turn passes to the next medium: night, week or month"
    )
    reuse_after: Annotated[StrictInt, Field(ge=1)] | None = Field(
        default=None,
        description="how many others of the set are written before a medium is written again; "
        "without it, all of them",
    )
    max_absence: Annotated[Duration, Field(ge=3600)] | None = Field(
        default=None,
        description="how long none of its media may have taken what is new; without it, 2 days, "
        "10 days or 40 days",
    )

    @property
    def turn(self) -> Every:
        """How often the turn passes."""
        return Every(self.every)

    @property
    def absence_s(self) -> int:
        """How long no medium of the set may have taken what is new."""
        return self.max_absence or _MISSED_S[self.turn]


def check_sets(
    sets: Mapping[str, SetSettings], targets: Mapping[str, TargetSettings], document: Document
) -> Iterator[Problem]:
    """Give what does not make sense of the sets together with their targets."""
    seen: dict[str, str] = {}
    for name, one in sets.items():
        for n, target in enumerate(one.targets):
            loc: Loc = ("sets", name, "targets", n)
            if target not in targets:
                near = suggest(target, sorted(targets))
                yield document.problem(loc, "there is no such target; {near}", near=near)
            elif target in seen:
                template = "{target} is in the set {other} already: a medium takes one turn only"
                yield document.problem(loc, template, target=target, other=seen[target])
            seen.setdefault(target, name)
        windows = {targets[target].window for target in one.targets if target in targets}
        if len(windows) > 1:
            yield document.problem(("sets", name, "targets"), "the media of a set share one window")
        if one.reuse_after is not None and one.reuse_after >= len(one.targets):
            yield document.problem(
                ("sets", name, "reuse_after"),
                "a set of {count} media has {others} others: at most that",
                count=len(one.targets),
                others=len(one.targets) - 1,
            )
