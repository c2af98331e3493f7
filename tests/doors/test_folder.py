"""The folder door: no disconnection, the same manners."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from vault.doors.folder import FolderDoor
from vault.errors import DeadlineReached, MediaAbsent, MediaBusy
from vault.results import Disconnection, DoorProof

STORY = """
import os, sys
sys.path.insert(0, sys.argv[3])
from vault.doors import kernel
from vault.doors.folder import FolderDoor
from vault.results import RepositoryFile
from pathlib import Path
top, landing = Path(sys.argv[1]), Path(sys.argv[2])
door = FolderDoor("trial", os.fsencode(top / "trial"), scratch=os.fsencode(top / "scratch"),
    python=sys.argv[4])
files = [
    RepositoryFile(path=str(p.relative_to(landing)), size_bytes=p.stat().st_size)
    for p in sorted(landing.rglob("*")) if p.is_file()
]
with door.open(door.find(), writing=True, closes_at_s=kernel.boot_s() + 30) as vault:
    vault.make_writable()
    vault.prepare_repository()
    report = vault.admit([files], landing=os.fsencode(landing),
        soft_closes_at_s=kernel.boot_s() + 20, progress=lambda a, b: None)
    assert report.is_complete, report
    assert vault.missing(files) == []
    view = vault.lay_view(files[:2])
    with open(top / "out", "wb") as out:
        status = vault.run(["find", "-L", view, "-type", "f"],
            env={"PATH": "/usr/bin:/bin"}, fds=[0, out.fileno(), 2], timeout_s=9)
    assert status == 0
    assert len((top / "out").read_text().split()) == 2
assert door.shut("done").is_shut
assert not list((top / "scratch").iterdir())
print("carried", report.admitted_files)
"""


def interpreter_for_all(folder: Path, tree: str) -> str:
    """Give an interpreter that another user may run: ours, or the system's behind a script."""
    ours = Path(sys.executable).resolve()
    if all(parent.stat().st_mode & 0o001 for parent in ours.parents):
        return sys.executable
    script = folder / "python"
    script.write_text(
        "#!/bin/sh\nexec /usr/bin/python3 -I -c 'import runpy, sys; "
        f'sys.path.insert(0, "{tree}"); '
        'runpy.run_module("vault.vault_side", run_name="__main__")\'\n'
    )
    script.chmod(0o755)
    return str(script)


@pytest.mark.root  # to give root away
@pytest.mark.parametrize("user", ["root", "nobody"])
def test_a_whole_opening_works_with_and_without_root(tmp_path, landing, user):
    """The trial door carries, shows a view and cleans up for anybody."""
    for path in (tmp_path, tmp_path.parent):
        path.chmod(0o755)
    for name in ("trial", "scratch"):
        (tmp_path / name).mkdir()
    give = []
    if user == "nobody":
        for path in [tmp_path, *tmp_path.rglob("*")]:
            os.chown(path, 65534, 65534)
        for parent in (tmp_path.parent.parent, tmp_path.parent.parent.parent):
            parent.chmod(0o755)  # a worker of xdist has one folder more
        give = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"]
    tree = str(Path(__file__).parents[2])
    python = interpreter_for_all(tmp_path, tree)
    ended = subprocess.run(
        [*give, sys.executable, "-c", STORY, str(tmp_path), str(landing.folder), tree, python],
        capture_output=True,
        text=True,
        check=False,
        cwd="/",
        env={"PATH": "/usr/bin:/bin"},
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.split() == ["carried", str(len(landing.files))]


def test_a_folder_is_never_more_than_class_none(tmp_path):
    """Nothing is claimed that a folder cannot prove."""
    report = FolderDoor("trial", os.fsencode(tmp_path)).shut("test")
    assert report.is_shut
    assert report.disconnection is Disconnection.NONE


def test_a_folder_opens_once_at_a_time_and_is_open_until_it_is_left(tmp_path, rig):
    """A second opening is busy, and shut does not claim what is not so."""
    door = FolderDoor("trial", os.fsencode(tmp_path), shut_timeout_s=0.1)
    with door.open(door.find(), writing=False, closes_at_s=rig.soon()):
        assert door.shut("test").proof is DoorProof.OPEN
        with (
            pytest.raises(MediaBusy),
            door.open(door.find(), writing=False, closes_at_s=rig.soon()),
        ):
            pass
    assert door.shut("test").is_shut


def test_a_missing_folder_is_an_absent_medium(tmp_path):
    """It is not created in passing."""
    with pytest.raises(MediaAbsent):
        FolderDoor("trial", os.fsencode(tmp_path / "no")).find()
    assert not (tmp_path / "no").exists()


def test_the_deadline_holds_for_a_folder_too(tmp_path, rig):
    """The kernel ends the opening at its deadline."""
    door = FolderDoor("trial", os.fsencode(tmp_path))
    began = time.monotonic()
    with (
        pytest.raises(DeadlineReached),
        door.open(door.find(), writing=False, closes_at_s=rig.soon(0.6)) as vault,
    ):
        vault.run(["sleep", "30"], env={"PATH": "/bin:/usr/bin"}, fds=[], timeout_s=None)
    assert time.monotonic() - began < 4
    assert door.shut("test").is_shut
