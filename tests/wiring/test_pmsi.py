"""Since when a target holds an archive: the quick look gives what the definition gives."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

from vault.results import Disconnection
from vault.wiring.pmsi import _Nights, _Target

FIRST = datetime(2016, 1, 1, 1, tzinfo=UTC)


def by_definition(whole, points, first, newest):
    """Give the first night held whole whose list names a point of these nights, one by one."""
    for night, at in whole:
        for own, last in points:
            named = own <= night and (last is None or night <= last)
            if first <= own <= newest and named:
                return at
    return None


def test_a_target_holds_an_archive_since_the_first_list_that_names_it():
    """Of points in the landing and forgotten ones, on targets seen often, seldom and never."""
    chance = random.Random(7)
    found = set()
    for _ in range(3000):
        nights = sorted(chance.sample(range(1, 40), chance.randrange(0, 12)))
        points = [
            (night, chance.choice([None, night, night + chance.randrange(12)]))
            for night in nights
            for _ in range(chance.choice([1, 1, 2]))
        ]
        held = sorted(chance.sample(range(1, 50), chance.randrange(0, 8)))
        whole = [(night, FIRST + timedelta(days=night)) for night in held]
        target = _Target(
            name="t",
            disconnection=Disconnection.NONE,
            nights=held,
            held_at=[at for _night, at in whole],
        )
        first = chance.randrange(1, 40)
        newest = first + chance.randrange(0, 20)
        wanted = by_definition(whole, points, first, newest)
        assert target.since(_Nights.of(points), first, newest) == wanted
        found.add(wanted)
    assert len(found) > 30  # it was asked of targets that hold it, late and early, and of others
    assert None in found
