"""The dwell shield: the copies that nobody who holds the vault host can reach tonight.

Rule 1: a copy is out of reach when its medium is offline (removed, powered off, link down or
    detached), its last opening was proven shut, and it is not expected tonight.
Rule 2: a copy counts by the newest night that it holds whole; a medium without one shields nothing.
Rule 3: what was opened only for reading was in reach as well: since then, not since its writing.
Source: ANSSI, "hors ligne"; HSE Ireland, 57 days from intrusion to detonation.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime

from vault.results import Disconnection


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """What one medium holds, and since when nobody could reach it."""

    target: str
    written_at: datetime  # when it last held a whole night
    away_since: datetime  # when its door last shut
    disconnection: Disconnection  # as proven last
    lacks_since: datetime | None = None  # the oldest point that it lacks was taken then


@dataclass(frozen=True, slots=True, kw_only=True)
class Shield:
    """The copies out of reach while tonight's media are connected."""

    youngest: Copy | None  # the newest of them: what is newer can be lost with the host
    longest: Copy | None  # the one that has been away longest: who came later never met it


def find_shield(copies: Iterable[Copy], in_reach: Collection[str]) -> Shield:
    """Give the copies out of reach while the media ``in_reach`` are connected."""
    away = [
        copy for copy in copies if copy.disconnection.is_offline and copy.target not in in_reach
    ]
    return Shield(
        youngest=max(away, key=lambda copy: copy.written_at, default=None),
        longest=min(away, key=lambda copy: copy.away_since, default=None),
    )
