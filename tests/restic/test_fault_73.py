"""Fault 73: a restic that is missing, wrong, killed, hung, or talks nonsense.

A program of this test's own stands where restic would: every answer but the right one is an error
of ours with its own class, and nothing is added to the landing by our reckoning.
"""

import os
import signal
import stat
from pathlib import Path

import pytest

from tests.rigs.restics import MACHINE, write_reception
from tests.rigs.waiting import wait_until_ended
from vault.errors import (
    ExitCode,
    Interrupted,
    ProcessError,
    RepositoryLocked,
    RepositoryMissing,
    ResticError,
    ResticMissing,
    WrongPassword,
)
from vault.process import TimedOut
from vault.restic import LandingRepository, Restic, Version, find_restic

SUMMARY = (
    '{"message_type":"summary","snapshot_id":"%s",'
    '"total_files_processed":1,"total_bytes_processed":1}'
)


def fake(folder: Path, script: str, name: str = "restic") -> str:
    """Write a program that stands where restic would."""
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text("#!/bin/sh\n" + script + "\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


@pytest.fixture
def landing_of(tmp_path):
    """Give what makes a landing, on a folder with a repository's shape, run by a script."""
    for name in ("data", "index", "snapshots", "keys", "locks"):
        (tmp_path / "r" / name).mkdir(parents=True)
    (tmp_path / "r/config").touch()

    def make(script: str, *, timeout_s: float = 20, on_progress=None):
        program = Restic(path=fake(tmp_path / "bin", script), version=Version(0, 14, 0))
        return LandingRepository(
            program,
            os.fsencode(tmp_path / "r"),
            MACHINE,
            timeout_s=timeout_s,
            on_progress=on_progress,
        )

    return make


@pytest.fixture
def reception(tmp_path):
    return write_reception(tmp_path / "reception", {b"a": b"a"})


def test_fault_73_missing_restic_is_told_with_its_mend(tmp_path, monkeypatch):
    """On the path or where the configuration says: it is not there."""
    monkeypatch.setenv("PATH", str(tmp_path))
    for configured in (None, str(tmp_path / "nonesuch")):
        with pytest.raises(ResticMissing) as caught:
            find_restic(configured)
        assert caught.value.exit_code is ExitCode.USAGE
        assert "0.14.0" in caught.value.hint


def test_fault_73_restic_that_is_too_old_is_refused(tmp_path, monkeypatch):
    """0.13 is not worked around."""
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    fake(tmp_path / "bin", "echo restic 0.13.1 compiled with go1.18 on linux/amd64")
    with pytest.raises(ResticMissing, match=r"0\.13\.1 is too old"):
        find_restic()


@pytest.mark.parametrize(
    "script",
    [
        "echo rustic 0.9.0",
        "exit 0",
        "echo restic 0.14.0; exit 1",
        "kill -9 $$",
        "printf '\\377\\376'",
        "yes",
    ],
)
def test_fault_73_program_that_is_not_restic_is_refused(tmp_path, script):
    """What does not answer as restic does is not run any further."""
    with pytest.raises(ResticMissing):
        find_restic(fake(tmp_path / "bin", script))


def test_fault_73_restic_that_hangs_on_its_version_is_refused(tmp_path):
    """The very first question has a deadline too."""
    with pytest.raises(ResticMissing):
        find_restic(fake(tmp_path / "bin", "sleep 100"), timeout_s=0.2)


@pytest.mark.parametrize(
    ("returncode", "error"),
    [
        (1, ResticError),
        (2, ResticError),
        (3, ResticError),
        (10, RepositoryMissing),
        (11, RepositoryLocked),
        (12, WrongPassword),
        (99, ResticError),
        (130, ResticError),
    ],
)
@pytest.mark.parametrize("said", ["", SUMMARY % ("ab" * 32)])
def test_fault_73_each_exit_code_is_its_own_error(landing_of, reception, returncode, error, said):
    """No exit code but 0 is a success, whatever was printed before."""
    landing = landing_of(f"echo '{said}'; exit {returncode}")
    for act in (
        lambda: landing.backup(reception, source="x", parent=None),
        landing.snapshots,
        landing.repository_id,
    ):
        with pytest.raises(error) as caught:
            act()
        assert type(caught.value) is error


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ("Fatal: unable to open config file: stat /r/config: no such file", RepositoryMissing),
        ("Fatal: wrong password or no key found", WrongPassword),
        ("repository is already locked exclusively by PID 7 on vm by root", RepositoryLocked),
    ],
)
def test_fault_73_old_restic_is_understood_by_its_words(landing_of, words, error):
    """Up to 0.16 every failure is exit code 1."""
    with pytest.raises(error):
        landing_of(f"echo '{words}' >&2; exit 1").check()


@pytest.mark.parametrize("returncode", [2, 3, 10, 11, 12, 99, 130])
def test_fault_73_check_takes_no_strange_exit_code_for_an_answer(landing_of, returncode):
    """Only 0 with its words is sound, only 1 is unsound."""
    with pytest.raises(ResticError):
        landing_of(f"echo no errors were found; exit {returncode}").check()


def test_fault_73_check_that_says_nothing_is_not_sound(landing_of):
    """Exit code 0 alone does not open a door."""
    with pytest.raises(ResticError):
        landing_of("exit 0").check()
    with pytest.raises(ResticError):
        landing_of("echo 'no errors were fo'; exit 0").check()
    assert landing_of("exit 1").check() != ()


@pytest.mark.parametrize(
    "said",
    [
        "",
        "nonsense",
        "{",
        "[1,2]",
        "null",
        '{"message_type":"summary"}',
        '{"message_type":"summary","snapshot_id":7,"total_files_processed":1}',
        '{"message_type":"status","bytes_done":"many"}',
        SUMMARY % ("ab" * 32),
    ],
)
def test_fault_73_garbage_instead_of_a_summary_is_no_backup(landing_of, reception, said):
    """Nor is a summary whose snapshot is not on disk."""
    with pytest.raises(ResticError):
        landing_of(f"echo '{said}'").backup(reception, source="x", parent=None)


@pytest.mark.parametrize(
    ("made", "told"),
    [(("ab" * 32, "cd" * 32), "ab" * 32), (("cd" * 32,), "ab" * 32), (("cd" * 32,), "")],
)
def test_fault_73_snapshots_on_disk_must_be_the_one_told(
    landing_of, reception, tmp_path, made, told
):
    """Two where one was told, another than was told, or one and no word of it."""
    files = " ".join(f"{tmp_path}/r/snapshots/{name}" for name in made)
    script = f"[ $2 = backup ] || exit 1; touch {files}; echo '{SUMMARY % told}'"
    landing = landing_of(script if told else script.partition("; echo")[0])
    with pytest.raises(ResticError):
        landing.backup(reception, source="x", parent=None)


@pytest.mark.parametrize(
    "words", ["data does not exist, skipping", "x\ny does not exist, skipping"]
)
def test_fault_73_skipped_folder_is_no_backup(landing_of, reception, tmp_path, words):
    """0.14 exits 0, tells a summary and leaves a snapshot: none of it counts."""
    name = "ab" * 32
    script = (
        f"[ $2 = forget ] && exec rm {tmp_path}/r/snapshots/{name};"
        f"touch {tmp_path}/r/snapshots/{name}; echo '{words}' >&2; echo '{SUMMARY % name}'"
    )
    with pytest.raises(ResticError, match="not whole"):
        landing_of(script).backup(reception, source="x", parent=None)
    assert os.listdir(tmp_path / "r/snapshots") == []


def test_fault_73_snapshot_that_cannot_be_forgotten_is_still_not_ours(
    landing_of, reception, tmp_path
):
    """It stays on disk, and is not among what the run is said to have added."""
    name = "ab" * 32
    script = f"[ $2 = forget ] && exit 1; touch {tmp_path}/r/snapshots/{name}; exit 3"
    with pytest.raises(ResticError) as caught:
        landing_of(script).backup(reception, source="x", parent=None)
    assert caught.value.added == ()


def test_fault_73_unknown_messages_are_passed_over(landing_of, reception, tmp_path):
    """A newer restic may say more; the summary still counts."""
    name = "ab" * 32
    script = (
        f"touch {tmp_path}/r/snapshots/{name};"
        'echo \'{"message_type":"novelty","snapshot_id":3}\'; echo nonsense;'
        f"echo '{SUMMARY % name[:8]}'"
    )
    assert landing_of(script).backup(reception, source="x", parent=None).snapshot_id == name


def test_progress_is_told_in_bytes_and_never_by_a_name(landing_of, reception):
    """A long first night says how far it is; strange messages do not disturb it."""
    told = []
    lines = [
        '{"message_type":"status","bytes_done":7,"current_files":["/data/DUPONT"]}',
        '{"message_type":"status","percent_done":0}',
        '{"message_type":"status","bytes_done":"x"}',
        '{"message_type":"other","bytes_done":8}',
        '{"message_type":"status","bytes_done":9}',
    ]
    script = "".join(f"echo '{line}';" for line in lines) + "exit 1"
    with pytest.raises(ResticError):
        landing_of(script, on_progress=told.append).backup(reception, source="x", parent=None)
    assert told == [7, 9]


def test_fault_73_killed_restic_is_an_error_that_says_so(landing_of, reception):
    """A death by signal is no success and no unsound repository."""
    for act in (
        lambda landing: landing.backup(reception, source="x", parent=None),
        LandingRepository.check,
    ):
        with pytest.raises(ResticError, match=r"(?i)killed"):
            act(landing_of("kill -9 $$"))


def test_fault_73_hung_restic_is_ended_at_its_deadline(
    landing_of, reception, tmp_path, monkeypatch
):
    """Deaf to SIGINT, it is killed with all it started."""
    monkeypatch.setattr("vault.restic.landing.GRACE_S", 0.2)
    script = f"trap '' INT; sleep 100 & echo $! >{tmp_path}/pid; wait; sleep 100"
    for act in (
        lambda landing: landing.backup(reception, source="x", parent=None),
        LandingRepository.check,
    ):
        with pytest.raises(TimedOut):
            act(landing_of(script, timeout_s=0.3))
        wait_until_ended(int((tmp_path / "pid").read_text()), timeout_s=20)


def test_fault_73_slow_restic_is_asked_by_the_signal_it_cleans_up_after(landing_of, tmp_path):
    """SIGINT, because 0.14 leaves its lock behind on SIGTERM."""
    script = f"trap 'echo INT >{tmp_path}/heard; exit 130' INT; while :; do sleep 0.05; done"
    with pytest.raises(TimedOut):
        landing_of(script, timeout_s=0.3).check()
    assert (tmp_path / "heard").read_text() == "INT\n"


def test_interruption_is_raised_on_even_when_the_run_had_added_something(
    landing_of, reception, tmp_path, monkeypatch
):
    """It is not turned into the failure of one source, or the night would go on."""

    def stop(number, frame):
        raise Interrupted("told to stop")

    # A shell may swallow the one SIGINT that comes before its own child is there.
    monkeypatch.setattr("vault.restic.landing.GRACE_S", 0.2)
    script = f"touch {tmp_path}/r/index/{'ab' * 32}; kill -TERM $PPID; sleep 100"
    before = signal.signal(signal.SIGTERM, stop)
    try:
        with pytest.raises(Interrupted):
            landing_of(script).backup(reception, source="x", parent=None)
    finally:
        signal.signal(signal.SIGTERM, before)


def test_complaints_hold_ids_and_no_names(landing_of):
    """A check may name a file of the snapshot; we do not repeat it."""
    said = 'error for tree 12ab: file "DUPONT \\" Jeanne.pdf" blob 0 not found'
    complaints = landing_of(f"echo '{said}' >&2; exit 1").check()
    assert any("12ab" in line for line in complaints)
    assert not any("DUPONT" in line or "Jeanne" in line for line in complaints)


def test_fault_73_restic_that_vanished_is_an_error(landing_of, reception, tmp_path):
    """Between its discovery and its use somebody removed it."""
    landing = landing_of("exit 0")
    os.unlink(tmp_path / "bin/restic")
    with pytest.raises(ProcessError):
        landing.check()
    with pytest.raises(ProcessError):
        landing.backup(reception, source="x", parent=None)


@pytest.mark.parametrize(
    "said",
    ["", "{}", "[{}]", '[{"id":"ab","time":"2026-01-01T00:00:00Z","tree":"x"}]', "7", "{", '["x"]'],
)
def test_fault_73_garbage_lists_and_configs_are_errors(landing_of, said):
    """A list we cannot read is not an empty one."""
    landing = landing_of(f"echo '{said}'")
    with pytest.raises(ResticError):
        landing.repository_id()
    if said != "{}":
        with pytest.raises(ResticError):
            landing.snapshots()
