"""Disks, landings and openings for the tests of the doors."""

from __future__ import annotations

import hashlib
import random
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.rigs.disk import Disk, disk
from vault.doors import kernel
from vault.doors.disk import DiskDoor
from vault.results import RepositoryFile


@pytest.fixture
def ext4(tmp_path: Path):
    with disk(tmp_path / "disk.img") as made:
        yield made


@pytest.fixture
def door(ext4: Disk) -> DiskDoor:
    return door_of(ext4)


def door_of(made: Disk) -> DiskDoor:
    return DiskDoor(
        "disk-a", uuid=made.uuid, size_bytes=made.size_bytes, fs_type=made.fs_type, shut_timeout_s=5
    )


@dataclass(frozen=True)
class Landing:
    """A folder of files that are named by their hash."""

    folder: Path
    files: list[RepositoryFile]


@pytest.fixture
def landing(tmp_path: Path) -> Landing:
    return make_landing(tmp_path / "landing")


def make_landing(folder: Path, *, packs: int = 4, size: int = 300_000, seed: int = 1) -> Landing:
    chance = random.Random(seed)
    files = []
    for kind, count, bytes_each in (("data", packs, size), ("index", 1, 900), ("snapshots", 1, 99)):
        for _ in range(count):
            content = chance.randbytes(bytes_each)
            name = hashlib.sha256(content).hexdigest()
            path = f"data/{name[:2]}/{name}" if kind == "data" else f"{kind}/{name}"
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(content)
            files.append(RepositoryFile(path=path, size_bytes=bytes_each))
    return Landing(folder=folder, files=files)


def soon(seconds: float = 30.0) -> float:
    return kernel.boot_s() + seconds


@pytest.fixture
def rig():
    """Give the helpers, since test modules cannot import one another."""

    class Rig:
        door_of = staticmethod(door_of)
        make_landing = staticmethod(make_landing)
        soon = staticmethod(soon)

    return Rig
