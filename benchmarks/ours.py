"""Coffre as a person runs it: a vault of its own, founded, enrolled, run night by night.

Rule 1: the exposure is the program's own figure; beside it stands what the observer saw.
Rule 2: the pull is what lies between steps 2 and 3 of the cycle, and is told apart.
"""

from __future__ import annotations

import json
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.exports import Exports
from benchmarks.medium import Medium
from benchmarks.timed import Ended, run
from benchmarks.watch import Watch
from tests.rigs.disk import is_free

_HEAD = """\
site: {name: CH de la Lande, finess: "990000010", time_zone: Europe/Paris, language: en}
state: state
landing: {password: {file: secrets/landing.pw}}
production: {door: none}
windows: {night: {start: "01:00", for: 2h, days: all}}
targets:
  disk-a: {door: disk, store: files, window: night}
sources:
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Night:
    """One night of ours."""

    seconds: float  # of the whole command
    phases: dict[str, float]
    exposure_s: float  # our own word
    seen_s: float | None  # the observer's: from the first mount to the end of the last
    carried: tuple[Path, ...]  # the landing's files that crossed
    carried_bytes: int
    device_read_bytes: int
    device_written_bytes: int
    peak_mb: float

    @property
    def without_pull_s(self) -> float:
        """The whole cycle but the pull."""
        return self.seconds - self.phases["pull"]


@dataclass(slots=True, kw_only=True)
class Vault:
    """A scratch vault with one target."""

    folder: Path
    medium: Medium
    exports: Exports

    def found(self) -> None:
        """Write the configuration, found the vault, enrol the medium."""
        self.folder.mkdir(parents=True)
        lines = [
            f"  {name}: {{policy: {policy}, folder: {self.exports.path(name)}, stable_for: 0}}\n"
            for name, policy in self.exports.policies.items()
        ]
        (self.folder / "vault.yaml").write_text(_HEAD + "".join(lines))
        self.coffre("init")
        self._let_noise_pass()
        device = self.medium.device
        self.coffre("target", "enrol", "disk-a", "--device", device, "--format", "--yes")

    def _let_noise_pass(self) -> None:
        """Allow the nights that cannot be packed: the gate takes their noise for encryption."""
        for path in (self.folder / "policies").glob("*.yaml"):
            text = path.read_text()
            for key in ("max_damaged_percent", "max_changed_percent"):
                if f"\n{key}:" not in text:
                    text += f"{key}: 100\n"
            path.write_text(text)

    def coffre(self, *words: str) -> Ended:
        """Run one command of Coffre."""
        command = Path(sys.executable).with_name("coffre")
        argv = [str(command)] if command.exists() else [sys.executable, "-m", "vault.cli.main"]
        return run([*argv, "-c", str(self.folder / "vault.yaml"), "--json", *words])

    def run_night(self) -> Night:
        """Run one night and look at it from outside."""
        before = self._landing()
        os.sync()
        read, written = self.medium.counters()
        began_s = time.perf_counter()
        with Watch(self.medium, self.folder / "state" / "catalogue.sqlite") as watch:
            ended = self.coffre("run", "--now")
        assert is_free(self.medium.device), "the device is not free after the night"
        read_after, written_after = self.medium.counters()
        target = _only_target(json.loads(ended.stdout))
        new = self._landing() - before
        carried = tuple(sorted(self.folder / "state" / "landing" / path for path in new))
        size_bytes = sum(path.stat().st_size for path in carried)
        assert target["admitted_bytes"] == target["read_back_bytes"] == size_bytes, target
        return Night(
            seconds=ended.seconds,
            phases=_phases(watch, began_s, ended.seconds, target["exposure_s"]),
            exposure_s=target["exposure_s"],
            seen_s=watch.mounted_s,
            carried=carried,
            carried_bytes=size_bytes,
            device_read_bytes=read_after - read,
            device_written_bytes=written_after - written,
            peak_mb=ended.peak_mb,
        )

    def newest_snapshot(self, source: str) -> str:
        """Give the full id of a source's newest snapshot."""
        password = self.folder / "secrets" / "landing.pw"
        landing = self.folder / "state" / "landing"
        argv = ["restic", "-r", str(landing), "--password-file", str(password)]
        words = ["--no-lock", "--no-cache", "snapshots", "--json", "--tag", f"source={source}"]
        found = json.loads(run([*argv, *words]).stdout)
        return str(max(found, key=lambda snapshot: snapshot["time"])["id"])

    def _landing(self) -> set[str]:
        root = self.folder / "state" / "landing"
        kinds = ("data", "index", "snapshots")
        return {
            str(path.relative_to(root))
            for kind in kinds
            for path in (root / kind).rglob("*")
            if path.is_file()
        }


def _only_target(document: dict[str, Any]) -> dict[str, Any]:
    (target,) = document["targets"]
    assert target["outcome"] == "admitted", document
    return dict(target)


def _phases(watch: Watch, began_s: float, seconds: float, exposure_s: float) -> dict[str, float]:
    """Cut the night where the catalogue says that a step begins."""
    ended_s = watch.ended_at_s or began_s + seconds
    at_carry = watch.steps.get(7, ended_s)
    return {
        "start": watch.steps.get(2, began_s) - began_s,
        "pull": watch.between(2, 3),
        "inspect": watch.between(3, 5),
        "snapshots": watch.between(5, 6),
        "check": watch.between(6, 7),
        "around": ended_s - at_carry - exposure_s,
        "open": exposure_s,
        "end": began_s + seconds - ended_s,
    }
