"""When a file counts as complete."""

from __future__ import annotations

from datetime import UTC, datetime

from vault.sources.completeness import Judgement, Rule, judge
from vault.sources.tree import Seen

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def judged(rule: Rule, **ages_s: float) -> Judgement:
    """Judge files by their age; ``__`` in a name is a slash, ``_`` a dot."""
    files = {}
    for name, age_s in ages_s.items():
        path = name.replace("__", "/").replace("_", ".").encode()
        when = int((NOW.timestamp() - age_s) * 10**9)
        files[path] = Seen(path=path, size_bytes=1, mtime_ns=when)
    return judge(files, rule, now=NOW)


def names(judgement: Judgement) -> list[bytes]:
    return [seen.path for seen in judgement.complete]


def test_every_file_counts_without_a_rule() -> None:
    """No rule, no waiting."""
    assert names(judged(Rule(), a_txt=0, b_txt=-5)) == [b"a.txt", b"b.txt"]


def test_done_file_beside_a_file_lets_it_count_and_is_no_export_itself() -> None:
    """``*.done`` speaks for the file whose name it carries, and for no other."""
    found = judged(Rule(done_file="*.done"), a_txt=9, a_txt_done=5, b_txt=9)
    assert names(found) == [b"a.txt"]
    assert [(wait.name, wait.reason) for wait in found.waiting] == [(b"b.txt", "no done-file")]


def test_done_file_of_a_folder_speaks_for_what_is_in_and_below_it() -> None:
    """A plain name speaks for its folder, down to the last level, and not for its neighbours."""
    found = judged(Rule(done_file="fin"), x__fin=1, x__a=9, x__y__b=9, z__c=9)
    assert names(found) == [b"x/a", b"x/y/b"]


def test_done_file_of_the_root_speaks_for_all() -> None:
    """The folder above all is the root of the source."""
    assert names(judged(Rule(done_file="fin"), fin=1, a=9, x__b=9)) == [b"a", b"x/b"]


def test_done_file_left_from_the_last_export_says_nothing_about_this_one() -> None:
    """A file written after its done-file is being written again."""
    found = judged(Rule(done_file="fin"), fin=5, a=4, b=5)
    assert names(found) == [b"b"]
    assert found.waiting[0].reason == "younger than its done-file"


def test_file_counts_once_it_has_been_still_for_long_enough() -> None:
    """A minute and not a second less."""
    found = judged(Rule(stable_for_s=60), a=60, b=59, c=-1)
    assert names(found) == [b"a"]
    assert [wait.reason for wait in found.waiting] == [
        "changed less than 60 s ago: complete once that has passed",
        "dated in the future",
    ]


def test_only_the_star_is_special_in_a_done_file() -> None:
    """Brackets and question marks are themselves."""
    files = {b"a[1].ok": Seen(path=b"a[1].ok", size_bytes=0, mtime_ns=0)}
    assert judge(files, Rule(done_file="?.ok"), now=NOW).waiting
    assert not judge(files, Rule(done_file="a[1].ok"), now=NOW).complete
