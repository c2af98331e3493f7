"""The judge finds what is wrong with a target, and nothing wrong with a sound one."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.rigs.attacks import ATTACKS, run_restic
from tests.rigs.cheap_key import make_keys_cheap
from tests.rigs.disk import disk, mounted
from tests.rigs.judge import files_of, holders, soundness, wait_free
from tests.rigs.vaults import ODD_NAMES, cheap_restic, grow_exports, make_vault, write_exports

PASSWORD = b"a throw-away password"


@pytest.fixture
def target(tmp_path: Path):
    """Give a folder target with two nights of one source in it, and what the source was."""
    root, reception = tmp_path / "target", tmp_path / "reception"
    repository, data = root / "repository", reception / "data"
    run_restic("restic", repository, PASSWORD, "init")
    make_keys_cheap(str(repository), PASSWORD)
    write_exports(data, seed=1)
    history = []
    for night in range(2):
        history.append(files_of(data))
        words = ("backup", "--tag", "source=pmsi", "data")
        here = os.getcwd()
        os.chdir(reception)
        try:
            run_restic("restic", repository, PASSWORD, *words)
        finally:
            os.chdir(here)
        grow_exports(data, night=night)
    return root, {"pmsi": history}


def test_a_sound_target_has_no_problem(tmp_path: Path, target):
    """Odd names and all: check, restores and names agree."""
    root, history = target
    assert len(history["pmsi"][0]) == len(ODD_NAMES) + 3
    assert soundness(root, PASSWORD, scratch=tmp_path, history=history) == []


@pytest.mark.root
@pytest.mark.parametrize(
    "name", ["new-pack-bit-flipped", "new-pack-encrypted", "garbage-index", "garbage-snapshot"]
)
def test_a_poisoned_target_is_found_out(tmp_path: Path, target, name: str):
    """What an attack leaves in a target does not pass the judge."""
    root, history = target
    ATTACKS[name](root / "repository", "restic", PASSWORD)
    if name == "garbage-snapshot":
        problems = soundness(root, PASSWORD, scratch=tmp_path, history={})
        assert any("check" in problem for problem in problems)
    else:
        assert soundness(root, PASSWORD, scratch=tmp_path, history=history)


def test_a_restore_that_differs_is_found_out(tmp_path: Path, target):
    """A snapshot of a state that its source never had is a problem, however sound restic is."""
    root, history = target
    problems = soundness(root, PASSWORD, scratch=tmp_path, history={"pmsi": history["pmsi"][:1]})
    assert len(problems) == 1
    assert "what its source never was" in problems[0]


def test_debris_in_a_repository_is_found_out(tmp_path: Path, target):
    """A half-written file, under a temporary or a final name, is a problem."""
    root, history = target
    (root / "repository" / "index" / ".part-1").write_bytes(b"half")
    (root / "repository" / "snapshots" / ("0" * 64)).write_bytes(b"")
    problems = soundness(root, PASSWORD, scratch=tmp_path, history=history)
    assert sum("not what its name says" in problem for problem in problems) == 2


@pytest.mark.root
def test_a_device_and_its_image_are_judged_read_only(tmp_path: Path, target):
    """Judging a medium changes no byte of it and leaves it free."""
    root, history = target
    with disk(tmp_path / "image") as medium:
        with mounted(medium.device, tmp_path / "mnt") as where:
            shutil.copytree(root / "repository", where / "repository")
        wait_free(medium.device, timeout_s=10)  # whoever cloned our mounts meanwhile holds it too
        before = medium.image.read_bytes()
        for judged in (Path(medium.device), medium.image):
            assert soundness(judged, PASSWORD, scratch=tmp_path, history=history) == []
        assert medium.image.read_bytes() == before
        wait_free(medium.device, timeout_s=5)


@pytest.mark.root
def test_a_mounted_device_names_its_holders(tmp_path: Path):
    """Busy while mounted, for this process among others; free afterwards."""
    with disk(tmp_path / "image") as medium:
        wait_free(medium.device, timeout_s=5)  # another test's probe may hold it for a moment
        with mounted(medium.device, tmp_path / "mnt"):
            assert f"mounted for process {os.getpid()}" in holders(medium.device)
        wait_free(medium.device, timeout_s=5)


def test_a_key_made_at_founding_is_cheap_and_opens(tmp_path: Path):
    """The stand-in makes what restic makes, at a thousandth of its cost; both passwords open."""
    repository, new = tmp_path / "r", tmp_path / "new"
    new.write_bytes(b"second\n")
    shim = str(cheap_restic(tmp_path / "cheap", "restic") / "restic")
    os.environ["RESTIC_REPOSITORY"] = str(repository)
    try:
        run_restic(shim, repository, PASSWORD, "init")
        words = ("key", "add", "--new-password-file", str(new))
        run_restic(shim, repository, PASSWORD, *words)
    finally:
        del os.environ["RESTIC_REPOSITORY"]
    keys = [path.read_bytes() for path in (repository / "keys").iterdir()]
    assert len(keys) == 2
    assert all(b'"N":1024' in key.replace(b" ", b"") for key in keys)
    run_restic("restic", repository, PASSWORD, "check")
    run_restic("restic", repository, b"second", "check")


def test_a_scratch_vault_has_the_contracts_words(tmp_path: Path):
    """The configuration loads, and every export has its odd names."""
    from vault.config import load

    vault = make_vault(tmp_path / "v", targets={"disk-a": "disk", "trial": "folder"})
    settings = load(str(vault.config))
    assert set(settings.targets) == {"disk-a", "trial"}
    assert set(settings.sources) == {"pmsi", "hr"}
    assert {name for name, _ in files_of(vault.exports("hr"))} >= set(ODD_NAMES)
