"""What the pages for sysadmin and auditor are made of, gathered from the records once.

Rule 1: plain members, as in the public status: no name of an exported file, no person but the
    declared names of staff in the auditor's part.
Rule 2: a figure is from the records; what the records do not hold is null, never guessed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

from vault.exposure import Stay, make_strip, night_of
from vault.fiche import DrillRecord
from vault.founding import SHEET_FACT
from vault.policy import Level
from vault.report import READERS, render_overview
from vault.wiring.compliance import compliance_rows
from vault.wiring.standing import judge_gaps, public_status
from vault.wiring.turns import coming, media_members
from vault.wiring.wired import Wired

if TYPE_CHECKING:
    from vault.compliance import Row
    from vault.gap import Gap
    from vault.records import OpeningRecord

LANGUAGES = ("fr", "en")
PAGE = "reports/{reader}.{language}.html"
DAYS = 92  # a quarter, unless a period is asked for
_DRILLS = 200


def overview_document(
    wired: Wired,
    *,
    first: date | None = None,
    last: date | None = None,
    gaps: Sequence[Gap] | None = None,
) -> dict[str, object]:
    """Gather everything for the nights from ``first`` to ``last``, both included.

    ``gaps`` are those that were just judged; without them they are judged here.
    """
    if gaps is None:
        gaps = judge_gaps(wired)
    zone = wired.settings.time_zone
    last = last or night_of(wired.clock.now(), zone)
    first = first or last - timedelta(days=DAYS - 1)
    if founded := wired.catalogue.fact(SHEET_FACT):  # before it there was nothing to stand open
        first = min(last, max(first, night_of(datetime.fromisoformat(founded), zone)))
    status = dict(public_status(wired, gaps))
    return {
        **status,
        "time_zone": wired.settings.site.time_zone,
        "first": first.isoformat(),
        "last": last.isoformat(),
        "exposure": _exposure(wired, first, last),
        "coverage": list(_coverage(wired)),
        "drills": list(_drills(wired, first, last)),
        "media": list(_media(wired, status)),
        "nights": list(_nights(wired, first, last)),
        "compliance": [_clause(row) for row in compliance_rows(wired, gaps)],
        "ledger": _ledger(wired),
    }


def publish_overview(wired: Wired, gaps: Sequence[Gap]) -> None:
    """Write the pages of sysadmin and auditor where the state group reads them."""
    document = overview_document(wired, gaps=gaps)
    for reader in READERS:
        for language in LANGUAGES:
            page = render_overview(document, reader, language)
            wired.state.publish_text(PAGE.format(reader=reader, language=language), page)


def _exposure(wired: Wired, first: date, last: date) -> dict[str, object]:
    zone = wired.settings.time_zone
    since = wired.clock.now() - timedelta(days=(night_of(wired.clock.now(), zone) - first).days + 2)
    openings = wired.catalogue.openings(since=since)
    strip = make_strip(
        (_stay(wired, opening) for opening in openings), first=first, last=last, zone=zone
    )
    return {
        "nights": [
            {
                "night": night.night.isoformat(),
                "seconds": round(night.seconds, 3),
                "longest_s": round(night.longest_s, 3),
                "openings": night.openings,
                "unproven": night.unproven,
            }
            for night in strip.nights
        ],
        "total_s": round(strip.total_s, 3),
        "longest_s": round(strip.longest_s, 3),
        "openings": strip.openings,
        "unproven": strip.unproven,
        "outside": strip.outside,
        "share": strip.share,
    }


def _stay(wired: Wired, opening: OpeningRecord) -> Stay:
    """Read an opening; one that was never closed lasts until now, as a bound."""
    exposure = opening.exposure
    open_s = (wired.clock.now() - opening.opened_at).total_seconds()
    return Stay(
        target=opening.target,
        purpose=opening.purpose,
        opened_at=opening.opened_at,
        seconds=exposure.seconds if exposure else open_s,
        proven=exposure is not None and exposure.shut.is_shut,
        in_window=_in_window(wired, opening),
    )


def _in_window(wired: Wired, opening: OpeningRecord) -> bool:
    from vault.window import closes_at

    named = wired.settings.targets.get(opening.target)
    window = wired.settings.window_of(opening.target) if named else None
    if window is None:
        return True
    return closes_at(window, opening.opened_at, wired.settings.time_zone) is not None


def _coverage(wired: Wired) -> Iterator[dict[str, object]]:
    now = wired.clock.now()
    tested = wired.catalogue.all_reached()
    signed = wired.catalogue.newest_signatures()
    points = wired.catalogue.newest_points()
    for name in wired.settings.sources:
        policy = wired.settings.policy_of(name)
        reached = tested.get(name, {})
        newest = points.get(name)
        yield {
            "source": name,
            "titles": {"fr": policy.titles.fr, "en": policy.titles.en},
            "owner": policy.owner,
            "last_point_at": newest.taken_at.isoformat() if newest else None,
            "levels": [
                _level(level, reached, policy.drills.every_s(level), now) for level in Level
            ],
            "signed": signed[name].kind if name in signed else None,
        }


def _level(
    level: Level, reached: Mapping[Level, datetime], every_s: int | None, now: datetime
) -> dict[str, object]:
    """Tell when a level was last reached, itself or by a test above it, and whether it is owed."""
    ranks = list(Level)
    counted = [at for one, at in reached.items() if ranks.index(one) >= ranks.index(level)]
    at = max(counted, default=None)
    is_overdue = every_s is not None and (at is None or (now - at).total_seconds() > every_s)
    return {
        "level": str(level),
        "at": at.isoformat() if at else None,
        "every_s": every_s,
        "overdue": is_overdue,
    }


def _drills(wired: Wired, first: date, last: date) -> Iterator[dict[str, object]]:
    zone = wired.settings.time_zone
    for drill in wired.catalogue.drills(limit=_DRILLS):
        if first <= night_of(drill.begun_at, zone) <= last:
            yield _drill(drill)


def _drill(drill: DrillRecord) -> dict[str, object]:
    return {
        "drill": drill.number,
        "source": drill.source,
        "at": drill.begun_at.isoformat(),
        "asked": str(drill.level_asked),
        "reached": str(drill.level_reached) if drill.level_reached else None,
        "verdict": str(drill.verdict) if drill.verdict else None,
        "from": drill.origin,
        "files": drill.files,
        "of_files": drill.of_files,
        "mismatches": drill.mismatches,
        "duration_s": round(drill.duration_s, 3),
        "dmia_s": drill.dmia_s,
        "operator": drill.people.by,
        "validator": drill.people.validated_by,
    }


_NOT_ENROLLED: dict[str, object] = dict.fromkeys(
    (
        "serial",
        "set",
        "read_back_since",
        "expected_on",
        "last_whole",
        "last_proven",
        "expires",
        "last_seen",
    )
) | {"others_before": 0}


def _media(wired: Wired, status: Mapping[str, object]) -> Iterator[dict[str, object]]:
    told = status["targets"]
    assert isinstance(told, list)
    standing = {str(one["name"]): one for one in media_members(wired, coming(wired))}
    for target in told:
        named = wired.settings.targets[target["name"]]
        record = wired.catalogue.target(target["name"])
        yield {
            **target,
            **_NOT_ENROLLED,
            "home": named.home,
            **standing.get(target["name"], {}),
            "size_bytes": record.size_bytes if record else None,
            "enrolled_at": record.enrolled_at.isoformat() if record else None,
        }


def _nights(wired: Wired, first: date, last: date) -> Iterator[dict[str, object]]:
    zone = wired.settings.time_zone
    for cycle in wired.catalogue.cycles(limit=(last - first).days * 2 + 4):
        night = night_of(cycle.started_at, zone)
        if first <= night <= last:
            yield {
                "cycle": cycle.cycle,
                "night": night.isoformat(),
                "ended_at": cycle.ended_at.isoformat(),
                "verdict": str(cycle.verdict),
                "status": str(cycle.status),
            }


def _clause(row: Row) -> dict[str, object]:
    said = row.declaration
    return {
        "framework": row.framework.name,
        "titles": {"fr": row.framework.titles.fr, "en": row.framework.titles.en},
        "edition": row.framework.edition,
        "clause": row.clause.id,
        "texts": {"fr": row.clause.text.fr, "en": row.clause.text.en},
        "standing": str(row.standing),
        "confidence": row.clause.confidence,
        "level": str(row.clause.level) if row.clause.level else None,
        "facts": [
            {
                "holds": fact.holds,
                "template": fact.template,
                "values": dict(fact.values),
                "at": fact.at.isoformat() if fact.at else None,
            }
            for fact in row.facts
        ],
        "declared_by": said.by if said else None,
        "review": said.review.isoformat() if said else None,
    }


def _ledger(wired: Wired) -> dict[str, object]:
    head = wired.ledger.head()
    at = wired.ledger.last_at()
    return {
        "entries": head.n + 1,
        "sha256": head.sha256,
        "last_at": at.isoformat() if at else None,
    }
