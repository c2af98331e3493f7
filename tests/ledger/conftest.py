"""A ledger on a quick disk, under a clock that the test moves."""

from __future__ import annotations

import os
import shutil
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from vault.ledger import Ledger
from vault.ledger.notes import VaultKey


class HandClock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.wall = datetime(2026, 3, 1, 1, 0, tzinfo=UTC)
        self.boot = 1000.0

    def now(self) -> datetime:
        return self.wall

    def boot_s(self) -> float:
        return self.boot

    def boot_id(self) -> str:
        return "11111111-2222-3333-4444-555555555555"

    def move(self, seconds: float) -> None:
        self.wall += timedelta(seconds=seconds)
        self.boot += max(seconds, 0.0)


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def quick_folder(tmp_path):
    """Give a folder in memory: thousands of syncs cost nothing there."""
    if not os.access("/dev/shm", os.W_OK):
        yield tmp_path
        return
    folder = tempfile.mkdtemp(dir="/dev/shm", prefix="ledger-test-")
    yield Path(folder)
    shutil.rmtree(folder)


@pytest.fixture
def path(quick_folder):
    return quick_folder / "ledger.jsonl"


@pytest.fixture
def ledger(path, clock) -> Ledger:
    """Give a ledger of six entries."""
    made = Ledger(str(path), clock)
    for i in range(6):
        clock.move(60)
        made.append("cycle-began" if i % 2 else "vault-opening", cycle=i, note="é — \n")
    return made


@pytest.fixture(scope="session")
def key(tmp_path_factory) -> VaultKey:
    return VaultKey.create(str(tmp_path_factory.mktemp("keys") / "vault.key"), "vault.example.fr")


@pytest.fixture(scope="session")
def other_key(tmp_path_factory) -> VaultKey:
    return VaultKey.create(str(tmp_path_factory.mktemp("keys") / "other.key"), "vault.example.fr")
