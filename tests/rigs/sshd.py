"""A real OpenSSH server on a loopback port, for one block of a test.

Rule 1: it has its own host key, configuration and log in a folder of the test; nothing of the
    host's own server is read or changed.
Rule 2: it listens on 127.0.0.1 only, on a port that the kernel chose.
Rule 3: what is started is stopped by its process id, sessions included.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PATIENCE_S = 10.0
SSHD = shutil.which("sshd", path="/usr/sbin:/usr/local/sbin:/sbin")
ACCOUNT_FILES = ("passwd", "shadow")
UID = 4242  # of the accounts with a password, which exist for this server alone


def free_port() -> int:
    """Let the kernel choose a port, and give it back at once."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def make_key(path: Path, kind: str = "ed25519") -> str:
    """Make a key pair with ssh-keygen; give the public line."""
    path.unlink(missing_ok=True)
    subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", "", "-f", path], check=True)
    return path.with_name(path.name + ".pub").read_text().strip()


@dataclass
class Sshd:
    """One server; its account is whoever runs the test, or those in ``passwords``."""

    folder: Path
    passwords: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, str] = field(default_factory=dict)
    host: str = "127.0.0.1"
    port: int = 0
    process: subprocess.Popen[bytes] | None = None

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.authorized = self.folder / "authorized_keys"
        self.authorized.touch(mode=0o600)
        self.log = self.folder / "log"
        self.make_host_key()

    @property
    def user(self) -> str:
        """The account that keys open."""
        import pwd

        return pwd.getpwuid(os.geteuid()).pw_name

    def make_host_key(self, kind: str = "ed25519", name: str = "host_key") -> str:
        """Make a host key, anew or under another name; shown after the next start."""
        return make_key(self.folder / name, kind)

    @property
    def known_hosts_line(self) -> str:
        """The line that a person would confirm."""
        public = (self.folder / "host_key.pub").read_text().split()
        return f"[{self.host}]:{self.port} {public[0]} {public[1]}"

    def authorize(self, line: str) -> None:
        """Let a key in."""
        with self.authorized.open("a") as file:
            file.write(line + "\n")

    @property
    def telling_sftp(self) -> str:
        """Give a command in place of ``internal-sftp`` that logs each file it gave."""
        log = self.folder / "sftp.log"
        return f"/usr/lib/openssh/sftp-server -e -l VERBOSE 2>>{log}"

    def bytes_given(self, name: str) -> list[int]:
        """Give how many bytes of a file were given, each time it was closed."""
        said = (self.folder / "sftp.log").read_text(errors="replace")
        return [int(n) for n in re.findall(rf'close "[^"]*{name}" bytes read (\d+)', said)]

    def start(self) -> None:
        """Start, and wait until it answers; the port stays the same over restarts."""
        assert SSHD is not None, "no OpenSSH server"
        self.port = self.port or free_port()
        if os.geteuid() == 0:
            os.makedirs("/run/sshd", mode=0o755, exist_ok=True)
        config = self._write_config()
        command = [SSHD, "-D", "-e", "-f", str(config)]
        if self.passwords:
            command = self._with_accounts(command)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        self._wait_until_it_answers()

    def stop(self) -> None:
        """Kill the server and every session of it."""
        if self.process is None:
            return
        # Stopped first, so that no session begins while they are counted; orphans are not found.
        self.process.send_signal(signal.SIGSTOP)
        self.drop_sessions()
        self.process.kill()
        self.process.wait(PATIENCE_S)
        self.process = None

    def drop_sessions(self) -> int:
        """Kill every session in the middle of what it does; give how many processes died."""
        assert self.process is not None
        found = _descendants(self.process.pid)
        for pid in found:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        end = time.monotonic() + PATIENCE_S
        while any(_lives(pid) for pid in found) and time.monotonic() < end:
            time.sleep(0.01)
        return len(found)

    def said(self) -> str:
        """Give what the server wrote into its log."""
        return self.log.read_text(errors="replace")

    def _write_config(self) -> Path:
        lines = {
            "ListenAddress": f"{self.host}:{self.port}",
            "HostKey": str(self.folder / "host_key"),
            "PidFile": "none",
            "UsePAM": "no",
            "StrictModes": "no",
            "PermitRootLogin": "yes",
            "AuthorizedKeysFile": str(self.authorized),
            "PasswordAuthentication": "yes" if self.passwords else "no",
            "KbdInteractiveAuthentication": "no",
            "Subsystem": "sftp internal-sftp",
            "LogLevel": "VERBOSE",
            "MaxStartups": "100",
            **self.options,
        }
        config = self.folder / "sshd_config"
        further = [key for key in self.folder.glob("host_key_*") if key.suffix != ".pub"]
        config.write_text(
            "".join(f"{key} {value}\n" for key, value in lines.items())
            + "".join(f"HostKey {key}\n" for key in further)
        )
        return config

    def _with_accounts(self, command: list[str]) -> list[str]:
        """Give the server accounts of its own, in a mount namespace that ends with it."""
        for name, extra in (("passwd", self._passwd()), ("shadow", self._shadow())):
            (self.folder / name).write_text(Path("/etc", name).read_text() + extra)
            (self.folder / name).chmod(0o644 if name == "passwd" else 0o600)
        binds = " && ".join(
            f'mount --bind "$1/{name}" /etc/{name}' for name in ("passwd", "shadow")
        )
        script = f'{binds} && shift && exec "$@"'
        return ["unshare", "--mount", "sh", "-c", script, "sh", str(self.folder), *command]

    def _passwd(self) -> str:
        return "".join(f"{user}:x:{UID}:{UID}::{self.folder}:/bin/sh\n" for user in self.passwords)

    def _shadow(self) -> str:
        lines = []
        for user, password in self.passwords.items():
            hashed = subprocess.run(
                ["openssl", "passwd", "-6", "-stdin"],
                input=password.encode(),
                capture_output=True,
                check=True,
            )
            lines.append(f"{user}:{hashed.stdout.decode().strip()}:19000:0:99999:7:::\n")
        return "".join(lines)

    def _wait_until_it_answers(self) -> None:
        assert self.process is not None
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            if self.process.poll() is not None:
                break
            with suppress(OSError), socket.create_connection((self.host, self.port), 1) as sock:
                if sock.recv(4) == b"SSH-":
                    return
            time.sleep(0.02)
        raise AssertionError(f"the SSH server did not start: {self.said()[-2000:]}")


@contextmanager
def serving(folder: Path, **settings: object) -> Iterator[Sshd]:
    """Run a server for a block."""
    server = Sshd(folder, **settings)  # type: ignore[arg-type]
    try:
        server.start()
        yield server
    finally:
        server.stop()


def _descendants(pid: int) -> list[int]:
    """Give the processes below one, the nearest first."""
    parents: dict[int, list[int]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            row = path.read_text().rpartition(")")[2].split()
            parents.setdefault(int(row[1]), []).append(int(path.parent.name))
    found, waiting = [], [pid]
    while waiting:
        below = parents.get(waiting.pop(), [])
        found += below
        waiting += below
    return found


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
