"""Scenario 60. Goal: nights happen by themselves, whatever becomes of who waits for them.

A real daemon on a scratch vault whose window opens within the minute. It is killed, its night is
killed, it is told to end, to read again; the doors are asked afterwards, and the ledger.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from tests.rigs.disk import Disk
from tests.rigs.vaults import ScratchVault
from tests.rigs.waiting import wait_until
from tests.scenarios.test_40_every_gap import age, records, rewrite, shown

PARIS = ZoneInfo("Europe/Paris")
_PATIENCE_S = 90.0
until = partial(wait_until, timeout_s=_PATIENCE_S)
OnDisk = tuple[ScratchVault, Disk]


def ledger(vault: ScratchVault) -> list[dict]:
    """Give the entries of a vault's ledger."""
    text = (vault.state / "ledger" / "ledger.jsonl").read_text("utf-8")
    return [json.loads(line) for line in text.splitlines() if line.endswith("}")]


def count(vault: ScratchVault, kind: str) -> int:
    return sum(entry["kind"] == kind for entry in ledger(vault))


def set_window(vault: ScratchVault, opens: datetime, *, lasts: str = "1h", more: str = "") -> None:
    """Give the target a window that opens at an instant, to the minute before it."""
    start = opens.astimezone(PARIS).strftime("%H:%M")
    rewrite(vault.config, "store: files}", "store: files, window: night}")
    with vault.config.open("a") as file:
        file.write(f'windows: {{night: {{start: "{start}", for: {lasts}{more}}}}}\n')


@contextmanager
def serving(vault: ScratchVault) -> Iterator[subprocess.Popen[str]]:
    """Run the daemon; what of it is left at the end is killed."""
    daemon = vault.start("serve")
    try:
        yield daemon
    finally:
        if daemon.poll() is None:
            daemon.kill()
        daemon.communicate()


def ended(daemon: subprocess.Popen[str], number: signal.Signals) -> tuple[int, str]:
    """End a daemon with a signal; give its code and what it said."""
    daemon.send_signal(number)
    _, said = daemon.communicate(timeout=_PATIENCE_S)
    return daemon.returncode, said


def now() -> datetime:
    return datetime.now(UTC)


def slow_exports(vault: ScratchVault) -> None:
    """Let a night last long enough to be met in its midst: a hook that sleeps."""
    hook = vault.folder / "hooks" / "after-collect"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\nsleep 20\n")
    hook.chmod(0o755)


def children(pid: int) -> list[int]:
    """Give the processes below one."""
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(one) for one in found]


@pytest.mark.long
def test_a_night_happens_when_the_window_opens_and_not_again(held: ScratchVault) -> None:
    """Within the minute, by a trigger and not at the start; a second daemon is refused."""
    held.grow(2)
    set_window(held, now() + timedelta(minutes=1))
    nights = count(held, "cycle-ended")
    with serving(held) as daemon:
        until(lambda: count(held, "cycle-ended") > nights, "a night")
        until(lambda: children(daemon.pid) == [], "its very end")
        begun = [entry for entry in ledger(held) if entry["kind"] == "cycle-begun"][-1]
        assert datetime.fromisoformat(begun["at"]).second < 30
        assert begun["body"]["forced"] is False
        held.coffre("serve").ok(1)
        shows = held.coffre("schedule", "show").ok().document
        assert shows["daemon"] == daemon.pid
        assert shows["windows"][0]["call"] == "wait"
        code, said = ended(daemon, signal.SIGTERM)
    assert code == 0, said
    assert "night-night: ended with 0" in said
    assert count(held, "cycle-ended") == nights + 1
    with serving(held) as daemon:  # started again inside the window: it was served
        until(lambda: "running" if children(daemon.pid) else False, "the first look")
        code, said = ended(daemon, signal.SIGINT)
    assert code == 0
    assert "coffre run" not in said
    assert count(held, "cycle-ended") == nights + 1


@pytest.mark.long
def test_a_daemon_killed_in_its_night_leaves_every_door_shut_and_the_next_one_goes_on(
    held: ScratchVault,
) -> None:
    """SIGKILL while the night runs: nothing outlives it, and the restart runs the night anew."""
    age(held, 1)  # its first night is not one of this window
    held.grow(2)
    slow_exports(held)
    set_window(held, now() - timedelta(minutes=1))
    nights = count(held, "cycle-ended")
    with serving(held) as daemon:
        until(lambda: count(held, "cycle-begun") == nights + 1, "the night's beginning")
        (night,) = children(daemon.pid)
        daemon.kill()
        daemon.wait()
        until(lambda: not os.path.exists(f"/proc/{night}"), "the end of the night")
    held.coffre("target", "close").ok()
    (held.folder / "hooks" / "after-collect").unlink()
    with serving(held) as daemon:
        until(lambda: count(held, "cycle-ended") == nights + 1, "the night again")
        until(lambda: children(daemon.pid) == [], "its very end")
        assert held.coffre("status").document["status"] == "locked"
        assert ended(daemon, signal.SIGTERM)[0] == 0
    kinds = [entry["kind"] for entry in ledger(held)]
    assert "cycle-died" in kinds
    assert held.coffre("status").ok().document["last_cycle"]["verdict"] == "sound"
    assert "window-missed" not in shown(held)


@pytest.mark.long
@pytest.mark.root
@pytest.mark.xdist_group("disk")
def test_a_daemon_killed_while_a_disk_is_open_leaves_it_shut(on_disk: OnDisk) -> None:
    """SIGKILL with the door of a real disk open: the kernel unmounts, the restart carries on."""
    vault, disk = on_disk
    age(vault, 1)
    vault.grow(2)
    set_window(vault, now() - timedelta(minutes=1))
    airlock = vault.state / "airlock.json"
    with serving(vault) as daemon:
        until(lambda: '"carrying"' in airlock.read_text(), "an open door")
        daemon.kill()
        daemon.wait()
    assert '"carrying"' in airlock.read_text()  # nobody was left to say otherwise
    until(lambda: is_free(disk.device), "a device that nobody holds")
    nights = count(vault, "cycle-ended")
    with serving(vault) as daemon:
        until(lambda: count(vault, "cycle-ended") > nights, "the night again")
        until(lambda: children(daemon.pid) == [], "its very end")
        assert ended(daemon, signal.SIGTERM)[0] == 0
    assert count(vault, "recovered") >= 1
    status = vault.coffre("status").ok().document
    assert (status["status"], status["last_cycle"]["verdict"]) == ("locked", "sound")


def is_free(device: str) -> bool:
    """Whether a block device can be had for oneself: it is mounted and held nowhere."""
    try:
        os.close(os.open(device, os.O_RDONLY | os.O_EXCL))
    except OSError:
        return False
    return True


@pytest.mark.long
def test_a_daemon_that_is_ended_interrupts_its_night_in_order(held: ScratchVault) -> None:
    """SIGTERM in the night: the night ends as interrupted, the daemon with 0, locked."""
    age(held, 1)  # its first night is not one of this window
    held.grow(2)
    slow_exports(held)
    set_window(held, now() - timedelta(minutes=1))
    nights = count(held, "cycle-ended")
    with serving(held) as daemon:
        until(lambda: count(held, "cycle-begun") == nights + 1, "the night's beginning")
        time.sleep(2)
        code, said = ended(daemon, signal.SIGTERM)
    assert code == 0, said
    assert count(held, "cycle-ended") == nights + 1
    status = held.coffre("status").ok().document
    assert (status["status"], status["last_cycle"]["verdict"]) == ("locked", "interrupted")
    failed = [entry["body"] for entry in ledger(held) if entry["kind"] == "job-failed"]
    assert [(one["job"], one["reference"]) for one in failed] == [("again-night", "interrupted")]


@pytest.mark.long
def test_a_window_that_passed_without_the_daemon_is_a_gap_or_caught_up(held: ScratchVault) -> None:
    """Off while the window was open: told once; with leave, made up for, and recorded as such."""
    age(held, 2)
    set_window(held, now() - timedelta(minutes=3), lasts="1m")
    nights = count(held, "cycle-ended")
    with serving(held) as daemon:
        until(lambda: count(held, "window-missed") >= 2, "the missed windows")
        until(lambda: children(daemon.pid) == [], "the end of the look")
        assert ended(daemon, signal.SIGTERM)[0] == 0
    lost = [
        entry["body"]["opened_at"] for entry in ledger(held) if entry["kind"] == "window-missed"
    ]
    assert len(lost) == len(set(lost)) >= 2
    assert count(held, "cycle-ended") == nights
    assert "window-missed" in shown(held)
    held.coffre("run").ok(2)
    rewrite(held.config, "for: 1m}", "for: 1m, catch_up: 6h}")
    with serving(held) as daemon:
        until(lambda: count(held, "cycle-ended") == nights + 1, "the night that catches up")
        until(lambda: children(daemon.pid) == [], "its very end")
        code, said = ended(daemon, signal.SIGTERM)
    assert code == 0, said
    begun = [entry for entry in ledger(held) if entry["kind"] == "cycle-begun"][-1]
    assert begun["body"]["caught_up"] == ["night"]
    assert begun["body"]["forced"] is True
    closes_at = datetime.fromisoformat(begun["body"]["closes_at"])
    assert closes_at - datetime.fromisoformat(begun["at"]) <= timedelta(seconds=60)
    assert count(held, "window-missed") == len(lost)
    assert "window-missed" not in shown(held)
    held.coffre("run", "--catch-up").ok(2)  # there is nothing more to catch up


@pytest.mark.long
def test_a_broken_configuration_is_refused_and_the_old_schedule_goes_on(
    held: ScratchVault,
) -> None:
    """SIGHUP with a fault, then without it: the first is told and recorded, the second taken."""
    set_window(held, now() + timedelta(hours=3))
    whole = held.config.read_text()
    with serving(held) as daemon:
        until(lambda: children(daemon.pid) != [], "the first look")
        held.config.write_text(whole + "winters: {}\n")
        daemon.send_signal(signal.SIGHUP)
        until(lambda: count(held, "config-refused") == 1, "the refusal")
        held.config.write_text(whole)
        daemon.send_signal(signal.SIGHUP)
        time.sleep(1)
        code, said = ended(daemon, signal.SIGTERM)
    assert code == 0, said
    assert said.count("night: opens") == 2
    assert "winters" in said


def step_of(vault: ScratchVault, *, cycle: int) -> int | None:
    """Give the step that a night is at; it asks for late exports between 2 and 3."""
    with records(vault) as catalogue:
        row = catalogue.execute("SELECT step FROM cycle WHERE number = ?", (cycle,)).fetchone()
    return row and row[0]


@pytest.mark.long
def test_a_late_export_is_waited_for_inside_the_window(held: ScratchVault) -> None:
    """It comes while the night waits, both doors shut; the carry is foretold before its door."""
    age(held, 1)
    held.grow(2)
    rewrite(held.folder / "policies" / "hr.yaml", "priority:", "wait: 8s\npriority:")
    late = held.folder / "late"
    held.exports("hr").rename(late)
    set_window(held, now() - timedelta(minutes=1))
    night = held.start("-v", "run")
    until(lambda: step_of(held, cycle=2) == 3, "the end of the first round")
    until(lambda: '"locked"' in (held.state / "airlock.json").read_text(), "its shut door")
    late.rename(held.exports("hr"))
    out, said = night.communicate(timeout=_PATIENCE_S)
    assert night.returncode == 0, (out, said)
    verdicts = {one["name"]: one["verdict"] for one in json.loads(out)["sources"]}
    assert verdicts == {"pmsi": "saved", "hr": "saved"}
    (entry,) = [entry["body"] for entry in ledger(held) if entry["kind"] == "sources-awaited"]
    assert (entry["sources"], entry["came"]) == (["hr"], ["hr"])


@pytest.mark.long
def test_what_is_to_come_is_said_before_a_door_opens(held: ScratchVault) -> None:
    """In the plan and in the night itself, from bytes and the speed measured on this target."""
    held.grow(2)
    plan = held.coffre("run", "--now", "--dry-run").ok().document["targets"][0]
    assert (plan["takes_s"], plan["nights"]) == (None, None)  # too few bytes to measure by
    with records(held) as catalogue:
        catalogue.execute("UPDATE target SET bytes_per_second = 1.0")
    words = [held.python, "-m", "vault.cli.main", "-c", str(held.config), "run", "--now"]
    done = subprocess.run(
        [*words, "--for", "10m"],
        env=held.environment(),
        cwd=held.folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in (0, 3), done.stderr  # at one byte a second, time is over at once
    said = done.stderr
    assert "to carry, about" in said
    assert re.search(r"at this speed it\s+takes \d+ nights", said), said
    assert said.index("to carry, about") < said.index("Opening the door of trial")
