"""What the one who carries may still do: add, and nothing else; asked of the kernel."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from vault.doors import kernel, rights, view

pytestmark = pytest.mark.root


def confined(fence: rights.Fence, act: Callable[[], object]) -> str:
    """Do an act in a child that is held to a fence; give the name of what refused it, or ""."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        said = "broken"
        try:
            rights.confine(fence)
            act()
            said = ""
        except OSError as error:
            said = type(error).__name__
        finally:
            os.write(writer, said.encode() or b"-")
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        said = pipe.read()
    os.waitpid(child, 0)
    return "" if said == "-" else said


@pytest.fixture
def fence(tmp_path: Path) -> rights.Fence:
    for name in ("target", "landing", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_bytes(b"old")
        (tmp_path / name / "file").chmod(0o400)
    os.chown(tmp_path / "other/file", 65534, 65534)
    return rights.Fence(
        target=os.fsencode(tmp_path / "target"),
        landing=os.fsencode(tmp_path / "landing"),
        writes=True,
    )


def link_unnamed(folder: Path) -> None:
    fd = os.open(folder, os.O_TMPFILE | os.O_WRONLY, 0o400)
    os.write(fd, b"new")
    proc = os.open("/proc/self/fd", os.O_RDONLY | os.O_DIRECTORY)
    os.link(str(fd), folder / "new", src_dir_fd=proc, follow_symlinks=True)


def test_the_carrier_can_add_a_file_and_read_the_landing(fence, tmp_path):
    """What an admission does is allowed."""
    assert confined(fence, lambda: link_unnamed(tmp_path / "target")) == ""
    assert confined(fence, lambda: (tmp_path / "landing/file").read_bytes()) == ""


REFUSED = {
    "remove": lambda top: (top / "target/file").unlink(),
    "rename": lambda top: (top / "target/file").rename(top / "target/else"),
    "rename-over": lambda top: (top / "target/new").rename(top / "target/file"),
    "truncate": lambda top: os.truncate(top / "target/file", 0),
    "make-folder": lambda top: (top / "target/folder").mkdir(),
    "symlink": lambda top: (top / "target/link").symlink_to("file"),
    "write-landing": lambda top: os.open(top / "landing/file", os.O_WRONLY),
    "add-to-landing": lambda top: (top / "landing/new").write_bytes(b""),
    "read-elsewhere": lambda top: (top / "other/file").read_bytes(),
    "write-elsewhere": lambda top: (top / "other/new").write_bytes(b""),
    "connect": lambda top: socket.create_connection(("127.0.0.1", 9), timeout=1),
    "chown": lambda top: os.chown(top / "target/file", 1, 1),
    "mount": lambda top: kernel.mount(b"none", os.fsencode(top), flags=kernel.MS_BIND),
    "raise-root": lambda top: os.chroot(top),
}


@pytest.mark.parametrize("name", REFUSED)
def test_the_carrier_is_refused_everything_else(fence, tmp_path, name):
    """Each act that a hijacked carrier might try is refused by the kernel."""
    (tmp_path / "target/new").write_bytes(b"")
    assert confined(fence, lambda: REFUSED[name](tmp_path)) == "PermissionError"


def test_no_capability_overrides_a_mode(fence, tmp_path):
    """Without CAP_DAC_OVERRIDE even root cannot open another's file for writing."""
    foreign = tmp_path / "target/foreign"
    foreign.write_bytes(b"x")
    foreign.chmod(0o400)
    os.chown(foreign, 65534, 65534)
    assert confined(fence, lambda: os.open(foreign, os.O_RDONLY)) == "PermissionError"


def test_a_reader_cannot_add_and_an_enrolment_can_make_folders(fence, tmp_path):
    """Rights follow the duty."""
    reader = rights.Fence(target=fence.target)
    assert confined(reader, lambda: link_unnamed(tmp_path / "target")) == "PermissionError"
    maker = rights.Fence(target=fence.target, writes=True, makes_folders=True)
    assert confined(maker, lambda: (tmp_path / "target/folder").mkdir()) == ""


def test_a_million_names_fit_in_memory(capsys):
    """A view of a million packs costs tens of megabytes, and finds what it names."""
    names = view.Names()
    before = peak_kb()
    for number in range(200_000):
        name = b"%064x" % (number * 0x9E3779B97F4A7C15 % (1 << 256))
        names.add(b"data/%b/%b" % (name[-2:], name))
    used_kb = peak_kb() - before
    with capsys.disabled():
        print(f"\nview: {used_kb} kB for 200,000 names")  # noqa: T201
    assert used_kb < 20_000
    name = b"%064x" % (5 * 0x9E3779B97F4A7C15)
    assert name in names.of_folder(b"data/" + name[-2:])


def peak_kb() -> int:
    status = Path("/proc/self/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1])
