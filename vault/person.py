"""Persons, as they are named on a command line.

Rule 1: a name is declared, not proven; the login that typed it stands beside it in the ledger.
Rule 2: whoever is asked for as another person must be another by every way of writing a name: no
    case, accent, sign, space, order of words or letter that nobody sees makes a second person.
Source: Unicode Standard Annex 15, form NFKD.
"""

from __future__ import annotations

import re
import unicodedata

_LIGATURES = str.maketrans({"œ": "oe", "æ": "ae"})
_UNSEEN = ("Mn", "Me", "Cf")  # accents, marks around a letter, joiners and spaces without width


def same_person(one: str, other: str) -> bool:
    """Whether two declared names are one name: ``DURAND, Anne`` and ``Anne Durand`` are."""
    first, second = _words(one), _words(other)
    return sorted(first) == sorted(second) or "".join(first) == "".join(second)


def _words(name: str) -> list[str]:
    plain = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", name).casefold())
    seen = "".join(sign for sign in plain if unicodedata.category(sign) not in _UNSEEN)
    return re.findall(r"[^\W_]+", seen.translate(_LIGATURES))
