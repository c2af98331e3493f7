"""Exports that a command writes."""

from __future__ import annotations

import hashlib
import os

import pytest

from vault.errors import SourceError
from vault.secret import Secret
from vault.sources.command import CommandSource, SourceEmpty


@pytest.fixture
def dump(bench):
    """Run a line of shell as the command of a source."""

    def go(script: str, *, timeout_s: float = 20.0, left_s: float = 60.0, **more):
        source = CommandSource(
            "db", ["sh", "-c", script], b"dump.sql", timeout_s=timeout_s, clock=bench.clock, **more
        )
        closes_at_s = bench.clock.boot_s() + left_s
        return source.collect(bench.reception, closes_at_s=closes_at_s, progress=bench.listener)

    return go


def test_output_of_a_command_becomes_a_file(bench, dump) -> None:
    """Exit 0 with something written: it has a name, a hash and a place in the manifest."""
    pull = dump("printf content")
    bench.reception.seal(pull)
    (entry,) = bench.reception.manifest()
    assert (entry.path, entry.size_bytes) == (b"dump.sql", 7)
    assert entry.sha256 == hashlib.sha256(b"content").hexdigest()
    with open(bench.data(b"dump.sql"), "rb") as file:
        assert file.read() == b"content"


def test_same_output_changes_nothing(bench, dump) -> None:
    """The same dump is the same manifest: no new snapshot."""
    first = bench.reception.seal(dump("printf content"))
    inode = os.stat(bench.data(b"dump.sql")).st_ino
    pull = dump("printf content")
    assert (pull.pulled, bench.reception.seal(pull)) == (0, first)
    assert os.stat(bench.data(b"dump.sql")).st_ino == inode
    assert bench.reception.seal(dump("printf other")) != first


@pytest.mark.parametrize("script", ["printf half; exit 3", "printf half; kill -9 $$"])
def test_command_that_fails_leaves_the_last_dump_in_place(bench, dump, script) -> None:
    """Half a dump gets no name, whatever it wrote."""
    bench.reception.seal(dump("printf content"))
    with pytest.raises(SourceError, match="ended with code"):
        dump(script)
    with open(bench.data(b"dump.sql"), "rb") as file:
        assert file.read() == b"content"
    assert bench.partial() == []


def test_command_that_writes_nothing_is_empty_and_not_saved(bench, dump) -> None:
    """Exit 0 alone proves nothing."""
    with pytest.raises(SourceEmpty):
        dump("true")
    assert bench.names() == []


def test_what_a_command_says_on_standard_error_is_not_repeated(dump) -> None:
    """It may hold data of patients."""
    with pytest.raises(SourceError) as caught:
        dump("echo DUPONT Jean >&2; exit 1")
    assert "DUPONT" not in str(caught.value) + caught.value.hint


def test_command_that_hangs_is_killed_with_its_children(bench, dump, tmp_path) -> None:
    """Its own deadline or the window's, whichever comes first."""
    mark = tmp_path / "alive"
    with pytest.raises(SourceError, match="did not end within"):
        dump(f"(sleep 2; touch {mark}) & sleep 60", timeout_s=0.3)
    with pytest.raises(SourceError, match="did not end in its time"):
        dump("exec sleep 60", left_s=0.3)
    os.system("sleep 2")
    assert not mark.exists()
    assert bench.names() == []


def test_command_that_is_not_there_is_told(bench) -> None:
    """A typing error in the configuration is named as such."""
    source = CommandSource("db", ["/no/such"], b"d", timeout_s=5, clock=bench.clock)
    with pytest.raises(SourceError, match="did not run"):
        source.collect(
            bench.reception, closes_at_s=bench.clock.boot_s() + 9, progress=bench.listener
        )


def test_secret_reaches_a_command_as_a_file_only(bench, dump) -> None:
    """Not in its arguments and not in the value of a variable."""
    pull = dump('cat "$PW"; tr "\\0" " " </proc/$$/cmdline', secrets={"PW": Secret(b"s3cret")})
    bench.reception.seal(pull)
    with open(bench.data(b"dump.sql"), "rb") as file:
        said = file.read()
    assert said.startswith(b"s3cret")
    assert said.count(b"s3cret") == 1
