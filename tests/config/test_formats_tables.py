# ruff: noqa: E501, a table of cases reads better with a case on a line
"""The tables of formats: whole, consistent, and mended by a site without code."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from vault import config
from vault.config import load_formats
from vault.config.problems import ConfigProblems

TABLES = load_formats()


def site(tmp_path: Path, name: str, text: str) -> str:
    folder = tmp_path / "policies" / "formats"
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / name
    file.write_text(text)
    file.chmod(0o644)
    return str(tmp_path / "policies")


def problem(tmp_path: Path, name: str, text: str) -> str:
    with pytest.raises(ConfigProblems) as caught:
        load_formats(site(tmp_path, name, text))
    return str(caught.value)


def test_every_record_type_has_rows_with_mark_and_source():
    """Twenty-eight types: what the archives of four fields and their side files hold."""
    assert len(TABLES.records) == 28
    for record in TABLES.records.values():
        assert record.versions, record.name
        for row in record.versions.values():
            assert row.confidence in "ABCD"
            assert row.source
            assert row.rules, (record.name, row.id)


def test_years_name_versions_that_are_in_use_in_them():
    """The table of years and the years of the rows agree."""
    for year, records in TABLES.accepted.items():
        for record, versions in records.items():
            for version in versions:
                row = TABLES.records[record].versions[version]
                assert (row.since or 0) <= year <= (row.until or 9999), (year, record, version)


def test_members_name_fields_of_their_record():
    """A member of one field holds a record of that field, on that side."""
    for member in TABLES.members:
        if member.record:
            record = TABLES.records[member.record]
            assert member.field in (*record.fields, "RSFACE"), member
            assert record.side in (member.side, "both"), member


def test_a_site_adds_a_version_and_keeps_the_rest(tmp_path):
    """One row; what it does not say is as in the newest row of ours."""
    theirs = load_formats(
        site(
            tmp_path,
            "records.yaml",
            'records: {rsa: {versions: {"230": {fixed: 270, add: [[61, 51, 52]], conf: B, source: "ours"}}}}',
        )
    )
    row = theirs.records["rsa"].versions["230"]
    assert row.rules[0].expected([2]) == 392
    assert row.finess_at == TABLES.records["rsa"].versions["229"].finess_at
    assert row.period == TABLES.records["rsa"].versions["229"].period
    assert theirs.records["rsa"].versions["228"] == TABLES.records["rsa"].versions["228"]


def test_identity_changes_with_any_row_and_only_then(tmp_path):
    """What was judged by older tables can be told."""
    assert load_formats().identity == TABLES.identity
    theirs = load_formats(site(tmp_path, "years.yaml", 'years: {"2026": {rsa: ["229"]}}'))
    assert theirs.identity != TABLES.identity
    assert theirs.expects(2026, "rsa", "229")
    assert not theirs.expects(2026, "rsa", "228")


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("records.yaml", "records:\n  rsa:\n    versions:\n      '230':\n        fixd: 3\n        conf: B\n        source: x\n",
         'records.yaml:5: records.rsa.versions.230.fixd: unknown key; did you mean "fixed"?'),
        ("records.yaml", "records:\n  rsb:\n    versions:\n      '1': {fixed: 3, conf: B, source: x}\n",
         'did you mean "rsa"?'),
        ("records.yaml", "records:\n  rsa:\n    versions:\n      '1': {fixed: 3, conf: E, source: x}\n", "'A', 'B', 'C' or 'D'"),
        ("records.yaml", "records:\n  rsa:\n    versions:\n      '1': {conf: A, source: x}\n", "say exactly one of fixed"),
        ("records.yaml", "records:\n  rsa:\n    versions:\n      '1': {fixed: 9, add: [[8, 10, 12]], conf: A, source: x}\n", "a counter stands in the fixed part"),
        ("records.yaml", "records:\n  rsa:\n    versions:\n      '1': {fixed: 9, version_at: [5, 2], conf: A, source: x}\n", "the first column stands after the last"),
        ("years.yaml", "years:\n  '2026':\n    rsa: ['22']\n", 'years.yaml:3: years.2026.rsa[0]: no such version; did you mean "229"?'),
        ("years.yaml", "years:\n  '2026':\n    rzz: ['22']\n", "no such record"),
        ("members.yaml", "members:\n  MCO:\n    out:\n      rsx: {record: rsz, role: main}\n", "no such record"),
        ("record.yaml", "records: {}\n", 'would not be read; did you mean "records"?'),
        ("records.yml", "records: {}\n", "would not be read"),
    ],
)  # fmt: skip
def test_faults_are_told_with_file_line_key_and_the_nearest_known(tmp_path, name, text, told):
    """As policies are."""
    assert told in problem(tmp_path, name, text)


def test_a_file_that_others_may_write_is_refused(tmp_path):
    """It decides what counts as sound."""
    policies = site(tmp_path, "years.yaml", "years: {}\n")
    os.chmod(os.path.join(policies, "formats/years.yaml"), 0o666)
    with pytest.raises(config.ConfigProblems.__mro__[1]):
        load_formats(policies)


def test_init_copies_the_tables_out_and_they_load_again(tmp_path):
    """Beside a vault.yaml; the copy reads as what it was copied from."""
    made = config.copy_out(str(tmp_path))
    names = {os.path.basename(path) for path in made if "/formats/" in path}
    assert {"records.yaml", "years.yaml", "names.yaml", "members.yaml", "README.md"} <= names
    assert load_formats(str(tmp_path / "policies")).identity == TABLES.identity


def test_the_readme_explains_every_key():
    """Of every table here."""
    from vault.config import formats_file
    from vault.config.faults import keys_of

    page = Path(config.shipped("policies/formats/README.md")).read_text("utf-8")
    models = (formats_file.RecordFile, formats_file.VersionFile, formats_file.PeriodFile,
              formats_file.MemberFile)  # fmt: skip
    missing = [key for model in models for key in keys_of(model) if key not in page]
    assert missing == []
