"""What every source that mirrors a tree must do, whatever stands between it and the vault."""

from __future__ import annotations

import hashlib
import os
import socket
import stat

import pytest

from vault.errors import SourceError, SourceMissing, SourceUnreachable
from vault.sources.reception import Reception

LATIN_1 = b"caf\xe9.txt"
NFC, NFD = "é.txt".encode(), "e\u0301.txt".encode()
NAMES = [
    LATIN_1,
    NFC,
    NFD,
    b"line\nbreak",
    b"-rf",
    b"n" * 255,
    b" trailing ",
    b"*?[a]",
    b'"quoted\\"',
    b"\x01\x7f\xff",
    b"d/" * 60 + b"deep",
    "Établissement/Année 2026/décès.csv".encode(),
]


def reasons(refusals) -> dict[bytes, str]:
    return {refusal.name: refusal.reason for refusal in refusals}


def test_every_name_arrives_as_the_same_bytes(any_bench) -> None:
    """Nothing is normalised, decoded or lost on the way."""
    for number, name in enumerate(NAMES):
        any_bench.write(name, b"%d" % number)
    pull = any_bench.sealed()
    assert [entry.path for entry in pull.entries] == sorted(NAMES)
    assert any_bench.names() == sorted(NAMES)
    for number, name in enumerate(NAMES):
        with open(any_bench.data(name), "rb") as file:
            assert file.read() == b"%d" % number


def test_manifest_says_size_time_and_hash_of_each_file(any_bench) -> None:
    """The manifest is what the source had, and the mirror has it too."""
    full = any_bench.write(b"a/b.txt", b"content")
    (entry,) = any_bench.sealed().entries
    assert (entry.size_bytes, entry.sha256) == (7, hashlib.sha256(b"content").hexdigest())
    assert entry.mtime_ns == os.stat(full).st_mtime_ns
    held = os.stat(any_bench.data(b"a/b.txt"))
    assert held.st_mtime_ns == entry.mtime_ns
    assert stat.S_IMODE(held.st_mode) == 0o600
    assert any_bench.reception.manifest() == (entry,)


def test_unchanged_file_is_not_pulled_again(any_bench) -> None:
    """Same size and time, there in the mirror: not one byte moves."""
    any_bench.write(b"a.txt", b"one")
    first = any_bench.sealed()
    inode = os.stat(any_bench.data(b"a.txt")).st_ino
    second = any_bench.sealed()
    assert (first.pulled, first.pulled_bytes) == (1, 3)
    assert (second.pulled, second.pulled_bytes, second.entries) == (0, 0, first.entries)
    assert os.stat(any_bench.data(b"a.txt")).st_ino == inode


def test_changed_file_is_pulled_again(any_bench) -> None:
    """A new time is enough, though the size is the same."""
    any_bench.write(b"a.txt", b"one", age_s=100)
    any_bench.sealed()
    any_bench.write(b"a.txt", b"two", age_s=50)
    assert any_bench.sealed().pulled == 1
    with open(any_bench.data(b"a.txt"), "rb") as file:
        assert file.read() == b"two"


def test_file_that_left_the_mirror_is_pulled_again(any_bench) -> None:
    """The manifest alone is not believed."""
    any_bench.write(b"a.txt", b"one")
    any_bench.sealed()
    os.unlink(any_bench.data(b"a.txt"))
    assert any_bench.sealed().pulled == 1


def test_file_that_was_changed_in_the_mirror_is_pulled_again(any_bench) -> None:
    """A mirror that somebody wrote into is not what the manifest says."""
    any_bench.write(b"a.txt", b"one")
    any_bench.sealed()
    with open(any_bench.data(b"a.txt"), "wb") as file:
        file.write(b"two")
    assert any_bench.sealed().pulled == 1


def test_deletion_is_reported_and_not_applied(any_bench) -> None:
    """What is gone at the source goes here only once the deletion was judged."""
    any_bench.write(b"a.txt")
    any_bench.write(b"b.txt")
    any_bench.sealed()
    os.unlink(os.path.join(any_bench.exports.root, b"a.txt"))
    pull = any_bench.collect()
    assert pull.deleted == (b"a.txt",)
    assert [entry.path for entry in pull.entries] == [b"b.txt"]
    assert any_bench.names() == [b"a.txt", b"b.txt"]


def test_what_is_no_regular_file_is_listed_and_never_followed(any_bench, tmp_path) -> None:
    """Symlinks, pipes and sockets stay outside, and nothing waits for a pipe."""
    secret = tmp_path / "secret"
    secret.write_text("not an export")
    root = any_bench.exports.root
    any_bench.write(b"good.txt")
    os.symlink(secret, os.path.join(root, b"link"))
    os.symlink(tmp_path, os.path.join(root, b"folder-link"))
    os.mkfifo(os.path.join(root, b"pipe"))
    here = os.getcwd()
    os.chdir(root)  # the name of a socket may have 107 bytes only
    try:
        with socket.socket(socket.AF_UNIX) as server:
            server.bind("socket")
    finally:
        os.chdir(here)
    pull = any_bench.sealed()
    assert any_bench.names() == [b"good.txt"]
    assert reasons(pull.refused) == {
        b"link": "symlink",
        b"folder-link": "symlink",
        b"pipe": "named pipe",
        b"socket": "socket",
    }


def test_file_that_became_a_symlink_counts_as_deleted(any_bench) -> None:
    """The old content is judged as a deletion; the link is refused."""
    full = any_bench.write(b"a.txt")
    any_bench.sealed()
    os.unlink(full)
    os.symlink("/etc/passwd", full)
    pull = any_bench.collect()
    assert pull.deleted == (b"a.txt",)
    assert reasons(pull.refused) == {b"a.txt": "symlink"}


def test_file_may_become_a_folder_and_a_folder_a_file(any_bench) -> None:
    """The mirror follows the source through a change of kind."""
    any_bench.write(b"a", b"file")
    any_bench.write(b"b/c", b"inner")
    any_bench.sealed()
    root = any_bench.exports.root
    os.unlink(os.path.join(root, b"a"))
    os.unlink(os.path.join(root, b"b/c"))
    os.rmdir(os.path.join(root, b"b"))
    any_bench.write(b"a/d", b"inner")
    any_bench.write(b"b", b"file")
    pull = any_bench.sealed()
    assert any_bench.names() == [b"a/d", b"b"]
    assert set(pull.deleted) == {b"a", b"b/c"}


def test_missing_source_is_an_error_of_its_own(any_bench) -> None:
    """Never an empty mirror, and never a deletion of everything."""
    any_bench.write(b"a.txt")
    any_bench.sealed()
    os.rename(any_bench.exports.root, any_bench.exports.root + b"-away")
    try:
        with pytest.raises((SourceMissing, SourceUnreachable)):
            any_bench.collect()
    finally:
        os.rename(any_bench.exports.root + b"-away", any_bench.exports.root)
    assert any_bench.names() == [b"a.txt"]


def test_empty_source_gives_a_pull_with_no_entries(any_bench) -> None:
    """The story calls it empty; the source says what it saw."""
    os.makedirs(os.path.join(any_bench.exports.root, b"empty/folder"))
    pull = any_bench.collect()
    assert (pull.entries, pull.pulled) == ((), 0)


def test_file_without_its_done_file_waits_and_its_old_version_stays(any_bench) -> None:
    """An export under way neither arrives nor takes away the last good one."""
    any_bench.write(b"m1.txt", b"old", age_s=100)
    any_bench.write(b"m1.txt.done", b"", age_s=90)
    old = any_bench.sealed(done_file="*.done")
    assert any_bench.names() == [b"m1.txt"]
    any_bench.write(b"m1.txt", b"new, half", age_s=10)
    any_bench.write(b"m2.txt", b"half", age_s=10)
    pull = any_bench.sealed(done_file="*.done")
    assert reasons(pull.waiting) == {
        b"m1.txt": "younger than its done-file",
        b"m2.txt": "no done-file",
    }
    assert (pull.entries, pull.deleted) == (old.entries, ())
    with open(any_bench.data(b"m1.txt"), "rb") as file:
        assert file.read() == b"old"


def test_file_that_changed_lately_waits(any_bench) -> None:
    """Still for a minute, then it counts."""
    any_bench.write(b"young.txt", age_s=5)
    any_bench.write(b"old.txt", age_s=100)
    pull = any_bench.collect(stable_for_s=60)
    assert [entry.path for entry in pull.entries] == [b"old.txt"]
    assert reasons(pull.waiting) == {
        b"young.txt": "changed less than 60 s ago: complete once that has passed"
    }


def test_pull_past_its_deadline_ends_and_leaves_the_mirror_whole(any_bench) -> None:
    """The deadline is an error of the source; the last sealed state is untouched."""
    any_bench.write(b"a.txt")
    any_bench.sealed()
    any_bench.write(b"b.txt")
    with pytest.raises(SourceError, match="did not end in its time"):
        any_bench.collect(left_s=0)
    assert any_bench.names() == [b"a.txt"]
    assert [entry.path for entry in any_bench.reception.manifest()] == [b"a.txt"]


def test_pull_that_was_never_sealed_is_not_pulled_twice(any_bench) -> None:
    """A cycle that died after the pull finds its files in the mirror, and hashes them there."""
    any_bench.write(b"a.txt", b"content")
    any_bench.collect()
    inode = os.stat(any_bench.data(b"a.txt")).st_ino
    pull = any_bench.sealed()
    assert os.stat(any_bench.data(b"a.txt")).st_ino == inode
    assert pull.entries[0].sha256 == hashlib.sha256(b"content").hexdigest()


def test_nothing_is_left_in_partial_after_a_pull(any_bench) -> None:
    """What nobody will continue goes."""
    any_bench.write(b"a.txt")
    any_bench.reception.prepare()
    with open(os.path.join(any_bench.reception.folder, b"partial", b"old.part"), "wb"):
        pass
    any_bench.collect()
    assert any_bench.partial() == []


def test_large_file_arrives_whole(any_bench) -> None:
    """Many chunks, one hash."""
    content = os.urandom(9_000_001)
    any_bench.write(b"large.bin", content)
    (entry,) = any_bench.sealed().entries
    assert entry.sha256 == hashlib.sha256(content).hexdigest()
    with open(any_bench.data(b"large.bin"), "rb") as file:
        assert file.read() == content
    assert any_bench.listener.heard[-1] == (len(content), len(content))


def test_source_only_reads(any_bench) -> None:
    """Nothing at the source is written, renamed or dated anew."""
    full = any_bench.write(b"a.txt", b"content")
    before = os.stat(full)
    any_bench.sealed()
    after = os.stat(full)
    assert (before.st_mtime_ns, before.st_ctime_ns) == (after.st_mtime_ns, after.st_ctime_ns)
    assert os.listdir(any_bench.exports.root) == [b"a.txt"]


def test_reception_belongs_to_the_vault_alone(any_bench) -> None:
    """No other user of the vault host reads exports out of the mirror."""
    any_bench.write(b"a/b.txt")
    any_bench.sealed()
    assert isinstance(any_bench.reception, Reception)
    for folder in (b"", b"data", b"data/a", b"partial", b"coffre"):
        mode = os.stat(os.path.join(any_bench.reception.folder, folder)).st_mode
        assert stat.S_IMODE(mode) == 0o700
