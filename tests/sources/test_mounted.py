"""A share is there for one pull, in one process, and provably gone afterwards.

The kernel of a test machine often lacks cifs and nfs, and no file server is at hand. What is shown
here is everything but those two: the namespace, the mount by mount(8), its options, the way of the
credentials and the proof, on an ext4 disk that the same code mounts.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.rigs.disk import disk, mounted
from vault.errors import SourceError, SourceUnreachable
from vault.results import DoorProof
from vault.secret import Secret
from vault.sources.mounted import MountedFolderSource
from vault.sources.mounting import Mount, prove_gone

pytestmark = pytest.mark.root
MIB = 1024**2


@pytest.fixture
def share(tmp_path):
    """Give a device that holds some exports."""
    with disk(tmp_path / "share.img") as own:
        with mounted(own.device, tmp_path / "filling") as place:
            (place / "dim").mkdir()
            (place / "dim" / "m1.txt").write_bytes(b"export")
            (place / "huge").mkdir()
            with (place / "huge" / "sparse.bin").open("wb") as file:
                file.truncate(16 * 1024 * MIB)  # long enough to be in the middle of it
        yield own.device


def collect(bench, mount: Mount, folder: bytes = b"dim", left_s: float = 60.0):
    source = MountedFolderSource("pmsi", mount, folder, clock=bench.clock)
    closes_at_s = bench.clock.boot_s() + left_s
    return source.collect(bench.reception, closes_at_s=closes_at_s, progress=bench.listener)


def test_share_is_pulled_and_never_seen_by_this_process(bench, share) -> None:
    """Its files arrive; this mount table never names it, and afterwards no table does."""
    seen = []
    bench.listener.act = lambda _: seen.append(share in Path("/proc/self/mountinfo").read_text())
    pull = collect(bench, Mount(kind="ext4", what=share))
    bench.reception.seal(pull)
    assert bench.names() == [b"m1.txt"]
    assert seen
    assert not any(seen)
    report = prove_gone(share)
    assert (report.proof, report.is_shut) == (DoorProof.SHUT, True)


def test_share_that_is_still_mounted_somewhere_is_not_proven_gone(share, tmp_path) -> None:
    """A mount in another namespace is found, though no tool of this one shows it."""
    place = tmp_path / "elsewhere"
    place.mkdir()
    script = f"mount -o ro {share} {place} && echo there && exec sleep 60"
    holder = subprocess.Popen(
        ["unshare", "--mount", "sh", "-c", script], stdout=subprocess.PIPE, text=True
    )
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "there\n"
        assert share not in Path("/proc/self/mountinfo").read_text()
        assert prove_gone(share).proof is DoorProof.OPEN
    finally:
        holder.kill()
        holder.wait()
        assert holder.stdout is not None
        holder.stdout.close()
    assert prove_gone(share).proof is DoorProof.SHUT


def test_share_is_mounted_read_only_and_powerless(bench, share) -> None:
    """``ro,nosuid,nodev,noexec`` hold in the kernel's own table, whatever the options say."""
    parent = start_parent(bench, share)
    try:
        table = Path(f"/proc/{wait_for_pull(share)}/mountinfo").read_text()
    finally:
        stop(parent)
    (line,) = [line for line in table.splitlines() if share in line]
    assert {"ro", "nosuid", "nodev", "noexec"} <= set(line.split()[5].split(","))


def test_share_goes_when_its_child_is_killed(bench, share) -> None:
    """SIGKILL in mid-pull: the kernel unmounts, and the parent says what happened."""
    parent = start_parent(bench, share)
    try:
        os.kill(wait_for_pull(share), signal.SIGKILL)
        assert parent.stdout is not None
        assert "ended unexpectedly" in parent.stdout.read()
    finally:
        stop(parent)
    assert prove_gone(share).is_shut


def test_share_goes_when_the_parent_is_killed(bench, share) -> None:
    """The child does not outlive us."""
    parent = start_parent(bench, share)
    try:
        wait_for_pull(share)
    finally:
        stop(parent)
    end = time.monotonic() + 5
    while not prove_gone(share).is_shut and time.monotonic() < end:
        time.sleep(0.02)
    assert prove_gone(share).is_shut


def test_pull_from_a_share_ends_at_its_deadline(bench, share) -> None:
    """The window closes, the child ends, the share is gone."""
    with pytest.raises(SourceError, match="did not end in its time"):
        collect(bench, Mount(kind="ext4", what=share), folder=b"huge", left_s=1.0)
    assert prove_gone(share).is_shut
    assert bench.names() == []


def test_share_that_cannot_be_mounted_is_unreachable(bench) -> None:
    """What mount says is told; it holds no secret."""
    mount = Mount(kind="ext4", what="/dev/no-such-share", credentials=Secret(b"password=s3cret"))
    with pytest.raises(SourceUnreachable) as caught:
        collect(bench, mount)
    assert "s3cret" not in str(caught.value) + caught.value.hint


def test_credentials_reach_mount_by_a_file_of_the_private_namespace(bench, tmp_path) -> None:
    """The helper reads them; no argument, no disk of the host ever holds them."""
    helper = Path("/sbin/mount.coffretest")
    said = tmp_path / "said"
    helper.write_text(
        f'#!/bin/sh\n{{ echo "$@"; f=$(echo "$@" | sed "s/.*credentials=\\([^, ]*\\).*/\\1/"); '
        f'cat "$f"; stat -f -c %T "$f"; }} > {said}; exec mount -t tmpfs coffretest "$2"\n'
    )
    helper.chmod(0o755)
    try:
        mount = Mount(
            kind="coffretest", what="//srv/dim$", credentials=Secret(b"username=u\npassword=s3cret")
        )
        pull = collect(bench, mount, folder=b"")
    finally:
        helper.unlink()
    arguments, *rest = said.read_text().splitlines()
    assert pull.entries == ()
    options = arguments.partition("-o ")[2].split(" ")[0].split(",")
    assert {"ro", "nosuid", "nodev", "noexec"} <= set(options)
    assert "s3cret" not in arguments
    assert rest == ["username=u", "password=s3cret", "tmpfs"]
    assert not list(Path(os.fsdecode(bench.reception.folder)).rglob("credentials"))


def test_folder_that_the_share_lacks_is_missing(bench, share) -> None:
    """The share is there, the folder is not."""
    with pytest.raises(SourceError, match="is not there"):
        collect(bench, Mount(kind="ext4", what=share), folder=b"other")
    assert prove_gone(share).is_shut


PARENT = """
import sys
from vault.clock import SystemClock
from vault.errors import CoffreError
from vault.sources.mounted import MountedFolderSource
from vault.sources.mounting import Mount
from vault.sources.reception import Reception

class Quiet:
    def step(self, name, detail=""): pass
    def advance(self, done, total): pass

clock = SystemClock()
closes_at_s = clock.boot_s() + 60
mount = Mount(kind="ext4", what=sys.argv[1])
source = MountedFolderSource("pmsi", mount, b"huge", clock=clock)
try:
    source.collect(Reception(sys.argv[2].encode()), closes_at_s=closes_at_s, progress=Quiet())
except CoffreError as error:
    print(error)
"""


def start_parent(bench, share: str) -> subprocess.Popen[str]:
    """Pull from the share in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-c", PARENT, share, os.fsdecode(bench.reception.folder)],
        cwd=Path(__file__).parents[2],
        stdout=subprocess.PIPE,
        text=True,
    )


def stop(parent: subprocess.Popen[str]) -> None:
    parent.kill()
    parent.wait()
    assert parent.stdout is not None
    parent.stdout.close()


def wait_for_pull(share: str) -> int:
    """Give the child in whose mount table the share is, once it reads from it."""
    end = time.monotonic() + 20
    while time.monotonic() < end:
        for process in Path("/proc").glob("[0-9]*"):
            try:
                is_child = b"mounted_child" in (process / "cmdline").read_bytes()
                is_ours = is_child and share in (process / "mountinfo").read_text()
                if is_ours and any(
                    os.readlink(fd).endswith("sparse.bin") for fd in (process / "fd").iterdir()
                ):
                    return int(process.name)
            except OSError:
                continue
        time.sleep(0.01)
    raise AssertionError("the child never read from the share")
