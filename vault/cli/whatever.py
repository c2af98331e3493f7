"""Shutting whatever else is broken: the front door's last resort, before an error is told.

Rule 1: a command that begins by shutting shuts also when configuration, catalogue or ledger keep
    it from everything else.
Rule 2: a door that is not proven shut is told before what else is wrong: code 5.
Rule 3: while another coffre has the doors they are left to it.
Source: design, section 2, invariants 2 and 3.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from vault.cli.session import Session, is_root
from vault.cli.words import message_of
from vault.errors import (
    CoffreError,
    DoorUnproven,
    Interrupted,
    LockHeld,
    NeedsRoot,
    OutsideWindow,
    Secured,
)
from vault.vault_lock import BRIEF_S

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vault.results import ShutReport
    from vault.statefile import StateFolder

# Raised after the doors were asked, or where they may not be.
_DONE = (DoorUnproven, Interrupted, LockHeld, NeedsRoot, OutsideWindow, PermissionError, Secured)


@contextmanager
def shutting_whatever(session: Session) -> Iterator[None]:
    """Let nothing that is spoilt keep the doors from being shut and asked.

    The error of the block passes on when every door is proven shut; else DoorUnproven.
    """
    try:
        yield
    except _DONE:
        raise
    except (CoffreError, OSError) as error:
        state = _state_to_ask(session)
        if state is None:
            raise
        _shut(session, state, error)
        raise


def _state_to_ask(session: Session) -> StateFolder | None:
    """Give the state folder; None where there is no vault yet, or it belongs to another account."""
    from vault.config import state_of
    from vault.statefile import StateFolder

    try:
        state = StateFolder(state_of(session.config))
    except (CoffreError, OSError):
        return None
    return state if may_ask(state) else None


def may_ask(state: StateFolder) -> bool:
    """Whether its doors are this account's to ask; root's also where the state takes no file."""
    needed = os.R_OK | os.X_OK | (0 if is_root() else os.W_OK)
    return os.access(state.folder, needed)


def shut_listed(state: StateFolder, reason: str) -> Mapping[str, ShutReport]:
    """Shut and ask every door of the list, whatever else is broken, under the vault's lock.

    None of them where no vault was made, or while another coffre has them. DoorUnproven when
    nothing names them.
    """
    from vault.wiring.doors import degrade, is_listed, shut_whatever

    with _locked(state) as is_ours:
        if not is_ours or not is_listed(state):
            return {}
        try:
            return shut_whatever(state, reason)
        except DoorUnproven:
            degrade(state, "no door could be named")
            raise


def _shut(session: Session, state: StateFolder, error: Exception) -> None:
    from vault.shutting import open_doors

    try:
        left = open_doors(shut_listed(state, "what else is broken"))
    except DoorUnproven:
        session.say(told_briefly(error))
        raise
    if left:
        session.say(told_briefly(error))
        raise unproven(left) from error


def told_briefly(error: Exception) -> str:
    """Say an error of ours or of the system in one line."""
    return message_of(error) if isinstance(error, CoffreError) else str(error)


def unproven(left: Mapping[str, ShutReport]) -> DoorUnproven:
    """Name the doors that are not proven shut, and what held them."""
    told = (f"{name}: {'; '.join(report.evidence)}" for name, report in left.items())
    return DoorUnproven(
        "not every door could be proven shut: {evidence}",
        evidence="; ".join(told),
        hint="can the medium's cable be pulled now? then coffre doctor says who held it?",
    )


@contextmanager
def _locked(state: StateFolder) -> Iterator[bool]:
    """Hold the vault's lock; False while another coffre is at work. A full disk locks nothing."""
    lock, is_ours = state.lock(for_s=BRIEF_S), True
    try:
        lock.take()
    except LockHeld:
        is_ours = False
    except OSError:
        is_ours = lock.holder() is None
    try:
        yield is_ours
    finally:
        lock.let_go()
