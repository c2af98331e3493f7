"""Scenario 61. Goal: what the units take away from a night, a night on a real disk can do without.

There is no service manager here, so its fences are put up one by one by the same kernel: the
capabilities and no-new-privileges by setpriv, the read-only view of the host by a mount namespace,
the system calls by a look at those a night makes.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.rigs.disk import Disk, mounted
from tests.rigs.vaults import Answer, ScratchVault, answer
from vault.units import CALLS, CAPABILITIES

pytestmark = [pytest.mark.long, pytest.mark.root, pytest.mark.xdist_group("disk")]
OnDisk = tuple[ScratchVault, Disk]

# As ProtectSystem=strict, PrivateTmp and PrivateMounts: everything read-only but temporary files
# and the state, which stands in a temporary folder here. /dev, /proc and /sys stay as they are.
_VIEW = """\
set -e
mount --make-rslave /
mount --bind /tmp /tmp
mount --bind /var/tmp /var/tmp
for point in $(awk '{print $5}' /proc/self/mountinfo | sort -u); do
  case $point in
    /dev*|/proc*|/sys*|/tmp*|/var/tmp*) ;;
    *) mount -o remount,bind,ro "$point" ;;
  esac
done
if touch /var/lib/coffre-was-here 2>/dev/null; then echo "the host is writable" >&2; exit 99; fi
exec "$@"
"""


def fenced(
    vault: ScratchVault, *words: str, capabilities: tuple[str, ...] = CAPABILITIES
) -> Answer:
    """Run a command of Coffre as a unit would be run."""
    left = ",".join(["-all", *(f"+{one.removeprefix('CAP_').lower()}" for one in capabilities)])
    fence = ["unshare", "--mount", "sh", "-c", _VIEW, "sh"]
    fence += ["setpriv", "--no-new-privs", f"--bounding-set={left}", f"--inh-caps={left}"]
    done = subprocess.run(
        [*fence, *vault.argv(*words)],
        env=vault.environment(),
        cwd=vault.folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    return answer(words, done.returncode, done.stdout, done.stderr)


def test_a_night_and_a_restore_test_pass_inside_the_fences(on_disk: OnDisk) -> None:
    """On a real disk: carried, shut, proven; a test from the target; doors shut afterwards."""
    vault, _disk = on_disk
    vault.grow(7)
    night = fenced(vault, "run", "--now").ok()
    assert night.document["verdict"] == "sound"
    assert night.document["targets"][0]["outcome"] == "admitted"
    fenced(vault, "drill", "run", "--source", "hr", "--from", "disk-a", "--level", "L2").ok()
    fenced(vault, "drill", "run", "--due").ok(0, 3)
    fenced(vault, "schedule", "evaluate").ok()
    fenced(vault, "target", "close").ok()
    assert vault.coffre("status").ok().document["status"] == "locked"


def test_the_fences_are_there(on_disk: OnDisk) -> None:
    """Without the right to mount, the door does not open: the bounding set holds."""
    vault, _disk = on_disk
    vault.grow(7)
    less = tuple(one for one in CAPABILITIES if one != "CAP_SYS_ADMIN")
    left = fenced(vault, "run", "--now", capabilities=less)
    assert left.code != 0
    assert left.document["targets"][0]["outcome"] == "failed"


def test_a_medium_that_the_host_has_mounted_is_seen_from_inside(
    on_disk: OnDisk, tmp_path: Path
) -> None:
    """The proof of shut asks every process's mount table: a table of its own hides nothing."""
    vault, disk = on_disk
    place = tmp_path / "by-hand"
    place.mkdir()
    with mounted(disk.device, place):
        told = fenced(vault, "target", "close").ok(5)
        assert told.document["targets"]["disk-a"]["proof"] == "open"
    fenced(vault, "target", "close").ok()


def test_every_system_call_of_a_night_is_in_the_filter(on_disk: OnDisk, tmp_path: Path) -> None:
    """Seen by strace; what the filter lets pass is asked of systemd."""
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("systemd-analyze is not installed: package systemd")
    vault, _disk = on_disk
    vault.grow(7)
    trace = tmp_path / "calls"
    # The vault side asks to be killed with its parent and has a deadline: strace only follows.
    seen = ["strace", "-f", "-qq", "-o", str(trace), "-s", "0"]
    done = subprocess.run(
        [*seen, *vault.argv("run", "--now")],
        env=vault.environment(),
        cwd=vault.folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    calls = set(re.findall(r"^\d+ +(\w+)\(", trace.read_text("utf-8", "replace"), re.M))
    assert {"mount", "unshare", "openat"} <= calls
    assert calls - allowed(analyze) == set()


def allowed(analyze: str) -> set[str]:
    """Give the system calls that the unit's filter lets pass."""
    found, waiting = set(CALLS), ["@system-service", "@mount"]
    while waiting:
        name = waiting.pop()
        told = subprocess.run(
            [analyze, "--no-pager", "syscall-filter", name],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for word in (line.strip() for line in told.splitlines()[1:]):
            if word.startswith("@"):
                waiting.append(word)
            elif word and not word.startswith("#"):
                found.add(word)
    return found
