"""Messages between a session and its vault side."""

from __future__ import annotations

import os

import pytest

from vault import errors
from vault.doors import wire
from vault.results import RepositoryFile


@pytest.fixture
def ends():
    left, right = wire.pair()
    with left, right:
        yield left, right


def test_a_large_message_and_its_descriptors_arrive_whole(ends):
    """What does not fit a packet travels beside it."""
    reader, writer = os.pipe()
    wire.send(ends[0], {"op": "x", "list": ["n" * 64] * 20_000}, [reader])
    message, fds = wire.receive(ends[1])
    assert len(message["list"]) == 20_000
    os.write(writer, b"same pipe")
    assert os.read(fds[0], 20) == b"same pipe"
    assert not os.get_inheritable(fds[0])
    wire.close_all([*fds, reader, writer])


def test_the_end_is_told(ends):
    """A closed socket is EOFError, not silence."""
    ends[0].close()
    with pytest.raises(EOFError):
        wire.receive(ends[1])


def test_an_error_crosses_as_it_was():
    """Class, template, hint and values are those of the other side."""
    there = errors.MediaBusy("{target} is held", hint="wait for {target}?", target="disk-a")
    with pytest.raises(errors.MediaBusy) as here:
        wire.raise_error(wire.error_message(there))
    assert (str(here.value), here.value.hint) == ("disk-a is held", "wait for disk-a?")
    assert here.value.template == "{target} is held"


def test_an_unknown_class_becomes_the_nearest_above_it():
    """A subclass that is only known on the other side keeps its family and exit code."""
    message = wire.error_message(errors.TargetFull("no room"))
    message["error"].insert(0, "something-newer")
    with pytest.raises(errors.TargetFull):
        wire.raise_error(message)


def test_an_error_of_the_kernel_repeats_no_file_name():
    """The message names the call and the reason only."""
    told = wire.error_message(FileNotFoundError(2, "x", "/secret/DUPONT.txt"))
    assert "DUPONT" not in str(told)
    bug = wire.error_message(ValueError("DUPONT"))
    assert "DUPONT" not in str(bug)


def test_a_plan_keeps_its_batches_and_sorts_within_them():
    """Packs stand before indexes before snapshots in each batch."""
    files = [
        RepositoryFile(path=path, size_bytes=1) for path in ("snapshots/a", "index/b", "data/c")
    ]
    lines = wire.read_all(wire.plan_file([files, files[:1]])).splitlines()
    assert lines == [b"0 data/c 1", b"0 index/b 1", b"0 snapshots/a 1", b"1 snapshots/a 1"]


@pytest.mark.parametrize("path", ["data/a b", "data/a\ndata/b"])
def test_a_name_that_would_forge_a_line_is_refused(path):
    """A plan cannot be forged through a name."""
    with pytest.raises(errors.DoorError, match="cannot stand"):
        wire.plan_file([[RepositoryFile(path=path, size_bytes=1)]])
