"""Which media are due in the nights to come, where each one stands, and what is out of reach."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

from vault.airlock import PROVEN_FACT
from vault.exposure import night_of
from vault.founding import SHEET_FACT
from vault.holding import SEEN_FACT
from vault.media_gaps import MediaFacts, SetFacts
from vault.rereading import read_round
from vault.results import Disconnection
from vault.rotation import Due, MediaSet, Opening, always_due, foresee, turn_of
from vault.shield import Copy, Shield, find_shield
from vault.window import WAIT_WITHOUT_S, Window, closes_at, longest_wait_s, next_opening
from vault.wiring.sets import media_sets

if TYPE_CHECKING:
    from vault.results import TargetRecord
    from vault.wiring.wired import Wired

NIGHTS = 7  # of a due list, unless said
_NOON_TO_NOON = timedelta(days=1)


def behind_since(wired: Wired) -> dict[str, datetime | None]:
    """Give when the oldest point was taken that each target lacks; None when it lacks none."""
    complete = wired.catalogue.newest_complete()
    held = {name: complete.get(name, 0) for name in wired.settings.targets}
    behind = wired.catalogue.first_taken_after(sorted({*held.values()}))
    return {name: behind.get(n) for name, n in held.items()}


def proven(wired: Wired, target: str) -> Disconnection:
    """Give the class of disconnection that the target's door proved last."""
    return Disconnection(wired.catalogue.fact(PROVEN_FACT + target) or Disconnection.NONE)


def met_at(wired: Wired, record: TargetRecord) -> datetime | None:
    """Give when the medium that was enrolled was met last, not another one in its place."""
    at = wired.catalogue.fact(SEEN_FACT + record.name)
    if at is None:  # records of a coffre that did not keep it
        newest, _ = wired.catalogue.last_openings(record.name)
        return newest.opened_at if newest else None
    return max(datetime.fromisoformat(at), record.enrolled_at)


def max_unseen_s(wired: Wired, target: str) -> int:
    """Give how long a medium may stay unseen: as said, by the turns of its set, by the policies."""
    settings = wired.settings
    said = settings.targets[target].max_absence
    if said is not None:
        return said
    one = settings.set_of(target)
    if one is None:
        ages = [policy.max_medium_age_s for policy in settings.loaded_policies.values()]
        return min(ages, default=31 * 86_400)
    window = settings.window_of(target)
    wait_s = longest_wait_s(window) if window else WAIT_WITHOUT_S
    return (len(one.targets) + 1) * max(one.turn.days * 86_400, wait_s)


# -- the nights to come


def coming(wired: Wired, nights: int = NIGHTS) -> list[Due]:
    """Give the media due in so many nights from now on, oldest first, then by set and name."""
    settings, now, zone = wired.settings, wired.clock.now(), wired.settings.time_zone
    written = wired.catalogue.last_whole()
    sets = media_sets(settings, wired.catalogue)
    found: list[Due] = []
    for one in sets:
        openings = list(_openings(settings.window_of(one.media[0]), wired, nights))
        found += foresee(one, written, openings, zone)
    taken = {name for one in sets for name in one.media}
    for record in wired.catalogue.targets():
        if record.name in settings.targets and record.name not in taken:
            openings = list(_openings(settings.window_of(record.name), wired, nights))
            found += always_due(record.name, openings, zone)
    first = min((due.night for due in found), default=night_of(now, zone))
    last = min(first, night_of(now, zone) + _NOON_TO_NOON) + timedelta(days=nights - 1)
    found = [due for due in found if due.night <= last]
    return sorted(found, key=lambda due: (due.night, due.set_name, due.target))


def _openings(window: Window | None, wired: Wired, nights: int) -> Iterator[Opening]:
    """Give the openings of a window from now on, past so many nights; without one, every night."""
    now, zone = wired.clock.now(), wired.settings.time_zone
    ends_at = now + timedelta(days=nights + 1)
    if window is None:
        for n in range(nights + 1):
            yield Opening(opens_at=now + n * _NOON_TO_NOON, closes_at=now + n * _NOON_TO_NOON)
        return
    running = closes_at(window, now, zone)
    if running is not None:
        yield Opening(opens_at=running - timedelta(seconds=window.for_s), closes_at=running)
    at = now
    while (at := next_opening(window, at, zone)) < ends_at:
        yield Opening(opens_at=at, closes_at=at + timedelta(seconds=window.for_s))


# -- what is out of reach


def shield(wired: Wired, dues: list[Due], behind: Mapping[str, datetime | None]) -> Shield:
    """Give the copies out of reach in the next night in which a door is to open."""
    tonight = min((due.night for due in dues), default=None)
    in_reach = {due.target for due in dues if due.night == tonight}
    return find_shield(_copies(wired, behind), in_reach)


def _copies(wired: Wired, behind: Mapping[str, datetime | None]) -> Iterator[Copy]:
    for name, at in wired.catalogue.last_whole().items():
        newest, closed = wired.catalogue.last_openings(name)
        if newest != closed or closed is None or name not in wired.settings.targets:
            continue  # an opening that was never closed may be one still
        exposure = closed.exposure
        assert exposure is not None
        if exposure.shut.is_shut:
            yield Copy(
                target=name,
                written_at=at,
                away_since=exposure.opened_at + timedelta(seconds=exposure.seconds),
                disconnection=proven(wired, name),
                lacks_since=behind.get(name),
            )


# -- facts for gaps


def media_facts(wired: Wired, behind: Mapping[str, datetime | None]) -> MediaFacts:
    """Gather what gaps of media are judged from."""
    settings, now = wired.settings, wired.clock.now()
    founded = wired.catalogue.fact(SHEET_FACT)
    written = wired.catalogue.last_whole()
    enrolled = [record.name for record in wired.catalogue.targets()]
    return MediaFacts(
        sets=tuple(
            SetFacts(
                name=one.name,
                expected=turn_of(one, written, now, settings.time_zone).expected,
                behind_since=_set_behind(one, behind),
                max_absence_s=settings.sets[one.name].absence_s,
            )
            for one in media_sets(settings, wired.catalogue)
        ),
        expires={
            name: day
            for name in enrolled
            if name in settings.targets and (day := settings.targets[name].expires)
        },
        today=now.astimezone(settings.time_zone).date(),
        holds_any=bool(written.keys() & settings.targets.keys()),
        shield=shield(wired, coming(wired), behind),
        shield_s=settings.exercises.out_of_reach,
        dwell_s=settings.exercises.dwell,
        founded_at=datetime.fromisoformat(founded) if founded else None,
    )


def _set_behind(one: MediaSet, behind: Mapping[str, datetime | None]) -> datetime | None:
    """Give when the oldest point was taken that no medium of a set holds; None when one has all."""
    since = [behind.get(name) for name in one.media]
    known = [at for at in since if at is not None]
    return max(known) if known and len(known) == len(since) else None


# -- as members


def due_members(wired: Wired, dues: list[Due]) -> list[dict[str, object]]:
    """Give a due list as members; instants null where any run may open the door."""
    settings = wired.settings
    return [
        {
            "night": due.night.isoformat(),
            "target": due.target,
            "set": due.set_name or None,
            "home": settings.targets[due.target].home,
            "bring_by": _at(settings.window_of(due.target), due.opens_at),
            "take_home_from": _at(settings.window_of(due.target), due.closes_at),
        }
        for due in dues
    ]


def _at(window: Window | None, at: datetime) -> str | None:
    return None if window is None else at.isoformat()


def shield_members(found: Shield) -> dict[str, object]:
    """Give the shield as members; null where no copy is out of reach."""
    return {"youngest": _copy(found.youngest), "longest_away": _copy(found.longest)}


def _copy(copy: Copy | None) -> dict[str, object] | None:
    if copy is None:
        return None
    return {
        "target": copy.target,
        "written_at": copy.written_at.isoformat(),
        "away_since": copy.away_since.isoformat(),
        "disconnection": str(copy.disconnection),
    }


def media_members(wired: Wired, dues: list[Due]) -> list[dict[str, object]]:
    """Give where each enrolled medium of the configuration stands."""
    settings, now, zone = wired.settings, wired.clock.now(), wired.settings.time_zone
    written, tested = wired.catalogue.last_whole(), wired.catalogue.origins_proven()
    resting: dict[str, int] = {}
    for one in media_sets(settings, wired.catalogue):
        resting |= turn_of(one, written, now, zone).resting
    next_night: dict[str, date] = {}
    for due in dues:
        next_night.setdefault(due.target, due.night)
    rows: list[dict[str, object]] = []
    for record in wired.catalogue.targets():
        named = settings.targets.get(record.name)
        if named is None:
            continue
        night = next_night.get(record.name)
        one_set = next((n for n, s in settings.sets.items() if record.name in s.targets), None)
        rows.append(
            {
                "name": record.name,
                "set": one_set,
                "home": named.home,
                "serial": record.serial or None,
                "disconnection": str(proven(wired, record.name)),
                "expected_on": night.isoformat() if night else None,
                "others_before": resting.get(record.name, 0),
                "last_seen": _iso(met_at(wired, record)),
                "last_whole": _iso(written.get(record.name)),
                "read_back_since": _iso(read_round(wired.catalogue, record).proven_since),
                "last_proven": _iso(tested.get(record.name), since=record.enrolled_at),
                "expires": named.expires.isoformat() if named.expires else None,
            }
        )
    return rows


def _iso(at: datetime | None, *, since: datetime | None = None) -> str | None:
    """Write an instant; one before ``since`` was of an earlier medium of that name."""
    return at.isoformat() if at and (since is None or at >= since) else None
