"""What crossed before is read from the medium, and what is wrong with it is told file by file."""

from __future__ import annotations

import os
import time

import pytest

from vault.errors import StoreError
from vault.results import OldRead, RepositoryFile
from vault.stores import old_files


def read(airlock, files, *, for_s: float = 60.0, threads: int = 4) -> OldRead:
    with airlock.store(threads=threads) as store:
        ends_at_s = time.clock_gettime(time.CLOCK_BOOTTIME) + for_s
        return store.read_old(files, ends_at_s=ends_at_s)


def damage(airlock, file: RepositoryFile, at: int = 0) -> None:
    """Turn one byte over; name and size stay."""
    path = airlock.root / "repository" / file.path
    os.chmod(path, 0o600)
    with path.open("r+b") as opened:
        opened.seek(at)
        byte = opened.read(1)
        opened.seek(at)
        opened.write(bytes([byte[0] ^ 1]))


@pytest.fixture
def batch(folder):
    """Files of many sizes, in the order of their names, on a target."""
    files = folder.landing.batch(*range(1, 20), 1 << 20, (3 << 20) + 5)
    folder.carry(files)
    return sorted(files, key=lambda file: file.path)


def test_sound_files_are_read_whole(folder, batch):
    """Each byte of each of them, counted."""
    found = read(folder, batch)
    assert (found.files, found.bytes) == (len(batch), sum(file.size_bytes for file in batch))
    assert found.corrupt == ()
    assert found.first_unproven == len(batch)
    assert found.seconds > 0


def test_all_damage_is_told_and_stays_unproven(folder, batch):
    """A byte, a size, a kind, a file that is gone: the others are read all the same."""
    repository = folder.root / "repository"
    large = max(range(len(batch)), key=lambda n: batch[n].size_bytes)
    damage(folder, batch[large], at=batch[large].size_bytes - 1)
    bad = [n for n in range(3, 8) if n != large][:3]
    os.chmod(repository / batch[bad[0]].path, 0o600)
    os.truncate(repository / batch[bad[0]].path, 0)
    (repository / batch[bad[1]].path).unlink()
    (repository / batch[bad[2]].path).unlink()
    (repository / batch[bad[2]].path).mkdir()
    found = read(folder, batch)
    told = {refusal.name.decode(): refusal.reason for refusal in found.corrupt}
    assert told == {
        batch[large].path: "read back differs",
        batch[bad[0]].path: "on the target with another size or kind",
        batch[bad[1]].path: "gone from the medium",
        batch[bad[2]].path: "on the target with another size or kind",
    }
    assert found.files == len(batch)
    assert found.first_unproven == min(large, *bad)


def test_without_time_nothing_is_read(folder, batch):
    """Nor counted."""
    found = read(folder, batch, for_s=-1)
    assert (found.files, found.bytes, found.first_unproven, found.corrupt) == (0, 0, 0, ())


def test_a_file_that_time_ran_out_on_is_not_proven(folder, batch, monkeypatch):
    """It is left in its middle, neither sound nor damaged; the one before it is proven."""
    wanted = [batch[0], max(batch, key=lambda file: file.size_bytes), batch[1]]
    began = time.clock_gettime(time.CLOCK_BOOTTIME)
    real = old_files.read_medium

    def slow(fd: int, size_bytes: int, *, ends_at_s: float) -> str | None:
        if size_bytes > 1 << 20:
            time.sleep(max(0.0, ends_at_s - time.clock_gettime(time.CLOCK_BOOTTIME)))
        return real(fd, size_bytes, ends_at_s=ends_at_s)

    monkeypatch.setattr(old_files, "read_medium", slow)
    found = read(folder, wanted, for_s=0.3, threads=1)
    assert (found.files, found.first_unproven, found.corrupt) == (1, 1, ())
    assert time.clock_gettime(time.CLOCK_BOOTTIME) - began < 5


def test_an_unlawful_name_is_refused(folder):
    """Before anything is opened."""
    with pytest.raises(StoreError):
        read(folder, [RepositoryFile(path="../escape", size_bytes=1)])
