"""The recovery password: 256 random bits as groups that a person can read, print and type.

Rule 1: what is printed is what restic is given, so that plain restic opens with the sheet alone.
Rule 2: letters are Crockford's (no I, L, O, U); case, spaces and the usual confusions are mended.
Rule 3: every group carries a check letter, the last group checks all the others: a slip is named
    by its group before anything slow is tried, and no message holds a letter of the password.
Source: Crockford, base 32; the check letter is a weighted sum over GF(32).
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from vault.errors import SecretError

if TYPE_CHECKING:
    from collections.abc import Callable

LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
GROUPS = 14  # thirteen of the secret, one that checks them
_DATA = 4  # letters of each group before its check letter
_BITS = 256
_SPARE = 13 * _DATA * 5 - _BITS  # always zero
_CONFUSED = str.maketrans({"O": "0", "I": "1", "L": "1", "-": None, ".": None})


def make(random: Callable[[int], bytes]) -> str:
    """Make a password; ``random(n)`` gives n random bytes."""
    secret = int.from_bytes(random(_BITS // 8), "big") << _SPARE
    data = "".join(LETTERS[(secret >> shift) & 31] for shift in range(13 * _DATA * 5 - 5, -1, -5))
    return _print(data)


def normalise(typed: str) -> str:
    """Give the password as it was printed; SecretError names the group with the slip."""
    letters = "".join(typed.upper().split()).translate(_CONFUSED)
    _see_lengths(typed, letters)
    groups = [letters[i : i + _DATA + 1] for i in range(0, len(letters), _DATA + 1)]
    for number, group in enumerate(groups, start=1):
        if any(letter not in LETTERS for letter in group):
            raise _slip(number)
        if _check_letter(group[:_DATA], number) != group[_DATA]:
            raise _slip(number)
    data = "".join(group[:_DATA] for group in groups[:-1])
    printed = _print(data)
    if printed != "-".join(groups):
        raise SecretError(
            "the recovery password does not fit its last group",
            hint="are two or more letters wrong, or is it from an older sheet?",
        )
    return printed


def _print(data: str) -> str:
    everything = data + _last_group(data)
    groups = [everything[i : i + _DATA] for i in range(0, len(everything), _DATA)]
    return "-".join(
        group + _check_letter(group, number) for number, group in enumerate(groups, start=1)
    )


def _last_group(data: str) -> str:
    digest = int.from_bytes(hashlib.sha256(data.encode()).digest()[:3], "big")
    return "".join(LETTERS[(digest >> shift) & 31] for shift in (19, 14, 9, 4))


def _check_letter(group: str, number: int) -> str:
    """Weigh each letter by another power of x: one wrong letter or two swapped always show.

    The group's number is weighed too, so that two whole groups in each other's place show.
    """
    total = number
    for letter in group:
        total = _times_x(total) ^ LETTERS.index(letter)
    return LETTERS[_times_x(total)]


def _times_x(value: int) -> int:
    """Multiply by x in GF(32) with x^5 + x^2 + 1, whose x is of order 31."""
    value <<= 1
    return value ^ 0b100101 if value & 32 else value


def _see_lengths(typed: str, letters: str) -> None:
    if len(letters) == GROUPS * (_DATA + 1):
        return
    groups = typed.replace("-", " ").replace(".", " ").split()
    if len(groups) == GROUPS:
        for number, group in enumerate(groups, start=1):
            if len(group) != _DATA + 1:
                raise _slip(number)
    raise SecretError(
        "the recovery password has {expected} letters, {given} were typed",
        hint="is a group missing, or typed twice?",
        expected=GROUPS * (_DATA + 1),
        given=len(letters),
    )


def _slip(number: int) -> SecretError:
    return SecretError(
        "group {number} of the recovery password has a slip",
        hint="compare this group with the sheet, letter by letter?",
        number=number,
    )
