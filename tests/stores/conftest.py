"""Landings to carry from, and real file systems to carry to."""

from __future__ import annotations

import hashlib
import os
import random
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.rigs.disk import disk, mounted
from vault.results import AdmissionReport, RepositoryFile
from vault.stores import FilesStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

KIB, MIB = 1 << 10, 1 << 20


class Landing:
    """A folder with the files of a repository, random and named by their hashes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.chance = random.Random(7)
        for kind in ("data", "index", "snapshots", "keys"):
            (folder / kind).mkdir(parents=True)

    def put(self, kind: str, size_bytes: int) -> RepositoryFile:
        """Make one file."""
        content = self.chance.randbytes(size_bytes)
        name = hashlib.sha256(content).hexdigest()
        path = f"data/{name[:2]}/{name}" if kind == "data" else f"{kind}/{name}"
        (self.folder / path).parent.mkdir(exist_ok=True)
        (self.folder / path).write_bytes(content)
        return RepositoryFile(path=path, size_bytes=size_bytes)

    def batch(self, *pack_sizes: int) -> tuple[RepositoryFile, ...]:
        """Make what one backup leaves: packs, an index, a snapshot."""
        packs = [self.put("data", size) for size in pack_sizes]
        return (*packs, self.put("index", 5 * KIB), self.put("snapshots", 300))

    def path(self, file: RepositoryFile) -> Path:
        """Give where a file stands."""
        return self.folder / file.path


class Airlock:
    """A landing, a target, and a carry between them as a test wants to say it."""

    def __init__(self, landing: Landing, root: Path, *, immutable: bool = True) -> None:
        self.landing = landing
        self.root = root
        self.immutable = immutable
        with self.store() as store:
            store.prepare_repository()

    def store(self, **options: int) -> FilesStore:
        """Open the target."""
        return FilesStore(os.fsencode(self.root), immutable=self.immutable, **options)

    def carry(
        self,
        *batches: Sequence[RepositoryFile],
        for_s: float = 60.0,
        on_progress: Callable[[int, int], None] = lambda done, total: None,
        threads: int = 4,
    ) -> AdmissionReport:
        """Carry with a deadline some seconds away."""
        with self.store(threads=threads) as store:
            return store.carry(
                batches,
                landing=os.fsencode(self.landing.folder),
                soft_closes_at_s=time.clock_gettime(time.CLOCK_BOOTTIME) + for_s,
                on_progress=on_progress,
            )

    def there(self) -> set[str]:
        """List what the target's repository holds, temporary names too."""
        repository = self.root / "repository"
        return {str(p.relative_to(repository)) for p in repository.rglob("*") if not p.is_dir()}

    def torn(self) -> list[str]:
        """Name what does not hold the content its name says."""
        found = []
        for path in self.there():
            content = (self.root / "repository" / path).read_bytes()
            if hashlib.sha256(content).hexdigest() != path.rpartition("/")[2]:
                found.append(path)
        return found


@pytest.fixture
def landing(tmp_path: Path) -> Landing:
    return Landing(tmp_path / "landing")


@pytest.fixture
def folder(landing: Landing, tmp_path: Path) -> Airlock:
    """Give a target that is only a folder of this machine."""
    (tmp_path / "target").mkdir()
    # Nobody could remove the folder of a test that made its files immutable.
    return Airlock(landing, tmp_path / "target", immutable=False)


@pytest.fixture
def ext4(landing: Landing, tmp_path: Path) -> Iterator[Airlock]:
    """Give a target on a disk of its own."""
    with (
        disk(tmp_path / "image", direct_io=True) as made,
        mounted(made.device, tmp_path / "m") as m,
    ):
        yield Airlock(landing, m)


@pytest.fixture(params=["ext4", "xfs", "btrfs"])
def any_disk(request: pytest.FixtureRequest, landing: Landing, tmp_path: Path) -> Iterator[Airlock]:
    """Give a target on a disk of each file system we know."""
    fs_type = str(request.param)
    with (
        disk(tmp_path / "image", fs_type=fs_type, direct_io=True) as made,
        mounted(made.device, tmp_path / "m") as m,
    ):
        yield Airlock(landing, m)


@pytest.fixture
def airlock_at(landing: Landing) -> Callable[[Path], Airlock]:
    """Give a way to carry from the landing to any mounted folder."""
    return lambda root: Airlock(landing, root)
