"""Bytes as a person reads them, and said again in another language."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vault.amount import Amount, amount, said_again, told_apart


@pytest.mark.parametrize(
    ("count", "english", "french"),
    [
        (0, "0 B", "0 o"),
        (999, "999 B", "999 o"),
        (1000, "1.0 kB", "1,0 ko"),
        (99_949, "99.9 kB", "99,9 ko"),
        (99_960, "100 kB", "100 ko"),
        (999_499, "999 kB", "999 ko"),
        (999_950, "1.0 MB", "1,0 Mo"),
        (268_435_456, "268 MB", "268 Mo"),
        (1_500_000_000, "1.5 GB", "1,5 Go"),
        (7_200_000_000_000_000, "7200 TB", "7200 To"),
    ],
)
def test_three_figures_and_a_unit(count, english, french):
    """In French with a comma."""
    assert amount(count) == f"{Amount(count)}" == english
    assert amount(count, "fr") == said_again(english, "fr") == french


@pytest.mark.parametrize(
    ("one", "other", "told"),
    [
        (1_500_000_000, 2_000_000_000, "1.5 GB 2.0 GB"),
        (1_500_000_000, 1_500_400_000, "1.5000 GB 1.5004 GB"),
        (268_000_000, 268_000_001, "268.000000 MB 268.000001 MB"),
        (5, 5, "5 B 5 B"),
    ],
)
def test_two_of_one_sentence_are_told_apart(one, other, told):
    """A medium with room for 1.5 GB that is to hold 1.5 GB says nothing."""
    assert "{} {}".format(*told_apart(one, other)) == told
    assert said_again(f"{told_apart(one, other)[1]}", "fr") is not None


@given(st.integers(0, 10**18), st.integers(0, 10**15))
def test_any_two_are_told_apart(count, more):
    """Whatever they are, up to what a unit's decimals show."""
    one, other = told_apart(count % 10**15, (count % 10**15) + more)
    assert (f"{one}" == f"{other}") is (more == 0)


@given(st.integers(0, 10**18))
def test_what_was_kept_in_english_is_said_as_if_it_were_said_now(count):
    """A reason in the records holds the finished English."""
    assert said_again(amount(count), "fr") == amount(count, "fr")


@pytest.mark.parametrize("text", ["", "3 GB left", "GB", "1. GB", "3GB", "three"])
def test_what_is_no_amount_is_left_alone(text):
    """A sentence that holds one is no amount."""
    assert said_again(text, "fr") is None
