"""What inspection found: kept small, given back whole, one refused export a source."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.rigs.looks import finding, many, shape_of
from vault.catalogue.findings import pack_finding, unpack_finding
from vault.errors import CatalogueError
from vault.finding import Finding, PmsiFacts, RecordTally, Remark, Signs, Soundness, subject_of
from vault.records import Acceptance, RefusedExport
from vault.shape import Shape

NOW = datetime(2026, 11, 25, 1, 2, 3, tzinfo=UTC)
FULL = Finding(
    kind="pmsi-archive",
    soundness=Soundness.DOUBTFUL,
    remarks=(
        Remark(code="newer", template="version {v}", values={"v": "231"}),
        Remark(code="cut", template="cut", soundness=Soundness.MALFORMED),
    ),
    counts={"records": 12, "lines": 99},
    periods=("2024", "2024-11"),
    inside={"xml": 2},
    pmsi=PmsiFacts(
        field="MCO",
        side="out",
        finess="990000010",
        year=2024,
        period=11,
        records=(RecordTally(record="rsa", lines=9, months={"2024-11": 9}, finess={}),),
        complete=False,
    ),
    signs=Signs(size_bytes=9, sampled_bytes=8, entropy_bits=4.5, chi_square=255.5, magic="zip"),
)


def subject(number: int) -> str:
    return subject_of(b"name", f"{number:064x}")


@pytest.mark.parametrize("one", [FULL, finding(), Finding(kind="opaque", soundness="opaque")])
def test_a_finding_comes_back_as_it_was_put(catalogue, one):
    """With all that it holds, or with nothing but its kind."""
    one = replace(one, soundness=Soundness(one.soundness))
    catalogue.put_findings("t1", {subject(1): one})
    [(name, kept)] = catalogue.findings([subject(1), subject(2)])
    assert (name, kept.tables, kept.finding) == (subject(1), "t1", one)


def test_a_finding_of_newer_tables_takes_the_place_of_the_older(catalogue):
    """A content and a name have one finding."""
    catalogue.put_findings("t1", {subject(1): finding()})
    catalogue.put_findings("t2", {subject(1): FULL})
    [(_, kept)] = catalogue.findings([subject(1)])
    assert (kept.tables, kept.finding) == ("t2", FULL)


def test_thousands_of_findings_are_asked_for_at_once(catalogue):
    """More than a statement takes; those that were never put are left out."""
    catalogue.put_findings("t1", {subject(n): finding() for n in range(0, 3000, 2)})
    found = {name for name, _ in catalogue.findings(subject(n) for n in range(3000))}
    assert found == {subject(n) for n in range(0, 3000, 2)}


def test_a_finding_of_an_unknown_file_is_small():
    """A million of them are sixty megabytes."""
    signs = Signs(
        size_bytes=1234567, sampled_bytes=131072, entropy_bits=7.9983, chi_square=263.1, magic=""
    )
    packed = pack_finding(Finding(kind="opaque", soundness=Soundness.OPAQUE, signs=signs))
    assert len(packed) < 90, len(packed)


def test_a_damaged_finding_is_as_good_as_none(catalogue):
    """The file is looked at again; the night goes on."""
    catalogue.put_findings("t1", {subject(1): finding(), subject(2): finding()})
    with catalogue._writing() as connection:
        connection.exec_driver_sql("UPDATE finding SET data = x'01aabb'")
    assert list(catalogue.findings([subject(1), subject(2)])) == []


@given(st.binary(max_size=60))
def test_what_is_no_finding_is_told_as_a_value_error(data):
    """Never half a finding, never another exception."""
    for head in (b"", b"\x01"):
        with pytest.raises(ValueError):
            unpack_finding(head + data)


def test_shapes_come_back_oldest_first_and_no_more_than_asked(catalogue):
    """A shape that is kept again for its cycle takes its place."""
    export = many(5)
    for number in range(4):
        cycle = catalogue.begin_cycle(NOW, forced=False)
        shape = replace(shape_of({}, export), scrambled=number)
        catalogue.put_shape("pmsi", cycle, shape)
        catalogue.put_shape("hr", cycle, Shape())
    catalogue.put_shape("pmsi", cycle, replace(shape, spoilt=7))
    assert [(one.scrambled, one.spoilt) for one in catalogue.shapes("pmsi", 2)] == [(2, 0), (3, 7)]
    assert catalogue.shapes("pmsi", 9)[3] == replace(shape, spoilt=7)
    assert catalogue.shapes("lab", 9) == []


def test_damaged_shapes_are_an_error(catalogue, cycle):
    """A habit made of what is left would be a guess."""
    catalogue.put_shape("pmsi", cycle, Shape())
    with catalogue._writing() as connection:
        connection.exec_driver_sql("UPDATE shape SET data = x'01aabb'")
    with pytest.raises(CatalogueError, match="pmsi"):
        catalogue.shapes("pmsi", 9)


def test_a_source_has_one_refused_export_and_its_acceptance_goes_with_it(catalogue):
    """The newest; forgetting it twice is no fault."""
    word = Acceptance(by="Ana", reason="a false alarm", at=NOW, login="{}")
    one = RefusedExport(
        source="pmsi", identity="a" * 64, cycle=3, at=NOW, reasons=("x",), attack_at=2
    )
    catalogue.put_refused(one)
    catalogue.put_refused(replace(one, accepted=word))
    assert catalogue.refused("pmsi") == replace(one, accepted=word)
    other = replace(one, identity="b" * 64)
    catalogue.put_refused(other)
    catalogue.put_refused(replace(one, source="hr"))
    assert catalogue.refused("pmsi") == other
    assert [refused.source for refused in catalogue.all_refused()] == ["hr", "pmsi"]
    for _ in range(2):
        catalogue.clear_refused("pmsi")
    assert catalogue.refused("pmsi") is None
    assert catalogue.refused("hr") is not None
