"""The outside of a simulated year: media, doors, landing, exports and clock, in memory.

These are ports of the night's story, small and honest: a disk really holds a set of files and can
be absent, full, slow, wrong, bad or stuck; an export really has files and can be late, empty,
missing, shrunk or encrypted. The real ones (restic, block devices, SSH) have their own tests; here
a year must pass in seconds. Everything inside is the product's own.

Rule 1: what is true stands here and nowhere else; a port answers from it, and tells the ``log``
    what happened, for the oracle.
Rule 2: every call is a step; a seeded step may be the process's last, by a real death (fork and
    ``_exit``: no ``finally`` runs) or by a signal.
Rule 3: time passes only by ``pass_s``; sizes and speeds are numbers, no byte of them is written.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from vault.admission import Pins
from vault.errors import (
    CloneFound,
    DeadlineReached,
    DoorError,
    Impostor,
    Interrupted,
    MediaAbsent,
    ResticError,
    SourceError,
    SourceMissing,
)
from vault.finding import Finding, Signs, Soundness
from vault.ports import Backup, Marks, Medium
from vault.results import (
    AdmissionReport,
    Disconnection,
    DoorProof,
    ManifestEntry,
    Pull,
    Refusal,
    RepositoryFile,
    ShutReport,
)
from vault.secret import Secret
from vault.sources.manifest import identity_of

MB = 1_000_000
KEPT_FREE = 16 << 20  # of a medium, for its own records


@dataclass
class Disk:
    """One medium, wherever it is."""

    label: str
    uuid: str
    size_bytes: int
    speed: float = 40.0 * MB
    files: dict[str, int] = field(default_factory=dict)  # of the repository, by path
    texts: dict[str, bytes] = field(default_factory=dict)  # small files of ours
    lies: bool = False  # what is written reads back wrong
    fails: bool = False  # it does not open any more

    @property
    def free_bytes(self) -> int:
        return self.size_bytes - sum(self.files.values()) - sum(map(len, self.texts.values()))


@dataclass
class Export:
    """What an exporting host lays out for one source."""

    files: dict[bytes, tuple[int, str]] = field(default_factory=dict)  # size, content
    state: str = "there"  # there, missing, failing, empty
    growing: bool = False  # the newest file is still being written

    def entries(self) -> tuple[ManifestEntry, ...]:
        return tuple(
            ManifestEntry(path=path, size_bytes=size, mtime_ns=0, sha256=sha(content))
            for path, (size, content) in sorted(self.files.items())
        )


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass
class World:
    """What is true."""

    true_at: datetime
    chance: random.Random
    skew: timedelta = timedelta(0)
    boot: float = 1000.0
    boots: int = 1
    disks: dict[str, Disk] = field(default_factory=dict)  # by target: the genuine one
    bay: list[Disk] = field(default_factory=list)  # what is attached
    unmounts_only: set[str] = field(default_factory=set)  # targets whose bus cannot detach
    stuck: set[str] = field(default_factory=set)  # doors that do not shut: targets, "production"
    open_doors: set[str] = field(default_factory=set)
    exports: dict[str, Export] = field(default_factory=dict)
    landing: dict[str, int] = field(default_factory=dict)
    host_full: bool = False
    restic_fails: bool = False
    log: list[tuple[str, datetime, dict[str, Any]]] = field(default_factory=list)
    diary: list[str] = field(default_factory=list)
    steps: int = 0
    last_step: str = ""
    ends_at_step: int = 0
    signal_at: tuple[str, int] | None = None  # where a signal comes, and at which such point
    end: Callable[[], None] | None = None  # what happens at that step

    # -- time

    def now(self) -> datetime:
        return self.true_at + self.skew

    def boot_s(self) -> float:
        return self.boot

    def boot_id(self) -> str:
        return f"boot-{self.boots}"

    def pass_s(self, seconds: float) -> None:
        self.true_at += timedelta(seconds=seconds)
        self.boot += seconds

    # -- telling

    def tell(self, what: str, **facts: Any) -> None:
        self.log.append((what, self.now(), facts))

    def note(self, line: str) -> None:
        """Keep a line for whoever reads why a night went red."""
        self.diary.append(f"{self.now():%Y-%m-%d %H:%M} {line}")

    def step(self, name: str) -> None:
        self.steps += 1
        self.last_step = name
        if self.ends_at_step and self.steps == self.ends_at_step and self.end is not None:
            self.note(f"the run ends at step {self.steps}, {name}")
            self.end()

    def signal(self, name: str) -> None:
        """Pass a point where a signal may be taken."""
        if self.signal_at is None or self.signal_at[0] != name:
            return
        left = self.signal_at[1] - 1
        self.signal_at = (name, left) if left > 0 else None
        if left <= 0:
            self.note(f"a signal comes at {name}")
            self.tell("signal", name=name)
            raise Interrupted("a signal came")


SIGNALS = ("collect", "backup", "find", "open", "admit")


# -- doors and media


@dataclass
class Door:
    """Implements ``vault.ports.VaultDoor``."""

    world: World
    target: str
    uuid: str
    size_bytes: int

    def find(self) -> Medium:
        self.world.step("find")
        self.world.signal("find")
        self.world.pass_s(1)
        found = [disk for disk in self.world.bay if disk.uuid == self.uuid]
        if not found:
            self.world.tell("absent", target=self.target)
            raise MediaAbsent("no medium of {target} is attached", target=self.target)
        if len(found) > 1:
            self.world.tell("wrong medium", target=self.target)
            raise CloneFound("two media claim to be {target}", target=self.target)
        if found[0].size_bytes != self.size_bytes:
            self.world.tell("wrong medium", target=self.target)
            raise Impostor("the medium of {target} has another size", target=self.target)
        disk = found[0]
        return Medium(device=disk.label, uuid=disk.uuid, fs_type="ext4", size_bytes=disk.size_bytes)

    @contextmanager
    def open(
        self, medium: Medium, *, writing: bool, closes_at_s: float, plan: Iterable[Any] = (),
        maintenance: bool = False,
    ) -> Iterator[Opened]:  # fmt: skip
        assert not maintenance, "nothing is removed in this world"
        disk = next(disk for disk in self.world.bay if disk.label == medium.device)
        batches = [tuple(batch) for batch in plan]
        self.world.step(f"open {self.target}")
        self.world.signal("open")
        if disk.fails:
            self.world.tell("failed to open", target=self.target)
            raise DoorError("the medium of {target} does not mount", target=self.target)
        self.world.open_doors.add(self.target)
        opened = Opened(self.world, self.target, disk, medium, closes_at_s, batches)
        self._tell_opened(opened)
        self.world.pass_s(0.05)
        try:
            yield opened
        finally:
            self._close()

    def _tell_opened(self, opened: Opened) -> None:
        needed = sum(file.size_bytes for file in opened.missing())
        self.world.tell(
            "opened",
            target=self.target,
            true_at=self.world.true_at,
            closes_s=opened.closes_at_s - self.world.boot_s(),
            genuine=opened.disk is self.world.disks.get(self.target),
            full=needed > opened.disk.free_bytes - KEPT_FREE,
            files=frozenset(opened.disk.files),
        )

    def _close(self) -> None:
        if self.target not in self.world.stuck:
            self.world.open_doors.discard(self.target)

    def shut(self, reason: str) -> ShutReport:
        self.world.step("shut")
        self._close()
        is_open = self.target in self.world.open_doors
        self.world.tell(
            "asked",
            target=self.target,
            shut=not is_open,
            how=self._how(),
            true_at=self.world.true_at,
        )
        return ShutReport(
            proof=DoorProof.OPEN if is_open else DoorProof.SHUT,
            disconnection=Disconnection.NONE if is_open else Disconnection(self._how()),
            evidence=("asked",),
        )

    def _how(self) -> str:
        """Say how the genuine medium is apart from the host once its door is shut."""
        if all(disk.uuid != self.uuid for disk in self.world.bay):
            return "removed"
        return "unmounted" if self.target in self.world.unmounts_only else "detached"


@dataclass
class Opened:
    """Implements ``vault.ports.OpenVault`` as far as a night and an enrolment ask."""

    world: World
    target: str
    disk: Disk
    medium: Medium
    closes_at_s: float
    plan: list[tuple[RepositoryFile, ...]]
    touched_at_s: float = 0.0

    def __post_init__(self) -> None:
        self.touched_at_s = self.world.boot_s()

    def read_marks(self, provisioned: Iterable[RepositoryFile] = ()) -> Marks:
        heads = {
            int(path.rpartition("/")[2]): text
            for path, text in self.disk.texts.items()
            if path.startswith("coffre/heads/")
        }
        newest = max(heads, default=None)
        return Marks(
            identity=self.disk.texts.get("coffre/identity", b""),
            heads=() if newest is None else ((newest, heads[newest]),),
            free_bytes=self.disk.free_bytes,
            free_inodes=1_000_000,
            gone=tuple(
                file for file in provisioned if f"repository/{file.path}" not in self.disk.texts
            ),
        )

    def prepare_repository(self) -> None:
        self.world.step("prepare")

    def make_writable(self) -> None:
        self.world.step("make writable")

    def admit(
        self,
        batches: Iterable[Sequence[RepositoryFile]] | None = None,
        *,
        landing: bytes,
        soft_closes_at_s: float,
        progress: Callable[[int, int], None],
        records: Sequence[tuple[str, bytes]] = (),
        settled: Callable[[AdmissionReport], None],
    ) -> AdmissionReport:
        """Carry batch by batch; stop at the soft deadline, on a bad medium, or when it is full."""
        world, began_s = self.world, self.world.boot_s()
        lacking = [file for batch in self.plan for file in batch if file not in self]
        done, done_bytes, failure = 0, 0, ""
        corrupt: list[Refusal] = []
        for file in lacking:
            world.step("admit a file")
            world.signal("admit")
            if world.boot_s() >= soft_closes_at_s:
                break
            if file.size_bytes > self.disk.free_bytes:
                failure = "full"
                break
            self._take(file.size_bytes / self.disk.speed)
            if self.disk.lies:
                corrupt.append(Refusal(name=file.path.encode(), reason="read back otherwise"))
                break
            self.disk.files[file.path] = file.size_bytes
            done, done_bytes = done + 1, done_bytes + file.size_bytes
        left = lacking[done:]
        seconds = max(world.boot_s() - began_s, 1e-3)
        report = AdmissionReport(
            wanted_files=len(lacking),
            wanted_bytes=sum(file.size_bytes for file in lacking),
            admitted_files=done,
            admitted_bytes=done_bytes,
            read_back_bytes=done_bytes,
            corrupt=tuple(corrupt),
            left_files=len(left),
            left_bytes=sum(file.size_bytes for file in left),
            failure=failure,
            failure_detail="no space" if failure else "",
            largest_left_bytes=max((file.size_bytes for file in left), default=0),
            bytes_per_second=done_bytes / seconds,
        )
        world.tell(
            "carried",
            target=self.target,
            files=frozenset(self.disk.files),
            lied=bool(corrupt),
            full=bool(failure),
        )
        settled(report)
        if not failure:
            self.publish_all(records)
        return report

    def __contains__(self, file: object) -> bool:
        assert isinstance(file, RepositoryFile)
        return self.disk.files.get(file.path) == file.size_bytes

    def _take(self, seconds: float) -> None:
        """Let the time pass that an act takes; the kernel shuts the door at its deadline."""
        left = self.closes_at_s - self.world.boot_s()
        if seconds < left:
            self.world.pass_s(seconds)
            return
        self.world.pass_s(max(left, 0))
        self.world.tell("deadline", target=self.target)
        raise DeadlineReached("the kernel shut the door at its deadline")

    def missing(self, wanted: Iterable[RepositoryFile] | None = None) -> Sequence[RepositoryFile]:
        every = wanted if wanted is not None else (file for batch in self.plan for file in batch)
        return [file for file in every if file not in self]

    def publish(self, path: str, content: bytes) -> None:
        self.world.step("publish")
        self.disk.texts[path] = content

    def publish_all(self, files: Sequence[tuple[str, bytes]]) -> None:
        for path, content in files:
            self.publish(path, content)
        if self.disk.texts.get("coffre/identity"):
            views = sorted(path for path in self.disk.texts if path.startswith("coffre/views/"))
            for path in views[:-1]:
                self.disk.texts[path] = b""  # nobody reads an old one here; a year of them is big


@dataclass
class Production:
    """Implements ``vault.ports.ProductionDoor``."""

    world: World
    kind: str = "link"

    def open(self) -> None:
        self.world.step("open production")
        self.world.open_doors.add("production")

    def shut(self, reason: str) -> ShutReport:
        self.world.step("shut production")
        if "production" not in self.world.stuck:
            self.world.open_doors.discard("production")
        is_open = "production" in self.world.open_doors
        self.world.tell(
            "asked", target="production", shut=not is_open, how="", true_at=self.world.true_at
        )
        return ShutReport(
            proof=DoorProof.OPEN if is_open else DoorProof.SHUT,
            disconnection=Disconnection.NONE if is_open else Disconnection.LINK_DOWN,
            evidence=("asked",),
        )


# -- the landing


_PROVISION = {"config": b"config of the year", "keys/" + sha("key"): b"a key"}


@dataclass
class Landing:
    """Implements ``vault.ports.LandingRepository`` and ``vault.founding.NewLanding``."""

    world: World
    folder: bytes = b"/nowhere/landing"

    def exists(self) -> bool:
        return True

    def init(self) -> frozenset[str]:
        raise AssertionError

    def add_key(self, password: Secret, *, user: str) -> None:
        """Have the key already."""

    def opens_with(self, password: Secret) -> bool:
        return True

    def read_pins(self) -> Pins:
        return Pins(
            repository_id=sha("repository"),
            config_sha256=hashlib.sha256(_PROVISION["config"]).hexdigest(),
            keys=frozenset(path[5:] for path in _PROVISION if path.startswith("keys/")),
        )

    def provision(self) -> Sequence[tuple[str, bytes]]:
        return tuple(_PROVISION.items())

    def backup(self, reception: bytes, *, source: str, parent: str | None) -> Backup:
        world = self.world
        world.step("backup begins")
        world.signal("backup")
        if world.restic_fails:
            raise ResticError("restic ended with 1")
        whole = sum(size for size, _ in world.exports[source].files.values())
        size = int(whole * world.chance.uniform(0.02, 1)) if source != "coffre" else 200_000
        names = [
            (kind, sha(f"{source} {kind} {len(world.landing)} {world.chance.random()}"), bytes_)
            for kind, bytes_ in (("data", size), ("index", 3000), ("snapshots", 400))
        ]
        added = []
        for kind, name, size_bytes in names:
            world.step("backup writes a file")
            path = f"data/{name[:2]}/{name}" if kind == "data" else f"{kind}/{name}"
            world.landing[path] = size_bytes
            added.append(RepositoryFile(path=path, size_bytes=size_bytes))
        world.pass_s(size / (200 * MB))
        world.tell("snapshot", source=source, files=tuple(file.path for file in added))
        return Backup(
            snapshot_id=names[-1][1], added=tuple(sorted(added, key=lambda file: file.path))
        )

    def disown(self, before: set[str]) -> Sequence[RepositoryFile]:
        gone = [p for p in self.world.landing if p.startswith("snapshots/") and p not in before]
        for path in gone:
            del self.world.landing[path]
        self.world.tell("disowned", snapshots=gone)
        return [file for file in self._listed() if file.path not in before]

    def sweep(self, files: Sequence[RepositoryFile]) -> int:
        for file in files:
            del self.world.landing[file.path]
        return len(files)

    def unlock_stale(self) -> None:
        """Have no locks."""

    def check(self) -> Sequence[str]:
        self.world.pass_s(20)
        return ()

    def _listed(self) -> list[RepositoryFile]:
        small = [(path, len(text)) for path, text in _PROVISION.items()]
        every = sorted([*small, *self.world.landing.items()])
        return [RepositoryFile(path=path, size_bytes=size) for path, size in every]

    def list_files(self) -> Iterator[RepositoryFile]:
        return iter(self._listed())

    def list_aliens(self) -> Iterator[tuple[bytes, str]]:
        return iter(())

    def damaged(self, files: Sequence[RepositoryFile]) -> Sequence[Refusal]:
        self.world.pass_s(sum(file.size_bytes for file in files) / (500 * MB))
        return ()

    def settle(self) -> None:
        self.world.tell("settled", files=tuple(self.world.landing))


# -- exports


@dataclass
class Reception:
    """Implements ``vault.ports.Reception``; the mirror is what the last pull said."""

    world: World
    source: str
    folder: bytes = b""
    entries: tuple[ManifestEntry, ...] = ()

    def manifest(self) -> tuple[ManifestEntry, ...]:
        return self.entries

    def seal(self, pull: Pull) -> str:
        self.entries = pull.entries
        return self.identity(pull)

    def identity(self, pull: Pull) -> str:
        return identity_of(pull.entries)

    def set_aside(self, pull: Pull, kept: bytes) -> None:
        """Keep nothing: the next pull brings the whole export again."""


@dataclass
class Exporter:
    """Implements ``vault.ports.Source``."""

    world: World
    name: str

    def collect(self, reception: Any, *, closes_at_s: float, progress: Any) -> Pull:
        export = self.world.exports[self.name]
        self.world.step("collect")
        if self.name != "coffre":  # its own records are taken when all is judged
            self.world.signal("collect")
        entries, waiting = export.entries(), ()
        if export.growing:
            newest = entries[-1].path
            entries, waiting = entries[:-1], (Refusal(name=newest, reason="growing"),)
        if export.state == "empty":
            entries, waiting = (), ()
        names = {entry.path for entry in entries}
        self.world.tell(
            "collected",
            source=self.name,
            state=export.state,
            content={path: what for path, what in export.files.items() if path in names},
            growing=bool(waiting),
            restic_fails=self.world.restic_fails,
        )
        self.world.pass_s(5)
        if export.state == "missing":
            raise SourceMissing("the export of {name} is not there", name=self.name)
        if export.state == "failing":
            raise SourceError("the export of {name} cannot be read", name=self.name)
        return Pull(entries=entries, pulled=len(entries), waiting=waiting)


@dataclass
class Examiner:
    """Implements ``vault.ports.Examiner``: what is encrypted looks so, the rest is a table."""

    world: World
    tables: str = "year/1"

    def examine(self, reception: bytes, entry: ManifestEntry) -> Finding:
        if entry.path.endswith(b".dat"):
            signs = Signs(
                size_bytes=entry.size_bytes, sampled_bytes=4096, entropy_bits=7.99,
                chi_square=255.0, magic="",
            )  # fmt: skip
            return Finding(kind="opaque", soundness=Soundness.OPAQUE, signs=signs)
        return Finding(kind="delimited", soundness=Soundness.SOUND)

    def examine_each(self, reception: bytes, entries: Sequence[ManifestEntry]) -> Iterator[Finding]:
        for entry in entries:
            yield self.examine(reception, entry)
