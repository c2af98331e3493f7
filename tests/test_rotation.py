"""Whose turn it is, over years of nights with media that come, stay away and come wrong."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vault.exposure import night_of
from vault.rotation import Every, MediaSet, Opening, first_night, foresee, turn_of
from vault.window import Window, next_opening

PARIS = ZoneInfo("Europe/Paris")
WINDOW = Window(name="night", start=time(1), for_s=7200)
FIRST = datetime(2026, 1, 1, 12, tzinfo=UTC)


def of(*media: str, every: Every = Every.NIGHT, reuse_after: int | None = None) -> MediaSet:
    """Give a set; without ``reuse_after``, as strict as it can be."""
    after = len(media) - 1 if reuse_after is None else reuse_after
    return MediaSet(name="s", media=media, every=every, reuse_after=after)


def nights(count: int, *, since: datetime = FIRST) -> list[datetime]:
    """Give so many starts of the window, over both changes of the clock in a year."""
    found, at = [], since
    while len(found) < count:
        at = next_opening(WINDOW, at, PARIS)
        found.append(at)
    return found


YEAR = nights(366)


@st.composite
def years(draw: st.DrawFn) -> tuple[MediaSet, list[tuple[datetime, set[str], bool]]]:
    """Give a set and a year: each night's start, the media at hand, whether all of it crosses."""
    size = draw(st.integers(2, 6))
    names = tuple(f"m{n}" for n in range(size))
    one = of(
        *names,
        every=draw(st.sampled_from(Every)),
        reuse_after=draw(st.integers(1, size - 1)),
    )
    chance = random.Random(draw(st.integers(0, 2**32)))
    year = [
        (at, {name for name in names if chance.random() < 0.5}, chance.random() < 0.9)
        for at in YEAR
    ]
    return one, year


def write(one: MediaSet, year: list[tuple[datetime, set[str], bool]]) -> list[tuple[datetime, str]]:
    """Walk a year as nights do: the first of the turn's media that is at hand is written."""
    written: dict[str, datetime] = {}
    history = []
    for at, at_hand, is_whole in year:
        turn = turn_of(one, written, at, PARIS)
        chosen = next((name for name in turn.media if name in at_hand), None)
        assert chosen is None or chosen not in turn.resting
        if chosen is not None and is_whole:
            written[chosen] = at
            history.append((at, chosen))
    return history


@settings(max_examples=25, deadline=None)
@given(years())
def test_no_medium_is_written_twice_before_so_many_others_of_its_set(given_year) -> None:
    """Whoever is at hand, for a year."""
    one, year = given_year
    history = [name for _, name in write(one, year)]
    for n, name in enumerate(history):
        if name in history[n + 1 :]:
            again = history.index(name, n + 1)
            assert len(set(history[n + 1 : again])) >= one.reuse_after, history[n : again + 1]


@settings(max_examples=25, deadline=None)
@given(years())
def test_one_medium_a_turn_and_none_after_it(given_year) -> None:
    """A week's medium is written in one night of its week, a month's in one of its month."""
    one, year = given_year
    turns = [first_night(one.every, night_of(at, PARIS)) for at, _ in write(one, year)]
    assert len(turns) == len(set(turns))


@settings(max_examples=25, deadline=None)
@given(years())
def test_who_is_always_brought_is_written_in_every_turn(given_year) -> None:
    """Nothing stalls while everybody does what the due list says."""
    one, year = given_year
    names = set(one.media)
    turns = {first_night(one.every, night_of(at, PARIS)) for at, _, _ in year}
    history = write(one, [(at, names, True) for at, _, _ in year])
    assert len(history) == len(turns)
    assert [name for _, name in history] == [
        one.media[n % len(one.media)] for n in range(len(history))
    ]


@settings(max_examples=25, deadline=None)
@given(years(), st.integers(1, 40))
def test_what_is_foreseen_is_what_happens_when_each_medium_is_brought(given_year, count) -> None:
    """The due list is the rule of the nights itself, from wherever the set stands."""
    one, year = given_year
    written = {name: at for at, name in write(one, year)}
    coming = nights(count, since=year[-1][0] + timedelta(hours=20))
    openings = [Opening(opens_at=at, closes_at=at + timedelta(hours=2)) for at in coming]
    told = [(due.opens_at, due.target) for due in foresee(one, written, openings, PARIS)]
    for at in coming:
        expected = turn_of(one, written, at, PARIS).expected
        if expected is None:
            assert at not in {when for when, _ in told}
        else:
            assert (at, expected) in told
            written[expected] = at


def test_the_expected_medium_stays_expected_until_it_comes() -> None:
    """Three nights without it change nothing; the strict set waits."""
    one = of("a", "b")
    first, *later = nights(5)
    for at in later:
        turn = turn_of(one, {"a": first}, at, PARIS)
        assert turn.expected == "b"
        assert turn.resting == {"a": 1}


def test_a_medium_that_waited_long_enough_may_stand_in() -> None:
    """Of four with reuse_after 2, the two written last rest."""
    one = of("a", "b", "c", "d", reuse_after=2)
    *past, now = nights(5)
    turn = turn_of(one, dict(zip("abcd", past, strict=True)), now, PARIS)
    assert turn.media == ("a", "b")
    assert turn.resting == {"c": 1, "d": 2}


def test_a_second_run_of_the_same_night_goes_to_the_same_medium() -> None:
    """Also past midnight; the next night it is the other's turn."""
    one = of("a", "b")
    at, tomorrow = nights(2)
    assert turn_of(one, {"a": at}, at + timedelta(hours=1), PARIS).media == ("a",)
    assert turn_of(one, {"a": at}, tomorrow, PARIS).media == ("b",)


def test_nothing_is_owed_once_a_medium_of_the_week_was_written() -> None:
    """Monday's medium is done; the next is owed from the first night of the next week."""
    one = of("a", "b", every=Every.WEEK)
    monday = datetime(2026, 3, 2, 20, tzinfo=PARIS)
    written = {"a": monday}
    owed = [turn_of(one, written, monday + timedelta(days=n), PARIS).expected for n in range(1, 9)]
    assert owed == [None] * 6 + ["b", "b"]


def test_a_copy_that_is_not_whole_does_not_pass_the_turn_on() -> None:
    """A first copy of several nights stays with its medium: nothing was written in full yet."""
    assert turn_of(of("a", "b"), {}, FIRST, PARIS).expected == "a"


@pytest.mark.parametrize(
    ("every", "first"),
    [
        (Every.NIGHT, date(2026, 3, 4)),
        (Every.WEEK, date(2026, 3, 2)),
        (Every.MONTH, date(2026, 3, 1)),
    ],
)
def test_a_turn_begins_with_its_first_night(every: Every, first: date) -> None:
    """A Wednesday, its Monday, its first of the month."""
    assert first_night(every, date(2026, 3, 4)) == first


def test_a_set_with_one_enrolled_medium_writes_it_every_night() -> None:
    """The other is not enrolled yet: one copy is better than none, and gaps say what lacks."""
    one = MediaSet(name="s", media=("a",), every=Every.NIGHT, reuse_after=1)
    at, tomorrow = nights(2)
    assert turn_of(one, {"a": at}, tomorrow, PARIS).media == ("a",)
