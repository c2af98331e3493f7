"""What is lawful in a repository, and what is an alien."""

import os
import resource
import socket
import time
import tracemalloc
from pathlib import Path

import pytest

from vault.errors import RepositoryMissing, ResticError
from vault.restic import walk

HASH = "ab" + "0" * 62


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Make the folders of a repository, with one lawful file in each place."""
    root = tmp_path / "r"
    for folder in ("data/ab", "index", "keys", "snapshots", "locks"):
        (root / folder).mkdir(parents=True)
        (root / folder / HASH).write_bytes(b"x")
    (root / "config").write_bytes(b"config")
    return root


def aliens(repository: Path) -> dict[bytes, str]:
    return dict(walk.list_aliens(os.fsencode(repository)))


def lawful(repository: Path) -> list[str]:
    return [file.path for file in walk.list_files(os.fsencode(repository))]


LAWFUL = ["config", f"data/ab/{HASH}", f"index/{HASH}", f"keys/{HASH}", f"snapshots/{HASH}"]


def test_lawful_files_come_sorted_with_their_sizes_and_locks_are_left_out(repository):
    """The list is what the store and the ledger expect."""
    files = list(walk.list_files(os.fsencode(repository)))
    assert [file.path for file in files] == LAWFUL
    assert [file.size_bytes for file in files] == [6, 1, 1, 1, 1]
    assert walk.list_names(os.fsencode(repository)) == set(LAWFUL)
    assert aliens(repository) == {}


def test_real_repository_has_no_aliens_while_restic_holds_a_lock(landing):
    """What restic itself made is lawful, and its locks are nobody's business."""
    locks = Path(os.fsdecode(landing.folder), "locks")
    (locks / f"{HASH}-tmp-7").write_bytes(b"")
    assert not walk.has_locks(landing.folder)
    (locks / HASH).write_bytes(b"")
    assert walk.has_locks(landing.folder)
    assert list(landing.list_aliens()) == []


def test_fault_16_symbolic_link_under_a_lawful_name_is_an_alien(repository):
    """It is listed, not followed."""
    name = "cd" + "1" * 62
    (repository / "data/cd").mkdir()
    (repository / "data/cd" / name).symlink_to("/etc/shadow")
    assert aliens(repository) == {f"data/cd/{name}".encode(): "symbolic link"}
    assert lawful(repository) == LAWFUL


def test_fault_17_pipe_socket_and_device_are_aliens_and_block_nobody(repository):
    """None of them is opened."""
    os.mkfifo(repository / "index" / ("1" * 64))
    with socket.socket(socket.AF_UNIX) as listener:
        here = os.getcwd()
        os.chdir(repository / "keys")  # the path of a socket is short
        try:
            listener.bind("2" * 64)
        finally:
            os.chdir(here)
    if os.geteuid() == 0:
        os.mknod(repository / "snapshots" / ("3" * 64), 0o20600, os.makedev(1, 3))
    found = aliens(repository)
    assert found[b"index/" + b"1" * 64] == "pipe"
    assert found[b"keys/" + b"2" * 64] == "socket"
    if os.geteuid() == 0:
        assert found[b"snapshots/" + b"3" * 64] == "device node"
    assert lawful(repository) == LAWFUL


def test_fault_18_unlawful_names_and_places_are_aliens(repository):
    """Folder as hash, upper case, wrong shard, newline, Latin-1, a stray file: each is told."""
    root = os.fsencode(repository)
    os.mkdir(root + b"/index/" + b"4" * 64)
    made = {
        b"index/" + b"A" * 64,
        b"index/" + b"5" * 63,
        b"index/" + b"5" * 64 + b"\n",
        b"keys/cl\xe9",
        b"snapshots/line\nbreak",
        b"data/ab/cd" + b"6" * 62,
        b"data/ab/" + HASH.encode() + b"-tmp-1234",
        b"data/stray",
        b"stray",
        b"-rf",
    }
    for name in made:
        with open(root + b"/" + name, "wb"):
            pass
    for folder in (b"data/AB", b"data/abc", b".airlock"):
        os.mkdir(root + b"/" + folder)
        made.add(folder)
    assert set(aliens(repository)) == made | {b"index/" + b"4" * 64}
    assert aliens(repository)[b"data/ab/cd" + b"6" * 62] == "pack in the wrong folder"
    assert lawful(repository) == LAWFUL


def test_fault_18_a_linked_folder_is_an_alien_and_what_it_leads_to_is_not_seen(repository):
    """A whole folder swapped for a link brings nothing in."""
    outside = repository.parent / "outside"
    (repository / "index").rename(outside)
    (repository / "index").symlink_to(outside)
    (repository / "data/ff").symlink_to(outside)
    assert aliens(repository) == {
        b"index": "not a folder, where restic has one",
        b"data/ff": "not a folder, where restic has one",
    }
    assert lawful(repository) == [path for path in LAWFUL if not path.startswith("index/")]


def test_fault_19_hard_link_is_an_alien(repository):
    """Somebody else holds the same bytes under another name."""
    os.link(repository / "keys" / HASH, repository.parent / "outside")
    assert aliens(repository) == {b"keys/" + HASH.encode(): "more than one hard link"}
    assert f"keys/{HASH}" not in lawful(repository)


@pytest.mark.parametrize("junk", [20_000, pytest.param(200_000, marks=pytest.mark.long)])
def test_fault_21_junk_files_by_the_hundred_thousand_cost_no_memory(repository, junk):
    """They come one by one, in seconds, and nothing grows with them."""
    folder = os.open(repository / "index", os.O_RDONLY)
    for number in range(junk):
        os.mknod(f"junk-{number}", dir_fd=folder)
    os.close(folder)
    tracemalloc.start()
    started_s = time.monotonic()
    try:
        count = sum(1 for _ in walk.list_aliens(os.fsencode(repository)))
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert count == junk
    assert peak_bytes < 1_000_000
    assert time.monotonic() - started_s < 60
    assert lawful(repository) == LAWFUL


def test_walking_leaves_no_descriptor_open_even_when_left_in_the_middle(repository):
    """A walk that nobody finishes gives its folders back."""
    before = os.listdir("/proc/self/fd")
    (repository / "stray").touch()
    for walked in (walk.list_files, walk.list_aliens):
        one = walked(os.fsencode(repository))
        next(one)
        one.close()
    assert os.listdir("/proc/self/fd") == before
    assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] > len(before)


def test_missing_or_linked_repository_is_an_error_not_an_empty_list(repository):
    """An empty list would read as: nothing new tonight."""
    link = repository.parent / "link"
    link.symlink_to(repository)
    for place in (repository / "nonesuch", link, repository / "config"):
        with pytest.raises(RepositoryMissing):
            list(walk.list_files(os.fsencode(place)))
        with pytest.raises(RepositoryMissing):
            list(walk.list_aliens(os.fsencode(place)))


def test_config_is_hashed_without_following_or_blocking(repository):
    """A config that is a link or a pipe is refused, and the hash is that of its bytes."""
    path = os.fsencode(repository)
    assert walk.config_sha256(path) == (
        "b79606fb3afea5bd1609ed40b622142f1c98125abcfe89a76a661b0e8e343910"
    )
    (repository / "config").unlink()
    os.mkfifo(repository / "config")
    with pytest.raises(ResticError):
        walk.config_sha256(path)
    (repository / "config").unlink()
    (repository / "config").symlink_to("/etc/passwd")
    with pytest.raises(ResticError):
        walk.config_sha256(path)
