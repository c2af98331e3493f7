"""Scenario 20. Goal: whoever dies, wherever: the door shuts, the target is sound, nothing is lost.

Each point of a matrix starts from the same vault and disk, one sound night old: a night grows, is
met by a kill or an error, is judged, and is followed by a plain night that must carry all.
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.rigs.disk import attached
from tests.rigs.judge import Seen, files_of, look, wait_free
from tests.rigs.strace import (
    KILL,
    SAMPLE,
    WRITING,
    TracedPython,
    count_calls,
    kill_points,
    run_injected,
    why_no_strace,
)
from tests.rigs.vaults import SOURCES, ScratchVault, make_vault
from vault.errors import ExitCode

pytestmark = [
    pytest.mark.root,
    pytest.mark.matrix,
    pytest.mark.skipif(not Path("vault/cli/main.py").exists(), reason="no command yet"),
]
needs_strace = pytest.mark.skipif(
    why_no_strace() is not None, reason=f"NOT SHOWN: {why_no_strace()}"
)

SEED = 20260101
# Of the points of a matrix in the long tests; all of them with COFFRE_TEST_EVERY=1.
LONG_SAMPLE = None if os.environ.get("COFFRE_TEST_EVERY") == "1" else 100
SHARES = range(4)  # of the points of a matrix, so that workers may share them


class Matrix:
    """A vault and its disk that can be put back to the end of their first night."""

    def __init__(self, vault: ScratchVault, image: Path, scratch: Path) -> None:
        self.vault, self.image, self.scratch = vault, image, scratch
        self.device = ""
        self.problems: list[str] = []
        self.counted: dict[str, dict[str, int]] = {}  # by who was traced: it is the same night
        self._kept = scratch / "kept"
        shutil.copytree(vault.folder, self._kept / "vault", symlinks=True)
        copy_sparse(image, self._kept / "disk.img")
        self._history = {source: list(states) for source, states in vault.history.items()}

    @contextlib.contextmanager
    def night(self) -> Iterator[None]:
        """Go back to the first night, let the next one's exports appear, attach the disk."""
        shutil.rmtree(self.vault.folder)
        shutil.copytree(self._kept / "vault", self.vault.folder, symlinks=True)
        copy_sparse(self._kept / "disk.img", self.image)
        self.vault.python = sys.executable
        self.vault.history = {source: list(was) for source, was in self._history.items()}
        self.vault.grow(2)
        with attached(self.image) as medium:
            self.device = medium.device
            yield

    def judge(self, point: object) -> None:
        """Look at door and target after a death: nothing may be open, torn or wrong."""
        took = wait_free(self.device, timeout_s=10)
        if took > 1:
            self.problems.append(f"{point}: the device was free only after {took:.1f} s")
        self.problems += [f"{point}: {problem}" for problem in self._look().problems]

    def go_on(self, point: object) -> None:
        """Run the next night plainly: it must carry all that is missing."""
        done = self.vault.run()
        if done.code or done.document.get("status") != "locked":
            self.problems.append(f"{point}: the next night ended so: {done.stdout}{done.stderr}")
        seen = self._look()
        self.problems += [f"{point}, next night: {problem}" for problem in seen.problems]
        newest = {(source, files_of(self.vault.exports(source))) for source in SOURCES}
        if not newest <= seen.states:
            self.problems.append(f"{point}: the newest exports are not on the target")

    def _look(self) -> Seen:
        target, password = Path(self.device), self.vault.password
        return look(target, password, scratch=self.scratch, history=self.vault.history)


def copy_sparse(origin: Path, copy: Path) -> None:
    """Copy a disk image without its holes."""
    subprocess.run(["cp", "--sparse=always", origin, copy], check=True)


@pytest.fixture(scope="module")
def matrix(tmp_path_factory: pytest.TempPathFactory) -> Matrix:
    folder = tmp_path_factory.mktemp("matrix")
    image = folder / "disk.img"
    with image.open("wb") as file:
        file.truncate(96 << 20)
    vault = make_vault(folder / "vault", targets={"disk-a": "disk"})
    vault.init()
    with attached(image) as medium:
        vault.enrol("disk-a", device=medium.device)
        vault.run().ok()
        wait_free(medium.device, timeout_s=5)
    return Matrix(vault, image, folder)


@pytest.fixture(autouse=True)
def fresh(matrix: Matrix) -> None:
    """Blame each test for its own points only."""
    matrix.problems = []


@needs_strace
@pytest.mark.parametrize("share", SHARES)
@pytest.mark.parametrize(("what", "sample"), [(KILL, SAMPLE), ("error=EIO", 4)])
def test_fault_29_the_vault_side_may_be_met_at_every_call(
    matrix: Matrix, tmp_path: Path, long_run: bool, what: str, sample: int, share: int
) -> None:
    """Killed, or refused by the kernel, at each write, sync, link and mkdir."""
    traced = TracedPython(tmp_path / "traced")
    if "vault side" not in matrix.counted:
        with matrix.night():
            traced.count(WRITING)
            matrix.vault.python = str(traced.python)
            matrix.vault.run().ok()
        matrix.counted["vault side"] = traced.counts(WRITING)
    counts = matrix.counted["vault side"]
    assert counts["linkat"], "the vault side was not traced"
    points = kill_points(counts, seed=SEED, sample=LONG_SAMPLE if long_run else sample)
    for point in points[share :: len(SHARES)]:
        with matrix.night():
            traced.inject(point, what)
            matrix.vault.python = str(traced.python)
            met = matrix.vault.run()
            matrix.vault.python = sys.executable
            told = f"{what} at {point}"
            if met.code == ExitCode.DEGRADED:
                matrix.problems.append(f"{told}: degraded: {met.stdout}")
            matrix.judge(told)
            matrix.go_on(told)
    assert matrix.problems == []


@needs_strace
@pytest.mark.parametrize("share", SHARES)
def test_fault_29_the_command_itself_may_die_at_every_call(
    matrix: Matrix, tmp_path: Path, long_run: bool, share: int
) -> None:
    """Catalogue, ledger, reception, state: the next start shuts first, then goes on."""
    vault = matrix.vault
    words = vault.argv("run", "--now")
    environ = vault.environment()
    if "command" not in matrix.counted:
        with matrix.night():
            log = tmp_path / "log"
            found = count_calls(words, WRITING, log=log, env=environ, cwd=vault.folder)
        matrix.counted["command"] = found
    counts = matrix.counted["command"]
    sample = LONG_SAMPLE if long_run else SAMPLE
    points = kill_points(counts, seed=SEED, sample=sample)
    for point in points[share :: len(SHARES)]:
        with matrix.night():
            run_injected(words, point.syscall, point.when, env=environ, cwd=vault.folder)
            matrix.judge(point)
            matrix.go_on(point)
    assert matrix.problems == []


def processes_of(session: int) -> list[int]:
    """Give the living processes of a session, the leader first."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            facts = (process / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(facts[3]) == session and facts[0] != "Z":
            found.append(int(process.name))
    return sorted(found)


def test_fault_30_any_process_of_a_night_may_be_killed_at_any_moment(
    matrix: Matrix, long_run: bool
) -> None:
    """Command, warden, init, worker, restic: whichever is alive at a seeded moment is killed."""
    chance = random.Random(SEED)
    with matrix.night():
        began = time.monotonic()
        matrix.vault.run().ok()
        whole_s = time.monotonic() - began
    for number in range(60 if long_run else 6):
        with matrix.night():
            night = matrix.vault.start("run", "--now")
            time.sleep(chance.uniform(0.2, 1.0) * whole_s)
            alive = processes_of(night.pid) or [night.pid]
            place = chance.randrange(len(alive))
            os.kill(alive[place], signal.SIGKILL)
            night.communicate(timeout=60)
            told = f"kill {number}: process {place} of {len(alive)}"
            matrix.judge(told)
            matrix.go_on(told)
    assert matrix.problems == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_fault_32_a_signal_shuts_in_good_order(matrix: Matrix, number: signal.Signals) -> None:
    """Ended by a signal, the command says so, and the vault is locked."""
    with matrix.night():
        night = matrix.vault.start("run", "--now")
        while len(processes_of(night.pid)) == 1:  # no child yet: nothing of the night has begun
            time.sleep(0.01)
        night.send_signal(number)
        told = night.communicate(timeout=60)
        assert night.returncode in (ExitCode.SOUND, ExitCode.INTERRUPTED), told
        matrix.judge(number.name)
        matrix.go_on(number.name)
    assert matrix.problems == []
