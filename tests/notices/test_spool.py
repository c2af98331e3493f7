"""Notices wait in order, whole, and never more than so many."""

from __future__ import annotations

import errno
from concurrent.futures import ThreadPoolExecutor

import pytest

from vault.errors import LockHeld
from vault.notices import spool as module
from vault.notices.spool import Notice, Spool
from vault.vault_lock import VaultLock


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
    unsent = []
    for subject in "abcd":
        spool.add(notice(subject=subject))
        unsent.append(spool.unsent())
    assert unsent == [0, 0, 1, 2]
    assert subjects(spool) == ["urgent", "c", "d"]


def test_what_goes_unsent_is_counted_until_a_record_has_it(spool):
    """Whoever drops it may hold no ledger, or die; a later one writes it down."""
    for subject in "ab":
        spool.add(notice(subject=subject))
    for name, _notice in spool.waiting():
        spool.drop_unsent(name)
    assert (subjects(spool), spool.unsent()) == ([], 2)
    spool.settle(1)
    assert Spool(spool.folder).unsent() == 1


def test_none_goes_for_a_new_one_that_cannot_be_written(spool, monkeypatch):
    """A full disk keeps the new one out, and takes no old one."""
    monkeypatch.setattr(module, "MOST", 2)
    for subject in "ab":
        spool.add(notice(subject=subject))

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(module, "write_json", full)
    with pytest.raises(OSError, match="No space"):
        spool.add(notice(subject="c"))
    assert (subjects(spool), spool.unsent()) == (["a", "b"], 0)


def test_a_full_disk_leaves_the_spool_to_the_next_one(spool, monkeypatch):
    """Who could not say that they hold it hold it no more."""
    spool.add(notice())

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("vault.vault_lock.os.pwrite", full)
        with pytest.raises(OSError, match="No space"):
            spool.add(notice(subject="b"))
    monkeypatch.setattr(module, "_PATIENCE_S", 0.1)
    spool.add(notice(subject="c"))
    assert subjects(spool) == ["s", "c"]


def test_who_writes_waits_for_another_and_not_for_ever(spool, monkeypatch):
    """One that was stopped in the middle must not hold up a night."""
    monkeypatch.setattr(module, "_PATIENCE_S", 0.1)
    spool.add(notice())
    with VaultLock(f"{spool.folder}/lock"), pytest.raises(LockHeld):
        spool.add(notice(subject="c"))
    spool.add(notice(subject="c"))


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
