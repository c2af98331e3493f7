"""Argument vectors and environment: what restic is told, and what it is never told."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.rigs.restics import NEWER
from vault.restic import Restic, Version, commands, environment

OLD = Restic(path="/usr/bin/restic", version=Version(0, 14, 0))
NEW = Restic(path=str(NEWER), version=Version(0, 18, 0))
ID = "0f" * 32


def test_backup_names_source_parent_and_both_folders():
    """Grouped by source, built on a full id, taken from inside the reception."""
    argv = commands.backup_argv(OLD, source="pmsi", parent=ID)
    assert argv == (
        *("/usr/bin/restic", "--no-cache", "backup", "--json", "--host", "coffre"),
        *("--tag", "source=pmsi", "--parent", ID, "--", "data", "coffre"),
    )


def test_backup_without_a_parent_reads_everything_and_lets_restic_choose_none():
    """By itself restic takes the newest snapshot of the same host and path."""
    argv = commands.backup_argv(OLD, source="pmsi", parent=None)
    assert "--force" in argv
    assert "--parent" not in argv


def test_second_walk_is_left_out_where_the_version_can():
    """0.14 has no such option and would refuse it."""
    assert "--no-scan" in commands.backup_argv(NEW, source="x", parent=None)
    assert "--no-scan" not in commands.backup_argv(OLD, source="x", parent=None)


@pytest.mark.parametrize("name", ["latest", "0f0f0f0f", "", "-x", ID.upper(), ID + "\n"])
def test_snapshot_is_named_by_its_full_id_or_not_at_all(name):
    """A short id may be another's tomorrow, and latest may be a forger's."""
    with pytest.raises(AssertionError):
        commands.restore_argv(OLD, name, target=b"/t")
    with pytest.raises(AssertionError):
        commands.backup_argv(OLD, source="x", parent=name)
    with pytest.raises(AssertionError):
        commands.forget_argv(OLD, name)


def test_reading_takes_no_lock_and_nothing_is_cached():
    """A read-only medium can be read, and nothing of it stays behind."""
    reading = [
        commands.check_argv(OLD),
        commands.cat_config_argv(OLD),
        commands.snapshots_argv(OLD),
        commands.restore_argv(OLD, ID, target=b"/t"),
    ]
    assert all("--no-lock" in argv and "--no-cache" in argv for argv in reading)
    writing = [commands.init_argv(OLD), commands.unlock_argv(OLD), commands.forget_argv(OLD, ID)]
    assert all("--no-cache" in argv for argv in writing)


def test_environment_is_whole_and_holds_no_password(monkeypatch):
    """Nothing of ours gets in, and the password is a number's path."""
    monkeypatch.setenv("RESTIC_PASSWORD", "from outside")
    monkeypatch.setenv("RESTIC_REPOSITORY", "/elsewhere")
    variables = environment(b"/vue/d\xe9p\xf4t", password_fd=3, key_hint=ID)
    assert os.fsencode(variables["RESTIC_REPOSITORY"]) == b"/vue/d\xe9p\xf4t"
    assert variables["RESTIC_PASSWORD_FILE"] == "/proc/self/fd/3"
    assert variables["RESTIC_KEY_HINT"] == ID
    assert set(variables) == {
        *("PATH", "LANG", "LC_ALL", "RESTIC_REPOSITORY", "RESTIC_PROGRESS_FPS"),
        *("RESTIC_PASSWORD_FILE", "RESTIC_KEY_HINT"),
    }


def test_relative_repository_is_a_bug():
    """``s3:host/x`` is a folder's name to us and a network to restic."""
    with pytest.raises(AssertionError):
        environment(b"s3:host/x")


NAMES = st.binary(min_size=1, max_size=40).filter(
    lambda name: not {b"", b".", b".."} & set(name.split(b"/")) and b"\0" not in name
)


@given(NAMES)
def test_fault_76_no_name_becomes_an_option_or_an_open_pattern(name):
    """Every name is one argument after --include, anchored, its special characters escaped."""
    argv = commands.restore_argv(OLD, ID, target=b"/t", includes=[name])
    assert argv[-2] == "--include"
    pattern = os.fsencode(argv[-1])
    assert pattern.startswith(b"/")
    assert b"".join(unescaped(pattern)) == b"/" + name


def unescaped(pattern):
    """Read a pattern as restic does; fail at a special character that is not escaped."""
    characters = iter(pattern[i : i + 1] for i in range(len(pattern)))
    for character in characters:
        assert character not in b"*?["
        yield next(characters) if character == b"\\" else character


@given(st.lists(NAMES, max_size=30))
def test_many_paths_are_split_into_runs_without_losing_one(names):
    """Each run fits its argument vector; together, in order, they are all."""
    groups = list(commands.split_includes(names, limit_bytes=300))
    assert [name for group in groups for name in group] == names
    assert all(len(group) == 1 or sum(map(len, group)) <= 300 for group in groups)
