"""The benchmark's arithmetic and its last line; nothing here is timed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.figures import GOALS, Figures, worst_cycle

CONTRACT = {
    "exposure_first_vs_direct",
    "exposure_night_vs_direct",
    "exposure_100_sources_vs_direct",
    "exposure_first_vs_limit",
    "exposure_night_vs_limit",
    "cycle_vs_direct_and_check",
    "restore_vs_restic",
    "list_100k_packs_s",
    "admission_peak_mb",
}
CYCLES = tuple(f"cycle_{night}_vs_direct_and_check" for night in ("first", "night", "text_night"))


def measured(**values: float) -> Figures:
    """Give figures in which every goal is just reached, but for some."""
    figures = Figures()
    for name, goal in GOALS.items():
        if name != "cycle_vs_direct_and_check":
            figures.add(name, values.get(name, goal))
    return figures


def test_the_last_line_has_every_name_that_others_rely_on():
    """Names of the contract stay."""
    document = json.loads(measured().last_line())
    assert document["bench"] == "coffre"
    assert set(document["ratios"]) >= CONTRACT
    assert set(document["goals"]) >= CONTRACT
    assert document["missed"] == []


def test_a_miss_is_named():
    """A figure above its goal is missed, one at its goal is not."""
    assert measured(exposure_night_vs_limit=2.01).missed() == ["exposure_night_vs_limit"]


def test_what_was_not_measured_is_missed():
    """Nothing is ever reached by silence."""
    assert set(Figures().missed()) == set(GOALS)


def test_a_figure_is_the_median_of_its_pairs():
    """One outlier of a busy machine moves nothing."""
    figures = Figures()
    for ratio in (0.5, 0.7, 90.0):
        figures.add("exposure_first_vs_limit", ratio)
    assert figures.ratios() == {"exposure_first_vs_limit": 0.7}


@pytest.mark.parametrize(
    ("ratios", "figure"),
    [((1.5, 1.0, 1.0), 1.5), ((1.2, 0.5, 0.4), 1.2), ((1.2, 1.1, 0.4), 1.65), ((1, 0, 1.2), 1.8)],
)
def test_the_cycle_is_within_its_goal_only_when_every_night_is(ratios, figure):
    """The worst of them stands for all."""
    found = worst_cycle(dict(zip(CYCLES, ratios, strict=True)))
    assert found["cycle_vs_direct_and_check"] == pytest.approx(figure)


def test_every_figure_with_a_goal_is_explained():
    """The manual names them all."""
    manual = (Path(__file__).parents[1] / "docs" / "benchmarks.md").read_text()
    assert [name for name in GOALS if f"`{name}`" not in manual] == []


# -- the gate


def test_simulated_encryption_is_what_it_says():
    """Sizes and the clear blocks stay; a share is rounded up, and empty files are nobody's."""
    from random import Random

    from benchmarks.encryption import BLOCK, MODES, encrypt, victims

    tree = {b"a.csv": b"a" * 3 * BLOCK, b"b.csv": b"b" * 100, b"empty": b""}
    for mode, attack in MODES.items():
        worse = encrypt(tree, [b"a.csv"], attack, Random(1))
        [(path, content)] = worse.items() - tree.items()
        assert (path != b"a.csv") is (mode == "renamed")
        assert len(content) == 3 * BLOCK
        clear = {"first 4 KB": 2, "every other block": 1}.get(mode, 0)
        assert content.count(b"a" * BLOCK) == clear, mode
    assert sorted(victims(tree, 0.01, Random(1))) != []
    assert sorted(victims(tree, 1.0, Random(1))) == [b"a.csv", b"b.csv"]


def test_every_odd_night_happens_in_a_year():
    """None is left out by its dice."""
    from random import Random

    from benchmarks.ordinary import EVENTS, year

    for seed in range(20):
        assert set(EVENTS) <= set(year(40, Random(f"year {seed}")))


def test_the_last_line_of_the_inspection_names_what_was_missed():
    """Also what was not measured at all."""
    from benchmarks.inspection import AT_LEAST, GOALS, last_line

    good = dict.fromkeys(GOALS, 0.0) | AT_LEAST
    assert json.loads(last_line(good))["missed"] == []
    told = json.loads(last_line(good | {"false_alarms": 0.5}))
    assert (told["bench"], told["missed"]) == ("inspection", ["false_alarms"])
    assert set(json.loads(last_line({}))["missed"]) == {*GOALS, *AT_LEAST}
    slow = json.loads(last_line(good | {"pmsi_lines_vs_bare_loop": 0.2}))
    assert slow["missed"] == ["pmsi_lines_vs_bare_loop"]
