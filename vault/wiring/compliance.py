"""What the vault can show of each clause: facts with their dates, from the records.

Rule 1: a fact is measured here and now or read from a record; none is assumed.
Rule 2: a fact without a date is one that nothing has shown yet.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime, timedelta

from vault.compliance import AT_A_LEVEL, Fact, Row, assess
from vault.founding import CONFIRMED_FACT
from vault.gap import Gap
from vault.policy import Level
from vault.results import CycleResult
from vault.wiring.practice import exercised_at, last_review
from vault.wiring.wired import Wired

_NOT_OFFLINE = ("never-offline", "not-offline", "disconnection-too-weak", "objective-missed")
_TEST_COUNTS_FOR = timedelta(days=365)
_TOO_FEW = ("never-offline", "too-few-copies")


def compliance_rows(wired: Wired, gaps: Sequence[Gap]) -> tuple[Row, ...]:
    """Give every clause of every framework as it stands today, beside what is missing now."""
    settings = wired.settings
    declared = {name: said.to_declaration() for name, said in settings.declarations.items()}
    today = wired.clock.now().astimezone(settings.time_zone).date()
    facts = dict(_facts(wired, gaps))
    return tuple(assess(settings.load_frameworks(), facts, declared, today))


def _facts(wired: Wired, gaps: Sequence[Gap]) -> Iterator[tuple[str, Fact]]:
    yield from _of_copies(wired, gaps)
    yield from _of_nights(wired, gaps)
    yield from _of_people(wired)
    yield from _of_tests(wired)


def _of_copies(wired: Wired, gaps: Sequence[Gap]) -> Iterator[tuple[str, Fact]]:
    targets = wired.catalogue.targets()
    last = [wired.catalogue.last_openings(target.name)[1] for target in targets]
    is_held = bool(wired.catalogue.newest_complete())
    seen = max((one.opened_at for one in last if one and is_held), default=None)
    count = {"count": len(wired.settings.sources)}
    yield (
        "offline-copy",
        Fact(
            holds=bool(seen) and not _any(gaps, _NOT_OFFLINE),
            template="each of {count} sources has a recent copy on a medium proven offline",
            values=count,
            at=seen,
        ),
    )
    yield (
        "copies",
        Fact(
            holds=bool(seen) and not _any(gaps, _TOO_FEW),
            template="each of {count} sources is on as many media as its policy asks",
            values=count,
            at=seen,
        ),
    )
    yield (
        "encrypted",
        Fact(
            holds=bool(seen),
            template="what crosses is a repository of restic, encrypted with AES-256 before the "
            "door opens",
            at=seen,
        ),
    )
    enrolled = max((target.enrolled_at for target in targets), default=None)
    yield (
        "targets-pinned",
        Fact(
            holds=bool(targets),
            template="targets, each pinned by its identity and that of its repository: {count}",
            values={"count": len(targets)},
            at=enrolled,
        ),
    )
    yield (
        "two-people",
        Fact(
            holds=bool(targets),
            template="no command of Coffre removes what an enrolled target holds",
            at=wired.clock.now() if targets else None,
        ),
    )


def _of_nights(wired: Wired, gaps: Sequence[Gap]) -> Iterator[tuple[str, Fact]]:
    last = wired.catalogue.last_cycle()
    ended = last.ended_at if last else None
    carried = [one for one in wired.catalogue.openings() if one.purpose == "carry" and one.exposure]
    yield (
        "every-night-judged",
        Fact(
            holds=last is not None and not _any(gaps, ("no-night",)),
            template="the last night was judged “{verdict}”, and what lacks is listed",
            values={"verdict": str(last.verdict) if last else "-"},
            at=ended,
        ),
    )
    yield (
        "inspected",
        Fact(
            holds=_inspected(last),
            template="exports are opened and judged before they enter",
            at=ended,
        ),
    )
    yield (
        "pulled",
        Fact(
            holds=last is not None,
            template="every source is pulled by this host; Coffre listens to none",
            at=ended,
        ),
    )
    yield (
        "read-back",
        Fact(
            holds=bool(carried),
            template="each file is read back from the medium before it gets its name",
            at=carried[-1].opened_at if carried else None,
        ),
    )
    own = wired.catalogue.newest_snapshot("coffre")
    yield (
        "own-records-saved",
        Fact(
            holds=own is not None,
            template="catalogue, ledger and configuration are in the landing",
            at=own.taken_at if own else None,
        ),
    )
    head = wired.ledger.head()
    yield (
        "ledger-kept",
        Fact(
            holds=head.n >= 0,
            template="{count} events are chained in the ledger",
            values={"count": head.n + 1},
            at=wired.ledger.last_at(),
        ),
    )
    heads = [wired.catalogue.newest_confirmed_head(t.name) for t in wired.catalogue.targets()]
    yield (
        "hashes-apart",
        Fact(
            holds=any(heads),
            template="the signed list of what a target holds is there, its head in the ledger too",
            at=carried[-1].opened_at if any(heads) and carried else None,
        ),
    )


def _inspected(last: CycleResult | None) -> bool:
    return last is not None and any(source.files for source in last.sources)


def _of_people(wired: Wired) -> Iterator[tuple[str, Fact]]:
    now = wired.clock.now()
    confirmed = wired.catalogue.fact(CONFIRMED_FACT)
    yield (
        "keys-held",
        Fact(
            holds=bool(confirmed),
            template="a person has read the recovery password back from paper",
            at=datetime.fromisoformat(confirmed) if confirmed else None,
        ),
    )
    pressed = exercised_at(wired, "red-button")
    within = timedelta(seconds=wired.settings.exercises.every)
    yield (
        "red-button",
        Fact(
            holds=pressed is not None and now - pressed <= within,
            template="the red button was pressed and released",
            at=pressed,
        ),
    )
    review = last_review(wired)
    yield (
        "policies-kept",
        Fact(
            holds=review is not None,
            template="each of {count} sources follows a policy with its objectives, its owner and "
            "what is kept; a person has reviewed them",
            values={"count": len(wired.settings.sources)},
            at=review.at if review else None,
        ),
    )


def _of_tests(wired: Wired) -> Iterator[tuple[str, Fact]]:
    """Tell of each level whether every source was proven at it or above within a year.

    L4 counts once: what goes back into production is one activity at a time.
    """
    since = wired.clock.now() - _TEST_COUNTS_FOR
    found = wired.catalogue.all_reached()
    reached = {name: found.get(name, {}) for name in wired.settings.sources}
    for number, level in enumerate(Level):
        counted = list(Level)[number:]
        newest = [max((at[one] for one in counted if one in at), default=None)
                  for at in reached.values()]  # fmt: skip
        proven = [at for at in newest if at is not None and at >= since]
        if level is Level.L4:
            yield f"{AT_A_LEVEL}:L4", _of_signatures(wired, proven, since)
            continue
        yield (
            f"{AT_A_LEVEL}:{level}",
            Fact(
                holds=bool(proven) and len(proven) >= len(reached),
                template="{proven} of {count} sources restored at {level} or above within a year",
                values={"proven": len(proven), "count": len(reached), "level": str(level)},
                at=min(proven, default=None),
            ),
        )
    yield _of_media(wired, since)
    yield from _of_newest_tests(wired)


def _of_signatures(wired: Wired, proven: Sequence[datetime], since: datetime) -> Fact:
    """Tell of L4 how many a key signed: the rest are names that were typed."""
    sources = wired.settings.sources
    signed = wired.catalogue.newest_signatures()
    keyed = [one for name, one in signed.items() if name in sources and one.is_proven]
    return Fact(
        holds=bool(proven),
        template="{proven} of {count} sources back in production within a year (L4): {cosigned} "
        "proven by a cosignature, the others declared",
        values={
            "proven": len(proven),
            "count": len(sources),
            "cosigned": sum(one.at >= since for one in keyed),
        },
        at=min(proven, default=None),
    )


def _of_media(wired: Wired, since: datetime) -> tuple[str, Fact]:
    """Tell whether every medium gave a restore test back; one from the landing proves none."""
    proven = wired.catalogue.origins_proven()
    media = wired.catalogue.targets()
    begins = {one.name: max(since, one.enrolled_at) for one in media}
    newest = [at for name, at in proven.items() if name in begins and at >= begins[name]]
    return (
        "media-restored",
        Fact(
            holds=bool(media) and len(newest) == len(media),
            template="{proven} of {count} media gave a restore test back within a year, read "
            "from the medium itself",
            values={"proven": len(newest), "count": len(media)},
            at=min(newest, default=None),
        ),
    )


def _of_newest_tests(wired: Wired) -> Iterator[tuple[str, Fact]]:
    tests = wired.catalogue.newest_tests()
    newest = max((test.begun_at for test in tests.values()), default=None)
    late = sum(
        tests[name].duration_s > wired.settings.policy_of(name).dmia_s
        for name in wired.settings.sources
        if name in tests
    )
    yield (
        "restore-recorded",
        Fact(
            holds=bool(tests),
            template="every restore test has its record, those that failed among them",
            at=newest,
        ),
    )
    yield (
        "restored-in-time",
        Fact(
            holds=bool(tests) and not late,
            template="sources that took longer to restore than their objective: {late}",
            values={"late": late},
            at=newest,
        ),
    )


def _any(gaps: Sequence[Gap], kinds: Collection[str]) -> bool:
    return any(gap.kind in kinds for gap in gaps)
