"""What every test session promises: root tests never skip in silence, and nothing is left over.

Rule 1: a test marked ``root`` skips with its reason where root, loop devices or namespaces are
    missing; where ``CI`` is true it fails instead.
Rule 2: a test marked ``long`` runs only with ``--long`` (or ``COFFRE_TEST_LONG=1``).
Rule 3: tests of one group share a device or a vault, so one worker runs them: where the
    workers were told nothing of groups, each such test fails, always and not at random.
Rule 4: a session that leaves a loop device, a mount or a process behind fails, and names them.
    What is ours is told by the session's temporary folder and by a mark in the environment, so
    that other people's disks on the same machine are not our business.
"""

from __future__ import annotations

import functools
import os
import subprocess
import time
import uuid
from pathlib import Path

import hypothesis
import pytest

MARK = "COFFRE_TEST_SESSION"
LONG = "COFFRE_TEST_LONG"
PATIENCE_S = 3.0  # a process that is ending is not left over


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--long", action="store_true", help="every point of every matrix, every version of restic"
    )


def pytest_configure(config: pytest.Config) -> None:
    # A busy machine is no finding: how long one example takes is not what these tests are about.
    hypothesis.settings.register_profile("coffre", deadline=None)
    hypothesis.settings.load_profile("coffre")
    # The workers of one session inherit the mark of the process that started them.
    if not hasattr(config, "workerinput"):
        os.environ[MARK] = uuid.uuid4().hex
    config.stash[LEFT_OVER] = []


LEFT_OVER: pytest.StashKey[list[str]] = pytest.StashKey()


def is_long(config: pytest.Config) -> bool:
    return bool(config.getoption("--long")) or os.environ.get(LONG) == "1"


@pytest.fixture(scope="session")
def long_run(request: pytest.FixtureRequest) -> bool:
    """Whether every point of a matrix is to be run, or a seeded few."""
    return is_long(request.config)


@functools.cache
def why_not_root() -> str | None:
    """Say what a root test lacks here, or None when it lacks nothing."""
    if os.geteuid() != 0:
        return "not root"
    if not os.path.exists("/dev/loop-control"):
        return "no loop devices"
    tried = subprocess.run(
        ["unshare", "--mount", "--pid", "--fork", "true"], capture_output=True, check=False
    )
    return None if tried.returncode == 0 else "no mount or process namespaces"


def weight(item: pytest.Item) -> int:
    """Say how early a test is to start: what takes minutes first, or one worker waits for it."""
    if item.get_closest_marker("matrix"):
        return 0
    return 1 if "scenarios" in item.path.parts else 2


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    items.sort(key=weight)
    lacking = why_not_root() if any(item.get_closest_marker("root") for item in items) else None
    # In CI nothing that guards the vault may go untested: there the test runs, and fails.
    must_run = os.environ.get("CI", "").lower() == "true"
    for item in items:
        if item.get_closest_marker("long") and not is_long(config):
            item.add_marker(pytest.mark.skip(reason="long: runs in make test-long"))
        if item.get_closest_marker("root") and lacking and not must_run:
            item.add_marker(pytest.mark.skip(reason=f"NOT SHOWN: needs root: {lacking}"))


def pytest_runtest_setup(item: pytest.Item) -> None:
    is_grouped = bool(item.get_closest_marker("xdist_group"))
    is_parted = item.config.getoption("loadgroup", False)
    if is_grouped and is_parted and "@" not in item.nodeid.rpartition("]")[2]:
        pytest.fail("this pytest-xdist has lost the test's group", pytrace=False)
    in_ci = os.environ.get("CI", "").lower() == "true"
    if in_ci and item.get_closest_marker("root") and (lacking := why_not_root()):
        pytest.fail(f"a root test may not be skipped in CI: {lacking}", pytrace=False)


def loop_devices(ours: str, mark: str) -> dict[str, str]:
    """Give the loop devices over a file of our temporary folder or with our mark, and that file."""
    found = {}
    for path in Path("/sys/block").glob("loop*/loop/backing_file"):
        try:
            backing = path.read_text().strip()
        except OSError:
            continue
        if backing.startswith(ours) or mark in backing:
            found[f"/dev/{path.parts[3]}"] = backing
    return found


def mounts(ours: str, devices: dict[str, str]) -> list[str]:
    """Give the mounts, in this namespace, on our folder or of our devices."""
    found = []
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        row = line.split()
        source = row[row.index("-") + 2]
        if row[4].startswith(ours) or source.startswith(ours) or source in devices:
            found.append(f"{source} on {row[4]}")
    return found


def is_ours(process: Path, ours: str, mark: str) -> bool:
    """Say whether a process carries our mark, works in our folder, or was given its name."""
    if mark.encode() in (process / "environ").read_bytes():
        return True
    if ours.encode() in (process / "cmdline").read_bytes():
        return True
    return os.readlink(process / "cwd").startswith(ours)


def processes(ours: str, mark: str) -> list[str]:
    """Give the living processes of ours; this one and the workers of pytest-xdist left out."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            state = (process / "stat").read_text().rpartition(")")[2].split()[0]
            words = (process / "cmdline").read_bytes().replace(b"\0", b" ")[:120]
            spared = int(process.name) == os.getpid() or b"execnet" in words
            if state != "Z" and not spared and is_ours(process, ours, mark):
                found.append(f"{process.name}: {words.decode('utf-8', 'replace').strip()}")
        except (OSError, IndexError):
            continue  # it ended while we looked
    return found


def left_over(ours: str, mark: str) -> list[str]:
    """Give everything of ours that still stands, a sentence each."""
    devices = loop_devices(ours, mark)
    return [
        *(f"loop device {device} over {backing}" for device, backing in devices.items()),
        *(f"mount {mount}" for mount in mounts(ours, devices)),
        *(f"process {process}" for process in processes(ours, mark)),
    ]


def pytest_sessionfinish(session: pytest.Session) -> None:
    config = session.config
    factory = getattr(config, "_tmp_path_factory", None)
    if hasattr(config, "workerinput") or factory is None:
        return
    ours = str(factory.getbasetemp())
    deadline = time.monotonic() + PATIENCE_S
    while (found := left_over(ours, os.environ[MARK])) and time.monotonic() < deadline:
        time.sleep(0.1)
    config.stash[LEFT_OVER] = found
    if found and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    if found := config.stash[LEFT_OVER]:
        terminalreporter.section("left over by this session", red=True, bold=True)
        for line in found:
            terminalreporter.line(line)
