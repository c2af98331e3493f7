"""The gatekeeper with a real catalogue, a real reception and the real examiner."""

from __future__ import annotations

import base64
import gzip
import io
import os
import random
import time
import zipfile
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest

from tests.rigs.looks import POLICY
from vault.catalogue import Catalogue
from vault.errors import SourceError
from vault.gatekeeper import Gatekeeper, Inspected, suspected
from vault.habit import NIGHTS, learn
from vault.inspection.examiner import FileExaminer
from vault.inspection.registry import load_registry
from vault.intake import NightSource
from vault.records import Acceptance
from vault.results import Pull, SnapshotRecord
from vault.sources.folder import FolderSource
from vault.sources.reception import Reception

NOW = datetime(2026, 11, 25, tzinfo=UTC)
LINES = [f"{n};ward {n % 7};2026-01-{1 + n % 28:02};12,5\n" for n in range(200)]


class Clock:
    def now(self) -> datetime:
        return NOW

    def boot_s(self) -> float:
        return time.monotonic()

    def boot_id(self) -> str:
        return "boot"


class Quiet:
    def step(self, name: str, detail: str = "") -> None: ...

    def advance(self, done_bytes: int, total_bytes: int) -> None: ...


class Ledger:
    def __init__(self) -> None:
        self.kinds: list[str] = []
        self.bodies: list[dict] = []

    def append(self, kind: str, **body: object) -> None:
        self.kinds.append(kind)
        self.bodies.append(body)


class Counting:
    """The real examiner, counted; it may fail after so many files."""

    def __init__(self) -> None:
        self.real = FileExaminer(load_registry(), seed=b"seed", clock_s=time.monotonic)
        self.tables = self.real.tables
        self.seen = 0
        self.fails_after: int | None = None

    def examine(self, reception, entry):
        if self.fails_after is not None and self.seen >= self.fails_after:
            raise SourceError("a file of the reception is not what the manifest says")
        self.seen += 1
        return self.real.examine(reception, entry)

    def examine_each(self, reception, entries):
        return (self.examine(reception, entry) for entry in entries)


@dataclass
class Bench:
    """One source with its gate; a night is a pull, an inspection, and what follows of it."""

    folder: object
    catalogue: Catalogue
    ledger: Ledger
    examiner: Counting
    gate: Gatekeeper
    source: NightSource
    chance: random.Random

    def write(self, count: int = 40) -> None:
        for number in range(count):
            lines = "".join(random.Random(number).sample(LINES, 100))
            self.put(b"t%02d.csv" % number, lines.encode())

    def encrypt(self, count: int = 40, first: int = 0) -> None:
        for number in range(first, first + count):
            self.put(b"t%02d.csv" % number, self.chance.randbytes(2000))

    def spoil(self) -> None:
        """Leave what no inspector knows, and nobody would call random."""
        for number in range(3):
            self.put(b"t%02d.csv" % number, bytes(range(16)) * 90 + b"%d" % number)

    def put(self, name: bytes, content: bytes) -> None:
        path = os.path.join(os.fsencode(self.folder / "exports"), name)
        with open(path, "wb") as file:
            file.write(content)
        os.utime(path, (1e9, 1e9 + self.chance.random()))

    def pull(self) -> Pull:
        return self.source.source.collect(
            self.source.reception, closes_at_s=time.monotonic() + 99, progress=Quiet()
        )

    def night(self) -> Inspected:
        cycle = self.catalogue.begin_cycle(NOW, forced=False)
        pull = self.pull()
        found = self.gate.inspect(self.source, pull, cycle=cycle)
        if found.verdict is None:
            self.snapshot(pull, cycle)
            self.gate.remember("pmsi", found, cycle=cycle)
        return found

    def snapshot(self, pull: Pull, cycle: int) -> None:
        """Book what the intake does when restic has taken the export in."""
        identity = self.source.reception.seal(pull)
        newest = self.catalogue.newest_snapshot("pmsi")
        if newest is not None and newest.manifest == identity:
            return
        self.catalogue.put_manifest("pmsi", identity, pull.entries)
        self.catalogue.record_snapshot(
            SnapshotRecord(
                source="pmsi",
                snapshot_id=f"{cycle:064x}",
                taken_at=NOW,
                cycle=cycle,
                manifest=identity,
                files=len(pull.entries),
                bytes=0,
                tree="",
            )
        )

    def accept(self) -> None:
        refused = self.catalogue.refused("pmsi")
        word = Acceptance(by="Ana", reason="lawful", at=NOW, login="{}")
        self.catalogue.put_refused(replace(refused, accepted=word))


@pytest.fixture
def bench(tmp_path):
    (tmp_path / "exports").mkdir()
    Catalogue.create(str(tmp_path / "catalogue.sqlite")).close()
    with Catalogue.open(str(tmp_path / "catalogue.sqlite")) as catalogue:
        ledger, examiner, clock = Ledger(), Counting(), Clock()
        gate = Gatekeeper(
            catalogue=catalogue, ledger=ledger, examiner=examiner, clock=clock, progress=Quiet()
        )
        reception = Reception(os.fsencode(tmp_path / "reception"))
        reception.prepare()
        exports = os.fsencode(tmp_path / "exports")
        source = NightSource(
            name="pmsi",
            source=FolderSource("pmsi", exports, clock=clock, done_file=None, stable_for_s=0),
            reception=reception,
            policy=POLICY,
            kept=os.fsencode(tmp_path / "kept"),
        )
        made = Bench(tmp_path, catalogue, ledger, examiner, gate, source, random.Random(1))
        made.write()
        assert made.night().reasons == ()
        yield made


def data_of(bench) -> set[str]:
    return set(os.listdir(bench.folder / "reception" / "data"))


def test_what_was_refused_is_refused_again_though_the_mirror_forgot_what_it_replaced(bench):
    """The measure is the last accepted export; the second night after an attack does not pass."""
    bench.spoil()
    for _ in range(3):
        assert bench.night().verdict == "refused"
        # Set aside: restic could not take it in by mistake.
        assert not data_of(bench) & {"t00.csv", "t01.csv", "t02.csv"}
    assert bench.ledger.kinds == ["export-refused"] * 3
    assert len(os.listdir(bench.folder / "kept" / "data")) == 3
    bench.write()
    assert bench.night().verdict is None
    assert bench.catalogue.refused("pmsi") is None


def test_an_accepted_export_passes_once_and_is_the_habit_from_then_on(bench):
    """Its word is used up; the same damage done anew is refused."""
    bench.encrypt(10)
    assert bench.night().verdict == "refused"
    bench.accept()
    found = bench.night()
    assert (found.verdict, found.reasons[0]) == (None, "refused, then accepted by a person")
    assert bench.ledger.kinds == ["export-refused", "acceptance-used"]
    assert bench.catalogue.refused("pmsi") is None
    assert bench.night().reasons == ()
    assert learn(bench.catalogue.shapes("pmsi", NIGHTS)).scrambled == 0
    bench.encrypt(10, first=20)
    assert bench.night().verdict == "refused"


def test_another_export_does_not_pass_by_an_acceptance_and_voids_it(bench):
    """Even the accepted one does not pass any more when it comes back."""
    bench.encrypt(10)
    bench.night()
    bench.accept()
    accepted = {n: (bench.folder / "exports" / f"t{n:02}.csv").read_bytes() for n in range(10)}
    stamps = {n: os.stat(bench.folder / "exports" / f"t{n:02}.csv").st_mtime_ns for n in range(10)}
    bench.encrypt(11)
    assert bench.night().verdict == "refused"
    assert bench.ledger.kinds[1:] == ["acceptance-expired", "export-refused"]
    bench.write()
    for n, content in accepted.items():
        path = bench.folder / "exports" / f"t{n:02}.csv"
        path.write_bytes(content)
        os.utime(path, ns=(stamps[n], stamps[n]))
    assert bench.night().verdict == "refused"


def test_an_acceptance_stands_until_the_export_is_in_the_landing(bench):
    """A backup that failed takes nobody's word away."""
    bench.encrypt(10)
    bench.night()
    bench.accept()
    found = bench.gate.inspect(bench.source, bench.pull(), cycle=2)
    assert found.verdict is None  # restic failed here: nothing is remembered
    assert bench.night().verdict is None
    assert bench.ledger.kinds.count("acceptance-used") == 1


def test_a_file_is_examined_once_for_its_content(bench):
    """Not in the next night, not when another file changed."""
    assert bench.examiner.seen == 40
    bench.night()
    bench.put(b"t00.csv", "".join(LINES[:50]).encode())
    bench.night()
    assert bench.examiner.seen == 41


def test_newer_tables_look_at_everything_again(bench):
    """And raise no alarm by it."""
    bench.examiner.tables = "newer"
    assert bench.night().reasons == ()
    assert bench.examiner.seen == 80
    assert bench.night().verdict is None
    assert bench.examiner.seen == 80


def test_an_inspection_that_broke_off_goes_on_where_it_stopped(bench):
    """What was found is kept; the source is a gap that night, and nothing of it passes."""
    for number in range(50, 90):
        bench.put(b"t%02d.csv" % number, "".join(LINES[:number]).encode())
    bench.examiner.fails_after = 60
    assert bench.night().verdict == "failed"
    bench.examiner.fails_after = None
    assert bench.night().verdict is None
    assert bench.examiner.seen == 80


def test_findings_are_held_a_few_hundred_at_a_time(bench, monkeypatch):
    """A first night of a million files is no different."""
    from vault import gatekeeper

    monkeypatch.setattr(gatekeeper, "_CHUNK", 7)
    sizes = []
    put = bench.catalogue.put_findings
    monkeypatch.setattr(
        type(bench.catalogue), "put_findings",
        lambda _self, tables, found: (sizes.append(len(found)), put(tables, found)),
    )  # fmt: skip
    bench.examiner.tables = "newer"
    bench.night()
    assert sum(sizes) == 40
    assert max(sizes) == 7


def test_a_refusal_keeps_the_time_it_began(bench):
    """A gap says since when."""
    bench.encrypt()
    bench.night()
    first = bench.catalogue.refused("pmsi")
    Clock.now = lambda _self: NOW + timedelta(days=1)
    try:
        bench.night()
    finally:
        Clock.now = lambda _self: NOW
    assert bench.catalogue.refused("pmsi").at == first.at
    assert bench.catalogue.refused("pmsi").cycle == first.cycle + 1


def test_an_attack_is_judged_over_the_sources_that_are_configured(bench):
    """A source that was taken out of ``vault.yaml`` does not count."""
    bench.encrypt()
    bench.night()
    one = bench.catalogue.refused("pmsi")
    other = replace(one, source="gone")
    assert suspected([one, other], ["pmsi", "gone"]) == (one, other)
    assert suspected([one, other], ["pmsi"]) == ()


# -- what is written so as to pass


def table(number: int, rows: int = 3000) -> bytes:
    """Give a table of 100 kB: too long for its head to show what became of its end."""
    return "".join(random.Random(number).choices(LINES, k=rows)).encode()


def headed(content: bytes, chance: random.Random) -> bytes:
    """Keep the first 68 KiB, encrypt what is behind."""
    return content[:69632] + chance.randbytes(len(content) - 69632)


def dotted(content: bytes, chance: random.Random) -> bytes:
    """Encrypt one block of 4 KiB in sixteen, never the first."""
    blocks = [content[at : at + 4096] for at in range(0, len(content), 4096)]
    blocks[17::16] = [chance.randbytes(4096) for _ in blocks[17::16]]
    return b"".join(blocks)


def lettered(content: bytes, chance: random.Random) -> bytes:
    """Write what was encrypted as letters, in lines."""
    return base64.encodebytes(chance.randbytes(len(content) * 3 // 4))


def between_tags(content: bytes, chance: random.Random) -> bytes:
    return b"<export>" + lettered(content, chance) + b"</export>"


def declared(content: bytes, chance: random.Random) -> bytes:
    """Begin as XML with an entity: nobody reads on."""
    return b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "c">]><a>' + chance.randbytes(90_000)


def elements(number: int) -> bytes:
    rows = table(number).decode().splitlines()
    return f"<export>{''.join(f'<r>{row}</r>' for row in rows)}</export>".encode()


def folded(number: int) -> bytes:
    return gzip.compress(table(number), mtime=0)


def zipped(number: int) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("a.csv", table(number, 300))
    return out.getvalue()


def gz_of_noise(content: bytes, chance: random.Random) -> bytes:
    return gzip.compress(chance.randbytes(50_000), mtime=0)


def zip_of_noise(content: bytes, chance: random.Random) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("a", chance.randbytes(9000))
    return out.getvalue()


def locked(content: bytes, chance: random.Random) -> bytes:
    """Set the bit of a password on each member, in both places, and encrypt the bodies."""
    changed = bytearray(content)
    for mark, at in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        changed[content.index(mark) + at] |= 1
    return bytes(changed)


WAYS = {
    "headed": ("csv", table, headed),
    "dotted": ("csv", table, dotted),
    "headed-lines": ("txt", table, headed),
    "lettered": ("csv", table, lettered),
    "tags": ("xml", elements, between_tags),
    "entities": ("xml", elements, declared),
    "gz-of-noise": ("csv.gz", folded, gz_of_noise),
    "zip-of-noise": ("zip", zipped, zip_of_noise),
    "zip-locked": ("zip", zipped, locked),
    "wiped": ("bin", lambda n: random.Random(n).randbytes(9000), lambda c, _: bytes(len(c))),
}


@pytest.mark.parametrize(("ending", "make", "way"), WAYS.values(), ids=list(WAYS))
def test_encryption_that_keeps_what_a_glance_would_see_is_refused(bench, ending, make, way):
    """One file in twenty, of the same name and about the same size; lawful changes pass."""
    names = [b"x%02d.%s" % (number, ending.encode()) for number in range(60)]
    for number, name in enumerate(names):
        bench.put(name, make(number))
    assert bench.night().verdict is None
    for number, name in enumerate(names[:30]):
        bench.put(name, make(number + 100))
    assert bench.night().verdict is None
    for number, name in enumerate(names[:5]):
        bench.put(name, way(make(number), bench.chance))
    assert bench.night().verdict == "refused"
    for number, name in enumerate(names[:5]):
        bench.put(name, make(number))
    assert bench.night().verdict is None


def test_files_that_come_in_the_place_of_others_must_be_what_their_names_say(bench):
    """Archives always look random: it is their first bytes that new ones lack."""
    for number in range(60):
        bench.put(b"x%02d.zip" % number, zip_of_noise(b"", bench.chance))
    assert bench.night().verdict is None
    for number in range(5):
        os.unlink(os.path.join(os.fsencode(bench.folder / "exports"), b"x%02d.zip" % number))
        bench.put(b"other%d.zip" % number, bench.chance.randbytes(9000))
    assert bench.night().verdict == "refused"
