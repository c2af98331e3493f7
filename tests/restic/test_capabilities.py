"""The table of what each restic can do."""

import dataclasses
import itertools
import os
import subprocess

import pytest

from vault.restic import OLDEST, Version, capabilities
from vault.restic.capabilities import parse_version


@pytest.mark.parametrize(
    ("said", "version"),
    [
        ("restic 0.14.0 compiled with go1.19.8 on linux/amd64\n", Version(0, 14, 0)),
        ("restic 0.18.0 (v0.18.0-0-gab) compiled with go1.24.4 on linux/amd64", Version(0, 18, 0)),
        ("restic 0.19.1-dev (compiled manually) compiled with go1.25", Version(0, 19, 1)),
        ("restic v1.2.3", Version(1, 2, 3)),
        ("rustic 0.14.0", None),
        ("restic 0.14", None),
        ("restic 0.14.0.1", None),
        ("", None),
    ],
)
def test_version_is_read_from_what_restic_says_or_not_at_all(said, version):
    """A version is three numbers after restic's own name."""
    assert parse_version(said) == version


def test_a_newer_version_never_loses_an_ability():
    """The table only grows, so that what is newer than it keeps the newest row."""
    versions = [Version(0, minor, patch) for minor in range(14, 30) for patch in range(3)]
    versions.append(Version(1, 0, 0))
    for older, newer in itertools.pairwise(versions):
        before, after = capabilities(older), capabilities(newer)
        for field in dataclasses.fields(before):
            assert getattr(after, field.name) >= getattr(before, field.name), (newer, field.name)
    assert not any(dataclasses.asdict(capabilities(OLDEST)).values())
    assert all(dataclasses.asdict(capabilities(Version(1, 0, 0))).values())


def test_table_agrees_with_the_program_about_its_options(restic):
    """What the table says a version takes stands in that version's own help."""

    def helps(*words):
        env = {"HOME": "/nonexistent", "PATH": os.environ["PATH"]}
        return subprocess.run(
            [restic.path, "help", *words], capture_output=True, text=True, check=True, env=env
        ).stdout

    able = restic.capabilities
    assert able.no_scan == ("--no-scan" in helps("backup"))
    assert able.skip_if_unchanged == ("--skip-if-unchanged" in helps("backup"))
    assert able.retry_lock == ("--retry-lock" in helps("backup") + helps())
    assert able.subfolder_restore == ("snapshotID:subfolder" in helps("restore"))
    assert able.exit_code_10_11 == ("status is 11" in helps("backup"))
