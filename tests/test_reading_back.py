"""Rounds over old files: nothing is left out, whatever comes and goes between openings."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from vault.reading_back import Round, after_reading, choose
from vault.results import RepositoryFile

FIRST = datetime(2026, 1, 1, tzinfo=UTC)
GB = 10**9


def files(names: set[int], size_bytes: int = GB) -> list[RepositoryFile]:
    return [RepositoryFile(path=f"data/{n:06d}", size_bytes=size_bytes) for n in sorted(names)]


@settings(max_examples=60, deadline=None)
@given(st.sets(st.integers(0, 999), min_size=1, max_size=60), st.data())
def test_a_whole_round_has_read_every_file_that_was_there_when_it_began(names, data) -> None:
    """Files come between openings; a round that says it is whole left none of the first out."""
    now, there, at = Round(), set(names), FIRST
    read_at: dict[str, datetime] = {}
    at_begin = set(there)
    for _ in range(200):
        at += timedelta(days=1)
        wanted = files(there)
        chosen = choose(wanted, now, data.draw(st.sampled_from([0.5, 2.0, 7.0])))
        assert chosen, "a running round always has a next file"
        count = data.draw(st.integers(0, len(chosen)))
        for file in chosen[:count]:
            read_at[file.path] = at
        before = now
        if before.began_at is None:
            at_begin = set(there)
        is_last = chosen[-1] == wanted[-1]
        now = after_reading(before, chosen, count, at=at, is_last=is_last)
        if now.proven_since is not None and now.began_at is None:
            assert all(read_at[f.path] >= now.proven_since for f in files(at_begin))
            return
        assert now.began_at is not None
        there |= data.draw(st.sets(st.integers(0, 999), max_size=2))


def test_an_opening_goes_on_where_the_last_one_stopped() -> None:
    """Two, then the next two; the time and what was proven before stay."""
    wanted = files(set(range(5)))
    first = after_reading(Round(proven_since=FIRST), wanted[:3], 2, at=FIRST, is_last=False)
    assert first.after == "data/000001"
    assert (first.files, first.bytes, first.proven_since) == (2, 2 * GB, FIRST)
    assert [file.path for file in choose(wanted, first, 1.0)] == ["data/000002", "data/000003"]


def test_a_file_that_could_not_be_proven_is_the_next_one_again() -> None:
    """Nothing was read: the round stays where it is."""
    wanted = files({1, 2})
    now = after_reading(
        Round(after="data/000000", began_at=FIRST), wanted, 0, at=FIRST, is_last=True
    )
    assert now.after == "data/000000"
    assert choose(wanted, now, 9.0) == wanted


def test_no_more_is_chosen_than_a_medium_can_give() -> None:
    """Their list travels while the door is open."""
    assert len(choose(files(set(range(100))), Round(), 4.0)) == 8
    assert choose([], Round(), 4.0) == []
