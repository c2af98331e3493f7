"""``coffre selftest``: break a scratch vault in the ways that vaults break, and see it turn red.

Rule 1: every command is the real one, in a process of its own; a fault is real: a byte of a pack, a
    pack that is gone, a full file system, a killed night, another disk.
Rule 2: nothing of the site is touched: vault, exports and disks are made in a folder of their own,
    which is removed.
Rule 3: between two faults the vault is mended and a control must be green: else a test that is
    always red would pass.
Rule 4: a fault that is not told is exit 1; that one could not be made is an error, not a result.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from vault.cli.session import Session, is_root
from vault.cli.shown import colour, table
from vault.cli.words import _
from vault.errors import CoffreError, ExitCode, NeedsRoot
from vault.process import TimedOut, run

_DISK_BYTES = 96 << 20
_NIGHT_S = 300.0
_COMMAND_S = 60.0
_FREE_S = 60.0  # a night of another vault holds a copy of what was mounted no longer
_LOOK_EVERY_S = 0.02
_SEED = 2021
_TOLD = {
    "night": "a night",
    "restore": "a restore test from the disk",
    "bit-on-disk": "one bit of a pack on the disk",
    "pack-gone": "a pack gone from the disk",
    "mended": "the same, mended",
    "other-disk": "another disk in its place",
    "bit-in-landing": "one bit of a new pack in the landing",
    "impostor": "a disk that bears the right UUID",
    "right-disk": "the right disk again",
    "full-disk": "a full disk",
    "room-again": "room again",
    "killed": "the doors after a night killed half way",
    "next-night": "the night after it",
}
_CONFIG = """\
site: {name: Selftest, finess: "990000010", time_zone: Europe/Paris, language: en}
state: state
landing: {password: {file: secrets/landing.pw}}
production: {door: none}
sources: {hr: {policy: hr, folder: exports/hr, stable_for: 0}}
targets: {disk-a: {door: disk, store: files}}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """One fault, or one control, and what the tool made of it."""

    name: str
    expected: str
    got: str

    @property
    def holds(self) -> bool:
        """Whether the tool said what it had to."""
        return self.got in self.expected.split("|")


@dataclass(slots=True)
class Bench:
    """The scratch vault, its disk, and what was seen so far."""

    folder: str
    device: str = ""
    proofs: list[Proof] = field(default_factory=list)
    night_s: float = 0.0

    def path(self, *names: str) -> str:
        """Give a path below the scratch folder."""
        return os.path.join(self.folder, *names)

    def coffre(self, *words: str) -> dict[str, object]:
        """Run a command to its end; give its document."""
        argv = [sys.executable, "-m", "vault.cli.main", "-c", self.path("vault.yaml"), "--json"]
        ended = run([*argv, *words], timeout_s=_NIGHT_S, cwd=self.folder, env=_our_path())
        try:
            document: dict[str, object] = json.loads(ended.stdout)
        except ValueError:
            raise CoffreError(
                "coffre {words} ended with {code} and told nothing",
                words=" ".join(words),
                code=ended.returncode,
                hint="{last}",
                last=(ended.stderr_tail.strip().splitlines() or ["?"])[-1],
            ) from None
        self.night_s = ended.duration_s
        return document

    def night(self) -> str:
        """Run a night; give the outcome at the disk, or why there was none."""
        document = self.coffre("run", "--now")
        targets = document.get("targets")
        if not isinstance(targets, list) or not targets:
            return str(document.get("verdict") or _reference(document))
        outcome, verdict = str(targets[0]["outcome"]), str(document["verdict"])
        return verdict if outcome == "not-opened" else outcome

    def drill(self) -> str:
        """Restore from the disk and compare; give the verdict, or why there was none."""
        document = self.coffre("drill", "run", "--source", "hr", "--from", "disk-a")
        return str(document.get("verdict") or _reference(document))

    def prove(self, name: str, expected: str, got: str) -> None:
        """Keep what the tool made of a fault, beside what it had to."""
        self.proofs.append(Proof(name=name, expected=expected, got=got))

    def grow(self, night: int, size_bytes: int = 200_000) -> None:
        """Change the export as a night does: one new file that no compression makes smaller."""
        path = self.path("exports", "hr", f"night-{night}.bin")
        with open(path, "wb") as file:
            file.write(os.urandom(size_bytes))
        os.utime(path, (1_600_000_000, 1_600_000_000))

    @contextlib.contextmanager
    def mounted(self) -> Iterator[str]:
        """Mount the disk by hand, as nobody should."""
        at = self.path("mnt")
        os.makedirs(at, exist_ok=True)
        _do("mount", self.device, at)
        try:
            yield at
        finally:
            _do("umount", at)
            _wait_free(self.device)

    @contextlib.contextmanager
    def attached(self, image: str) -> Iterator[None]:
        """Have another image in place of the disk's for a while."""
        own = self.device
        _do("losetup", "--detach", own)
        self.device = _do("losetup", "--find", "--show", self.path(image))
        try:
            yield
        finally:
            _do("losetup", "--detach", self.device)
            self.device = _do("losetup", "--find", "--show", self.path("disk.img"))


def selftest_command(session: Session) -> int:
    """Make every fault; 0 when each was told, 1 when one was not; NeedsRoot."""
    if not is_root():
        raise NeedsRoot("selftest makes disks and breaks them", hint="run as root?")
    with _bench() as bench:
        for fault in _FAULTS:
            done = len(bench.proofs)
            fault(bench)
            for one in bench.proofs[done:]:
                session.whisper(f"· {_(_TOLD[one.name])}: {_word(one)}")
    code = ExitCode.SOUND if all(proof.holds for proof in bench.proofs) else ExitCode.FAILED
    _show(session, bench.proofs)
    members = [
        {"name": one.name, "expected": one.expected, "got": one.got, "holds": one.holds}
        for one in bench.proofs
    ]
    return session.emit({"proofs": members}, code)


def _show(session: Session, proofs: Sequence[Proof]) -> None:
    rows = [
        [_(_TOLD[one.name]), one.expected.replace("|", " | "), one.got, _word(one)]
        for one in proofs
    ]
    session.say(table([_("fault"), _("expected"), _("got"), ""], rows))
    missed = sum(not one.holds for one in proofs)
    line = (
        _("Every fault was told, every control was sound.")
        if not missed
        else _("Not as it should: {count}.").format(count=missed)
    )
    session.say(colour(line, "bad" if missed else "good"))


def _word(proof: Proof) -> str:
    return _("as it should") if proof.holds else _("NOT AS IT SHOULD")


# -- the faults, in order: each leaves the vault as it found it


def _sound(bench: Bench) -> None:
    """Run a sound night and a sound restore test."""
    bench.prove("night", "admitted", bench.night())
    bench.prove("restore", "sound", bench.drill())


def _flipped(bench: Bench) -> None:
    """Turn one bit of a pack on the disk."""
    with bench.mounted() as at:
        pack = _largest(os.path.join(at, "repository", "data"))
        flip_bit(pack)
    bench.prove("bit-on-disk", "corrupt", bench.drill())
    with bench.mounted():
        flip_bit(pack)
    bench.prove("mended", "sound", bench.drill())


def _missing(bench: Bench) -> None:
    """Take one pack from the disk; it no longer holds the night."""
    with bench.mounted() as at:
        pack = _largest(os.path.join(at, "repository", "data"))
        _do("chattr", "-i", pack)
        os.rename(pack, os.path.join(at, "hidden"))
    bench.prove("pack-gone", "nothing-to-restore", bench.drill())
    with bench.mounted() as at:
        os.rename(os.path.join(at, "hidden"), pack)
        _do("chattr", "+i", pack)
    bench.prove("mended", "sound", bench.drill())


def _landing(bench: Bench) -> None:
    """Put another disk in its place, then turn one bit of a new pack in the landing."""
    bench.grow(1)
    with bench.attached("blank.img"):
        away = bench.night()
    bench.prove("other-disk", "media-absent", away)
    pack = _largest(bench.path("state", "landing", "data"), newest=True)
    flip_bit(pack)
    bench.prove("bit-in-landing", "refused", bench.night())
    flip_bit(pack)
    bench.prove("mended", "admitted", bench.night())


def _impostor(bench: Bench) -> None:
    """Put a disk in its place that claims to be it."""
    bench.grow(2)
    with bench.attached("impostor.img"):
        bench.prove("impostor", "impostor", bench.night())
    bench.prove("right-disk", "admitted", bench.night())


def _full(bench: Bench) -> None:
    """Leave the disk no room."""
    with bench.mounted() as at:
        room = os.statvfs(at)
        filler = os.path.join(at, "filler")
        _do("fallocate", "-l", str(room.f_bavail * room.f_frsize - (1 << 20)), filler)
    bench.grow(3, 8 << 20)
    bench.prove("full-disk", "full", bench.night())
    with bench.mounted():
        os.remove(filler)
    bench.prove("room-again", "admitted", bench.night())


def _killed(bench: Bench) -> None:
    """Kill a night half way."""
    bench.grow(4, 4 << 20)
    config = bench.path("vault.yaml")
    argv = [sys.executable, "-m", "vault.cli.main", "-c", config, "run", "--now"]
    half_s = bench.night_s / 2
    try:
        run(argv, timeout_s=half_s, env=_our_path(), end_signal=signal.SIGKILL)
        got = "ended before it was killed"
    except TimedOut:
        closed = bench.coffre("target", "close")
        got = "shut" if closed["exit_code"] == 0 else _reference(closed)
    bench.prove("killed", "shut", got)
    bench.prove("next-night", "admitted|nothing-new", bench.night())
    bench.prove("restore", "sound", bench.drill())


_FAULTS: tuple[Callable[[Bench], None], ...] = (
    _sound, _flipped, _missing, _landing, _impostor, _full, _killed,
)  # fmt: skip


# -- the bench


def _wait_free(device: str) -> None:
    """Wait until nobody holds a disk: what was made with a mount table of its own meanwhile does.

    A night of another vault is such a one. One that lasts is for the next command to tell.
    """
    gives_up_at = time.monotonic() + _FREE_S
    while time.monotonic() < gives_up_at:
        with contextlib.suppress(OSError):
            os.close(os.open(device, os.O_RDONLY | os.O_EXCL | os.O_CLOEXEC))
            return
        time.sleep(_LOOK_EVERY_S)


@contextlib.contextmanager
def _bench() -> Iterator[Bench]:
    from vault.config import load
    from vault.hospital import generate
    from vault.wiring.making import make_vault
    from vault.wiring.wired import Wired

    folder = tempfile.mkdtemp(prefix="coffre-selftest-")
    bench = Bench(folder)
    try:
        with open(bench.path("vault.yaml"), "w", encoding="utf-8") as file:
            file.write(_CONFIG)
        generate(bench.path("exports"), seed=_SEED)
        for name in ("disk.img", "blank.img", "impostor.img"):
            with open(bench.path(name), "wb") as file:
                file.truncate(_DISK_BYTES)
        wired = Wired(load(bench.path("vault.yaml")))
        sheet = make_vault(wired).sheet
        assert sheet is not None
        wired.founding.note_printed(sheet)
        wired.founding.confirm(sheet.password)
        wired.catalogue.close()
        bench.device = _do("losetup", "--find", "--show", bench.path("disk.img"))
        bench.coffre("target", "enrol", "disk-a", "--device", bench.device, "--format", "--yes")
        uuid = _do("blkid", "-p", "-o", "value", "-s", "UUID", bench.device)
        _do("mkfs.ext4", "-q", "-F", bench.path("blank.img"))
        _do("mkfs.ext4", "-q", "-F", "-U", uuid, bench.path("impostor.img"))
        yield bench
    finally:
        with contextlib.suppress(CoffreError):
            if bench.device:
                _do("losetup", "--detach", bench.device)
        shutil.rmtree(folder, ignore_errors=True)


def _do(*words: str) -> str:
    """Run a tool of the host; give its first line; CoffreError when it fails."""
    ended = run(list(words), timeout_s=_COMMAND_S)
    if ended.returncode != 0:
        raise CoffreError(
            "{tool} ended with {code}: {words}",
            tool=words[0],
            code=ended.returncode,
            words=ended.stderr_tail.strip(),
            hint="is this a container without devices?",
        )
    return ended.stdout.decode().strip()


def _our_path() -> dict[str, str]:
    """Let the child find the very package that this process runs."""
    return {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}


def _largest(folder: str, *, newest: bool = False) -> str:
    """Give the largest pack below a folder, or the newest."""
    packs = [os.path.join(at, name) for at, _dirs, names in os.walk(folder) for name in names]
    return max(
        packs, key=lambda path: os.stat(path).st_mtime_ns if newest else os.path.getsize(path)
    )


def flip_bit(path: str) -> None:
    """Turn one bit in the middle of a file; a second time turns it back."""
    with contextlib.suppress(CoffreError):
        _do("chattr", "-i", path)
    found = os.stat(path)
    os.chmod(path, 0o600)
    with open(path, "r+b", buffering=0) as file:
        at = found.st_size // 2
        byte = os.pread(file.fileno(), 1, at)
        os.pwrite(file.fileno(), bytes([byte[0] ^ 1]), at)
        os.fsync(file.fileno())
    os.chmod(path, found.st_mode & 0o777)
    os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))


def _reference(document: dict[str, object]) -> str:
    error = document.get("error")
    return str(error["reference"]) if isinstance(error, dict) else "nothing"
