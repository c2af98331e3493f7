"""A real SMTP server and a real HTTP server, on loopback ports that the system chose.

Rule 1: they take what comes, refuse it, or hang, as a test says; what they took is kept.
Rule 2: whoever connects is watched: no command line of this host holds a word that is secret.
"""

from __future__ import annotations

import contextlib
import email
import email.policy
import http.server
import os
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.message import EmailMessage
from pathlib import Path

from aiosmtpd.controller import Controller

SECRET = "tr3s-secret"


@dataclass
class Post:
    """What came, and how the next one is answered."""

    port: int = 0
    taken: list[EmailMessage] = field(default_factory=list)
    refuses: bool = False
    refuses_subject: str = "\0"  # a mail with these words in its subject is never taken
    refuses_to: str = "\0"
    hangs: bool = False
    seen_in_argv: bool = False

    def url(self, to: str, *, password: str = "") -> str:
        who = f"coffre:{password}@" if password else ""
        return (
            f"mailto://{who}127.0.0.1:{self.port}?from=coffre@lande.example&to={to}&mode=insecure"
        )

    def to(self, address: str) -> list[EmailMessage]:
        """Give what was taken for one address."""
        return [mail for mail in self.taken if address in mail["To"]]

    # -- aiosmtpd's handler

    async def handle_EHLO(self, server, session, envelope, hostname, responses):  # noqa: N802
        session.host_name = hostname
        self.seen_in_argv = self.seen_in_argv or secret_in_argv()
        if self.hangs:
            import asyncio

            await asyncio.sleep(30)
        return responses

    async def handle_DATA(self, server, session, envelope):  # noqa: N802
        if self.refuses:
            return "550 not here"
        content = envelope.original_content
        mail = email.message_from_bytes(content, policy=email.policy.default)
        if self.refuses_subject in mail["Subject"] or self.refuses_to in mail["To"]:
            return "554 never"
        self.taken.append(mail)
        return "250 taken"


class _OnOurSocket(Controller):
    """Serves on a socket that is bound already, so that no port is chosen twice."""

    def __init__(self, handler: Post) -> None:
        self.socket = socket.create_server(("127.0.0.1", 0))
        super().__init__(handler, hostname="127.0.0.1", port=self.socket.getsockname()[1])

    def _create_server(self):
        return self.loop.create_server(self._factory_invoker, sock=self.socket)


@contextlib.contextmanager
def post_office() -> Iterator[Post]:
    """Run an SMTP server for the time of a test."""
    post = Post()
    controller = _OnOurSocket(post)
    post.port = controller.port
    controller.start()
    try:
        yield post
    finally:
        controller.stop()
        controller.socket.close()


def secret_in_argv() -> bool:
    """Whether a command line of this host holds the secret."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if SECRET.encode() in path.read_bytes():
                return True
    return False


def text_of(mail: EmailMessage) -> str:
    """Give the text of a mail, which must be its only part."""
    assert mail.get_content_type() == "text/plain", mail.get_content_type()
    return mail.get_content()


@dataclass
class Checks:
    """What a monitoring service was pinged with."""

    url: str = ""
    seen: list[str] = field(default_factory=list)
    status: int = 200
    hangs: bool = False
    doors: list[str] = field(default_factory=list)
    watch: Path | None = None  # a state folder, whose airlock is read at each ping


@contextlib.contextmanager
def monitoring() -> Iterator[Checks]:
    """Run an HTTP server for the time of a test."""
    checks = Checks()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            checks.seen.append(self.path)
            if checks.watch is not None:
                path = checks.watch / "airlock.json"
                checks.doors.append(path.read_text() if path.exists() else "")
            self.rfile.read(int(self.headers["Content-Length"]))
            if checks.hangs:
                time.sleep(5)
            with contextlib.suppress(OSError):
                self.send_response(checks.status)
                self.end_headers()

        def log_message(self, *args: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    checks.url = f"http://127.0.0.1:{server.server_port}/ping/secret-id"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield checks
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def address_file(path: Path, url: str) -> None:
    """Write an address where a secret may stand."""
    path.parent.mkdir(exist_ok=True)
    path.write_text(url + "\n")
    os.chmod(path, 0o600)
