"""A secret that cannot print itself.

Rule 1: only ``reveal`` gives the bytes; ``repr``, ``str``, formatting and pickling do not.
"""

from __future__ import annotations

from typing import NoReturn


class Secret:
    """Hold the bytes of a password or key, without a trailing newline."""

    __slots__ = ("_value",)

    def __init__(self, value: bytes) -> None:
        self._value = value

    def reveal(self) -> bytes:
        """Give the bytes; the caller hands them to a descriptor and nowhere else."""
        return self._value

    def __repr__(self) -> str:
        return "Secret('***')"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return repr(self)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not serialised")
