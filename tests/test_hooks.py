"""What a site's executable is given, and that it can never decide, linger or read a secret."""

from __future__ import annotations

import json
import os
import re
import time
from pathlib import Path

import pytest

from vault.config.safety import check_executable
from vault.hooks import MOMENTS, HookFolder
from vault.results import HookOutcome


@pytest.fixture
def site(tmp_path: Path):
    """Give a folder of hooks, and a way to put one into it."""

    def put(moment: str, script: str, mode: int = 0o755) -> HookFolder:
        path = tmp_path / moment
        path.write_text("#!/bin/sh\n" + script)
        path.chmod(mode)
        return HookFolder(folder=str(tmp_path), check=check_executable, timeout_s=5)

    return put


def test_a_hook_gets_the_facts_on_standard_input_and_nothing_else(site, tmp_path, monkeypatch):
    """One JSON document; no word on the command line, nothing of our environment."""
    monkeypatch.setenv("RESTIC_PASSWORD", "sesame")
    hooks = site("after-cycle", f'cat > {tmp_path}/said; env > {tmp_path}/env; echo $# >> "$0.n"\n')
    fired = hooks.fire("after-cycle", {"verdict": "sound", "cycle": 3})
    assert fired.outcome is HookOutcome.RAN
    said = json.loads((tmp_path / "said").read_text())
    assert said == {
        "schema": "coffre/hook/1", "moment": "after-cycle", "verdict": "sound", "cycle": 3
    }  # fmt: skip
    assert "sesame" not in (tmp_path / "env").read_text()
    assert (tmp_path / "after-cycle.n").read_text() == "0\n"


def test_a_moment_without_a_hook_is_told_as_such(site, tmp_path):
    """An example's ending keeps it from being run."""
    hooks = site("after-cycle.example", f"touch {tmp_path}/ran\n")
    assert hooks.fire("after-cycle", {}).outcome is HookOutcome.ABSENT
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("mode", [0o777, 0o775, 0o644])
def test_fault_75_a_hook_that_others_may_write_or_nobody_may_run_is_refused(site, tmp_path, mode):
    """It would run as root; the reason is given, the file is not run."""
    fired = site("on-gap", f"touch {tmp_path}/ran\n", mode).fire("on-gap", {})
    assert fired.outcome is HookOutcome.REFUSED
    assert "mode" in fired.detail
    assert not (tmp_path / "ran").exists()


def test_a_hook_in_a_folder_that_others_may_write_is_refused(site, tmp_path):
    """Somebody else could put another file of that name there; an empty folder harms nobody."""
    hooks = site("on-gap", f"touch {tmp_path}/ran\n")
    tmp_path.chmod(0o777)
    fired = hooks.fire("on-gap", {})
    assert (fired.outcome, fired.detail.split()[0]) == (HookOutcome.REFUSED, "the")
    assert hooks.fire("publish", {}).outcome is HookOutcome.ABSENT
    assert not (tmp_path / "ran").exists()


def test_a_site_without_the_folder_is_told_so(tmp_path):
    """Else eight absent hooks would look like a choice."""
    hooks = HookFolder(folder=str(tmp_path / "hooks"), check=check_executable)
    fired = hooks.fire("publish", {})
    assert (fired.outcome, fired.detail) == (HookOutcome.ABSENT, "there is no folder of hooks")


def test_a_hook_that_fails_is_a_result_and_what_it_said_is_not_kept(site):
    """Its exit code stands in the detail, its words do not: they may name anything."""
    fired = site("publish", "echo a patient >&2; exit 9\n").fire("publish", {})
    assert (fired.outcome, fired.detail) == (HookOutcome.FAILED, "ended with 9")


def test_a_hook_that_hangs_is_killed_with_all_it_started(site, tmp_path):
    """Also what ignores being asked."""
    script = f"trap '' TERM\n(trap '' TERM; sleep 60) & echo $! > {tmp_path}/pid\nwait\n"
    hooks = site("door-shut", script)
    hooks = HookFolder(folder=hooks.folder, check=hooks.check, timeout_s=0.5)
    fired = hooks.fire("door-shut", {})
    assert fired.outcome is HookOutcome.TIMED_OUT
    pid = int((tmp_path / "pid").read_text())
    gives_up_at = time.monotonic() + 5
    while os.path.exists(f"/proc/{pid}") and time.monotonic() < gives_up_at:
        time.sleep(0.02)
    assert not os.path.exists(f"/proc/{pid}")


def test_what_is_no_program_is_a_result(site, tmp_path):
    """A file without an interpreter, and a folder of that name."""
    hooks = site("before-cycle", "")
    (tmp_path / "before-cycle").write_bytes(b"\x7fELF nonsense")
    assert hooks.fire("before-cycle", {}).outcome is HookOutcome.FAILED
    (tmp_path / "before-collect").mkdir()
    assert hooks.fire("before-collect", {}).outcome is HookOutcome.REFUSED


def test_every_moment_has_its_line_in_the_folders_readme():
    """The table of hooks/README.md is the list of moments, in its order."""
    readme = (Path(__file__).parents[1] / "hooks" / "README.md").read_text("utf-8")
    assert re.findall(r"^\| `([a-z-]+)` \|", readme, re.M) == list(MOMENTS)
