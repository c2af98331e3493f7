"""File names are bytes; what is shown is escaped; what would leave its folder is refused."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vault.names import from_json, printable, to_json, unlawful


@given(st.binary(min_size=1, max_size=60))
def test_a_shown_name_moves_no_cursor_and_forges_no_line(name: bytes) -> None:
    """Only printable characters come out."""
    assert printable(name).isprintable()


@given(st.binary(max_size=60), st.binary(max_size=60))
def test_two_names_never_look_the_same(one: bytes, other: bytes) -> None:
    """Escaping is injective: an attacker cannot pass one name for another."""
    assert (printable(one) == printable(other)) == (one == other)


@given(st.binary(max_size=80))
def test_a_name_survives_json(name: bytes) -> None:
    """Latin-1, NFC beside NFD, a newline: the same bytes come back."""
    assert from_json(json.loads(json.dumps(to_json(name)))) == name


def test_nfc_and_nfd_stay_two_names() -> None:
    """Nothing is normalised."""
    assert to_json("é".encode()) != to_json("e\u0301".encode())


@pytest.mark.parametrize(
    "path",
    [
        b"",
        b"/etc/shadow",
        b"../x",
        b"a/../../x",
        b"a//b",
        b"./a",
        b"a\0b",
        b"n" * 256,
        b"a/" * 2048,
    ],
)
def test_a_name_that_would_leave_or_bend_its_folder_is_refused(path: bytes) -> None:
    """Fault 18: such a name is refused, not mended."""
    assert unlawful(path)


@pytest.mark.parametrize("path", [b"n" * 255, b"-rf", b"new\nline", b"r\xe9sum\xe9", b"a/b/..c"])
def test_an_odd_name_is_lawful(path: bytes) -> None:
    """Odd is not unlawful."""
    assert unlawful(path) is None
