"""Step 2: late exports are asked again inside the window, with both doors shut in between."""

from __future__ import annotations

from contextlib import contextmanager, nullcontext
from types import SimpleNamespace

import pytest

from vault.collecting import ASK_EVERY_S, collect_due
from vault.intake import Collected
from vault.results import Pull, Refusal, SourceResult, SourceVerdict

HOUR_S = 3600.0


class World:
    """A clock that pauses move, sources that come at their time, and what was done, in order."""

    def __init__(self, **comes_at_s: float | None) -> None:
        self.now_s = 1000.0
        self.began_s = self.now_s
        self.comes_at_s = comes_at_s  # since the beginning; None is never, negative is half written
        self.done: list[str] = []
        self.entries: list[tuple[str, dict]] = []
        self.catalogue = SimpleNamespace(set_step=lambda _cycle, _step: None)
        self.clock = SimpleNamespace(boot_s=lambda: self.now_s)
        self.progress = SimpleNamespace(step=lambda *_words: None)
        self.intake = SimpleNamespace(collect=self.collect)
        self.moments = SimpleNamespace(between=lambda *_moments, **_facts: nullcontext())
        self.airlock = SimpleNamespace(production_open=self.production_open)
        self.ledger = SimpleNamespace(append=lambda kind, **body: self.entries.append((kind, body)))

    @contextmanager
    def production_open(self, *, cycle: int):
        self.done.append("open")
        yield
        self.done.append("shut")

    def pause(self, seconds: float) -> None:
        assert self.done[-1] == "shut", "waited with the production door open"
        self.done.append(f"pause {seconds:g}")
        self.now_s += seconds

    def collect(self, source, *, closes_at_s: float) -> Collected:
        assert self.done[-1] != "shut", "asked with the production door shut"
        self.done.append(source.name)
        at_s = self.comes_at_s[source.name]
        is_there = at_s is not None and self.now_s - self.began_s >= abs(at_s)
        if is_there:
            return Collected(night_source=source, pull=Pull(entries=()))
        if at_s is not None and at_s < 0:
            waiting = (Refusal(name=b"x", reason="still changing"),)
            return Collected(night_source=source, pull=Pull(entries=(), waiting=waiting))
        result = SourceResult(name=source.name, verdict=SourceVerdict.MISSING)
        return Collected(night_source=source, result=result)


def night(world: World, *, wait_s: float, forced: bool = False, for_s: float = 2 * HOUR_S):
    """Collect every source of a world once; give what each brought."""
    sources = [
        SimpleNamespace(name=name, policy=SimpleNamespace(wait_s=wait_s))
        for name in world.comes_at_s
    ]
    plan = SimpleNamespace(sources=sources, forced=forced, closes_at_s=world.now_s + for_s)
    found = collect_due(world, plan, cycle=1)
    assert [item.night_source.name for item in found] == [one.name for one in sources]
    return {item.night_source.name: item for item in found}


def test_without_a_wait_everything_is_asked_once():
    """As ever: what is missing is missing."""
    world = World(there=0, gone=None, half=-1)
    found = night(world, wait_s=0)
    assert world.done == ["open", "there", "gone", "half", "shut"]
    assert found["gone"].result.verdict is SourceVerdict.MISSING
    assert world.entries == []


@pytest.mark.parametrize("comes_at_s", [400.0, -400.0])
def test_a_late_source_is_asked_again_alone_until_it_is_there(comes_at_s):
    """Missing, or half written; the door is shut between; it is recorded who was waited for."""
    world = World(there=0, late=comes_at_s)
    found = night(world, wait_s=HOUR_S)
    again = [f"pause {ASK_EVERY_S:g}", "open", "late", "shut"]
    assert world.done == ["open", "there", "late", "shut", *again, *again]
    assert found["late"].result is None
    assert found["late"].pull.waiting == ()
    (entry,) = world.entries
    assert entry == (
        "sources-awaited",
        {"cycle": 1, "sources": ["late"], "came": ["late"], "seconds": 600},
    )


def test_the_night_goes_on_without_what_does_not_come():
    """When the wait of its policy is over, with a last look at its end."""
    world = World(gone=None)
    found = night(world, wait_s=700)
    assert world.done.count("gone") == 4  # at 0, 300, 600 and 700 s
    assert found["gone"].result.verdict is SourceVerdict.MISSING
    assert world.entries[0][1]["came"] == []


def test_waiting_leaves_half_of_the_time_to_the_carrying():
    """A wait longer than the window ends at its middle."""
    world = World(gone=None)
    night(world, wait_s=12 * HOUR_S, for_s=HOUR_S)
    assert world.now_s - world.began_s == pytest.approx(HOUR_S / 2, abs=1)


def test_a_night_that_was_ordered_does_not_wait():
    """A person is looking on, or time was lost already."""
    world = World(gone=None)
    night(world, wait_s=HOUR_S, forced=True)
    assert world.done == ["open", "gone", "shut"]


def test_a_night_without_sources_opens_no_production_door():
    """Nothing is due: nothing moves."""
    world = World()
    assert night(world, wait_s=HOUR_S) == {}
    assert world.done == []
