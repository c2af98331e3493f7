"""Scenario 30. Goal: a vault whose records are spoilt or incomplete is never told to be sound."""

from __future__ import annotations

import pytest

from tests.rigs.vaults import ScratchVault

# -- records that cannot be read


@pytest.mark.parametrize("content", ["", "[]", "{}"])
def test_status_that_cannot_be_read_counts_as_open(held: ScratchVault, content: str) -> None:
    """A power cut may leave the public file empty: one line, and the alarm."""
    (held.state / "public" / "status.json").write_text(content)
    told = held.coffre("status").ok(5)
    assert told.document["error"]["reference"] == "door-unproven"
