"""Scenario 62. Goal: a job that is late, refused or fails is in the ledger; a jump is survived.

The daemon's own parts inside this process: the real scheduler, the real catalogue and ledger; its
clock is one that can be set.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.rigs.vaults import ScratchVault
from tests.scenarios.test_40_every_gap import rewrite
from vault.clock import SystemClock
from vault.config import load
from vault.errors import ProcessError
from vault.scheduler import Daemon
from vault.wiring.wired import Wired


class SetClock(SystemClock):
    """The host's clock with a wall and a boot that are moved by hand."""

    wall_s = 0.0
    boot_ahead_s = 0.0

    def now(self) -> datetime:
        return super().now() + timedelta(seconds=self.wall_s)

    def boot_s(self) -> float:
        return super().boot_s() + self.boot_ahead_s


@pytest.fixture
def vault(held: ScratchVault) -> ScratchVault:
    """Give a vault whose window opens in three hours."""
    start = (datetime.now(UTC) + timedelta(hours=3)).strftime("%H:%M")
    rewrite(held.config, "{door: {folder: trial}, ", "{door: {folder: trial}, window: night, ")
    rewrite(held.config, "Europe/Paris", "Etc/UTC")
    with held.config.open("a") as file:
        file.write(f'windows: {{night: {{start: "{start}", for: 1h}}}}\n')
    return held


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
def daemon(vault: ScratchVault, clock: SetClock, said: list[str]) -> Daemon:
    """Give a daemon with its jobs made, that does not run yet."""

    def wired() -> Wired:
        made = Wired(load(str(vault.config)))
        made.clock = clock
        return made

    made = Daemon(wired, lambda sentence, **_values: said.append(sentence))
    made._make_jobs()
    return made


@pytest.fixture
def said() -> list[str]:
    return []


def entries(vault: ScratchVault, kind: str) -> list[dict]:
    text = (vault.state / "ledger" / "ledger.jsonl").read_text("utf-8")
    found = (json.loads(line) for line in text.splitlines())
    return [entry["body"] for entry in found if entry["kind"] == kind]


def drained(daemon: Daemon, act: Callable[[], None]) -> None:
    """Let the real scheduler hand a job over, and run what it handed."""
    daemon._scheduler.start()
    try:
        act()
        job = daemon._jobs.get(timeout=20)
        assert job is not None
        job()
    finally:
        daemon._scheduler.shutdown(wait=False)
    daemon._write_noted()


def at(daemon: Daemon, name: str, moment: datetime) -> None:
    daemon._scheduler.modify_job(name, next_run_time=moment)


def test_a_job_later_than_its_grace_is_recorded_as_missed(vault, daemon, said):
    """The host slept through the window: the trigger is told, no child is started."""
    due_at = datetime.now(UTC) - timedelta(hours=2)
    drained(daemon, lambda: at(daemon, "night-night", due_at))
    missed = entries(vault, "job-missed")
    assert [one["job"] for one in missed] == ["night-night"]
    assert "begun" not in said


def test_a_job_that_raises_is_recorded_and_the_next_one_runs(vault, daemon, said, monkeypatch):
    """What cannot even be started is a failed job, not a dead daemon."""

    def fail(*_words: object, **_more: object) -> None:
        raise ProcessError("{program} could not be started", program="coffre")

    monkeypatch.setattr("vault.scheduler.run", fail)
    drained(daemon, lambda: at(daemon, "evaluate", datetime.now(UTC)))
    failed = entries(vault, "job-failed")
    assert [(one["job"], one["reference"]) for one in failed] == [("evaluate", "process-failed")]
    assert "failed" in said


def test_a_job_whose_last_run_is_not_over_is_recorded_as_refused(vault, daemon):
    """One instance of each: the second one is told, never lost in silence."""
    daemon._scheduler.start()
    try:
        at(daemon, "evaluate", datetime.now(UTC))
        first = daemon._jobs.get(timeout=20)
        at(daemon, "evaluate", datetime.now(UTC))
        gives_up_at = time.monotonic() + 20
        while not daemon._noted and time.monotonic() < gives_up_at:
            time.sleep(0.02)
    finally:
        daemon._scheduler.shutdown(wait=False)
    assert first is not None
    daemon._write_noted()
    assert [one["job"] for one in entries(vault, "job-refused")] == ["evaluate"]


def test_entries_wait_while_another_coffre_holds_the_vault(vault, daemon):
    """Nothing is written beside a night, and nothing is lost."""
    daemon._noted.append(lambda ledger: ledger.append("job-refused", job="x", due_at=""))
    with daemon._wired.state.lock():
        daemon._write_noted()
        assert entries(vault, "job-refused") == []
    daemon._write_noted()
    assert len(entries(vault, "job-refused")) == 1


@pytest.mark.parametrize("jump_s", [-7200.0, 7200.0])
def test_after_a_jump_of_the_clock_the_jobs_are_made_anew(vault, daemon, clock, said, jump_s):
    """To the new time at once; the entry waits ten minutes, for a clock that stays."""
    before = daemon._scheduler.get_job("night-night").trigger.get_next_fire_time(None, clock.now())
    daemon._look_at_clock()
    assert "jumped" not in said
    clock.wall_s = jump_s
    daemon._look_at_clock()
    assert said.count("jumped") == 1
    after = daemon._scheduler.get_job("night-night").trigger.get_next_fire_time(None, clock.now())
    assert before == after  # the same wall clock, so much nearer or further
    daemon._write_noted()
    assert entries(vault, "clock-jumped") == []
    clock.boot_ahead_s, clock.wall_s = 601.0, jump_s + 601.0
    daemon._look_at_clock()
    assert said.count("jumped") == 1
    daemon._write_noted()
    told = [] if jump_s < 0 else [round(jump_s)]
    assert [one["seconds"] for one in entries(vault, "clock-jumped")] == told


def test_a_clock_behind_the_records_writes_nothing(vault, daemon, clock):
    """An entry under it would be the newest: it waits until the clock is right."""
    daemon._noted.append(lambda ledger: ledger.append("job-refused", job="x", due_at=""))
    clock.wall_s = -86_400.0
    daemon._write_noted()
    assert entries(vault, "job-refused") == []
    clock.wall_s = 0.0
    daemon._write_noted()
    assert len(entries(vault, "job-refused")) == 1


def test_a_window_that_no_target_uses_starts_no_daemon(held: ScratchVault, tmp_path: Path) -> None:
    """There is nothing to wait for, and it says so."""
    answer = held.coffre("serve").ok(2)
    assert answer.document["error"]["reference"] == "usage"
