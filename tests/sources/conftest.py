"""What the tests of sources share: a clock, a progress, and exports of every kind."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from tests.rigs.sshd import Sshd, serving
from vault.results import ManifestEntry, Pull
from vault.secret import Secret
from vault.sources.folder import FolderSource
from vault.sources.host_keys import make_key, pin
from vault.sources.mounted import MountedFolderSource
from vault.sources.mounting import Mount
from vault.sources.reception import Reception
from vault.sources.sftp import SftpSource
from vault.sources.ssh_session import Account

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from vault.ports import Source


@dataclass
class HandClock:
    """The clock of this host, which a test may put forward."""

    ahead_s: float = 0.0
    act: Callable[[], None] = lambda: None  # done at each asking: once a piece of a file, say

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=self.ahead_s)

    def boot_s(self) -> float:
        self.act()
        return time.clock_gettime(time.CLOCK_BOOTTIME) + self.ahead_s

    def boot_id(self) -> str:
        return "0d0c7f0e-boot"


@dataclass
class Listener:
    """A progress that remembers, and may act on what it hears."""

    heard: list[tuple[int, int]] = field(default_factory=list)
    act: Callable[[int], None] = lambda _: None

    def step(self, name: str, detail: str = "") -> None:
        pass

    def advance(self, done_bytes: int, total_bytes: int) -> None:
        self.heard.append((done_bytes, total_bytes))
        self.act(done_bytes)


class Exports(Protocol):
    """A folder that a test writes into and a source of some kind reads."""

    root: bytes

    def source(self, **rules: Any) -> Source: ...


@dataclass
class FolderExports:
    """Exports in a folder of this host."""

    root: bytes
    clock: HandClock

    def source(self, **rules: Any) -> Source:
        return FolderSource("pmsi", self.root, clock=self.clock, **rules)


@dataclass
class Bench:
    """One source, its exports and its reception."""

    exports: Exports
    reception: Reception
    clock: HandClock
    listener: Listener

    def write(self, path: bytes, content: bytes = b"x", *, age_s: float = 100.0) -> bytes:
        """Write one export, dated ``age_s`` ago on a whole second, as SFTP has it."""
        full = os.path.join(self.exports.root, path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "wb") as file:
            file.write(content)
        when = int(time.time() - age_s)
        os.utime(full, (when, when))
        return full

    def collect(self, *, left_s: float = 60.0, **rules: Any) -> Pull:
        source = self.exports.source(**rules)
        closes_at_s = self.clock.boot_s() + left_s
        return source.collect(self.reception, closes_at_s=closes_at_s, progress=self.listener)

    def sealed(self, **rules: Any) -> Pull:
        pull = self.collect(**rules)
        self.reception.seal(pull)
        return pull

    def data(self, path: bytes = b"") -> bytes:
        return os.path.join(self.reception.folder, b"data", path)

    def names(self) -> list[bytes]:
        """Give every file under data/, by path."""
        found = []
        for folder, _, files in os.walk(self.data()):
            found += [os.path.relpath(os.path.join(folder, name), self.data()) for name in files]
        return sorted(found)

    def arrived(self) -> int:
        """Give how much of the files on their way in is there."""
        folder = os.path.join(self.reception.folder, b"partial")
        if not os.path.isdir(folder):
            return 0
        parts = [name for name in os.listdir(folder) if name.endswith(b".part")]
        return sum(os.stat(os.path.join(folder, name)).st_size for name in parts)

    def when_arrived(self, count: int, act: Callable[[], object]) -> None:
        """Do something once, in mid-pull, as soon as so many bytes are there."""
        done = []

        def look() -> None:
            if not done and self.arrived() >= count:
                done.append(True)
                act()

        self.clock.act = look

    def partial(self) -> list[bytes]:
        return sorted(os.listdir(os.path.join(self.reception.folder, b"partial")))


def paths(entries: tuple[ManifestEntry, ...]) -> list[bytes]:
    return [entry.path for entry in entries]


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def listener() -> Listener:
    return Listener()


@pytest.fixture
def reception(tmp_path: Path) -> Reception:
    return Reception(os.fsencode(tmp_path / "state" / "receptions" / "pmsi"))


@pytest.fixture
def bench(tmp_path: Path, reception: Reception, clock: HandClock, listener: Listener) -> Bench:
    """Set a folder source to work."""
    root = os.fsencode(tmp_path / "exports")
    os.mkdir(root)
    return Bench(FolderExports(root, clock), reception, clock, listener)


@dataclass
class MountedExports:
    """Exports that are mounted for each pull: a bind mount, mounted as a share would be."""

    root: bytes
    clock: HandClock

    def source(self, **rules: Any) -> Source:
        mount = Mount(kind="none", what=os.fsdecode(self.root), options=("bind",))
        return MountedFolderSource("pmsi", mount, clock=self.clock, **rules)


@dataclass
class SftpExports:
    """Exports that a real OpenSSH server gives."""

    root: bytes
    clock: HandClock
    account: Account

    def source(self, **rules: Any) -> Source:
        return SftpSource("lab", self.account, self.root, clock=self.clock, **rules)


@pytest.fixture(scope="session")
def ssh_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    """Run one server for the tests that do not harm it."""
    with serving(tmp_path_factory.mktemp("sshd")) as server:
        yield server


def account_on(server: Sshd, **changes: Any) -> Account:
    """Make a key, let it in, pin the host: what an operator does once."""
    key = os.fsencode(server.folder / "coffre_key")
    server.authorize(make_key(key))
    known_hosts = os.fsencode(server.folder / "known_hosts")
    pin(known_hosts, server.known_hosts_line)
    with open(key, "rb") as file:
        private = Secret(file.read())
    account = Account(
        host=server.host, port=server.port, user=server.user, known_hosts=known_hosts, key=private
    )
    return replace(account, **changes)


@pytest.fixture(scope="session")
def ssh_account(ssh_server: Sshd) -> Account:
    """Give an account on the unharmed server."""
    return account_on(ssh_server)


@pytest.fixture(
    params=["folder", pytest.param("mounted", marks=pytest.mark.root), "sftp"],
)
def any_bench(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    reception: Reception,
    clock: HandClock,
    listener: Listener,
) -> Bench:
    """Set a source of each kind that mirrors a tree to work."""
    root = os.fsencode(tmp_path / "exports")
    os.mkdir(root)
    exports: Exports
    if request.param == "sftp":
        exports = SftpExports(root, clock, request.getfixturevalue("ssh_account"))
    elif request.param == "mounted":
        exports = MountedExports(root, clock)
    else:
        exports = FolderExports(root, clock)
    return Bench(exports, reception, clock, listener)
