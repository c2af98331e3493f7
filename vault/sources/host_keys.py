"""Keys of SFTP hosts: which one a person confirmed, and ours for them.

Rule 1: a host key enters the file only by ``pin``, after a person compared its fingerprint;
    nothing here adds one because a server showed it.
Rule 2: a file of pinned keys that others may write is not believed.
Rule 3: a private key of ours is made once, 0600, and never overwritten.
Source: sshd(8) SSH_KNOWN_HOSTS FILE FORMAT and AUTHORIZED_KEYS FILE FORMAT; RFC 4648 for the
    fingerprint, as ssh-keygen -l prints it.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import re
import stat
from dataclasses import dataclass

from vault.errors import HostKeyChanged, SecretError, UsageError

# What a key of ours may do where it is installed: read by SFTP, and nothing else at all.
RESTRICTIONS = 'restrict,command="internal-sftp -R"'
_LINE = re.compile(r"(?P<host>\S+) (?P<kind>[a-z0-9@.-]+) (?P<blob>[A-Za-z0-9+/]+=*)", re.ASCII)
_HOST = re.compile(r"[A-Za-z0-9._:%-]+", re.ASCII)
_COMMENT = re.compile(r"[A-Za-z0-9._@-]+", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class HostKey:
    """The public key that a host shows."""

    kind: str  # ssh-ed25519, ecdsa-sha2-nistp256, ssh-rsa…
    blob: bytes
    line: str  # as a file of known hosts has it, without the line's end

    @property
    def hosts(self) -> frozenset[str]:
        """Give the names that the key stands for."""
        return frozenset(self.line.split(" ")[0].split(","))

    @property
    def fingerprint(self) -> str:
        """Give the fingerprint as ``ssh-keygen -l`` prints it, for a person to compare."""
        digest = base64.b64encode(hashlib.sha256(self.blob).digest()).decode("ascii")
        return "SHA256:" + digest.rstrip("=")


def host_name(host: str, port: int) -> str:
    """Give the name under which a host stands in a file of known hosts."""
    if not _HOST.fullmatch(host):
        raise UsageError("{host} is no name of a host", host=repr(host))
    return host if port == 22 else f"[{host}]:{port}"


def host_key(host: str, port: int, blob: bytes) -> HostKey:
    """Give the key that a host showed, from its bytes in the protocol."""
    kind = blob[4 : 4 + int.from_bytes(blob[:4], "big")].decode("ascii")
    text = base64.b64encode(blob).decode("ascii")
    return HostKey(kind=kind, blob=blob, line=f"{host_name(host, port)} {kind} {text}")


def read_pinned(known_hosts: bytes, host: str, port: int) -> tuple[HostKey, ...]:
    """Read the keys that were confirmed for a host; none when the file is not there."""
    if not os.path.exists(known_hosts):
        return ()
    if os.stat(known_hosts).st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise SecretError(
            "others may write {path}, so its host keys are not believed",
            hint="chmod 0600 {path}, and check its lines against the hosts again?",
            path=os.fsdecode(known_hosts),
        )
    wanted = host_name(host, port)
    keys = map(_parse, _read_text(known_hosts).splitlines())
    return tuple(key for key in keys if key is not None and wanted in key.hosts)


def pin(known_hosts: bytes, line: str) -> None:
    """Add a line that a person confirmed; the same line twice is once.

    Raises HostKeyChanged when another key of this kind is pinned for the host: replacing one
    begins with taking the old line out by hand.
    """
    new = _parse(line)
    if new is None:
        raise UsageError("this is no line of a known-hosts file")
    before = _read_text(known_hosts)
    for old in filter(None, map(_parse, before.splitlines())):
        if old.line == new.line:
            return
        if old.kind == new.kind and old.hosts & new.hosts and old.blob != new.blob:
            raise HostKeyChanged(
                "another {kind} key is pinned for {host}",
                hint="did the host's administrator announce a new key? then take the old line "
                "out of {path} first?",
                kind=new.kind,
                host=new.line.split(" ")[0],
                path=os.fsdecode(known_hosts),
            )
    if before and not before.endswith("\n"):
        before += "\n"
    _write_whole(known_hosts, (before + new.line + "\n").encode())


def make_key(path: bytes, *, comment: str = "coffre") -> str:
    """Make an Ed25519 key; give the line for ``authorized_keys`` on the source's host.

    A key that is there already is kept, and its line given again.
    """
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    if not _COMMENT.fullmatch(comment):
        raise UsageError("{comment} is no name for a key", comment=repr(comment))
    if not os.path.exists(path):
        made = Ed25519PrivateKey.generate().private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.OpenSSH,
            serialization.NoEncryption(),
        )
        _write_new(path, made)
    with open(path, "rb") as file:
        private = file.read()
    try:
        key = serialization.load_ssh_private_key(private, password=None)
    except (ValueError, TypeError):
        raise SecretError(
            "{path} holds no SSH key that opens without a passphrase",
            hint="name another file for the key of this source?",
            path=os.fsdecode(path),
        ) from None
    public = key.public_key().public_bytes(
        serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH
    )
    return f"{RESTRICTIONS} {public.decode('ascii')} {comment}"


def _parse(line: str) -> HostKey | None:
    """Read one line; None for a comment, a marker, a hashed name or what is no key."""
    found = _LINE.match(line.strip())
    if found is None or found["host"].startswith(("#", "@", "|")):
        return None
    try:
        blob = base64.b64decode(found["blob"], validate=True)
    except binascii.Error:
        return None
    return HostKey(kind=found["kind"], blob=blob, line=found.group())


def _read_text(path: bytes) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except FileNotFoundError:
        return ""


def _write_whole(path: bytes, content: bytes) -> None:
    temporary = path + b".new"
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    with open(fd, "wb") as file:
        os.fchmod(fd, 0o600)
        file.write(content)
        file.flush()
        os.fsync(fd)
    os.rename(temporary, path)


def _write_new(path: bytes, content: bytes) -> None:
    """Write a private key where nothing stands; durable before its public half is given out."""
    os.makedirs(os.path.dirname(path) or b".", mode=0o700, exist_ok=True)
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with open(fd, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(fd)
