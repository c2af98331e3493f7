"""The state machine of the airlock: which door may move, and when.

Rule 1: door 2 opens only from a state in which door 1 is proven shut.
Rule 2: a door is shut only when the world said so; no answer leaves it unproven, and unproven
    counts as open.
Rule 3: what is secured opens nothing until another person releases.
Rule 4: every state has a way to a state with both doors shut or to ``DEGRADED``.
Rule 5: there is no I/O and no clock here; the airlock commits a state before the act it names.
Source: design, sections 2 and 3; the diagram in ``docs/architecture.md`` is made from TABLE.
"""

from __future__ import annotations

from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING

from vault.results import VaultStatus

if TYPE_CHECKING:
    from collections.abc import Mapping


class State(StrEnum):
    """Where the two doors are."""

    LOCKED = "locked"  # both doors proven shut
    PULLING = "pulling"  # door 1 is, or may be, open
    LEAVING = "leaving"  # door 1 is being shut, not yet proven
    CARRYING = "carrying"  # door 2 is, or may be, open
    SHUTTING = "shutting"  # door 2 is being shut, not yet proven
    DEGRADED = "degraded"  # a door could not be proven shut
    SECURED = "secured"  # red button, both doors proven shut


class Event(StrEnum):
    """What may happen to the airlock."""

    OPEN_PRODUCTION = "open-production"
    SHUT_PRODUCTION = "shut-production"
    OPEN_VAULT = "open-vault"
    SHUT_VAULT = "shut-vault"
    RECOVER = "recover"  # at a start: shut both doors and ask the world
    PROVEN = "proven"  # the doors that moved are proven shut
    UNPROVEN = "unproven"
    SECURE = "secure"  # the red button
    RELEASE = "release"


class Forbidden(AssertionError):
    """The event is not lawful in this state: a bug, or the interlock at work."""


_S, _E = State, Event

TABLE: Mapping[tuple[State, Event], State] = MappingProxyType(
    {
        (_S.LOCKED, _E.OPEN_PRODUCTION): _S.PULLING,
        (_S.LOCKED, _E.OPEN_VAULT): _S.CARRYING,
        (_S.LOCKED, _E.RECOVER): _S.SHUTTING,
        (_S.LOCKED, _E.SECURE): _S.SECURED,
        (_S.PULLING, _E.SHUT_PRODUCTION): _S.LEAVING,
        (_S.PULLING, _E.RECOVER): _S.SHUTTING,
        (_S.LEAVING, _E.PROVEN): _S.LOCKED,
        (_S.LEAVING, _E.UNPROVEN): _S.DEGRADED,
        (_S.LEAVING, _E.RECOVER): _S.SHUTTING,
        (_S.CARRYING, _E.SHUT_VAULT): _S.SHUTTING,
        (_S.CARRYING, _E.RECOVER): _S.SHUTTING,
        (_S.SHUTTING, _E.PROVEN): _S.LOCKED,
        (_S.SHUTTING, _E.UNPROVEN): _S.DEGRADED,
        (_S.SHUTTING, _E.RECOVER): _S.SHUTTING,
        (_S.DEGRADED, _E.RECOVER): _S.SHUTTING,
        (_S.SECURED, _E.RELEASE): _S.LOCKED,
        (_S.SECURED, _E.SECURE): _S.SECURED,
    }
)

DOOR_1_MAY_BE_OPEN = frozenset({State.PULLING, State.LEAVING, State.DEGRADED})
DOOR_2_MAY_BE_OPEN = frozenset({State.CARRYING, State.SHUTTING, State.DEGRADED})


def after(state: State, event: Event) -> State:
    """Give the state that follows, or raise Forbidden when there is none."""
    try:
        return TABLE[state, event]
    except KeyError:
        raise Forbidden(f"{event} is not lawful when {state}") from None


def status_of(state: State) -> VaultStatus:
    """Give the vault's status that a person reads for this state."""
    if state is State.DEGRADED:
        return VaultStatus.DEGRADED
    if state is State.SECURED:
        return VaultStatus.SECURED
    if state in DOOR_2_MAY_BE_OPEN:
        return VaultStatus.UNLOCKED
    return VaultStatus.LOCKED


def diagram() -> str:
    """Draw the table as a Mermaid state diagram, one arrow a line, in the table's order."""
    arrows = [f"  {a} --> {b}: {event}" for (a, event), b in TABLE.items()]
    return "\n".join(["stateDiagram-v2", f"  [*] --> {State.LOCKED}", *arrows]) + "\n"
