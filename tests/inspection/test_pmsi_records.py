"""A record file is told by version, FINESS and length, and by nothing else."""

from __future__ import annotations

import io
import json
import logging
import os
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.rigs.pmsi_lines import FINESS, lines_of, make_line, reader_of, text_of
from vault.config import load_formats
from vault.finding import Finding, Soundness
from vault.formats import is_uncertain
from vault.inspection.budget import Budget, LongLine
from vault.inspection.content import Content
from vault.inspection.pmsi_reader import Readers
from vault.inspection.pmsi_records import PmsiRecords
from vault.inspection.pmsi_tally import tally_stream

SAMPLES = Path(__file__).parents[3] / "shared/samples/hospital/pmsi"
TABLES = load_formats()
READERS = Readers(TABLES)
INSPECTOR = PmsiRecords(TABLES)
ROWS = [
    (reader, rule)
    for name in TABLES.records
    for reader in READERS.of_record[name]
    for rule in reader.rules
]
TELLING = [
    (reader, rule)
    for reader, rule in ROWS
    if reader.row.version_at and reader.id != "*" and not rule.label
]


def inspect(content: bytes, name: bytes = b"some.txt") -> Finding:
    made = Content(name, len(content), lambda: io.BytesIO(content), budget=Budget())
    try:
        return INSPECTOR.inspect(made)
    finally:
        made.finish()


def codes(finding: Finding) -> set[str]:
    return {remark.code for remark in finding.remarks}


@pytest.mark.parametrize(
    ("reader", "rule"),
    ROWS,
    ids=lambda one: getattr(one, "id", "") or str(getattr(one, "fixed", "")),
)
def test_every_row_counts_the_lines_that_it_describes(reader, rule):
    """By record, version, establishment and length; five columns more and it counts none."""
    name = reader.record.name
    lines = [make_line(reader, rule, dice=Random(seed)) for seed in range(8)]
    field = rule.fields[0] if rule.fields else ""
    tally = tally_stream(io.BytesIO(text_of(lines)), READERS, record=name, pmsi_field=field)
    (row,) = tally.rows
    assert (row.reader.record.name, row.reader.id, row.lines) == (name, reader.id, 8)
    assert (tally.strangers, row.misfits) == (0, 0)
    if reader.row.finess_at:
        assert row.finess == {FINESS: 8}
    if reader.row.period:
        assert row.months == {"2024-03": 8}
    if rule.fixed is not None and reader.row.version_at and not rule.label:
        longer = [line + b"XXXXX" for line in lines]
        wrong = tally_stream(io.BytesIO(text_of(longer)), READERS, record=name, pmsi_field=field)
        fitting = {one.fixed for one in reader.rules if not one.add}
        if len(longer[0]) not in fitting:
            assert sum(one.lines for one in wrong.rows if one.reader.record.name == name) == 0


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_any_mixture_of_versions_is_counted_version_by_version(data):
    """Whatever the order, the ends of line and the numbers in the counters."""
    record = data.draw(st.sampled_from(["rsa", "rss_groupe", "rhs_groupe", "rps", "vidhosp"]))
    versions = sorted(TABLES.records[record].versions)
    drawn = data.draw(st.lists(st.sampled_from(versions), min_size=1, max_size=60))
    dice = Random(data.draw(st.integers(0, 999)))
    content = b""
    for version in drawn:
        reader = reader_of(TABLES, record, version)
        line = make_line(reader, dice.choice(reader.rules), dice=dice)
        content += line + data.draw(st.sampled_from([b"\n", b"\r\n"]))
    tally = tally_stream(io.BytesIO(content), READERS)
    found = {row.reader.id: row.lines for row in tally.rows}
    assert found == {version: drawn.count(version) for version in set(drawn)}
    assert tally.lines == len(drawn)
    assert not tally.strangers


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_both_ends_of_line_are_lawful_and_blanks_before_them_count(end):
    """A line with one blank less is a misfit, whatever ends it."""
    reader = reader_of(TABLES, "rss_groupe", "122")
    line = make_line(reader, reader.rules[0], filler=b" ")
    assert inspect(text_of([line] * 30, end)).soundness is Soundness.SOUND
    short = inspect(text_of([line] * 29 + [line[:-1]], end))
    assert short.soundness is Soundness.MALFORMED
    assert codes(short) == {"pmsi-misfit"}


def test_lines_past_the_first_block_are_judged_as_the_first():
    """The fast way and the slow way count the same."""
    reader = reader_of(TABLES, "rsa", "228")
    dice = Random(3)
    lines = [make_line(reader, reader.rules[0], month=1 + n % 12, dice=dice) for n in range(2000)]
    lines[1500] = lines[1500][:-1]
    lines[1700] = lines[1700][:40]
    lines[1800] = b"nothing that anybody knows"
    found = inspect(text_of(lines))
    (record,) = found.pmsi.records
    assert (record.lines, record.misfits) == (1997, 2)
    assert sum(record.months.values()) == 1997
    assert {"pmsi-misfit", "pmsi-strangers"} <= codes(found)
    assert found.soundness is Soundness.DOUBTFUL  # within one line of a thousand


def test_versions_and_ends_that_change_after_many_blocks_are_all_told():
    """What is read all at once is only what is all alike."""
    reader = {version: reader_of(TABLES, "rsa", version) for version in ("227", "228")}
    lines = {
        version: make_line(one, one.rules[0], numbers=[0] * 5) for version, one in reader.items()
    }
    ends = [b"\n", b"\r\n"]
    content = text_of([lines["227"]] * 900, ends[0])
    for n in range(900):
        content += lines["228" if n % 3 else "227"] + ends[n % 2]
    tally = tally_stream(io.BytesIO(content), READERS)
    found = {row.reader.id: (row.lines, row.misfits) for row in tally.rows}
    assert found == {"227": (1200, 0), "228": (600, 0)}
    plain = text_of([lines["227"]] * 900 + [lines["228"]] * 900)
    rows = tally_stream(io.BytesIO(plain), READERS).rows
    assert {row.reader.id: row.lines for row in rows} == {"227": 900, "228": 900}
    crlf = text_of([lines["227"]] * 900, ends[1]) + text_of([lines["227"]] * 900, ends[0])
    (row,) = tally_stream(io.BytesIO(crlf), READERS).rows
    assert (row.lines, row.misfits) == (1800, 0)


def test_a_file_cut_anywhere_is_malformed_unless_it_is_cut_between_lines():
    """At 200 offsets: only a cut at an end of line leaves a whole file."""
    lines = lines_of(TABLES, "rsa", "228", range(1, 13))
    content = text_of(lines, b"\r\n")
    offsets = Random(5).sample(range(1, len(content)), 200)
    starts = {0}
    for line in lines:
        starts.add(max(starts) + len(line) + 2)
    for offset in offsets:
        found = inspect(content[:offset])
        if offset in starts:
            assert found.soundness is Soundness.SOUND
        elif offset + 2 in starts or offset + 1 in starts:
            assert "pmsi-unended" in codes(found) or found.soundness is Soundness.MALFORMED
        else:
            assert found.soundness is Soundness.MALFORMED, offset


def test_several_versions_in_one_file_are_sound():
    """As in every year until 2025."""
    mixed = lines_of(TABLES, "rss_groupe", "120", [1, 2], year=2022)
    mixed += lines_of(TABLES, "rss_groupe", "121", [3, 4], year=2022)
    found = inspect(text_of(mixed))
    assert found.soundness is Soundness.SOUND
    assert found.pmsi.records[0].versions == {"120": 6, "121": 6}
    assert found.periods == ("2022-01", "2022-02", "2022-03", "2022-04")


def test_an_unknown_version_is_newer_than_the_tables_and_never_malformed():
    """The FINESS stands where it should, the structure is constant."""
    line = bytearray(lines_of(TABLES, "rsa", "228", [1])[0] + b"YYYY")
    line[9:12] = b"231"
    found = inspect(text_of([bytes(line)] * 20))
    assert found.soundness is Soundness.DOUBTFUL
    assert codes(found) == {"pmsi-newer"}
    assert found.pmsi.records[0].versions == {"231": 20}
    assert INSPECTOR.recognises(text_of([bytes(line)] * 20), b"x") > 0


def test_many_unknown_versions_are_no_structure():
    """What stands at the version's columns is then no version."""
    lines = lines_of(TABLES, "rsa", "228", [1]) * 10
    for n in range(10):
        line = bytearray(lines[n])
        line[9:12] = b"9%02d" % n
        lines[n] = bytes(line)
    found = inspect(text_of(lines), f"{FINESS}.2024.1.rsa".encode())
    assert found.soundness is Soundness.MALFORMED


@pytest.mark.parametrize(
    ("record", "version"),
    [(r.record.name, r.id) for r, rule in TELLING if is_uncertain(r.confidence) and rule.fixed],
)
def test_an_uncertain_row_never_makes_a_file_malformed(record, version):
    """Confidence C or D: a line that breaks the rule is doubtful."""
    lines = lines_of(TABLES, record, version, range(1, 5))
    found = inspect(text_of(line + b"XXXXX" for line in lines))
    assert found.soundness is Soundness.DOUBTFUL
    assert "pmsi-misfit" in codes(found)


def test_readings_that_sources_disagree_on_are_all_accepted():
    """V016 with three or four digits, RSS 023 of 190 or 189."""
    for record, version in (("vidhosp", "V016"), ("rss_brut", "023")):
        reader = reader_of(TABLES, record, version)
        assert len(reader.rules) == 2
        lines = [make_line(reader, rule) for rule in reader.rules for _ in range(5)]
        assert inspect(text_of(lines)).soundness is Soundness.SOUND


def test_weeks_of_rehabilitation_become_months_by_their_thursday():
    """Week 5 of 2024 begins in January and has its Thursday in February."""
    reader = reader_of(TABLES, "rhs_groupe", "M1C")
    lines = [make_line(reader, reader.rules[0], week=week) for week in (1, 5, 44)]
    (record,) = inspect(text_of(lines)).pmsi.records
    assert record.weeks == {"2024-W01": 1, "2024-W05": 1, "2024-W44": 1}
    assert record.months == {"2024-01": 1, "2024-02": 1, "2024-10": 1}


def test_another_establishment_among_the_lines_is_remarked():
    """One line of another FINESS is something to look at."""
    lines = lines_of(TABLES, "rsa", "228", [1, 2])
    lines += lines_of(TABLES, "rsa", "228", [2], finess="990000028")[:1]
    found = inspect(text_of(lines))
    assert found.soundness is Soundness.DOUBTFUL
    assert codes(found) == {"pmsi-several-finess"}
    assert found.pmsi.finess == ""


def test_invoices_are_told_by_their_vector_of_lengths():
    """No version stands in them."""
    lengths = {"A": 310, "B": 164, "C": 161}
    lines = [
        (letter + FINESS + FINESS).encode().ljust(length, b"0")
        for letter, length in lengths.items()
        for _ in range(4)
    ]
    found = inspect(text_of(lines), f"{FINESS}.2024.1.rsf.ini.txt".encode())
    assert found.soundness is Soundness.SOUND
    (record,) = found.pmsi.records
    assert (record.record, record.versions) == ("rsf_ace", {"2022-2026": 12})


def test_a_file_without_lines_is_not_read_into_memory():
    """A line past a MiB ends the reading."""
    with pytest.raises(LongLine):
        tally_stream(io.BytesIO(b"9" * (3 << 20)), READERS)


@pytest.mark.parametrize(
    "foreign",
    [b"", b"\0" * 500, b"a;b;c\n" * 50, os.urandom(4096), b"\n" * 99],
    ids=["nothing", "zeros", "table", "dice", "line-ends"],
)
def test_other_files_are_not_taken_for_records(foreign):
    """Neither a table, nor zeros, nor dice."""
    assert INSPECTOR.recognises(foreign, b"export.txt") == 0


def test_no_character_of_a_line_leaves_but_version_finess_and_period(caplog):
    """Seeded with figures like a NIR and a name, in every record, whole and broken."""
    caplog.set_level(logging.DEBUG)
    for marker in (b"1850775123456", b"DURANDMARTHE"):
        for reader, rule in ROWS:
            line = make_line(reader, rule, marker=marker)
            for text in (
                text_of([line] * 9),
                text_of([line] * 9)[:-20],
                text_of([line + marker] * 9),
            ):
                found = inspect(text, f"{FINESS}.2024.3.rsa".encode())
                told = repr(found) + json.dumps([r.sentence for r in found.remarks])
                assert marker.decode() not in told + caplog.text
                assert marker[:6].decode() not in told + caplog.text, (
                    reader.record.name,
                    reader.id,
                )


@pytest.mark.parametrize(
    ("name", "record", "versions"),
    [
        ("rsa_228.rsa", "rsa", {"228"}),
        ("rss_017.txt", "rss_brut", {"017"}),
        ("rss_mixed_120_121.txt", "rss_groupe", {"120", "121"}),
        ("vidhosp_V014.txt", "vidhosp", {"V014"}),
    ],
)
def test_loose_samples_are_what_they_are(name, record, versions):
    """Whatever they are called."""
    if not SAMPLES.is_dir():
        pytest.skip("the sample exports are not beside the project")
    content = (SAMPLES / "loose" / name).read_bytes()
    assert INSPECTOR.recognises(content[:65536], b"whatever") >= 90
    found = inspect(content)
    assert found.soundness is Soundness.SOUND
    assert {one.record: set(one.versions) for one in found.pmsi.records} == {record: versions}
