"""The PMSI calendar of this vault: judged from the records, as a public document and as pages.

Rule 1: the document holds FINESS, periods, counts and versions; no name of an exported file.
Rule 2: no part of it is needed for a door to shut or a night to end.
"""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from itertools import islice

from vault.pmsi import Expected, make_calendar
from vault.pmsi_cell import PmsiCalendar
from vault.results import Disconnection
from vault.transmission import Export, Holder, Proof
from vault.wiring.turns import proven
from vault.wiring.wired import Wired

DOCUMENT = "pmsi.json"
LANGUAGES = ("fr", "en")
PAGE = "reports/pmsi.{language}.html"


def pmsi_calendar(wired: Wired) -> PmsiCalendar:
    """Judge every period from what the records say now."""
    return _judge(wired, tuple(held_exports(wired)))


def _judge(wired: Wired, exports: Sequence[Export]) -> PmsiCalendar:
    settings = wired.settings
    today = wired.clock.now().astimezone(settings.time_zone).date()
    years = [policy.retention.keep_m12_years for policy in settings.loaded_policies.values()]
    return make_calendar(
        exports,
        settings.load_timetable(),
        Expected(
            fields={finess: frozenset(fields) for finess, fields in settings.pmsi.items()},
            since_year=_founded(wired, today).year,
            lawful_losses=wired.catalogue.lawful_losses(),
        ),
        today=today,
        m12_years=max(years, default=0),
    )


def held_exports(wired: Wired) -> Iterator[Export]:
    """Give every PMSI archive that a snapshot of ours holds, with where it is and what proves it.

    A target holds an archive since the first night that it held whole whose list names a snapshot
    with the archive in it: one from its first night to its newest, until the landing forgot it.
    """
    kept = wired.catalogue.pmsi_exports()
    if not kept:
        return
    points = {
        source: _Nights.of(nights) for source, nights in wired.catalogue.pmsi_nights().items()
    }
    proofs = wired.catalogue.proof_of(one.content for one in kept)
    targets = _targets(wired)
    holders = cache(  # archives that came together stand on the same nights
        lambda source, first, newest: tuple(_holders(targets, points[source], first, newest))
    )
    for one in kept:
        finding = one.finding
        if finding is None or finding.pmsi is None:
            continue
        proof = proofs.get(one.content)
        yield Export(
            source=one.source,
            facts=finding.pmsi,
            soundness=finding.soundness,
            remarks=finding.remarks,
            seen_at=one.seen_at,
            holders=holders(one.source, one.first_cycle, one.newest_cycle),
            proof=Proof(level=proof[0], at=proof[1]) if proof else None,
        )


@dataclass(frozen=True, slots=True)
class _Target:
    """A configured target: what it proved last, and the nights it held whole, in order."""

    name: str
    disconnection: Disconnection
    nights: Sequence[int]
    held_at: Sequence[datetime]

    def since(self, points: _Nights, first: int, newest: int) -> datetime | None:
        """Give when it first held a list whole that names a point of these nights; None: never.

        The lists that name a point are those from its own night to the last before it was
        forgotten. Points ascend, so the first of them that a night held here falls into is the
        one that was held first.
        """
        found = len(self.nights)
        if (lasting := points.lasting_from(first, newest)) is not None:
            found = bisect_left(self.nights, lasting)
        at = 0
        for begins, ends in points.passing_from(first, newest):
            at = bisect_left(self.nights, begins, at)
            if at >= found:
                break
            if self.nights[at] <= ends:
                found = at
                break
        return self.held_at[found] if found < len(self.nights) else None


def _targets(wired: Wired) -> list[_Target]:
    found = []
    for target in wired.catalogue.targets():
        if target.name in wired.settings.targets:
            holds = wired.catalogue.holds(target.name)
            whole = sorted((night, hold.at) for night, hold in holds.items() if hold.complete)
            found.append(
                _Target(
                    name=target.name,
                    disconnection=proven(wired, target.name),
                    nights=[night for night, _at in whole],
                    held_at=[at for _night, at in whole],
                )
            )
    return found


@dataclass(frozen=True, slots=True)
class _Nights:
    """The nights of a source's points, in order: those in the landing, and those it forgot."""

    lasting: Sequence[int]
    passing: Sequence[tuple[int, int]]  # first and last list to name it

    @classmethod
    def of(cls, points: Iterable[tuple[int, int | None]]) -> _Nights:
        """Part the points, each its night and the last list to name it; None: the landing has it.

        They come oldest first.
        """
        lasting, passing = [], []
        for night, last in points:
            if last is None:
                lasting.append(night)
            else:
                passing.append((night, last))
        return cls(lasting, passing)

    def lasting_from(self, first: int, newest: int) -> int | None:
        """Give the first night from ``first`` to ``newest`` whose point the landing has yet."""
        at = bisect_left(self.lasting, first)
        found = self.lasting[at] if at < len(self.lasting) else None
        return found if found is not None and found <= newest else None

    def passing_from(self, first: int, newest: int) -> Iterator[tuple[int, int]]:
        """Give the points of those nights that the landing forgot."""
        begins = bisect_left(self.passing, (first, 0))
        ends = bisect_left(self.passing, (newest + 1, 0))
        return islice(self.passing, begins, ends)


def _holders(
    targets: Iterable[_Target], points: _Nights, first: int, newest: int
) -> Iterator[Holder]:
    for target in targets:
        since = target.since(points, first, newest)
        if since is not None:
            yield Holder(target=target.name, since=since, disconnection=target.disconnection)


def _founded(wired: Wired, today: date) -> date:
    text = wired.catalogue.fact("recovery_sheet_at")
    return datetime.fromisoformat(text).date() if text else today


# -- as a document


def pmsi_document(wired: Wired) -> dict[str, object]:
    """Give the calendar as plain members, with when it was judged and for whom."""
    from vault.report import document_of

    exports = tuple(held_exports(wired))
    return {
        "written_at": wired.clock.now().isoformat(),
        "site": wired.settings.site.name,
        "time_zone": wired.settings.site.time_zone,
        "sources": sorted({one.source for one in exports}),
        **document_of(_judge(wired, exports)),
    }


# -- for everybody


def publish_pmsi(wired: Wired, status: Mapping[str, object]) -> None:
    """Write the document and its pages where the state group reads them."""
    from vault.report import render_pmsi

    document = pmsi_document(wired)
    # On one line: of ten years it is megabytes, which take seconds to indent and nobody reads.
    wired.state.publish_text(DOCUMENT, json.dumps(document, ensure_ascii=False) + "\n")
    for language in LANGUAGES:
        page = render_pmsi(document, status, language)
        wired.state.publish_text(PAGE.format(language=language), page)
