"""When a hook may run, what is kept of it, and how long a medium is waited for."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from tests.rigs.small_world import MEDIUM, Small, make_small
from vault.airlock import Opening
from vault.errors import Interrupted, LedgerError, MediaAbsent
from vault.moments import Moments
from vault.records import Pressed
from vault.results import HookOutcome, HookResult
from vault.wiring.moments import tell_gaps


class Site:
    """Hooks that note in the world that they ran, and end as they are told."""

    def __init__(self, small: Small) -> None:
        self.world = small.world
        self.outcome = HookOutcome.RAN
        self.error: Exception | None = None

    def fire(self, moment: str, facts: Mapping[str, object]) -> HookResult:
        self.world.note(f"{moment}, door {'open' if self.world.vault_open else 'shut'}")
        if self.error is not None:
            raise self.error
        return HookResult(moment=moment, outcome=self.outcome, duration_s=1.0)


@pytest.fixture
def small() -> Small:
    return make_small()


@pytest.fixture
def site(small: Small) -> Site:
    return Site(small)


@pytest.fixture
def moments(small: Small, site: Site) -> Moments:
    small.airlock.recover()
    return Moments(
        hooks=site,
        airlock=small.airlock,
        ledger=small.ledger,
        clock=small.clock,
        pause=small.clock.pass_s,
    )


def gap(source: str, severity: str = "critical", **values: object) -> dict[str, object]:
    return {
        "kind": "missing", "source": source, "target": None, "severity": severity, "values": values
    }  # fmt: skip


def ran(small: Small) -> list[str]:
    return [event for event in small.world.log if ", door " in event]


def opened(small: Small):
    opening = Opening(
        target="disk", medium=MEDIUM, purpose="carry", writing=False, closes_at_s=2000.0
    )
    return small.airlock.vault_open(opening)


def test_no_hook_runs_while_a_vault_door_is_open(small, moments):
    """Wherever in the code it is fired; what was skipped is kept with the reason."""
    with moments.at_door("disk", "carry"), opened(small):
        moments.fire("on-gap")
    assert ran(small) == ["door-open, door shut", "door-shut, door shut"]
    assert [(one.moment, str(one.outcome)) for one in moments.fired] == [
        ("door-open", "ran"), ("on-gap", "skipped"), ("door-shut", "ran")
    ]  # fmt: skip
    assert "proven shut" in moments.fired[1].detail


def test_no_hook_runs_before_the_doors_were_asked(small, site):
    """A process that died may have left one open."""
    moments = Moments(
        hooks=site, airlock=small.airlock, ledger=small.ledger, clock=small.clock, pause=print
    )
    assert moments.fire("on-gap").outcome is HookOutcome.SKIPPED
    assert ran(small) == []


def test_no_hook_runs_when_a_door_is_not_proven_shut(small, moments):
    """The door counts as open, whatever the records say."""
    small.vault.stuck = True
    with suppress(Exception), moments.at_door("disk", "carry"), opened(small):
        pass
    assert moments.fired[-1].moment == "door-shut"
    assert moments.fired[-1].outcome is HookOutcome.SKIPPED
    assert ran(small) == ["door-open, door shut"]


def test_the_red_button_skips_every_hook(small, moments):
    """Nothing of the site's moves any more until it is released."""
    small.store.press(Pressed(by="b", reason="r", at=datetime(2026, 1, 5, tzinfo=UTC), login="l"))
    fired = moments.fire("after-cycle")
    assert (fired.outcome, fired.detail) == (HookOutcome.SKIPPED, "the red button is pressed")
    assert ran(small) == []


@pytest.mark.parametrize("outcome", HookOutcome)
def test_the_ledger_is_told_of_what_was_run_or_refused(small, site, moments, outcome):
    """What is absent is in the night's result only: it would fill the ledger with nothing."""
    site.outcome = outcome
    moments.fire("door-open", target="disk", sources=["x"])
    told = [body for kind, body in small.ledger.entries if kind == "hook"]
    if outcome in (HookOutcome.ABSENT, HookOutcome.SKIPPED):
        assert told == []
    else:
        assert told == [
            {"moment": "door-open", "outcome": str(outcome), "detail": "", "duration_s": 1.0,
             "target": "disk"}
        ]  # fmt: skip
    assert len(moments.fired) == 1


def test_a_ledger_that_cannot_be_written_is_a_warning_and_no_end(small, moments):
    """A hook changes nothing, so neither does its entry."""
    small.ledger.fails = True
    assert moments.fire("publish").outcome is HookOutcome.RAN
    assert "cannot be written" in small.airlock.warnings[-1]
    with pytest.raises(LedgerError):
        small.ledger.append("any")


def test_what_door_open_powered_door_shut_cuts_on_every_end(small, site, moments):
    """Also when a signal ended the first one, and when the search raises."""
    site.error = Interrupted("ended by SIGTERM")
    with pytest.raises(Interrupted), moments.at_door("disk", "carry"):
        pytest.fail("the act went on")
    assert ran(small) == ["door-open, door shut", "door-shut, door shut"]
    assert [str(one.outcome) for one in moments.fired] == ["failed", "failed"]


def test_a_medium_is_waited_for_after_a_door_open_hook_that_ran(small, moments, monkeypatch):
    """Power takes seconds to become a device."""
    there_at_s = small.clock.boot_s() + 7

    def find():
        if small.clock.boot_s() < there_at_s:
            raise MediaAbsent("no medium of disk is attached")
        return MEDIUM

    monkeypatch.setattr(small.vault, "find", find)
    moments.medium_wait_s = 30
    with moments.at_door("disk", "carry") as look:
        assert look() is MEDIUM
    assert there_at_s <= small.clock.boot_s() < there_at_s + 1


@pytest.mark.parametrize(
    ("outcome", "waits_s"), [(HookOutcome.RAN, 30), (HookOutcome.ABSENT, 0), ("failed", 0)]
)
def test_a_medium_that_stays_away_is_waited_for_up_to_the_bound(
    small, site, moments, monkeypatch, outcome, waits_s
):
    """Only when a hook may have powered it; else its absence is known at once."""

    def find():
        raise MediaAbsent("no medium of disk is attached")

    monkeypatch.setattr(small.vault, "find", find)
    site.outcome, moments.medium_wait_s = HookOutcome(outcome), 30
    began_s = small.clock.boot_s()
    with pytest.raises(MediaAbsent), moments.at_door("disk", "carry") as look:
        look()
    assert waits_s <= small.clock.boot_s() - began_s <= waits_s + 1
    assert moments.fired[-1].moment == "door-shut"


def test_on_gap_is_fired_until_it_was_told_and_then_no_more(small, site, moments):
    """A hook that failed over a gap is told of it again; a number that grows makes no new one."""
    wired = SimpleNamespace(catalogue=small.catalogue, moments=moments)
    tell_gaps(wired, [gap("hr", "info")])
    assert moments.fired == []
    for outcome, days, fires in (
        ("failed", 1, True), ("timed-out", 2, True), ("ran", 3, True), ("ran", 4, False)
    ):  # fmt: skip
        site.outcome = HookOutcome(outcome)
        before = len(moments.fired)
        tell_gaps(wired, [gap("hr", days=days)])
        assert (len(moments.fired) > before) is fires, (outcome, days)
    tell_gaps(wired, [])
    tell_gaps(wired, [gap("hr")])  # gone, and missing again
    assert len(moments.fired) == 4


def test_on_gap_gets_only_what_is_new(small, site, moments):
    """What it was told of before is not repeated."""
    wired = SimpleNamespace(catalogue=small.catalogue, moments=moments)
    given = []
    site.fire = lambda moment, facts: (  # type: ignore[method-assign]
        given.append([one["source"] for one in facts["gaps"]])
        or HookResult(moment=moment, outcome=HookOutcome.RAN)
    )
    tell_gaps(wired, [gap("hr")])
    tell_gaps(wired, [gap("hr"), gap("pmsi"), gap("pmsi", period="M3")])
    assert given == [["hr"], ["pmsi", "pmsi"]]
