"""Vaults that were founded once and are copied for each test.

Rule 1: a copy is whole and its own: the state stands beside its ``vault.yaml``, all paths in it are
    relative, so that a vault that moves is still the vault.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.rigs.disk import attached
from tests.rigs.vaults import ScratchVault, make_vault

DISK_BYTES = 128 << 20


def copy_tree(source: Path, to: Path) -> None:
    """Copy with times, holes and owners."""
    subprocess.run(["cp", "-a", "--sparse=always", str(source), str(to)], check=True)


def copied(vault: ScratchVault, to: Path) -> ScratchVault:
    """Give a copy of a vault in another place."""
    copy_tree(vault.folder, to)
    history = {source: list(states) for source, states in vault.history.items()}
    return ScratchVault(
        folder=to,
        restic=vault.restic,
        recovery_password=vault.recovery_password,
        history=history,
    )


@pytest.fixture(scope="session")
def held_once(tmp_path_factory: pytest.TempPathFactory) -> ScratchVault:
    """A vault whose folder target holds one night."""
    vault = make_vault(tmp_path_factory.mktemp("held") / "vault", targets={"trial": "folder"})
    vault.init()
    vault.enrol("trial")
    vault.run().ok()
    return vault


@pytest.fixture(scope="session")
def waiting_once(held_once: ScratchVault, tmp_path_factory: pytest.TempPathFactory) -> ScratchVault:
    """The same, with a second night in the landing that has not crossed: the medium was away."""
    vault = copied(held_once, tmp_path_factory.mktemp("waiting") / "vault")
    vault.grow(2)
    vault.trial.rename(vault.folder / "away")
    vault.run().ok(75)
    (vault.folder / "away").rename(vault.trial)
    return vault


@pytest.fixture
def held(held_once: ScratchVault, tmp_path: Path) -> ScratchVault:
    """A vault of this test's own, whose folder target holds one night."""
    return copied(held_once, tmp_path / "vault")


@pytest.fixture
def waiting(waiting_once: ScratchVault, tmp_path: Path) -> ScratchVault:
    """A vault of this test's own, with a night in the landing that has not crossed."""
    return copied(waiting_once, tmp_path / "vault")


@pytest.fixture(scope="session")
def disk_once(tmp_path_factory: pytest.TempPathFactory) -> tuple[ScratchVault, Path]:
    """A vault whose disk holds one night, and the disk's image; the disk is not attached."""
    folder = tmp_path_factory.mktemp("on-disk")
    image = folder / "disk.img"
    with image.open("wb") as file:
        file.truncate(DISK_BYTES)
    vault = make_vault(folder / "vault", targets={"disk-a": "disk"})
    vault.init()
    with attached(image) as medium:
        vault.enrol("disk-a", device=medium.device)
        vault.run().ok()
    return vault, image


@pytest.fixture
def on_image(disk_once: tuple[ScratchVault, Path], tmp_path: Path) -> tuple[ScratchVault, Path]:
    """A vault and its disk's image, both of this test's own; the test attaches it.

    Whoever detaches gives the loop device's number away: attach anew, and ask for its name.
    """
    vault, image = disk_once
    mine = tmp_path / "disk.img"
    copy_tree(image, mine)
    return copied(vault, tmp_path / "vault"), mine


@pytest.fixture
def on_disk(on_image: tuple[ScratchVault, Path]):
    """A vault and its disk, attached for the whole test."""
    vault, image = on_image
    with attached(image) as medium:
        yield vault, medium
