"""Shutting: every door, whoever opened it, and the world's answer.

Rule 1: it needs the doors alone: no configuration, catalogue, ledger or state.
Rule 2: an error while asking counts as open, whatever error it is.
Rule 3: a signal waits until the answer is there.
Source: design, section 2, invariants 2 and 3.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from vault.errors import Interrupted, reason_of
from vault.ports import ProductionDoor, VaultDoor
from vault.results import Disconnection, DoorProof, ShutReport

PRODUCTION = "production"
_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True, slots=True, kw_only=True)
class AllDoors:
    """Every door of one vault host."""

    production: ProductionDoor
    vault: Mapping[str, VaultDoor]  # by target
    shares_gone: Callable[[str], ShutReport] | None = None  # shares mounted for the pulls

    def shut_all(self, reason: str) -> dict[str, ShutReport]:
        """Shut and ask every door; by name, "production" first."""
        reports = {PRODUCTION: self.shut_production(reason)}
        return reports | {name: asked(door.shut, reason) for name, door in self.vault.items()}

    def shut_production(self, reason: str) -> ShutReport:
        """Shut the production door, then ask after the shares."""
        report = asked(self.production.shut, reason)
        if not report.is_shut or self.shares_gone is None:
            return report
        gone = asked(self.shares_gone, reason)
        return report if gone.is_shut else gone


def open_doors(reports: Mapping[str, ShutReport]) -> dict[str, ShutReport]:
    """Give the doors that were not proven shut."""
    return {name: report for name, report in reports.items() if not report.is_shut}


@contextmanager
def undisturbed() -> Iterator[None]:
    """Hold back the signals that end a run; the first that came is handled at the end."""
    is_main = threading.current_thread() is threading.main_thread()  # no other takes signals
    found = {number: signal.getsignal(number) for number in _ENDING if is_main}
    handlers = {number: handler for number, handler in found.items() if callable(handler)}
    held: list[int] = []
    for number in handlers:
        signal.signal(number, lambda number, _frame: held.append(number))
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        if held:
            signal.raise_signal(held[0])


def asked(shut: Callable[[str], ShutReport], reason: str) -> ShutReport:
    """Shut and ask; an error while asking counts as open."""
    try:
        with undisturbed():
            return shut(reason)
    except Interrupted:
        raise
    except Exception as error:  # noqa: BLE001, a fault of ours is no answer either
        return ShutReport(
            proof=DoorProof.UNKNOWN,
            disconnection=Disconnection.NONE,
            evidence=(f"the question failed: {reason_of(error)}",),
        )


def evidence_of(report: ShutReport) -> dict[str, object]:
    """Give a report as the members of a ledger's entry."""
    return {
        "proof": str(report.proof),
        "disconnection": str(report.disconnection),
        "evidence": list(report.evidence),
    }
