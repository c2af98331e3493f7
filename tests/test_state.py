"""The airlock's state machine: no path opens both doors, none ends with a door left open."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from vault.results import VaultStatus
from vault.state import (
    DOOR_1_MAY_BE_OPEN,
    DOOR_2_MAY_BE_OPEN,
    TABLE,
    Event,
    Forbidden,
    State,
    after,
    diagram,
    status_of,
)

CLOSED = {State.LOCKED, State.SECURED}


class World(RuleBasedStateMachine):
    """Two doors that obey the events the machine allows, and a world that may not answer."""

    def __init__(self) -> None:
        super().__init__()
        self.state = State.LOCKED
        self.door_1 = self.door_2 = False  # whether each stands open, really
        self.stuck = False

    def _try(self, event: Event) -> bool:
        try:
            self.state = after(self.state, event)
        except Forbidden:
            return False
        return True

    @rule()
    def open_production(self) -> None:
        if self._try(Event.OPEN_PRODUCTION):
            self.door_1 = True

    @rule()
    def open_vault(self) -> None:
        if self._try(Event.OPEN_VAULT):
            self.door_2 = True

    @rule(stuck=st.booleans())
    def shut_production(self, stuck: bool) -> None:
        if self._try(Event.SHUT_PRODUCTION):
            self._ask(stuck)

    @rule(stuck=st.booleans())
    def shut_vault(self, stuck: bool) -> None:
        if self._try(Event.SHUT_VAULT):
            self._ask(stuck)

    @rule(stuck=st.booleans())
    def die_and_recover(self, stuck: bool) -> None:
        if self._try(Event.RECOVER):
            self._ask(stuck)

    def _ask(self, stuck: bool) -> None:
        if not stuck:
            self.door_1 = self.door_2 = False
        self._try(Event.UNPROVEN if stuck else Event.PROVEN)

    @rule()
    def press(self) -> None:
        self._try(Event.SECURE)

    @rule()
    def release(self) -> None:
        self._try(Event.RELEASE)

    @invariant()
    def never_both(self) -> None:
        assert not (self.door_1 and self.door_2)

    @invariant()
    def an_open_door_is_known(self) -> None:
        if self.door_1:
            assert self.state in DOOR_1_MAY_BE_OPEN
        if self.door_2:
            assert self.state in DOOR_2_MAY_BE_OPEN

    @invariant()
    def locked_means_shut(self) -> None:
        if self.state in CLOSED:
            assert not self.door_1
            assert not self.door_2

    @invariant()
    def a_door_that_is_not_known_shut_never_reads_locked(self) -> None:
        if self.door_2:
            assert status_of(self.state) in (VaultStatus.UNLOCKED, VaultStatus.DEGRADED)


TestWorld = World.TestCase
TestWorld.settings = settings(max_examples=200, stateful_step_count=40, deadline=None)


def test_every_state_has_a_way_to_both_doors_shut_or_degraded() -> None:
    """From everywhere, two events at most end with the doors asked about."""
    for state in State:
        ends = {
            TABLE[TABLE[state, first], second]
            for first, second in itertools.product(Event, Event)
            if (state, first) in TABLE and (TABLE[state, first], second) in TABLE
        } | {TABLE[state, event] for event in Event if (state, event) in TABLE}
        assert ends & {State.LOCKED, State.SECURED, State.DEGRADED}


def test_a_vault_door_opens_from_locked_only() -> None:
    """No other state leads to carrying."""
    assert [a for (a, event) in TABLE if event is Event.OPEN_VAULT] == [State.LOCKED]


def test_nothing_opens_while_secured_or_degraded() -> None:
    """Both opening events are forbidden there."""
    for state, event in itertools.product(
        (State.SECURED, State.DEGRADED), (Event.OPEN_VAULT, Event.OPEN_PRODUCTION)
    ):
        with pytest.raises(Forbidden):
            after(state, event)


@given(st.lists(st.sampled_from(list(Event)), max_size=30))
def test_no_sequence_of_events_reaches_a_state_outside_the_table(events: list[Event]) -> None:
    """What is forbidden changes nothing."""
    state = State.LOCKED
    for event in events:
        try:
            state = after(state, event)
        except Forbidden:
            continue
        assert state in State


def test_diagram_names_every_arrow() -> None:
    """The picture in the manual is the table."""
    lines = diagram().splitlines()
    assert len(lines) == len(TABLE) + 2
