"""How fast the landing's disk and the media fill, from what the nights of this vault added."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING

from vault.filling import LOOKED_BACK, Filling, find_filling_gaps, forecast
from vault.holding import FREE_FACT

if TYPE_CHECKING:
    from vault.gap import Gap
    from vault.wiring.wired import Wired

_ROOM_LEAST_BYTES = 256 << 20  # below this no night begins


def filling_gaps(wired: Wired, now: datetime) -> Iterator[Gap]:
    """Give a gap for each disk that is full within 30 days at its pace."""
    since = now - LOOKED_BACK
    facts = os.statvfs(wired.settings.state)
    landing = forecast(
        wired.catalogue.landing_growth(since),
        free_bytes=facts.f_bavail * facts.f_frsize - _ROOM_LEAST_BYTES,
        free_at=now,
        now=now,
    )
    targets = {
        record.name: _of_target(wired, record.name, record.uuid, since, now)
        for record in wired.catalogue.targets()
        if record.name in wired.settings.targets
    }
    yield from find_filling_gaps(landing, targets, now)


def _of_target(
    wired: Wired, name: str, uuid: str, since: datetime, now: datetime
) -> Filling | None:
    kept = wired.catalogue.fact(FREE_FACT + name)
    told = json.loads(kept) if kept else {}
    if told.get("uuid") != uuid:  # another medium under this name
        return None
    return forecast(
        wired.catalogue.target_growth(name, since),
        free_bytes=told["bytes"],
        free_at=datetime.fromisoformat(told["at"]),
        now=now,
    )
