# ruff: noqa: E501, a table of cases reads better with a case on a line
"""Names of archives in every naming since 2011."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vault.archive_names import read_archive_name, read_member_name


@pytest.mark.parametrize(
    ("name", "told"),
    [
        (b"990000010.2017.12.31012018101010.in.zip", ("990000010", 2017, 12, "in", "", "", "2018-01-31T10:10:10")),
        (b"990000010.2023.5.20230620101010.out.zip", ("990000010", 2023, 5, "out", "", "", "2023-06-20T10:10:10")),
        (b"2A0000010.2024.08.SMR.SEJOURS.SEJOURS.20240920101010.in.zip", ("2A0000010", 2024, 8, "in", "SMR", "SEJOURS", "2024-09-20T10:10:10")),
        (b"990000010.2025.09.MCO.RSFACE.RSFACE.20251020101010.out.zip", ("990000010", 2025, 9, "out", "MCO", "RSFACE", "2025-10-20T10:10:10")),
        (b"990000010.2020.03.SSR.SEJOURS.SEJOURS.20200420101010.IN.ZIP", ("990000010", 2020, 3, "in", "SMR", "SEJOURS", "2020-04-20T10:10:10")),
        (b"990000010.2024.0.20132024101010.out.zip", ("990000010", 2024, 0, "out", "", "", "")),
        (b"990000010.2024.3.MCO.SEJOURS.SEJOURS.20240420101010.0f8fad5b-d9cb-469f-a165-70867728950e.zip",
         ("990000010", 2024, 3, "save", "MCO", "SEJOURS", "2024-04-20T10:10:10")),
    ],
)  # fmt: skip
def test_every_naming_is_read(name, told):
    """Establishment, year, period, side, field, category, stamp."""
    found = read_archive_name(name)
    assert found is not None
    assert (
        found.finess, found.year, found.period, found.side, found.field, found.category, found.stamp
    ) == told  # fmt: skip


@pytest.mark.parametrize(
    "name",
    [
        b"", b"990000010.2024.13.20240420101010.in.zip", b"990000010.2024.3.20240420101010.in.zip\n",
        b"99000001.2024.3.20240420101010.in.zip", b"990000010.2024.3.in.zip", b"x.zip",
        "99000001\u0663.2024.3.20240420101010.in.zip".encode(),
    ],
)  # fmt: skip
def test_other_names_are_none(name):
    """A month 13, a line end, a digit of another script."""
    assert read_archive_name(name) is None


def test_members_are_read_without_their_folder():
    """The extension is what follows the period, in small letters."""
    found = read_member_name(b"folder/990000010.2024.3.RSS.ini.txt")
    assert found is not None
    assert (found.finess, found.period, found.extension) == ("990000010", 3, "rss.ini.txt")
    assert read_member_name(b"LignesErrUm.log.txt") is None


@given(st.binary(max_size=80))
def test_no_name_is_a_fault_of_ours(name):
    """Whatever the bytes."""
    read_archive_name(name)
    read_member_name(name)
