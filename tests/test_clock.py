"""The clock that is recorded is the host's own, or none."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from vault.clock import is_the_kernels
from vault.own_proc import read_own_proc

PATH = b"/proc/sys/kernel/random/boot_id"
ASK = "from vault.clock import SystemClock; print(SystemClock().boot_id())"


def line(point: str, root: str = "/", kind: str = "proc", more: str = "") -> bytes:
    """Give a line of a mount table, with optional fields as a shared mount has them."""
    return f"22 27 0:21 {root} {point} rw,relatime {more}- {kind} {kind} rw\n".encode()


@pytest.mark.parametrize(
    ("table", "is_it"),
    [
        pytest.param([line("/", kind="ext4"), line("/proc")], True, id="a-host"),
        pytest.param([line("/proc", more="shared:5 ")], True, id="shared"),
        pytest.param([line("/proc"), line("/proc/sys", "/sys")], True, id="a-container"),
        pytest.param([line("/proc"), line(PATH.decode(), "/sys/kernel/random/uuid")],
                     False, id="another-file-of-the-kernel"),
        pytest.param([line("/proc"), line(PATH.decode(), "/x", "tmpfs")],
                     False, id="a-file"),
        pytest.param([line("/proc"), line("/proc/sys/kernel/random", "/", "tmpfs")],
                     False, id="a-folder"),
        pytest.param([line("/proc"), line("/proc", kind="tmpfs")], False, id="covered"),
        pytest.param([line("/proc", kind="tmpfs"), line("/proc")], True, id="covered-again"),
        pytest.param([line("/proc"), line(PATH.decode() + "_", "/", "tmpfs")],
                     True, id="a-neighbour"),
        pytest.param([line("/", kind="ext4")], False, id="no-proc"),
        pytest.param([], False, id="nothing"),
    ],
)  # fmt: skip
def test_the_id_of_a_boot_is_read_where_the_kernel_keeps_it(table, is_it):
    assert is_the_kernels(PATH, table) is is_it


def ask(*before: str) -> subprocess.CompletedProcess[str]:
    words = [*before, sys.executable, "-c", ASK]
    return subprocess.run(words, check=False, capture_output=True, text=True, timeout=60)


@pytest.mark.root
def test_no_boot_is_told_in_a_time_namespace():
    """Its boot clock says what whoever made it wanted: a hold would be over at once."""
    assert ask().stdout.strip() == Path(PATH.decode()).read_text().strip()
    told = ask("unshare", "-T", "--boottime", "700000")
    assert told.returncode != 0
    assert "time namespace" in told.stderr


@pytest.mark.root
@pytest.mark.parametrize("lies", ["/proc/sys/kernel/random/uuid", "/etc/hostname"])
def test_what_is_mounted_over_the_id_of_a_boot_is_passed_by(lies):
    """Containers have an id of their own; a new one at each reading would pass for reboots."""
    real = Path(PATH.decode()).read_text().strip()
    mount = f'mount --bind {lies} {PATH.decode()} && exec "$@"'
    assert ask("unshare", "-m", "sh", "-ec", mount, "sh").stdout.strip() == real


@pytest.mark.root
def test_nor_does_a_folder_mounted_above_the_id_of_a_boot_pass_for_it(tmp_path):
    """Over a mount of the id itself it is what is seen, and not the deepest."""
    (tmp_path / "boot_id").write_text("forged\n")
    path, real = PATH.decode(), Path(PATH.decode()).read_text().strip()
    mounts = f"mount --bind {path} {path} && mount --bind {tmp_path} {Path(path).parent}"
    assert ask("unshare", "-m", "sh", "-ec", f'{mounts} && exec "$@"', "sh").stdout.strip() == real


@pytest.mark.root
def test_no_boot_is_told_where_what_covers_its_id_cannot_be_passed_by():
    """Whoever may mount nothing may make no proc of their own."""
    mount = f'mount --bind /etc/hostname {PATH.decode()} && exec "$@"'
    none = ("setpriv", "--bounding-set", "-all", "--inh-caps", "-all")
    told = ask("unshare", "-m", "sh", "-ec", mount, "sh", *none)
    assert told.returncode != 0
    assert "mounted over" in told.stderr


def test_a_proc_of_our_own_says_what_the_kernels_does():
    """And is mounted nowhere."""
    before = Path("/proc/self/mountinfo").read_text()
    try:
        said = read_own_proc("sys/kernel/random/boot_id")
    except PermissionError:
        pytest.skip("NOT SHOWN: only root makes a proc of its own")
    assert said == Path(PATH.decode()).read_bytes()
    assert Path("/proc/self/mountinfo").read_text() == before
    with pytest.raises(FileNotFoundError):
        read_own_proc("sys/kernel/random/nothing")
