"""Notices wait in order, whole, and never more than so many."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from vault.notices import spool as module
from vault.notices.spool import Notice, Spool


def notice(to: str = "a", *, subject: str = "s", **more) -> Notice:
    return Notice(to=to, subject=subject, body="b", at="2026-03-01T01:00:00+00:00", **more)


@pytest.fixture
def spool(tmp_path) -> Spool:
    return Spool(str(tmp_path / "notices"))


def subjects(spool: Spool) -> list[str]:
    return [one.subject for _name, one in spool.waiting()]


def test_the_oldest_comes_first_whatever_was_let_go(spool):
    """By number; a number is not given twice while a later one waits."""
    for subject in "abc":
        spool.add(notice(subject=subject))
    spool.drop(spool.waiting()[0][0])
    spool.drop("00000001-a.json")  # idempotent
    spool.add(notice(subject="d"))
    assert subjects(spool) == ["b", "c", "d"]


def test_a_failed_attempt_is_counted_and_keeps_its_place(spool):
    """The text is as it was."""
    spool.add(notice(subject="a"))
    spool.add(notice(subject="b"))
    name, first = spool.waiting()[0]
    spool.note_failed(name, first)
    assert [(one.subject, one.attempts) for _name, one in spool.waiting()] == [("a", 1), ("b", 0)]


def test_one_about_the_same_is_enough(spool):
    """To the same recipient, while it waits."""
    for to in ("a", "a", "b"):
        spool.add(notice(to, about="unit x"))
    assert [one.to for _name, one in spool.waiting()] == ["a", "b"]


def test_the_oldest_that_is_not_urgent_goes_when_there_are_too_many(spool, monkeypatch):
    """And how many went is said; an urgent one goes last of all."""
    monkeypatch.setattr(module, "MOST", 3)
    spool.add(notice(subject="urgent", is_urgent=True))
    assert [spool.add(notice(subject=subject)) for subject in "abcd"] == [0, 0, 1, 1]
    assert subjects(spool) == ["urgent", "c", "d"]


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"to": "a"}'])
def test_a_file_that_is_no_notice_holds_up_no_other(spool, content):
    """Torn by another hand; it is left where it is."""
    spool.add(notice())
    path = f"{spool.folder}/00000000-x.json"
    with open(path, "wb") as file:
        file.write(content)
    assert subjects(spool) == ["s"]


def test_two_that_write_at_once_have_a_name_each(spool):
    """The unit of a failed night writes beside the night that comes after it."""
    count = 40
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: spool.add(notice(subject=str(n))), range(count)))
    assert sorted(map(int, subjects(spool))) == list(range(count))
