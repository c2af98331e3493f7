"""Scenario 50. Goal: hooks run at their moments, every vault door shut, and decide nothing.

Real restic, a real ext4 on a loop device, the real command; each hook asks the kernel itself.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tests.rigs.disk import Disk
from tests.rigs.judge import holders
from tests.rigs.vaults import ScratchVault
from vault.hooks import MOMENTS

pytestmark = pytest.mark.root

OnDisk = tuple[ScratchVault, Disk]

# Says who it is and what it was given, and asks the kernel whether anybody holds the medium.
LOOK = """\
#!{python} -ISE
import json, os, sys
try:
    os.close(os.open({device!r}, os.O_RDONLY | os.O_EXCL))
    free = True
except OSError:
    free = False
mounted = {device!r} in "".join(
    open(f"/proc/{{pid}}/mounts").read() for pid in os.listdir("/proc") if pid.isdigit()
    and os.path.exists(f"/proc/{{pid}}/root/")
)
told = {{"free": free, "mounted": mounted, "facts": json.load(sys.stdin)}}
with open({log!r}, "a") as file:
    file.write(json.dumps(told) + "\\n")
"""


def put(vault: ScratchVault, moment: str, text: str, mode: int = 0o755) -> None:
    """Put a hook beside the configuration."""
    folder = vault.folder / "hooks"
    folder.mkdir(exist_ok=True, mode=0o755)
    (folder / moment).write_text(text)
    (folder / moment).chmod(mode)


def watch(vault: ScratchVault, device: str, moments=MOMENTS) -> Path:
    """Put hooks that look at the medium; give where they write what they saw."""
    log = vault.folder / "seen"
    for moment in moments:
        put(vault, moment, LOOK.format(python=sys.executable, device=device, log=str(log)))
    return log


def seen(log: Path) -> list[dict]:
    told = [json.loads(line) for line in log.read_text().splitlines()]
    log.unlink()
    return told


def moments_of(told: list[dict]) -> list[str]:
    return [one["facts"]["moment"] for one in told]


def entries(vault: ScratchVault, kind: str) -> list[dict]:
    lines = (vault.state / "ledger" / "ledger.jsonl").read_text().splitlines()
    return [entry["body"] for entry in map(json.loads, lines) if entry["kind"] == kind]


def outcomes(document: dict) -> dict[str, str]:
    return {one["moment"]: one["outcome"] for one in document["hooks"]}


def test_hooks_run_at_their_moments_with_every_vault_door_shut(
    on_disk: OnDisk, tmp_path: Path
) -> None:
    """A night that carries and misses something fires all of them, in their order."""
    vault, medium = on_disk
    log = watch(vault, medium.device)
    vault.grow(2)
    vault.exports("hr").rename(tmp_path / "away")
    answer = vault.run().ok(3)
    night, told = answer.document, seen(log)
    assert moments_of(told) == list(MOMENTS), (night["hooks"], answer.stderr)
    assert [one for one in told if not one["free"] or one["mounted"]] == []
    by_moment = {one["facts"]["moment"]: one["facts"] for one in told}
    assert by_moment["door-open"]["target"] == by_moment["door-shut"]["target"] == "disk-a"
    ended = by_moment["after-cycle"]
    assert (ended["schema"], ended["verdict"]) == ("coffre/run/1", night["verdict"])
    assert {gap["source"] for gap in by_moment["on-gap"]["gaps"]} == {"hr"}
    pages = by_moment["publish"]["paths"]
    assert str(vault.state / "public" / "reports" / "pmsi.fr.html") in pages
    assert all(Path(page).is_file() for page in pages)
    assert outcomes(night) == dict.fromkeys(MOMENTS, "ran")
    assert [body["moment"] for body in entries(vault, "hook")] == list(MOMENTS)
    assert night["targets"][0]["outcome"] == "admitted"


@pytest.mark.long
def test_a_restore_a_restore_test_and_a_person_fire_the_hooks_of_the_door(
    on_disk: OnDisk, tmp_path: Path
) -> None:
    """Whoever opens a vault door, the medium may need power."""
    vault, medium = on_disk
    log = watch(vault, medium.device)
    to = str(tmp_path / "back")
    vault.coffre("restore", "pmsi", "--from", "disk-a", "--to", to).ok()
    vault.coffre("drill", "run", "--source", "pmsi", "--from", "disk-a", "--level", "L1").ok()
    words = ("target", "open", "disk-a", "--for", "1m", "--reason", "look", "--", "true")
    vault.coffre(*words).ok()
    told = seen(log)
    doors = [name for name in moments_of(told) if name.startswith("door")]
    assert doors == ["door-open", "door-shut"] * 3
    assert [one for one in told if not one["free"] or one["mounted"]] == []
    purposes = [one["facts"]["purpose"] for one in told if "purpose" in one["facts"]]
    assert purposes == ["restore", "restore", "drill", "drill", "open", "open"]


def test_bad_hooks_change_no_verdict_and_no_exit_code(held: ScratchVault) -> None:
    """One fails, one hangs, one may be written by others: told, recorded, and that is all."""
    with held.config.open("a") as file:
        file.write("hooks: {timeout: 1s}\n")
    put(held, "before-collect", "#!/bin/sh\nexit 9\n")
    put(held, "after-collect", "#!/bin/sh\ntrap '' TERM\nsleep 60\n")
    put(held, "door-open", "#!/bin/sh\ntouch ran\n", 0o777)
    held.grow(2)
    night = held.run().ok(0).document
    assert night["verdict"] == "sound"
    assert night["warnings"] == night["reasons"] == []
    found = outcomes(night)
    assert found.pop("before-collect") == "failed"
    assert found.pop("after-collect") == "timed-out"
    assert found.pop("door-open") == "refused"
    assert set(found.values()) == {"absent"}
    assert not (held.folder / "hooks" / "ran").exists()
    told = {body["moment"]: body["outcome"] for body in entries(held, "hook")}
    assert told == {
        "before-collect": "failed", "after-collect": "timed-out", "door-open": "refused"
    }  # fmt: skip


@pytest.mark.parametrize(
    ("moment", "code", "outcome"),
    [
        pytest.param("door-open", 130, "not-opened", marks=pytest.mark.long),
        ("door-shut", 130, "admitted"),
        pytest.param("publish", 0, "admitted", marks=pytest.mark.long),
    ],
)
def test_a_hook_that_kills_its_parent_leaves_every_door_shut(
    on_disk: OnDisk, moment: str, code: int, outcome: str
) -> None:
    """It is a signal like any other: the night ends in order, and says what was carried."""
    vault, medium = on_disk
    log = watch(vault, medium.device, ["door-shut"] if moment != "door-shut" else [])
    put(vault, moment, "#!/bin/sh\nkill -TERM $PPID\nsleep 30\n")
    vault.grow(2)
    night = vault.run().ok(code).document
    assert night["status"] == "locked"
    assert night["targets"][0]["outcome"] == outcome
    assert holders(medium.device) == []
    assert outcomes(night)[moment] == "failed"
    if moment != "door-shut":
        assert moments_of(seen(log)) == ["door-shut"]
