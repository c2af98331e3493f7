"""What may cross: names, pins, aliens, budgets."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from vault.admission import (
    Budget,
    Pins,
    budget_for,
    compare_pins,
    is_carried,
    is_lawful,
    judge_landing,
    over_budget,
    unlawful_in_run,
)
from vault.results import RepositoryFile

H = "0123456789abcdef" * 4


def file(path: str, size: int = 1) -> RepositoryFile:
    return RepositoryFile(path=path, size_bytes=size)


def test_lawful_names_are_those_restic_writes() -> None:
    """A pack stands in the shard its name begins with."""
    for path in ("config", f"keys/{H}", f"data/01/{H}", f"index/{H}", f"snapshots/{H}"):
        assert is_lawful(path)
    for path in (
        f"data/02/{H}",
        f"data/01/{H.upper()}",
        f"data/{H}",
        f"index/{H}0",
        f"index/../index/{H}",
        "config2",
        f"locks/{H}",
        f"index/{H}\n",
    ):
        assert not is_lawful(path)


def test_config_and_keys_are_never_carried_by_a_cycle() -> None:
    """They come by enrolment only."""
    assert not is_carried("config")
    assert not is_carried(f"keys/{H}")
    assert unlawful_in_run([file("config"), file(f"keys/{H}"), file(f"data/01/{H}")])[1].name


def test_a_key_more_is_as_wrong_as_a_key_less() -> None:
    """Pins are compared whole."""
    pins = Pins(repository_id="r", config_sha256="c", keys=frozenset({"a", "b"}))
    assert compare_pins(pins, pins) == ()
    for seen in (
        Pins(repository_id="r", config_sha256="c", keys=frozenset({"a"})),
        Pins(repository_id="r", config_sha256="c", keys=frozenset({"a", "b", "x"})),
        Pins(repository_id="r", config_sha256="d", keys=frozenset({"a", "b"})),
        Pins(repository_id="s", config_sha256="c", keys=frozenset({"a", "b"})),
    ):
        assert compare_pins(pins, seen)


def test_a_run_that_adds_more_than_its_source_is_refused() -> None:
    """Fault 20 and 21: a huge file, or a great many, are over the budget."""
    budget = budget_for(10 << 20)
    assert not over_budget([file(f"data/01/{H}", 9 << 20)], budget)
    assert over_budget([file(f"data/01/{H}", 1 << 40)], budget)
    assert over_budget([file(f"data/01/{H}", 0)] * 200_000, budget)
    assert over_budget([file("x", 2)], Budget(files=1, bytes=1))


names = st.lists(st.integers(0, 60), unique=True, max_size=30).map(sorted)


@given(names, names)
def test_landing_is_judged_as_sets_would(found: list[int], known: list[int]) -> None:
    """The merge finds exactly the aliens and the losses."""
    lay = [file(f"index/{n:064x}") for n in found]
    ours = [file(f"index/{n:064x}") for n in known]
    judged = judge_landing(iter(lay), iter(ours))
    assert judged.alien_count == len(set(found) - set(known))
    assert judged.lost_count == len(set(known) - set(found))
    assert judged.files == len(set(known) & set(found))
    assert judged.is_whole == (set(known) <= set(found))


def test_a_file_of_another_size_is_not_whole() -> None:
    """A truncated pack is told before restic is asked."""
    judged = judge_landing([file("index/a", 1)], [file("index/a", 2)])
    assert judged.resized == ("index/a",)
    assert not judged.is_whole


def test_aliens_of_an_attack_are_counted_and_only_some_are_kept() -> None:
    """Fault 21: 200,000 junk files cost no memory."""
    judged = judge_landing((file(f"data/00/{n:064x}") for n in range(200_000)), [])
    assert judged.alien_count == 200_000
    assert len(judged.aliens) == 100


def test_an_alien_index_is_not_lost_behind_many_junk_packs() -> None:
    """Names are kept of a few only; that restic would read one of them is never forgotten."""
    junk = [file(f"data/00/{n:064x}") for n in range(150)]
    assert judge_landing(junk, []).alien_indexes == 0
    assert judge_landing([*junk, file(f"index/{'a' * 64}")], []).alien_indexes == 1
