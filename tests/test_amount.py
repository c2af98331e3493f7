"""Bytes as a person reads them, and said again in another language."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vault.amount import Amount, amount, said_again


@pytest.mark.parametrize(
    ("count", "english", "french"),
    [
        (0, "0 B", "0 o"),
        (999, "999 B", "999 o"),
        (1000, "1.0 kB", "1,0 ko"),
        (99_949, "99.9 kB", "99,9 ko"),
        (268_435_456, "268 MB", "268 Mo"),
        (1_500_000_000, "1.5 GB", "1,5 Go"),
        (7_200_000_000_000_000, "7200 TB", "7200 To"),
    ],
)
def test_three_figures_and_a_unit(count, english, french):
    """In French with a comma."""
    assert amount(count) == f"{Amount(count)}" == english
    assert amount(count, "fr") == said_again(english, "fr") == french


@given(st.integers(0, 10**18))
def test_what_was_kept_in_english_is_said_as_if_it_were_said_now(count):
    """A reason in the records holds the finished English."""
    assert said_again(amount(count), "fr") == amount(count, "fr")


@pytest.mark.parametrize("text", ["", "3 GB left", "GB", "1.25 GB", "3GB", "three"])
def test_what_is_no_amount_is_left_alone(text):
    """A sentence that holds one is no amount."""
    assert said_again(text, "fr") is None
