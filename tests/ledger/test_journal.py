"""What the ledger promises: chained, durable, never cut silently, cheap to open."""

from __future__ import annotations

import hashlib
import json
import os
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.rigs.strace import KILL, KillPoint, count_calls, injecting, why_no_strace
from vault.errors import LedgerError
from vault.ledger import Ledger, LedgerHead
from vault.ledger.lines import NO_HEAD, Stamp, write_line

ROOT = Path(__file__).resolve().parents[2]

# Another process that opens a ledger and appends one event, or reports what kept it.
APPEND = """
import sys, time
from datetime import datetime, UTC
from vault.errors import LedgerError
from vault.ledger import Ledger
class Clock:
    def now(self): return datetime.now(UTC)
    def boot_s(self): return time.clock_gettime(time.CLOCK_BOOTTIME)
    def boot_id(self): return "b"
try:
    ledger = Ledger(sys.argv[1], Clock())
    for i in range(int(sys.argv[2])):
        ledger.append("appended", i=i)
except LedgerError as error:
    print(error)
    try:
        ledger.append("again")
    except LedgerError as error:
        print(error)
    sys.exit(3)
"""


def read_by_the_book(path):
    """Read a ledger by ``docs/ledger.md`` alone: nothing of ours is called."""
    before, entries = "0" * 64, []
    for n, line in enumerate(path.read_bytes().split(b"\n")[:-1]):
        entry = json.loads(line)
        assert entry["n"] == n
        assert entry["prev"] == before
        before = hashlib.sha256(line).hexdigest()
        entries.append(entry)
    return entries, before


def test_an_auditor_reads_the_ledger_with_json_and_sha256_alone(ledger, path):
    """The chain is what the page says, and the head is the hash of the last line."""
    entries, last = read_by_the_book(path)
    assert [entry["body"]["cycle"] for entry in entries] == list(range(6))
    assert entries[0]["at"] == "2026-03-01T01:01:00.000000Z"
    assert set(entries[0]) == {"n", "prev", "at", "boot", "mono", "kind", "body"}
    assert ledger.head() == LedgerHead(n=5, sha256=last)
    assert ledger.verify() == []


def test_a_line_is_canonical(ledger, path):
    """Equal events have equal bytes: keys sorted, no spaces, UTF-8."""
    for line in path.read_bytes().splitlines():
        assert (
            line
            == json.dumps(
                json.loads(line), sort_keys=True, separators=(",", ":"), ensure_ascii=False
            ).encode()
        )


def test_the_ledger_is_readable_by_its_owner_alone(ledger, path):
    """Mode 0600 whatever the umask."""
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600


def test_a_ledger_goes_on_where_it_ended(ledger, path, clock):
    """Opening anew changes nothing and the next entry chains to the last."""
    before, content = ledger.head(), path.read_bytes()
    again = Ledger(os.fsencode(path), clock)
    assert path.read_bytes() == content
    entry = again.append("x")
    assert (entry.n, entry.prev) == (before.n + 1, before.sha256)
    assert [e.n for e in again.entries()] == list(range(7))
    assert ledger.append("y").n == 7  # the first object sees what the second wrote


def test_an_empty_ledger_has_a_head_before_the_first_entry(path, clock):
    """The head of nothing is -1 and zeros, and last_at is None."""
    empty = Ledger(str(path), clock)
    assert (empty.head(), empty.last_at(), empty.verify()) == (NO_HEAD, None, [])
    assert list(empty.entries()) == []


def test_37_a_ledger_cut_at_any_byte_keeps_every_whole_entry_and_loses_no_byte(ledger, path, clock):
    """The last whole entry is the head; the torn bytes stand whole beside it and are said in it."""
    whole = path.read_bytes()
    lines = whole.splitlines(keepends=True)
    for cut in range(len(whole) + 1):
        folder = path.parent / str(cut)
        folder.mkdir()
        mine = folder / "ledger.jsonl"
        mine.write_bytes(whole[:cut])
        kept = whole[:cut].count(b"\n")
        torn = whole[sum(map(len, lines[:kept])) : cut]

        opened = Ledger(str(mine), clock)

        after = mine.read_bytes().splitlines(keepends=True)
        assert after[:kept] == lines[:kept]
        assert opened.verify() == []
        beside = [p for p in folder.iterdir() if p != mine]
        if not torn:
            assert (len(after), beside) == (kept, [])
            continue
        assert [p.name for p in beside] == [f"ledger.torn-{kept}-1"]
        assert beside[0].read_bytes() == torn
        said = json.loads(after[kept])
        assert said["kind"] == "ledger-torn"
        assert said["body"]["files"] == [
            {
                "name": f"ledger.torn-{kept}-1",
                "bytes": len(torn),
                "sha256": hashlib.sha256(torn).hexdigest(),
            }
        ]
        assert len(after) == kept + 1


def test_a_last_line_that_is_no_json_is_set_aside_whole(ledger, path, clock):
    """A power cut can leave zeros and a newline: they are moved, not read."""
    with path.open("ab") as file:
        file.write(b"\0" * 700 + b"\n")
    opened = Ledger(str(path), clock)
    assert (path.parent / "ledger.torn-6-1").read_bytes() == b"\0" * 700 + b"\n"
    assert [e.kind for e in opened.entries()][-1] == "ledger-torn"
    assert opened.verify() == []


def test_a_line_torn_while_the_ledger_is_open_is_set_aside_before_the_next_entry(ledger, path):
    """Another process that died in its append costs us nothing."""
    with path.open("ab") as file:
        file.write(b'{"torn')
    ledger.append("next")
    assert [e.kind for e in ledger.entries()][-2:] == ["ledger-torn", "next"]
    assert (path.parent / "ledger.torn-6-1").read_bytes() == b'{"torn'


@pytest.mark.skipif(why_no_strace() is not None, reason=str(why_no_strace()))
@pytest.mark.parametrize("torn", [b"", b'{"at":"2026-'], ids=["whole", "torn"])
def test_36_killed_at_any_call_of_an_append_the_ledger_stays_whole(ledger, path, clock, torn):
    """Whatever the instant: every entry is kept, torn bytes stand aside, and it is said."""
    with path.open("ab") as file:
        file.write(torn)
    content = path.read_bytes()
    calls = ("write", "fsync", "ftruncate", "link", "unlink")
    argv = [sys.executable, "-c", APPEND, str(path), "1"]
    env = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    counts = count_calls(argv, calls, log=path.parent / "log", env=env, cwd=path.parent)
    assert counts["fsync"] >= 1
    for call, most in counts.items():
        for when in range(1, most + 1):
            for left in path.parent.glob("ledger*"):
                left.unlink()
            path.write_bytes(content)
            point = KillPoint(call, when)
            words = injecting(point, KILL) + argv
            done = subprocess.run(words, env=env, cwd=path.parent, capture_output=True, check=False)
            assert done.returncode != 0, point

            opened = Ledger(str(path), clock)

            assert opened.verify() == [], point
            events = [e.kind for e in opened.entries()]
            assert len(events) >= 6, point
            if torn:
                asides = [p.read_bytes() for p in path.parent.glob("ledger.torn-6-[0-9]*")]
                assert asides == [torn], point
                assert events.count("ledger-torn") == 1, point


@pytest.mark.skipif(why_no_strace() is not None, reason=str(why_no_strace()))
def test_a_sync_that_failed_is_never_tried_again(ledger, path):
    """The kernel would say yes the second time, and lie."""
    argv = [sys.executable, "-c", APPEND, str(path), "2"]
    env = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    words = injecting(KillPoint("fsync", 1), "error=EIO") + argv
    done = subprocess.run(words, env=env, capture_output=True, check=False)
    assert done.returncode == 3, done
    first, second = done.stdout.decode().splitlines()
    assert "cannot be written: Input/output error" in first
    assert "could not be synced before" in second


def fill(ledger) -> None:
    for _ in range(100):
        ledger.append("more", note="x" * 900)


@pytest.mark.root
def test_74_a_full_disk_fails_the_append_before_anything_else_and_leaves_the_ledger_whole(
    tmp_path, clock
):
    """LedgerError says so; the file is as it was; with room again it goes on."""
    folder = tmp_path / "small"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", str(folder)], check=True)
    try:
        path = folder / "ledger.jsonl"
        ledger = Ledger(str(path), clock)
        ledger.append("first")
        (folder / "filler").write_bytes(b"x" * 40_000)
        with pytest.raises(LedgerError, match="cannot be written: No space left") as told:
            fill(ledger)
        assert "full" in told.value.hint
        whole = path.read_bytes()
        assert whole.endswith(b"\n")
        assert ledger.verify() == []
        assert ledger.head().n == whole.count(b"\n") - 1
        assert [p.name for p in folder.iterdir() if p.name.startswith("ledger.")] == [path.name]
        (folder / "filler").unlink()
        ledger.append("again")
        assert ledger.verify() == []
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def edit(lines):
    lines[2] = lines[2].replace(b'"cycle":2', b'"cycle":7')


def delete(lines):
    del lines[2]


def reorder(lines):
    lines[2], lines[3] = lines[3], lines[2]


def duplicate(lines):
    lines.insert(2, lines[1])


@pytest.mark.parametrize("tamper", [edit, delete, reorder, duplicate])
def test_78_a_tampered_ledger_names_the_first_bad_entry_and_takes_nothing_more(
    ledger, path, clock, tamper
):
    """Entry 2 was touched, so entry 2 is named."""
    lines = path.read_bytes().splitlines(keepends=True)
    tamper(lines)
    path.write_bytes(b"".join(lines))
    assert ledger.verify()[0].n == 2


def test_78_no_byte_of_an_older_entry_changes_unseen(ledger, path):
    """Every byte but those of the last line is under the chain."""
    whole = path.read_bytes()
    starts = [0, *(i + 1 for i, byte in enumerate(whole) if byte == 10)]
    for at in range(0, starts[5] - 1, 3):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        n = sum(start <= at for start in starts) - 1
        problems = ledger.verify()
        assert problems, at
        # A flipped ``prev`` cannot be told from a change of the entry before.
        assert n - 1 <= problems[0].n <= n + 1, (at, problems)


def test_a_chain_that_is_broken_near_its_end_is_named_and_never_written_to(ledger, path, clock):
    """Opening refuses, names the entry, and the file stays as it was found."""
    lines = path.read_bytes().splitlines(keepends=True)
    lines[4] = lines[4].replace(b'"cycle":4', b'"cycle":9')
    path.write_bytes(b"".join(lines))
    content = path.read_bytes()
    with pytest.raises(LedgerError, match="broken at entry 4"):
        Ledger(str(path), clock)
    with pytest.raises(LedgerError, match="broken at entry 4"):
        ledger.append("x")
    assert path.read_bytes() == content


def test_79_an_end_that_was_cut_off_is_seen_by_who_holds_an_older_head(ledger, path, clock):
    """The chain alone holds; a head kept on a target or on paper does not."""
    kept = ledger.head()
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:-2]))
    cut = Ledger(str(path), clock)
    assert cut.verify() == []
    assert [problem.n for problem in cut.verify([kept])] == [5]
    cut.append("other")
    cut.append("other")
    assert [problem.n for problem in cut.verify([kept])] == [5]


def test_82_two_heads_of_one_number_are_seen(ledger):
    """A fork: one of them is not an entry of this ledger."""
    head = ledger.head()
    assert ledger.verify([head]) == []
    assert [p.n for p in ledger.verify([head, LedgerHead(n=5, sha256="ab" * 32)])] == [5]


def test_a_ledger_that_shrinks_while_it_is_open_takes_nothing_more(ledger, path):
    """Somebody replaced the file by an older copy: nothing is appended to it."""
    content = b"".join(path.read_bytes().splitlines(keepends=True)[:-1])
    path.write_bytes(content)
    with pytest.raises(LedgerError, match="cut or replaced: entry 5"):
        ledger.append("x")
    assert path.read_bytes() == content


def test_70_a_clock_that_stepped_back_is_noted_and_orders_nothing(ledger, clock):
    """The note has the seconds; numbers go on; it is said once a step."""
    clock.move(-3600)
    ledger.append("a")
    ledger.append("b")
    *_, note, a, b = ledger.entries()
    assert (note.kind, note.body) == ("clock-stepped-back", {"seconds": 3600.0})
    assert [note.n, a.n, b.n] == [6, 7, 8]
    assert ledger.last_at() == clock.now()
    assert ledger.verify() == []


def test_two_processes_append_to_one_chain(path, clock):
    """The lock is the file's: entries interleave, none is lost, the chain holds."""
    ledger = Ledger(str(path), clock)
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    argv = [sys.executable, "-c", APPEND, str(path), "25"]
    running = [subprocess.Popen(argv, env=env) for _ in range(2)]
    assert [process.wait(30) for process in running] == [0, 0]
    assert ledger.verify() == []
    assert len([e for e in ledger.entries() if e.kind == "appended"]) == 50


def test_opening_and_appending_read_the_end_only(path, clock):
    """A ledger of thirty years opens as quickly as a new one."""
    head, stamp = NO_HEAD, Stamp(at=clock.now(), boot="b", mono=1.0)
    with path.open("wb") as file:
        for _ in range(20_000):
            line, entry = write_line(head, stamp=stamp, kind="x", body={"cycle": 1})
            head = LedgerHead(n=entry.n, sha256=entry.sha256)
            file.write(line)
    before = bytes_read()
    opened = Ledger(str(path), clock)
    opened.append("y")
    assert bytes_read() - before < 1_500_000 < path.stat().st_size
    assert opened.head().n == 20_000


def bytes_read() -> int:
    fields = dict(line.split(": ") for line in Path("/proc/self/io").read_text().splitlines())
    return int(fields["rchar"])


@pytest.mark.parametrize("body", [{"x": float("nan")}, {"x": "\udc80"}, {"x": "y" * (1 << 20)}])
def test_a_body_that_json_cannot_hold_is_refused_and_nothing_is_written(ledger, path, body):
    """Also one that would not fit in a line."""
    content = path.read_bytes()
    with pytest.raises(LedgerError, match="cannot be written"):
        ledger.append("odd", **body)
    assert path.read_bytes() == content


def test_the_ledger_loads_neither_database_nor_cryptography():
    """Start-up time counts for a command that only reads."""
    code = (
        "import sys, vault.ledger, vault.ledger.notes, vault.ledger.documents;"
        "print([m for m in ('sqlalchemy', 'cryptography', 'zstandard') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_a_ledger_held_by_another_for_too_long_is_said(ledger, path, monkeypatch):
    """A hanging process is named as the cause instead of hanging too."""
    import fcntl

    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    with path.open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(LedgerError, match="another process has held the ledger"):
            ledger.append("x")
