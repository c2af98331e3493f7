"""The plan's table and its file."""

from __future__ import annotations

import os

import pytest

from vault.errors import StoreError
from vault.results import RepositoryFile
from vault.stores import Plan, read_plan, write_plan
from vault.stores.plan_file import Kind

A, B = "ab" + "0" * 62, "cd" + "1" * 62
FILES = [
    RepositoryFile(path=f"snapshots/{B}", size_bytes=1),
    RepositoryFile(path=f"index/{A}", size_bytes=2),
    RepositoryFile(path=f"data/cd/{B}", size_bytes=3),
    RepositoryFile(path=f"data/ab/{A}", size_bytes=1 << 40),
]


def written(*batches) -> int:
    fd = os.memfd_create("plan")
    write_plan(fd, batches)
    return fd


def raw(content: bytes) -> int:
    fd = os.memfd_create("plan")
    os.write(fd, content)
    return fd


def rows(plan: Plan) -> list[RepositoryFile]:
    return [plan.file(row) for row in range(len(plan))]


def test_a_plan_comes_back_in_the_order_of_safety():
    """Batches keep theirs; within one, packs come first and the snapshot last."""
    fd = written((3, FILES), (9, FILES[:1]))
    assert rows(read_plan(fd)) == [*FILES[::-1], FILES[0]]
    assert rows(read_plan(fd)) == rows(Plan.of([FILES, FILES[:1]]))
    os.close(fd)


def test_a_plan_is_read_from_its_start_whatever_the_position():
    """The descriptor is shared with who wrote it."""
    fd = written((1, FILES))
    os.lseek(fd, 7, os.SEEK_SET)
    assert len(read_plan(fd)) == 4
    assert os.lseek(fd, 0, os.SEEK_CUR) == 7
    os.close(fd)


def test_config_and_keys_have_their_place_in_a_list():
    """They may be asked for, though they never cross in a cycle."""
    asked = [RepositoryFile(path="config", size_bytes=155), *FILES]
    asked.append(RepositoryFile(path=f"keys/{A}", size_bytes=450))
    plan = Plan.of_list(asked)
    assert rows(plan) == asked
    assert (plan.kind(0), plan.kind(5)) == (Kind.CONFIG, Kind.KEYS)
    fd = written((1, asked))
    assert sorted(file.path for file in rows(read_plan(fd))) == sorted(file.path for file in asked)
    os.close(fd)


@pytest.mark.parametrize(
    "lines",
    [
        b"2 index/%b 1\n1 index/%b 1\n",
        b"1 index/%b 1\n1 data/ab/%b 1\n",
        b"1 snapshots/%b 1\n1 index/%b 1\n",
    ],
)
def test_a_plan_out_of_order_is_an_error(lines):
    """An index before its packs would be safe by luck only."""
    fd = raw(lines.replace(b"%b", A.encode()))
    with pytest.raises(StoreError, match="out of order"):
        read_plan(fd)
    os.close(fd)


@pytest.mark.parametrize(
    "content", [b"1 index/", b"1 index/%b 1\n1 ind" % A.encode(), b"x" * 20000]
)
def test_a_torn_plan_is_an_error(content):
    """Half a plan is not a small plan."""
    fd = raw(content)
    with pytest.raises(StoreError, match="torn"):
        read_plan(fd)
    os.close(fd)


def test_fault_18_an_unlawful_line_becomes_a_refusal():
    """It never becomes a path; many of them keep their count."""
    bad = [b"data/ab/%b" % B.encode(), b"index/%b" % A.upper().encode(), b"../../etc/shadow"]
    fd = raw(b"".join(b"1 %b 5\n" % path for path in bad) + b"1 index/%b 5\n" % A.encode())
    plan = read_plan(fd)
    assert [refusal.name for refusal in plan.refused] == bad
    assert len(plan) == 1
    os.close(fd)


def test_fault_21_a_flood_of_junk_is_counted_in_bounded_memory():
    """200,000 names are told as a thousand and a number."""
    fd = raw(b"1 junk 1\n" * 200_000)
    plan = read_plan(fd)
    assert (len(plan.refused), plan.refused_files, len(plan)) == (1000, 200_000, 0)
    os.close(fd)


def test_a_name_that_cannot_stand_in_a_line_is_an_error_when_writing():
    """It is found before any door is open."""
    with pytest.raises(StoreError, match="lawful"):
        written((1, [RepositoryFile(path="index/a\nb", size_bytes=1)]))
