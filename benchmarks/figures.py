"""Goals, medians and the last line.

Rule 1: a ratio is the median of ratios of pairs, never a ratio of medians.
Rule 2: a goal that was not measured is missed.
"""

from __future__ import annotations

import json
import statistics
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

GOALS = {
    "exposure_first_vs_direct": 0.10,
    "exposure_night_vs_direct": 0.05,
    "exposure_100_sources_vs_direct": 0.01,
    "exposure_first_vs_limit": 1.0,
    "exposure_night_vs_limit": 2.0,
    "exposure_text_night_vs_direct": 0.05,
    "exposure_text_night_vs_limit": 2.0,
    "cycle_first_vs_direct_and_check": 1.5,
    # Of a night: cycle <= 1.0 x (restic + check) + 2 s, so the figure is cycle / (the two + 2 s).
    "cycle_night_vs_direct_and_check": 1.0,
    "cycle_text_night_vs_direct_and_check": 1.0,
    "cycle_vs_direct_and_check": 1.5,  # the worst of the three above, see ``worst_cycle``
    "restore_vs_restic": 1.25,
    "list_100k_packs_s": 1.0,
    "admission_peak_mb": 100.0,
}
NIGHT_ALLOWANCE_S = 2.0


@dataclass(slots=True, kw_only=True)
class Figures:
    """What was measured so far, pair by pair."""

    pairs: dict[str, list[float]] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)  # of a part, by its name

    def add(self, name: str, value: float) -> None:
        """Add one pair's ratio, or one measurement."""
        self.pairs.setdefault(name, []).append(value)

    def ratios(self) -> dict[str, float]:
        """Give the median of each name, in the order of the goals, then the others."""
        found = {name: statistics.median(values) for name, values in self.pairs.items()}
        found |= worst_cycle(found)
        named = [name for name in GOALS if name in found]
        return {name: round(found[name], 4) for name in [*named, *sorted(found.keys() - GOALS)]}

    def missed(self) -> list[str]:
        """Name the goals that were not reached, or not measured."""
        ratios = self.ratios()
        return [name for name, goal in GOALS.items() if not ratios.get(name, goal + 1) <= goal]

    def print_goals(self) -> None:
        """Print each goal with its figure, the spread of its pairs, and whether it was reached."""
        ratios, missed = self.ratios(), self.missed()
        rows = []
        for name in [*GOALS, *(name for name in ratios if name not in GOALS)]:
            goal = GOALS.get(name)
            values = self.pairs.get(name, [])
            word = "" if goal is None else "MISSED" if name in missed else "reached"
            rows.append(
                [
                    name,
                    f"{ratios[name]:.4g}" if name in ratios else "not measured",
                    "" if goal is None else f"{goal:g}",
                    word,
                    f"{min(values):.4g} to {max(values):.4g}, n={len(values)}" if values else "",
                ]
            )
        print_table(["figure", "median", "goal", "", "pairs"], rows)
        for part, why in self.failures.items():
            print(f"NOT MEASURED: {part}: {why}")

    def last_line(self) -> str:
        """Give the document that ends the output."""
        members = {
            "bench": "coffre",
            "ratios": self.ratios(),
            "goals": GOALS,
            "missed": self.missed(),
        }
        return json.dumps(members)


_CYCLE = "cycle_vs_direct_and_check"
_CYCLES = tuple(name for name in GOALS if name.startswith("cycle_") and name != _CYCLE)


def worst_cycle(found: Mapping[str, float]) -> dict[str, float]:
    """Put the worst of the cycles against one goal.

    The first night's ratio stands as it is; a later night's is scaled so that its own goal of 1.0
    falls on the first night's 1.5. The figure is within its goal only when all are.
    """
    if any(name not in found for name in _CYCLES):
        return {}
    return {_CYCLE: max(found[name] * GOALS[_CYCLE] / GOALS[name] for name in _CYCLES)}


def print_table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print columns as wide as they need; the first to the left, the others to the right."""
    rows = [list(heads), *rows]
    widths = [max(len(row[column]) for row in rows) for column in range(len(heads))]
    for row in rows:
        first, *others = [
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        print("  ".join([first, *others]).rstrip())
    print(flush=True)


def seconds(value: float | None) -> str:
    """Give seconds as the tables show them."""
    return "-" if value is None else f"{value:.3f}" if value < 10 else f"{value:.1f}"


def megabytes(value: float) -> str:
    """Give bytes as the tables show them."""
    return f"{value / 1e6:.1f}"


def say(line: str) -> None:
    """Say how far the run is; standard output is kept for the figures."""
    print(f"· {line}", file=sys.stderr, flush=True)


def median(values: Iterable[float]) -> float:
    """Give the median; of nothing, nan."""
    values = list(values)
    return statistics.median(values) if values else float("nan")
