"""The house in order: what a newcomer and a packager rely on."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TOP_LEVEL = {
    "vault", "policies", "hooks", "tests", "docs", "benchmarks", "scripts", "pyproject.toml",
    "Makefile", "vault.example.yaml", "README.md", "LICENSE", "CHANGELOG.md", "requirements.lock",
    "requirements-dev.lock", "requirements-build.lock",
}  # fmt: skip
TARGETS = {"demo", "test", "test-long", "lint", "bench", "clean", "lock"}


def tracked() -> list[Path]:
    """Give the files of the project: what git tracks, or all there is in an unpacked archive."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if listed.returncode:
        pytest.skip("not a git work tree: what is part of the project cannot be told")
    return [ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


def test_top_level_is_complete() -> None:
    """Every folder and file that the contract names is there."""
    assert not TOP_LEVEL - set(os.listdir(ROOT))


def test_license_is_the_whole_apache_2() -> None:
    """The text of the licence, from its title to its appendix."""
    text = (ROOT / "LICENSE").read_text("utf-8")
    assert "Apache License" in text.splitlines()[1]
    assert "Version 2.0, January 2004" in text
    assert "9. Accepting Warranty or Additional Liability" in text
    assert "END OF TERMS AND CONDITIONS" in text


LOCKS = ("requirements.lock", "requirements-dev.lock", "requirements-build.lock")


def pinned(lock: str) -> dict[str, str]:
    """Give the versions that a lock pins, by name."""
    text = (ROOT / lock).read_text("ascii")
    return dict(re.findall(r"^([a-z0-9._-]+)==([^\s;]+)", text, re.M))


def asked(requirements: list[str]) -> set[str]:
    """Give the names that pyproject asks for."""
    return {re.split(r"[<>=\[; ]", line)[0].lower().replace("_", "-") for line in requirements}


@pytest.mark.parametrize("lock", LOCKS)
def test_lock_holds_names_versions_and_hashes_only(lock: str) -> None:
    """No index, no address, no path: each host takes packages from where it takes packages."""
    for line in (ROOT / lock).read_text("ascii").splitlines():
        assert re.fullmatch(
            r"[a-z0-9._-]+==[^\s;]+( ; .+)? \\|    --hash=sha256:[0-9a-f]{64}( \\)?", line
        ), line


def test_locks_pin_every_dependency_and_the_build_backend() -> None:
    """What pyproject asks for is in the lock of its purpose: nothing unpinned is fetched."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    run = asked(project["project"]["dependencies"])
    dev = asked(project["project"]["optional-dependencies"]["dev"])
    build = asked(project["build-system"]["requires"])
    assert run <= pinned("requirements.lock").keys()
    assert run | dev <= pinned("requirements-dev.lock").keys()
    assert build <= pinned("requirements-build.lock").keys()
    assert not (dev - run) & pinned("requirements.lock").keys(), "a vault host runs no tests"


def test_tests_run_with_the_versions_that_a_vault_host_runs() -> None:
    """A dependency is the same release in both locks."""
    assert pinned("requirements.lock").items() <= pinned("requirements-dev.lock").items()


def test_make_has_the_targets_that_the_manual_names() -> None:
    """Each target exists, and what make would do for it can be told."""
    for target in sorted(TARGETS):
        told = subprocess.run(
            ["make", "-n", target], cwd=ROOT, capture_output=True, text=True, check=False
        )
        assert told.returncode == 0, told.stderr
        assert told.stdout.strip(), target


def test_scripts_are_executable_and_parse() -> None:
    """A shell reads each of them to its end without a complaint."""
    hooks = (ROOT / "hooks").glob("*.example")
    for script in (ROOT / "scripts/setup.sh", ROOT / ".ci/run", *hooks):
        assert os.access(script, os.X_OK), script
        subprocess.run(["bash", "-n", str(script)], check=True)


def test_ci_runs_tests_then_linters_then_long_tests() -> None:
    """In this order, and it stops at the first that fails."""
    text = (ROOT / ".ci/run").read_text("utf-8")
    assert "set -eu" in text
    assert re.findall(r"^make .*?(test-long|test|lint)$", text, re.M) == [
        "test",
        "lint",
        "test-long",
    ]


def test_no_path_of_the_machine_it_was_built_on() -> None:
    """No tracked file names a folder of a developer's machine."""
    # ``/proc/PID/root/`` is the kernel's, not a developer's.
    paths = re.compile(rb"(?<![\w}])/(?:work|root)" + rb"/(?!\.\.)")
    guilty = [str(path.relative_to(ROOT)) for path in tracked() if paths.search(path.read_bytes())]
    assert not guilty


def test_wheel_carries_policies_hooks_and_the_example(tmp_path: Path) -> None:
    """What ``coffre init`` copies out travels in the wheel, made without a network."""
    subprocess.run(
        [sys.executable, "-m", "pip", "--disable-pip-version-check", "wheel", "--quiet",
         "--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", str(tmp_path), "."],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )  # fmt: skip
    (wheel,) = tmp_path.glob("coffre-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        modes = {info.filename: info.external_attr >> 16 for info in archive.infolist()}
    assert "vault/shipped/vault.example.yaml" in names
    assert any(name.endswith("licenses/LICENSE") for name in names)
    for folder in ("policies", "hooks"):
        for path in (ROOT / folder).rglob("[!.]*"):
            if path.is_file():
                assert f"vault/shipped/{path.relative_to(ROOT)}" in names
    assert modes["vault/shipped/hooks/after-cycle.example"] & 0o111
    assert not [name for name in names if name.startswith(("tests/", "benchmarks/"))]
