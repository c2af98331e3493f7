"""One file of a reception, examined: one pass, nothing followed, every fault an answer."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.inspection.conftest import Examine, lay
from vault.errors import SourceError
from vault.finding import Finding, Soundness, judged
from vault.inspection import FileExaminer, Registry
from vault.inspection.content import Content


class Doing:
    """An inspector that does one thing to what it is given."""

    kind = "doing"

    def __init__(self, act: Callable[[Content], object]) -> None:
        self._act = act

    def recognises(self, head: bytes, name: bytes) -> int:
        return 100

    def inspect(self, content: Content) -> Finding:
        self._act(content)
        return judged("doing")


def examiner_of(registry: Registry) -> FileExaminer:
    return FileExaminer(registry, seed=b"test", clock_s=time.monotonic)


def _close(content: Content) -> None:
    with content.stream() as stream:
        stream.read(10)


def _fail(content: Content) -> None:
    content.stream().readline()
    raise ValueError("DUPONT 1234567890123")


@pytest.mark.parametrize(
    "act",
    [
        lambda content: None,
        lambda content: content.head,
        lambda content: content.stream().read(),
        lambda content: content.stream().readline(),
        lambda content: (content.stream().read(7), content.stream().read()),
        lambda content: content.seekable().seek(5),
        _close,
        _fail,
    ],
    ids=["nothing", "head", "all", "line", "twice", "seek", "close", "fail"],
)
def test_whole_file_is_hashed_whatever_the_inspector_reads(
    act: Callable[[Content], object], examine: Examine
) -> None:
    """A wrong hash would raise; the signs count every byte."""
    content = b"line\n" * 500_000
    finding = examine(content, inspectors=Registry([Doing(act)]))
    assert finding.signs is not None
    assert finding.signs.size_bytes == len(content)


def test_content_that_is_not_the_manifest_s_raises(tmp_path: Path, registry: Registry) -> None:
    """One byte that differs, at the end of what nobody recognises."""
    entry = lay(tmp_path, b"a", b"\0" * 3_000_000)
    (tmp_path / "data/a").write_bytes(b"\0" * 2_999_999 + b"\1")
    with pytest.raises(SourceError, match="not what the manifest says"):
        examiner_of(registry).examine(bytes(tmp_path), entry)


@pytest.mark.parametrize("where", ["file", "folder"])
def test_symlink_is_never_followed(tmp_path: Path, registry: Registry, where: str) -> None:
    """Neither as the file nor on the way to it."""
    entry = lay(tmp_path, b"in/a", b"content")
    (tmp_path / "outside").mkdir()
    if where == "file":
        (tmp_path / "data/in/a").rename(tmp_path / "outside/a")
        (tmp_path / "data/in/a").symlink_to(tmp_path / "outside/a")
    else:
        (tmp_path / "outside").rmdir()
        (tmp_path / "data/in").rename(tmp_path / "outside")
        (tmp_path / "data/in").symlink_to(tmp_path / "outside")
    with pytest.raises(SourceError, match="cannot be read"):
        examiner_of(registry).examine(bytes(tmp_path), entry)


def test_pipe_in_the_place_of_a_file_does_not_hang(tmp_path: Path, registry: Registry) -> None:
    """It is opened without waiting, and refused."""
    entry = lay(tmp_path, b"a", b"content")
    (tmp_path / "data/a").unlink()
    os.mkfifo(tmp_path / "data/a")
    with pytest.raises(SourceError, match="not a regular file"):
        examiner_of(registry).examine(bytes(tmp_path), entry)


def test_failed_parser_makes_the_file_malformed_without_quoting_it(examine: Examine) -> None:
    """The class of the exception is told, its words are not."""
    finding = examine(b"content", inspectors=Registry([Doing(_fail)]))
    assert finding.soundness is Soundness.MALFORMED
    assert finding.remarks[0].sentence == "its reader failed on it (ValueError)"
    assert "DUPONT" not in repr(finding)


def test_same_file_gives_the_same_finding(examine: Examine) -> None:
    """Signs included: they are drawn from the seed."""
    content = os.urandom(5_000_000)
    assert examine(content) == examine(content)


def test_no_descriptor_is_left_open(examine: Examine) -> None:
    """Sound, failed or refused."""
    before = len(os.listdir("/proc/self/fd"))
    examine(b"content", inspectors=Registry([Doing(lambda content: content.seekable())]))
    examine(b"content", inspectors=Registry([Doing(_fail)]))
    assert len(os.listdir("/proc/self/fd")) == before


def test_broken_disk_is_an_error_and_not_a_malformed_file(
    tmp_path: Path, registry: Registry
) -> None:
    """A folder read as a file fails as a bad sector does: with an OSError."""
    entry = lay(tmp_path, b"a", b"content")
    examiner = examiner_of(registry)
    mem = os.open("/proc/self/mem", os.O_RDONLY)  # regular, and address 0 gives EIO
    try:
        with pytest.raises(OSError, match="Input/output"):
            examiner.examine_open(mem, b"a")
    finally:
        os.close(mem)
    assert examiner.examine(bytes(tmp_path), entry).kind == "opaque"


def test_disk_that_fails_once_is_not_taken_for_a_malformed_file(
    examine: Examine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A parser may swallow the failure, and a second reading succeed."""
    read, failed = os.preadv, []

    def fail_once(fd: int, buffers: list[memoryview], offset: int) -> int:
        if offset >= 65536 and not failed:
            failed.append(offset)
            raise OSError(5, "Input/output error")
        return read(fd, buffers, offset)

    def swallow(content: Content) -> None:
        with contextlib.suppress(OSError):
            content.seekable().seek(100_000)
            content.seekable().read()

    monkeypatch.setattr("vault.inspection.examiner.os.preadv", fail_once)
    with pytest.raises(SourceError, match="Input/output"):
        examine(b"a" * 200_000, inspectors=Registry([Doing(swallow)]))
    assert failed


def test_signs_tell_noise_from_text(examine: Examine) -> None:
    """Even bytes have eight bits each and a chi-square near 255; text has neither."""
    noise = examine(os.urandom(3_000_000)).signs
    text = examine(b"Compte rendu fictif. " * 100_000).signs
    assert noise is not None
    assert text is not None
    assert noise.sampled_bytes == 3 * 65536
    assert noise.entropy_bits > 7.99
    assert 150 < noise.chi_square < 400
    assert text.entropy_bits < 5
    assert text.chi_square > 10_000
    assert (noise.magic, text.magic) == ("", "text")


def test_sample_is_bytes_of_the_file(examine: Examine) -> None:
    """A file of one byte value, whole or small or empty, is counted as such."""
    for size in (0, 1, 8191, 65536, 1_048_576, 1_048_577, 2_500_000):
        signs = examine(b"a" * size).signs
        assert signs is not None
        assert signs.entropy_bits == 0
        assert signs.sampled_bytes <= max(8192, size // 16 + 65536)
        assert signs.chi_square == pytest.approx(255 * signs.sampled_bytes)


def test_tables_change_with_a_version() -> None:
    """What older inspectors judged is then looked at again."""
    older, newer = Doing(lambda content: None), Doing(lambda content: None)
    newer.version = "2"  # type: ignore[attr-defined]
    assert Registry([older]).tables != Registry([newer]).tables
    assert Registry([older]).tables == Registry([Doing(print)]).tables


def test_entry_without_its_file_raises(tmp_path: Path, registry: Registry) -> None:
    """What the manifest names and the mirror lacks is no finding."""
    entry = dataclasses.replace(lay(tmp_path, b"a", b"x"), path=b"b")
    with pytest.raises(SourceError):
        examiner_of(registry).examine(bytes(tmp_path), entry)


@pytest.mark.parametrize(("size_bytes", "examined"), [(1000, 19), (30 * 1024**2, 40)])
def test_small_files_that_keep_their_reader_busy_cost_their_source_alone(
    tmp_path: Path, size_bytes: int, examined: int
) -> None:
    """Each within its own bound, a hundred seconds; large files may take as long."""
    now_s = [0.0]

    def dawdle(content: Content) -> None:
        now_s[0] += 100.0

    examiner = FileExaminer(Registry([Doing(dawdle)]), seed=b"test", clock_s=lambda: now_s[0])
    entry = lay(tmp_path, b"export", bytes(size_bytes))
    found = 0
    with contextlib.suppress(SourceError):
        for _ in examiner.examine_each(bytes(tmp_path), [entry] * 40):
            found += 1
    assert found == examined
