"""The habit of a source: what its accepted exports looked like over the last nights.

Rule 1: before enough nights a habit says nothing; a bound is never made of a few.
Rule 2: robust: the middle of what was seen and its spread, so that one wild night moves little.
Rule 3: damage adds up over the remembered nights and is taken off when files heal; what a person
    accepted is where the count begins anew.
Source: median and median absolute deviation (Hampel, 1974): 1.4826 of it is a standard deviation.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

from vault.shape import Extension, Shape

NIGHTS = 30  # accepted exports that are remembered
ENOUGH = 7  # below this nothing is said
_SIGMA = 1.4826
_SPREADS = 6.0
_LEAST_SHARE = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Habit:
    """What is known of a source; a share of None says nothing."""

    nights: int = 0
    changed_share: float | None = None  # of files, above which a night is unlike the others
    noise_share: float | None = None
    grown_share: float | None = None  # of bytes
    scrambled: int = 0  # over the remembered nights, since a person accepted
    spoilt: int = 0
    last: Shape | None = None
    extensions: Mapping[str, Extension] = field(default_factory=dict)


def learn(shapes: Sequence[Shape]) -> Habit:
    """Learn from accepted shapes, oldest first; the newest ``NIGHTS`` of them count."""
    if not shapes:
        return Habit()
    kept = list(shapes[-NIGHTS:])
    told = [shape for shape in kept if shape.before_files]  # a first night changes nothing
    enough = len(told) >= ENOUGH
    scrambled, spoilt = _standing(kept)
    return Habit(
        nights=len(kept),
        changed_share=_bound(share(s.moved, s.base) for s in told) if enough else None,
        noise_share=_bound(share(s.noise, s.base) for s in told) if enough else None,
        grown_share=_bound(share(s.bytes - s.before_bytes, s.before_bytes) for s in told)
        if enough
        else None,
        scrambled=scrambled,
        spoilt=spoilt,
        last=kept[-1],
        extensions=kept[-1].extensions,
    )


def share(part: int, whole: int) -> float:
    """Give a part of a whole; none of nothing, and never less than none."""
    return max(0.0, part / whole) if whole else 0.0


def _bound(values: Iterable[float]) -> float:
    """Give the value above which a night is unlike the others."""
    seen = list(values)
    middle = median(seen)
    spread = _SIGMA * median(abs(value - middle) for value in seen)
    return middle + max(_SPREADS * spread, middle, _LEAST_SHARE)


def _standing(shapes: Iterable[Shape]) -> tuple[int, int]:
    """Give the damage that stands: what was lost, less what healed, since a person accepted."""
    scrambled = spoilt = 0
    for shape in shapes:
        if shape.by_hand:
            scrambled = spoilt = 0
            continue
        scrambled += shape.scrambled
        spoilt += shape.spoilt
        healed = shape.healed
        taken = min(spoilt, healed)
        spoilt -= taken
        scrambled = max(0, scrambled - (healed - taken))
    return scrambled, spoilt
