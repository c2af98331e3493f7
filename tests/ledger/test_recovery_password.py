"""The recovery password survives paper and typing, and names the group of a slip."""

from __future__ import annotations

import os
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vault.errors import SecretError
from vault.ledger.recovery_password import GROUPS, LETTERS, make, normalise

secrets = st.binary(min_size=32, max_size=32)
PRINTED = make(lambda n: bytes(range(n)))


def test_it_is_printed_in_fourteen_groups_of_five():
    """Letters that nobody confuses, joined by dashes."""
    group = f"[{LETTERS}]{{5}}"
    assert re.fullmatch(rf"{group}(-{group}){{13}}", make(os.urandom))
    assert not set("ILOU") & set(LETTERS)


@given(one=secrets, other=secrets)
def test_every_bit_of_the_random_is_in_it(one, other):
    """Two secrets of 256 bits give two passwords."""
    assert (make(lambda n: one) == make(lambda n: other)) == (one == other)


@given(secret=secrets, between=st.sampled_from([" ", "", "-", " - ", "\n", "."]))
def test_it_may_be_typed_as_people_type(secret, between):
    """Small letters, other gaps, O for 0, I and L for 1."""
    printed = make(lambda n: secret)
    typed = between.join(printed.lower().split("-"))
    typed = typed.replace("0", "o").replace("1", "l", 1).replace("1", "i", 1)
    assert normalise(typed) == normalise(f"  {typed}\n") == printed


def test_any_wrong_letter_names_its_group():
    """Before anything slow is tried."""
    for at, letter in enumerate(PRINTED):
        if letter == "-":
            continue
        for other in set(LETTERS) - {letter}:
            typed = PRINTED[:at] + other + PRINTED[at + 1 :]
            with pytest.raises(SecretError, match=f"group {at // 6 + 1} of"):
                normalise(typed)


def test_two_letters_in_each_others_place_name_their_group():
    """The other slip that hands make."""
    for at in range(len(PRINTED) - 1):
        a, b = PRINTED[at : at + 2]
        if "-" in (a, b) or a == b:
            continue
        typed = PRINTED[:at] + b + a + PRINTED[at + 2 :]
        with pytest.raises(SecretError, match=f"group {at // 6 + 1} of"):
            normalise(typed)


def test_two_groups_in_each_others_place_are_seen():
    """A group knows its place."""
    groups = PRINTED.split("-")
    groups[3], groups[8] = groups[8], groups[3]
    with pytest.raises(SecretError, match="group 4 of"):
        normalise("-".join(groups))


def test_a_group_of_another_sheet_is_seen():
    """It is sound in itself, and the last group does not know it."""
    groups, other = PRINTED.split("-"), make(lambda n: bytes(range(1, n + 1))).split("-")
    groups[5] = other[5]
    with pytest.raises(SecretError, match="does not fit its last group"):
        normalise("-".join(groups))


def test_a_missing_or_doubled_letter_names_its_group():
    """When the groups were typed apart, the one of another length is it."""
    with pytest.raises(SecretError, match="group 2 of"):
        normalise(PRINTED[:7] + PRINTED[8:])
    with pytest.raises(SecretError, match="group 2 of"):
        normalise(PRINTED[:7] + PRINTED[7] + PRINTED[7:])


def test_a_missing_group_is_counted():
    """The message counts letters and shows none."""
    with pytest.raises(SecretError, match="has 70 letters, 65 were typed"):
        normalise(PRINTED[6:])
    with pytest.raises(SecretError, match="0 were typed"):
        normalise("")


@given(typed=st.text(max_size=90))
def test_no_message_shows_what_was_typed(typed):
    """Whatever comes in, only a SecretError with numbers comes out."""
    with pytest.raises(SecretError) as told:
        normalise(typed)
    assert all(isinstance(value, int) for value in told.value.values.values())


def test_a_letter_that_is_none_names_its_group():
    """U is not in the alphabet; neither is é."""
    for odd in "Ué":
        with pytest.raises(SecretError, match=f"group {GROUPS} of"):
            normalise(PRINTED[:-1] + odd)
