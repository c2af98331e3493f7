"""A target that holds many packs already: how long finding what is new takes, in what memory.

Rule 1: the real vault side is asked, through a real opening; the caches are dropped before. It has
    read the plan, as in every night, before the medium is touched; that is not in the figure.
Rule 2: the memory is that of all its processes together, pages they share counted once, or of
    its largest process, whichever is more; it is looked at every 20 ms.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from benchmarks.medium import drop_caches
from benchmarks.store import make_load, memory_kb, numbered, stocked
from vault.doors.disk import DiskDoor
from vault.doors.kernel import boot_s
from vault.doors.probe import superblock
from vault.doors.session import Session
from vault.results import RepositoryFile

NEW = 60
_OPEN_S = 900.0
_LOOK_EVERY_S = 0.02
_PACK_BYTES = 16 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """One admission onto a target that holds many packs."""

    seconds: float
    peak_mb: float
    largest_mb: float
    looks: int


def measure_list(folder: Path, *, packs: int, rounds: int) -> list[float]:
    """Give the seconds of asking a cold target for what it lacks; asked through its door."""
    found = []
    wanted = list(numbered(packs + NEW))  # naming them is the bench's work, not the vault's
    with stocked(folder, packs) as (device, _):
        door = _door_of(device)
        for _ in range(rounds):
            drop_caches()
            with _opened(door, writing=False, plan=wanted) as session:
                began = time.perf_counter()
                lacking = session.missing()
                found.append(time.perf_counter() - began)
            assert len(lacking) == NEW, len(lacking)
    return found


def measure_admission(folder: Path, *, packs: int) -> Admission:
    """Admit some new packs onto a target that holds many, and watch the vault side's memory."""
    load = make_load(folder, "new", [_PACK_BYTES + 4096 * number for number in range(16)])
    there = list(numbered(packs))
    with stocked(folder, packs) as (device, _):
        door = _door_of(device)
        drop_caches()
        with _opened(door, writing=True, plan=there, new=load.files) as session:
            session.make_writable()
            began = time.perf_counter()
            with _Memory(session.vault_side_pid) as memory:
                report = session.admit(
                    landing=os.fsencode(load.landing),
                    soft_closes_at_s=boot_s() + _OPEN_S,
                    progress=lambda _done, _total: None,
                )
            took = time.perf_counter() - began
    assert report.is_complete, report
    assert report.admitted_bytes == load.size_bytes, report
    return Admission(
        seconds=took,
        peak_mb=max(memory.together_kb, memory.largest_kb) / 1024,
        largest_mb=memory.largest_kb / 1024,
        looks=memory.looks,
    )


def _door_of(device: str) -> DiskDoor:
    found = superblock(device)
    assert found is not None
    return DiskDoor("many", uuid=found.uuid, size_bytes=None, fs_type=found.fs_type, detach="none")


@contextmanager
def _opened(
    door: DiskDoor,
    *,
    writing: bool,
    plan: Sequence[RepositoryFile],
    new: Sequence[RepositoryFile] = (),
) -> Iterator[Session]:
    medium = door.find()
    closes_at_s = boot_s() + _OPEN_S
    with door.open(medium, writing=writing, closes_at_s=closes_at_s, plan=[plan, new]) as session:
        yield session
    assert door.shut("the bench is done").is_shut


class _Memory:
    """Look at a process and all below it until the block ends."""

    def __init__(self, pid: int) -> None:
        self.together_kb = self.largest_kb = self.looks = 0
        self._pid = pid
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._over.wait(_LOOK_EVERY_S):
            found = [memory_kb(pid) for pid in family(self._pid)]
            self.together_kb = max(self.together_kb, sum(shared for shared, _ in found))
            self.largest_kb = max([self.largest_kb, *(alone for _, alone in found)])
            self.looks += 1


def family(pid: int) -> list[int]:
    """Give a process and all below it that live just now."""
    found = [pid]
    for parent in found:
        with contextlib.suppress(OSError):
            children = Path(f"/proc/{parent}/task/{parent}/children").read_text()
            found += [int(child) for child in children.split()]
    return found
