"""``coffre status --watch``: redrawn on a terminal, printed elsewhere, ended by a signal."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

import pytest

LOCKED, SECURED = "LOCKED: every vault door", "SECURED: the red button"


@pytest.fixture
def public(tmp_path) -> Path:
    """Give the public status of a vault that nothing else is there of."""
    config = tmp_path / "vault.yaml"
    config.write_text("site: {language: en, time_zone: Europe/Paris}\nstate: state\n")
    config.chmod(0o600)
    path = tmp_path / "state" / "public" / "status.json"
    path.parent.mkdir(parents=True)
    say(path, "locked")
    return path


def say(path: Path, status: str, *, gaps: int = 0) -> None:
    now = datetime.now(UTC).isoformat()
    gap = {
        "kind": "x", "severity": "warning", "source": None, "target": None, "since": None,
        "template": "a thing lacks", "mend_template": "mend it", "values": {}, "owner": None,
    }  # fmt: skip
    members = {
        "status": status, "state": status, "sources": [], "pid": 0,
        "written_at": now, "last_cycle": None, "targets": [],
        "gaps": [{**gap, "kind": f"x{n}", "template": f"thing {n} lacks"} for n in range(gaps)],
    }  # fmt: skip
    part = path.with_suffix(".part")
    part.write_text(json.dumps(members))
    part.rename(path)


def words(public: Path, *more: str) -> list[str]:
    config = public.parents[2] / "vault.yaml"
    return [sys.executable, "-m", "vault.cli.main", "-c", str(config), "status", *more]


class Watcher:
    """The command at a terminal of 24 lines and 80 columns."""

    def __init__(self, public: Path, **env: str) -> None:
        self.read = ""
        self.pid, self.master = pty.fork()
        if self.pid == 0:
            inherited = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "COLUMNS")}
            os.execvpe(sys.executable, words(public, "--watch", "1"), {**inherited, **env})
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_ended: object) -> None:
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)

    def until(self, text: str, *, times: int = 1) -> str:
        ends_at = time.monotonic() + 30
        while self.read.count(text) < times and time.monotonic() < ends_at:
            if select.select([self.master], [], [], 0.1)[0]:
                self.read += os.read(self.master, 65536).decode()
        assert self.read.count(text) >= times, self.read
        return self.read

    def end(self) -> int:
        os.write(self.master, b"\x03")
        code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        self.pid = 0
        while select.select([self.master], [], [], 0.1)[0]:
            try:
                self.read += os.read(self.master, 65536).decode()
            except OSError:
                break
        os.close(self.master)
        return code


def test_it_is_redrawn_in_place_and_leaves_the_last_status(public):
    """On a screen of its own; Ctrl-C ends with 130."""
    with Watcher(public, TERM="xterm") as watcher:
        watcher.until(LOCKED)
        say(public, "secured", gaps=40)
        drawn = watcher.until(SECURED)
        watcher.until("lines more: coffre status")
        assert watcher.end() == 130
    assert drawn.startswith("\x1b[?1049h")  # the other screen
    assert "\x1b[2J" not in drawn  # never wiped: no flicker
    left = watcher.read.split("\x1b[?1049l")[1]
    assert SECURED in left
    assert "thing 39 lacks" in left
    assert "\x1b[31;1m" in left  # red, and the word besides


def test_without_colours_the_words_are_the_same(public):
    """``NO_COLOR``."""
    with Watcher(public, TERM="xterm", NO_COLOR="1") as watcher:
        drawn = watcher.until(LOCKED, times=2)
        assert watcher.end() == 130
    assert "\x1b[3" not in drawn


def test_a_dumb_terminal_is_told_what_changes_and_nothing_twice(public):
    """Without a single escape; what cannot be read counts as open, and is asked again."""
    with Watcher(public, TERM="dumb") as watcher:
        watcher.until(LOCKED)
        time.sleep(2.5)
        public.write_text("{")
        watcher.until("a door could not be proven shut")
        say(public, "locked")
        told = watcher.until(LOCKED, times=2)
        assert watcher.end() == 130
    assert "\x1b" not in told
    assert told.count(LOCKED) == 2


def test_a_pipe_gets_plain_lines_and_a_signal_ends_it(public):
    """As a log would take them."""
    with subprocess.Popen(
        words(public, "--watch"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout.readline().startswith("-- ")
        assert LOCKED in child.stdout.readline()
        child.send_signal(signal.SIGTERM)
        _out, err = child.communicate(timeout=30)
        assert (child.returncode, err) == (130, "")


@pytest.mark.parametrize(
    "more", [("--watch", "--json"), ("5",), ("--watch", "0"), ("--watch", "9999")]
)
def test_what_makes_no_sense_is_refused(ask, more):
    """A document that never ends; seconds without a watch; no pause at all."""
    told = ask(None, "status", *more, json_too=False)
    assert told.code == 2


def test_a_vault_that_is_not_there_is_told_at_once(public):
    """As ``status`` tells it."""
    public.unlink()
    ended = subprocess.run(
        words(public, "--watch"), capture_output=True, text=True, timeout=30, check=False
    )
    assert ended.returncode == 2
    assert "there is no vault" in ended.stderr
