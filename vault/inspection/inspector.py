"""The protocol that each format implements.

Rule 1: ``recognises`` looks at the head and the name only, and says how sure it is; the surest is
    asked to inspect, so a new format needs no change anywhere else.
Rule 2: ``inspect`` reads through its ``Content`` and answers with a ``Finding``; OverBudget may
    pass through it, any other exception is caught by the examiner and makes the file malformed.
Rule 3: an inspector keeps nothing from one file to the next, so that files can be inspected in
    any order and by several threads.
Source: entry points ``coffre.inspectors``: a callable without arguments that gives an Inspector.
"""

from __future__ import annotations

from typing import Protocol

from vault.finding import Finding
from vault.inspection.content import Content

NO, WEAK, LIKELY, SURE = 0, 25, 50, 100  # how sure ``recognises`` is; between them as needed


class Inspector(Protocol):
    """One format."""

    kind: str  # kebab-case, unique, the kind of the findings it gives

    def recognises(self, head: bytes, name: bytes) -> int:
        """Say how sure it is, 0 to 100; ``head`` is up to 64 KiB, ``name`` the last component."""
        ...

    def inspect(self, content: Content) -> Finding:
        """Inspect one file; the signs are added by the examiner."""
        ...
