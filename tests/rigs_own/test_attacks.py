"""Each attack does to a plain restic what the catalogue of faults says it does."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.rigs import rcrypt
from tests.rigs.attacks import ATTACKS, run_restic
from tests.rigs.cheap_key import make_keys_cheap
from tests.rigs.restics import EVERY, restic_named

pytestmark = pytest.mark.long  # of the tests themselves: what they find is used in every run
PASSWORD = b"a throw-away password"


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory):
    """Give a repository with two nights in it, made once for each restic and version."""
    cache: dict[tuple[str, int], Path] = {}

    def make(restic: str, version: int) -> Path:
        if (restic, version) not in cache:
            folder = tmp_path_factory.mktemp("made")
            repository, source = folder / "repository", folder / "source"
            source.mkdir()
            run_restic(restic, repository, PASSWORD, "init", f"--repository-version={version}")
            make_keys_cheap(str(repository), PASSWORD)
            for night in range(2):
                (source / f"night-{night}").write_bytes(os.urandom(40_000))
                run_restic(restic, repository, PASSWORD, "backup", str(source))
            cache[restic, version] = repository
        return cache[restic, version]

    return make


@pytest.mark.root
@pytest.mark.parametrize("version_of_restic", EVERY)
@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_does_what_the_catalogue_says(
    tmp_path: Path, made, name: str, version_of_restic: str
):
    """``check`` complains or not, and a restore of the newest snapshot fails or not."""
    attack = ATTACKS[name]
    restic = os.fsdecode(restic_named(version_of_restic).path)
    repository = tmp_path / "landing" / "repository"
    shutil.copytree(made(restic, attack.version or 2), repository)
    attack(repository, restic, PASSWORD)
    answer, told = ask(restic, repository, timeout_s=4 if attack.check == "hangs" else 100)
    assert attack.check in (answer, "either"), told
    if attack.poisons is not None:
        restore = ("restore", "--no-lock", "latest", "--target", str(tmp_path / "restored"))
        restored = run_restic(restic, repository, PASSWORD, *restore, check=False)
        assert (restored.returncode != 0) == attack.poisons, restored.stderr


def ask(restic: str, repository: Path, *, timeout_s: float) -> tuple[str, str]:
    """Ask a plain check about the repository; give its answer and what it said."""
    try:
        done = run_restic(
            restic, repository, PASSWORD, "check", "--no-lock", check=False, timeout_s=timeout_s
        )
    except subprocess.TimeoutExpired:
        return "hangs", ""
    return "complains" if done.returncode else "clean", done.stdout + done.stderr


def test_what_restic_sealed_opens_with_its_password_only(made):
    """The master key opens config, index and snapshot; a wrong password opens nothing."""
    repository = made("restic", 2)
    key = rcrypt.master_key(repository, PASSWORD)
    config = rcrypt.read_json(repository / "config", key)
    assert config["version"] == 2
    for kind in ("index", "snapshots"):
        assert all(rcrypt.read_json(path, key) for path in (repository / kind).iterdir())
    with pytest.raises(rcrypt.WrongKey):
        rcrypt.master_key(repository, b"another password")


def test_what_is_sealed_here_is_read_by_restic(tmp_path: Path, made):
    """A snapshot put by hand is listed and restored by restic itself."""
    repository = tmp_path / "repository"
    shutil.copytree(made("restic", 2), repository)
    key = rcrypt.master_key(repository, PASSWORD)
    document = rcrypt.read_json(next((repository / "snapshots").iterdir()), key)
    put = rcrypt.put_json(repository, "snapshots", document | {"hostname": "forged"}, key)
    listed = run_restic("restic", repository, PASSWORD, "snapshots", "--no-lock", "--host=forged")
    assert put.name[:8] in listed.stdout


def test_one_flipped_bit_breaks_the_mac(made):
    """Nothing is decrypted that was not authenticated."""
    repository = made("restic", 2)
    key = rcrypt.master_key(repository, PASSWORD)
    sealed = bytearray(key.seal(b"words"))
    assert key.open(bytes(sealed)) == b"words"
    sealed[18] ^= 1
    with pytest.raises(rcrypt.WrongKey):
        key.open(bytes(sealed))


def test_every_fault_of_the_input_has_its_attack():
    """The numbers of the catalogue that are about the landing's files are all here."""
    numbers = {number for attack in ATTACKS.values() for number in attack.faults}
    assert numbers >= {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21}
    assert numbers >= {24, 26}
