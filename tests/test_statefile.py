"""The small files of the state: what cannot be read is never taken for shut."""

from __future__ import annotations

from pathlib import Path

import pytest

from vault.state import State
from vault.statefile import AIRLOCK, SECURED, StateFolder

SPOILT = ("", "torn", "[]", "{}", '{"state": "?", "since": "?", "by": 1, "reason": 1, "at": "?"}')


@pytest.mark.parametrize("content", SPOILT)
def test_state_that_cannot_be_read_counts_as_an_open_door(tmp_path: Path, content: str) -> None:
    """Invariant 3: a record that lost its members is no record, and no traceback either."""
    (tmp_path / AIRLOCK).write_text(content)
    record = StateFolder(str(tmp_path)).load()
    assert record is not None
    assert record.state is State.SHUTTING


@pytest.mark.parametrize("content", SPOILT)
def test_red_button_that_cannot_be_read_counts_as_pressed(tmp_path: Path, content: str) -> None:
    """Nothing opens because a file is spoilt."""
    (tmp_path / SECURED).write_text(content)
    assert StateFolder(str(tmp_path)).pressed() is not None
