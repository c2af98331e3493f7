"""The benchmark's arithmetic and its last line; nothing here is timed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.figures import GOALS, Figures, worse_cycle

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
CYCLES = ("cycle_first_vs_direct_and_check", "cycle_night_vs_direct_and_check")


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
    ("first", "night", "figure"), [(1.5, 1.0, 1.5), (1.2, 0.5, 1.2), (1.2, 1.1, 1.65)]
)
def test_the_cycle_is_within_its_goal_only_when_both_nights_are(first, night, figure):
    """The worse of the two stands for both."""
    found = worse_cycle(dict(zip(CYCLES, (first, night), strict=True)))
    assert found["cycle_vs_direct_and_check"] == pytest.approx(figure)


def test_every_figure_with_a_goal_is_explained():
    """The manual names them all."""
    manual = (Path(__file__).parents[1] / "docs" / "benchmarks.md").read_text()
    assert [name for name in GOALS if f"`{name}`" not in manual] == []
