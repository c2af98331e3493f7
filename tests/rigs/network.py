"""Two hosts joined by a cable, for tests: network namespaces and a veth pair.

Rule 1: every namespace made here is deleted at the end of its block, which takes its links along.
Rule 2: a process started here is ended by its own process id.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]

SERVER = """
import socket
server = socket.create_server((HOST, 0))
print(server.getsockname()[1], flush=True)
while True:
    talk, _ = server.accept()
    while heard := talk.recv(100):
        talk.sendall(heard)
"""


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """A vault host and a hospital, each in a network namespace, joined by ``cable``."""

    host: str
    hospital: str
    cable: str = "cable0"  # the vault host's end; the hospital's is called plug0
    address: str = "10.77.0.1"  # the hospital's

    def lay_second_cable(self, name: str = "cable1") -> None:
        """Join the two by another way, over which the hospital's address is reached too."""
        peer = name.replace("cable", "plug")
        _ip("-n", self.host, "link", "add", name, "type", "veth", "peer", peer, "netns",
            self.hospital)  # fmt: skip
        _ip("-n", self.host, "addr", "add", "10.78.0.2/24", "dev", name)
        _ip("-n", self.hospital, "addr", "add", "10.78.0.1/24", "dev", peer)
        for space, end in ((self.host, name), (self.hospital, peer)):
            _ip("-n", space, "link", "set", end, "up")
        _ip("-n", self.host, "route", "add", f"{self.address}/32", "via", "10.78.0.1", "metric",
            "500")  # fmt: skip

    def ip(self, *words: str) -> None:
        """Run ``ip`` on the vault host."""
        _ip("-n", self.host, *words)

    def ask(self, code: str) -> Any:
        """Run Python on the vault host and give what it printed, read as JSON."""
        run = subprocess.run(
            [*self._enter(self.host), sys.executable, "-c", code],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert run.returncode == 0, run.stderr
        return json.loads(run.stdout)

    @contextmanager
    def running(self, code: str, *, at_hospital: bool = False) -> Iterator[str]:
        """Run Python beside the block; yields its first printed line."""
        space = self.hospital if at_hospital else self.host
        with subprocess.Popen(
            [*self._enter(space), sys.executable, "-c", code],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            try:
                assert process.stdout is not None
                yield process.stdout.readline().strip()
            finally:
                process.kill()

    @contextmanager
    def serving(self) -> Iterator[int]:
        """Run an echo server at the hospital; yields its port."""
        code = SERVER.replace("HOST", repr(self.address))
        with self.running(code, at_hospital=True) as port:
            yield int(port)

    @staticmethod
    def _enter(space: str) -> list[str]:
        return ["ip", "netns", "exec", space]


@contextmanager
def joined() -> Iterator[Network]:
    """Make two hosts and one cable; the hospital's end is up, the vault host's is down."""
    mark = f"coffre-{os.getpid()}"
    network = Network(host=f"{mark}-host", hospital=f"{mark}-hospital")
    made = []
    try:
        for space in (network.host, network.hospital):
            _ip("netns", "add", space)
            made.append(space)
        _ip("-n", network.host, "link", "add", network.cable, "type", "veth", "peer", "plug0",
            "netns", network.hospital)  # fmt: skip
        _ip("-n", network.host, "addr", "add", "10.77.0.2/24", "dev", network.cable)
        _ip("-n", network.hospital, "addr", "add", f"{network.address}/24", "dev", "plug0")
        _ip("-n", network.hospital, "link", "set", "plug0", "up")
        yield network
    finally:
        for space in made:
            _ip("netns", "delete", space)
