"""The picture of the seconds open: nothing is left out of it, nothing unproven looks ordinary."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from vault.report.strip import draw


def night(seconds: float, *, openings: int = 1, unproven: int = 0) -> dict[str, object]:
    return {"seconds": seconds, "openings": openings, "unproven": unproven}


def test_a_night_without_an_opening_is_drawn_as_a_dot():
    """And is no bar of the lowest kind."""
    drawing = draw([night(0, openings=0), night(1)], ["a", "b"], [(1.0, "1 s")])
    assert [bar.kind for bar in drawing.bars] == ["quiet", "worst"]
    assert drawing.bars[0].height < drawing.bars[1].height


def test_an_unproven_night_is_the_tallest_whatever_its_seconds():
    """It counts as open; its seconds are only a bound."""
    drawing = draw([night(900), night(0.1, unproven=1)], ["a", "b"], [(60.0, "1 min")])
    assert drawing.bars[1].kind == "unproven"
    assert drawing.bars[1].height > drawing.bars[0].height


@given(st.lists(st.floats(0, 86_400), min_size=1, max_size=120))
def test_every_night_has_its_place_inside_the_picture(seconds):
    """In order, none over another, none outside; a longer night is never lower."""
    drawing = draw([night(s) for s in seconds], [str(s) for s in seconds], [(1.0, "1 s")])
    assert [bar.says for bar in drawing.bars] == [str(s) for s in seconds]
    for before, after in zip(drawing.bars, drawing.bars[1:], strict=False):
        assert before.x + drawing.bar < after.x
    for bar in drawing.bars:
        assert bar.y >= 0
        assert bar.y + bar.height <= drawing.ground + 0.2
        assert bar.x + drawing.bar <= drawing.width
    by_seconds = sorted(zip(seconds, drawing.bars, strict=True), key=lambda pair: pair[0])
    heights = [bar.height for _, bar in by_seconds]
    assert heights == sorted(heights)
