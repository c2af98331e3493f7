"""Layouts as values: lengths, weeks, fields of archives."""

from __future__ import annotations

import pytest

from vault.config import load_formats
from vault.formats import Counter, LengthRule, Span, month_of_week

TABLES = load_formats()


def test_length_is_the_fixed_part_and_a_piece_for_each_that_is_counted():
    """An RSA of version 228 with two units and one act."""
    rule = TABLES.records["rsa"].versions["228"].rules[0]
    assert rule.expected([0, 0, 2, 0, 1]) == 262 + 2 * 61 + 24
    assert rule.fits(262 + 2 * 61 + 24, [0, 0, 2, 0, 1])
    assert not rule.fits(262 + 2 * 61 + 23, [0, 0, 2, 0, 1])


def test_bounds_stand_in_where_no_length_is_known():
    """Least and most."""
    rule = LengthRule(least=10, most=12)
    assert [rule.fits(length, []) for length in (9, 10, 12, 13)] == [False, True, True, False]
    assert LengthRule(fixed=5, add=(Counter(size=2, at=Span(first=1, last=1)),)).expected([3]) == 11


@pytest.mark.parametrize(
    ("year", "week", "of_year", "month"),
    [
        (2022, 1, 2022, "2022-01"), (2022, 4, 2022, "2022-01"), (2022, 5, 2022, "2022-02"),
        (2022, 52, 2022, "2022-12"), (2026, 1, 2025, "2026-01"), (2026, 1, 2026, "2026-01"),
        (2026, 53, 2026, "2026-12"), (2026, 53, 2027, "2027-01"), (2025, 60, None, ""),
    ],
)  # fmt: skip
def test_a_week_is_of_the_month_of_its_thursday_and_from_2026_of_any_year_it_touches(
    year, week, of_year, month
):
    """M1 of 2022 is weeks 1 to 4, M12 weeks up to 52."""
    assert month_of_week(year, week, of_year=of_year) == month


@pytest.mark.parametrize(
    ("extensions", "side", "field"),
    [
        (["rsa", "ano", "sta"], "out", "MCO"), (["rha", "ano"], "out", "SMR"),
        (["rapss"], "out", "HAD"), (["rpsa", "r3a"], "out", "PSY"), (["rsfa"], "out", "RSFACE"),
        (["rss.ini.txt", "ano.txt"], "in", "MCO"), (["rhs.rtt.txt"], "in", "SMR"),
        (["ano", "sta"], "out", ""), ([], "in", ""),
    ],
)  # fmt: skip
def test_the_field_is_that_of_the_main_member(extensions, side, field):
    """Files that every field has say nothing."""
    assert TABLES.field_of(extensions, side) == field
