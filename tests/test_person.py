"""One person is one, however the name is written."""

from __future__ import annotations

import pytest

from vault.person import same_person


@pytest.mark.parametrize(
    "again",
    [
        pytest.param("  anne-marie   LEF\u00c8VRE ", id="case-and-spaces"),
        pytest.param("Anne-Marie Lefe\u0300vre", id="decomposed"),
        pytest.param("Anne-Marie Lefevre", id="no-accent"),
        pytest.param("Anne\u2011Marie Lef\u00e8vre", id="another-hyphen"),
        pytest.param("Anne Marie Lef\u00e8vre", id="no-hyphen"),
        pytest.param("Anne-Marie Lef\u00e8\u200bvre", id="space-without-width"),
        pytest.param("Anne-Marie\u00a0Lef\u00e8vre.", id="no-break-space-and-dot"),
        pytest.param("\uff21nne-Marie Lef\u00e8vre", id="full-width"),
        pytest.param("LEF\u00c8VRE, Anne-Marie", id="surname-first"),
        pytest.param("AnneMarieLef\u00e8vre", id="in-one-word"),
    ],
)
def test_a_name_written_otherwise_is_the_same_person(again: str) -> None:
    """No second person is made of signs that are not seen, or do not matter."""
    assert same_person("Anne-Marie Lef\u00e8vre", again)
    assert same_person(again, "Anne-Marie Lef\u00e8vre")


@pytest.mark.parametrize(
    "other", ["Anne Lef\u00e8vre", "Anne-Marie Lef\u00e8bvre", "Marie", "\u00c6lis"]
)
def test_another_name_is_another_person(other: str) -> None:
    """Near is not the same; a ligature is its letters."""
    assert not same_person("Anne-Marie Lef\u00e8vre", other)
    assert same_person("\u00c6lis", "aelis")
