"""An opening held by another process, so that a test can kill any process of it.

Run as a program it is the orchestrator: ``python opening.py UUID MODE SECONDS LANDING``.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

BUSY = "trap '' TERM; (trap '' TERM; while :; do :; done) & while :; do :; done"


@dataclass(slots=True, kw_only=True)
class Opening:
    """The processes of one opening, by their role."""

    orchestrator: subprocess.Popen[str]
    warden: int
    chamber: int
    worker: int  # 0 when nothing runs

    def pids(self) -> list[int]:
        return [
            pid for pid in (self.orchestrator.pid, self.warden, self.chamber, self.worker) if pid
        ]

    def pid_of(self, role: str) -> int:
        return self.orchestrator.pid if role == "orchestrator" else getattr(self, role)


def children_of(pid: int) -> list[int]:
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            with suppress(OSError):
                fields = Path(f"/proc/{name}/stat").read_text().rpartition(")")[2].split()
                if int(fields[1]) == pid:
                    found.append(int(name))
    return found


def wait_child(pid: int, *, timeout_s: float = 10.0) -> int:
    gives_up_at = time.monotonic() + timeout_s
    while time.monotonic() < gives_up_at:
        if children := children_of(pid):
            return children[0]
        time.sleep(0.001)
    raise AssertionError(f"process {pid} made no child")


@contextmanager
def opening(
    uuid: str, *, mode: str = "idle", seconds: float = 60.0, landing: Path | None = None
) -> Iterator[Opening]:
    """Hold a disk door open in another process.

    ``mode`` is idle (read-only), writable, carrying (an admission runs over and over) or command
    (a command that ignores SIGTERM runs inside).
    """
    orchestrator = subprocess.Popen(
        [sys.executable, __file__, uuid, mode, str(seconds), str(landing or "")],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    pids: list[int] = []
    try:
        assert orchestrator.stdout is not None
        line = orchestrator.stdout.readline()
        assert line, "the orchestrator did not open the door"
        warden = json.loads(line)["warden"]
        chamber = wait_child(warden)
        worker = wait_child(chamber) if mode in ("carrying", "command") else 0
        held = Opening(orchestrator=orchestrator, warden=warden, chamber=chamber, worker=worker)
        pids = held.pids()
        yield held
    finally:
        for pid in pids[:2]:  # the rest dies with the warden
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
                os.kill(pid, signal.SIGKILL)
        orchestrator.kill()
        orchestrator.wait()
        if orchestrator.stdout is not None:
            orchestrator.stdout.close()


def main() -> None:
    from vault.doors import kernel
    from vault.doors.disk import DiskDoor
    from vault.results import RepositoryFile

    uuid, mode, seconds, landing = sys.argv[1:5]
    door = DiskDoor("disk-a", uuid=uuid, detach="none")
    closes_at_s = kernel.boot_s() + float(seconds)
    with door.open(door.find(), writing=mode != "idle", closes_at_s=closes_at_s) as vault:
        if mode != "idle":
            vault.make_writable()
        if mode == "carrying":
            vault.prepare_repository()
        print(json.dumps({"warden": vault.vault_side_pid}), flush=True)  # noqa: T201
        if mode == "command":
            vault.run(["/bin/sh", "-c", BUSY], env={}, fds=[], timeout_s=None)
        if mode == "carrying":
            folder = Path(landing)
            files = [
                RepositoryFile(path=str(path.relative_to(folder)), size_bytes=path.stat().st_size)
                for path in sorted(folder.rglob("*"))
                if path.is_file()
            ]
            while True:  # the first carries, those after it find all there
                vault.admit(
                    [files],
                    landing=os.fsencode(folder),
                    soft_closes_at_s=closes_at_s,
                    progress=lambda _done, _total: None,
                )
        time.sleep(float(seconds) + 60)


if __name__ == "__main__":
    main()
