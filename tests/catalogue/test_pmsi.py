"""Which PMSI archives the snapshots hold: first and newest cycle, whatever the source lets go."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update

from vault.catalogue.inspections import subject_bytes
from vault.catalogue.schema import finding as finding_table
from vault.finding import Finding, Soundness
from vault.records import HeldExport
from vault.results import SnapshotRecord

FIRST = datetime(2026, 1, 1, 1, tzinfo=UTC)


def subject(number: int) -> str:
    return f"{number:064x}-{number:016x}"


@pytest.fixture
def night(catalogue):
    """Play a night that snapshots a source with some archives."""

    def play(*numbers: int, source: str = "pmsi") -> int:
        at = FIRST + timedelta(days=len(catalogue.snapshots()))
        cycle = catalogue.begin_cycle(at, forced=False)
        catalogue.record_snapshot(
            SnapshotRecord(
                source=source,
                snapshot_id=f"{cycle:064x}",
                taken_at=at,
                cycle=cycle,
                manifest=f"{cycle:064x}",
                files=len(numbers),
                bytes=1,
            )
        )
        catalogue.note_pmsi(source, cycle, map(subject, numbers))
        return cycle

    return play


def test_an_archive_keeps_the_night_it_first_came(catalogue, night):
    """The newest night moves on, the first stays."""
    first, second = night(1), night(1, 2)
    assert catalogue.pmsi_exports() == [
        HeldExport(
            source="pmsi",
            subject=subject(1),
            first_cycle=first,
            newest_cycle=second,
            seen_at=FIRST,
            finding=None,
        ),
        HeldExport(
            source="pmsi",
            subject=subject(2),
            first_cycle=second,
            newest_cycle=second,
            seen_at=FIRST + timedelta(days=1),
            finding=None,
        ),
    ]


def test_an_archive_comes_with_its_finding(catalogue, night):
    """As it was kept; one that does not unpack counts as none."""
    night(1, 2)
    found = Finding(kind="pmsi-archive", soundness=Soundness.SOUND)
    catalogue.put_findings("1", {subject(1): found, subject(2): found})
    with catalogue._writing() as connection:
        damaged = finding_table.c.subject == subject_bytes(subject(2))
        connection.execute(update(finding_table).where(damaged).values(data=b"\x01torn"))
    assert [one.finding for one in catalogue.pmsi_exports()] == [found, None]


def test_a_folder_that_is_emptied_forgets_nothing(catalogue, night):
    """What a snapshot held is held."""
    cycle = night(1, 2)
    night()
    found = catalogue.pmsi_exports()
    assert [(one.subject, one.newest_cycle) for one in found] == [
        (subject(1), cycle),
        (subject(2), cycle),
    ]


def test_noting_again_changes_nothing(catalogue, night):
    """A night that died before its note is caught up by the next."""
    cycle = night(1)
    before = catalogue.pmsi_exports()
    catalogue.note_pmsi("pmsi", cycle, [subject(1), subject(1)])
    assert catalogue.pmsi_exports() == before


def test_two_sources_may_hold_the_same_archive(catalogue, night):
    """Each since its own night."""
    night(1)
    night(1, source="other")
    assert [one.source for one in catalogue.pmsi_exports()] == ["other", "pmsi"]


def test_the_points_of_sources_that_held_archives_are_given_oldest_first(catalogue, night):
    """With the last list that may name each; a source without an archive is not asked for."""
    cycles = [night(1), night(), night(2)]
    night(source="letters")
    night(source="letters")
    catalogue.mark_forgotten([f"{cycles[1]:064x}"], at=FIRST)
    nights = catalogue.pmsi_nights()
    assert list(nights) == ["pmsi"]
    assert [cycle for cycle, _last in nights["pmsi"]] == cycles
    assert [last is None for _cycle, last in nights["pmsi"]] == [True, False, True]


def test_an_archive_was_first_taken_with_the_first_point_of_its_night(catalogue, night):
    """A night that died and was begun again may leave two."""
    cycle = night(1)
    for hours in (2, -2):
        catalogue.record_snapshot(
            SnapshotRecord(
                source="pmsi",
                snapshot_id=f"{1000 + hours:064x}",
                taken_at=FIRST + timedelta(hours=hours),
                cycle=cycle,
                manifest=f"{cycle:064x}",
                files=1,
                bytes=1,
            )
        )
    assert [one.seen_at for one in catalogue.pmsi_exports()] == [FIRST - timedelta(hours=2)]
