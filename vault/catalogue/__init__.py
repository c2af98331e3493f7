"""What the vault remembers: cycles, sources, the landing's files, targets and their openings.

Rule 1: nothing outside this package imports the database layer, and importing the package alone
    does not load it either: ``Catalogue`` is loaded when it is first asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vault.catalogue.catalogue import Catalogue

__all__ = ["Catalogue"]


def __getattr__(name: str) -> object:
    if name == "Catalogue":
        from vault.catalogue.catalogue import Catalogue

        return Catalogue
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
