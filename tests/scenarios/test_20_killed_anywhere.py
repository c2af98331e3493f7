"""Scenario 20. Goal: whoever dies, wherever, the door is shut, the target sound, the next night whole.

One vault and one disk go through a whole matrix: each point is a night of its own, met by a kill
or an error, judged, and followed by a plain night that must carry all the rest.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from pathlib import Path

import pytest

from tests.rigs.disk import attached, fsck
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

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(not Path("vault/cli/main.py").exists(), reason="no command yet"),
]
needs_strace = pytest.mark.skipif(
    why_no_strace() is not None, reason=f"NOT SHOWN: {why_no_strace()}"
)

SEED = 20260101


class Matrix:
    """A vault with one sound night on its disk, and the judging of what follows."""

    def __init__(self, vault: ScratchVault, device: str, scratch: Path) -> None:
        self.vault, self.device, self.scratch = vault, device, scratch
        self.night = 1
        self.problems: list[str] = []

    def grow(self) -> None:
        """Let a night's work appear."""
        self.night += 1
        self.vault.grow(self.night)

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


@pytest.fixture(scope="module")
def matrix(tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("matrix")
    image = folder / "disk.img"
    with image.open("wb") as file:
        file.truncate(256 << 20)
    vault = make_vault(folder / "vault", targets={"disk-a": "disk"})
    vault.init()
    with attached(image) as medium:
        vault.enrol("disk-a", device=medium.device)
        vault.run().ok()
        yield Matrix(vault, medium.device, folder)
        wait_free(medium.device, timeout_s=5)
        assert fsck(image).returncode == 0


def sample_of(long_run: bool) -> int | None:
    return None if long_run else SAMPLE


@needs_strace
@pytest.mark.parametrize("what", [KILL, "error=EIO", "retval=0"])
def test_fault_29_the_vault_side_may_be_met_at_every_call(
    matrix: Matrix, tmp_path: Path, long_run: bool, what: str
) -> None:
    """Killed, refused by the kernel, or lied to at each write, sync, link and mkdir."""
    traced = TracedPython(tmp_path / "traced")
    calls = [call for call in WRITING if what != "retval=0" or call == "linkat"]
    matrix.grow()
    traced.count(calls)
    matrix.vault.python = str(traced.python)
    matrix.vault.run().ok()
    points = kill_points(traced.counts(calls), seed=SEED, sample=sample_of(long_run))
    assert points, "the vault side was not traced"
    for point in points if long_run or what == KILL else points[:5]:
        matrix.grow()
        traced.inject(point, what)
        matrix.vault.python = str(traced.python)
        met = matrix.vault.run()
        matrix.vault.python = sys.executable
        told = f"{what} at {point}"
        if met.code == 5:
            matrix.problems.append(f"{told}: degraded: {met.stdout}")
        matrix.judge(told)
        matrix.go_on(told)
    assert matrix.problems == []


@needs_strace
def test_fault_29_the_command_itself_may_die_at_every_call(
    matrix: Matrix, tmp_path: Path, long_run: bool
) -> None:
    """Catalogue, ledger, reception, state: the next start shuts first, then goes on."""
    vault = matrix.vault
    matrix.grow()
    words = vault.argv("run", "--now")
    context = {"env": vault.environment(), "cwd": vault.folder}
    counts = count_calls(words, WRITING, log=tmp_path / "log", **context)
    for point in kill_points(counts, seed=SEED, sample=sample_of(long_run)):
        matrix.grow()
        run_injected(words, point.syscall, point.when, **context)
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
    matrix.grow()
    began = time.monotonic()
    matrix.vault.run().ok()
    whole_s = time.monotonic() - began
    for number in range(100 if long_run else 8):
        matrix.grow()
        night = matrix.vault.start("run", "--now")
        time.sleep(chance.uniform(0.2, 1.0) * whole_s)
        alive = processes_of(night.pid)
        victim = chance.choice(alive) if alive else night.pid
        told = f"kill {number}: process {alive.index(victim) if alive else 0} of {len(alive)}"
        os.kill(victim, signal.SIGKILL)
        night.communicate(timeout=60)
        matrix.judge(told)
        matrix.go_on(told)
    assert matrix.problems == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_fault_32_a_signal_shuts_in_good_order(matrix: Matrix, number: signal.Signals) -> None:
    """Ended by a signal, the command says so, and the vault is locked."""
    matrix.grow()
    night = matrix.vault.start("run", "--now")
    time.sleep(1)
    night.send_signal(number)
    night.communicate(timeout=60)
    assert night.returncode in (0, 130), number.name
    matrix.judge(number.name)
    matrix.go_on(number.name)
    assert matrix.problems == []
