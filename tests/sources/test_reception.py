"""The mirror and its manifest never disagree."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest

from vault.results import Pull
from vault.sources.manifest import ManifestError, read_manifest
from vault.sources.reception import Reception, ReceptionError


def manifest_path(reception: Reception) -> bytes:
    return os.path.join(reception.folder, b"coffre", b"manifest.jsonl.zst")


def test_manifest_is_empty_before_the_first_seal(reception) -> None:
    """A new source has no past."""
    assert reception.manifest() == ()


def test_deletion_is_applied_only_by_seal_and_takes_empty_folders_with_it(bench) -> None:
    """A deletion waits for its judgement; afterwards nothing of it is left."""
    bench.write(b"a/b/gone.txt")
    bench.write(b"stays.txt")
    bench.sealed()
    os.unlink(os.path.join(bench.exports.root, b"a/b/gone.txt"))
    pull = bench.collect()
    assert pull.deleted == (b"a/b/gone.txt",)
    assert bench.names() == [b"a/b/gone.txt", b"stays.txt"]
    bench.reception.seal(pull)
    assert os.listdir(bench.data()) == [b"stays.txt"]
    assert [entry.path for entry in bench.reception.manifest()] == [b"stays.txt"]


def test_unchanged_manifest_is_not_written_again(bench) -> None:
    """A snapshot must see no change where there is none."""
    bench.write(b"a.txt")
    first = bench.reception.seal(bench.collect())
    before = os.stat(manifest_path(bench.reception))
    assert bench.reception.seal(bench.collect()) == first
    after = os.stat(manifest_path(bench.reception))
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)


def test_identity_is_the_same_on_another_host(bench, tmp_path) -> None:
    """Two receptions of the same exports have the same identity."""
    bench.write(b"a.txt")
    other = Reception(os.fsencode(tmp_path / "other"))
    pull = bench.collect()
    one = bench.reception.seal(pull)
    closes_at_s = bench.clock.boot_s() + 60
    two = other.seal(
        bench.exports.source().collect(other, closes_at_s=closes_at_s, progress=bench.listener)
    )
    assert one == two


def test_seal_refuses_a_mirror_that_is_not_what_was_pulled(bench) -> None:
    """Missing, changed or alien: a manifest that would lie is not written."""
    full = bench.write(b"a.txt")
    pull = bench.collect()
    os.unlink(bench.data(b"a.txt"))
    with pytest.raises(ReceptionError):
        bench.reception.seal(pull)
    os.utime(full)
    pull = bench.collect()
    with open(bench.data(b"alien"), "wb"):
        pass
    with pytest.raises(ReceptionError):
        bench.reception.seal(pull)
    assert bench.reception.manifest() == ()


def test_symlink_in_the_mirror_is_taken_away_and_never_followed(bench, tmp_path) -> None:
    """What a stranger put into the mirror neither leaves the vault nor leads out of it."""
    outside = tmp_path / "outside"
    outside.mkdir()
    bench.write(b"sub/a.txt")
    bench.reception.prepare()
    os.symlink(outside, bench.data(b"sub"))
    os.symlink(outside, bench.data(b"other"))
    pull = bench.sealed()
    assert bench.names() == [b"sub/a.txt"]
    assert not os.path.islink(bench.data(b"sub"))
    assert b"other" in pull.deleted
    assert not list(outside.iterdir())


def test_damaged_manifest_is_an_error_not_an_empty_past(bench) -> None:
    """An empty past would hide every deletion."""
    bench.write(b"a.txt")
    bench.sealed()
    with open(manifest_path(bench.reception), "r+b") as file:
        file.truncate(10)
    with pytest.raises(ManifestError):
        bench.collect()


def test_refused_pull_leaves_the_mirror_and_the_manifest_agreeing(bench, tmp_path) -> None:
    """What was refused is kept aside; what it replaced is pulled again; deletions wait."""
    bench.write(b"same.txt", b"same")
    bench.write(b"sub/changed.txt", b"good")
    bench.write(b"gone.txt", b"gone")
    bench.sealed()
    bench.write(b"sub/changed.txt", b"encrypted", age_s=50)
    bench.write(b"new.txt", b"ransom")
    os.unlink(os.path.join(bench.exports.root, b"gone.txt"))
    refused = bench.collect()
    kept = tmp_path / "kept"
    for _ in range(2):  # twice is as good as once
        bench.reception.set_aside(refused, os.fsencode(kept))
        assert bench.names() == [b"gone.txt", b"same.txt"]
        assert [e.path for e in bench.reception.manifest()] == [b"gone.txt", b"same.txt"]
        assert (kept / "data" / "sub" / "changed.txt").read_bytes() == b"encrypted"
        assert (kept / "data" / "new.txt").read_bytes() == b"ransom"
        listed = read_manifest((kept / "manifest.jsonl.zst").read_bytes())
        assert [e.path for e in listed] == [b"new.txt", b"sub/changed.txt"]
    bench.write(b"sub/changed.txt", b"good", age_s=10)
    again = bench.sealed()
    assert again.pulled == 2
    assert again.deleted == (b"gone.txt",)


def test_what_is_kept_aside_is_bounded(bench, tmp_path) -> None:
    """A refused flood does not fill the vault host twice; all of it is still listed."""
    for name in (b"a", b"b", b"c"):
        bench.write(name, b"1234")
    small = Reception(bench.reception.folder, kept_limit_bytes=8)
    small.set_aside(bench.collect(), os.fsencode(tmp_path / "kept"))
    assert sorted(p.name for p in (tmp_path / "kept" / "data").iterdir()) == ["a", "b"]
    assert len(read_manifest((tmp_path / "kept" / "manifest.jsonl.zst").read_bytes())) == 3
    assert bench.names() == []


def test_sealing_twice_changes_nothing(bench) -> None:
    """A cycle that died after the seal may seal again."""
    bench.write(b"a.txt")
    pull = bench.collect()
    assert bench.reception.seal(pull) == bench.reception.seal(replace(pull, deleted=(b"zz",)))


def test_empty_pull_seals_an_empty_manifest(bench) -> None:
    """The story judges emptiness; the reception only says what there is."""
    assert bench.reception.seal(bench.collect()) == bench.reception.seal(Pull(entries=()))
    assert bench.reception.manifest() == ()
