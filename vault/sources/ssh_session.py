"""One SSH connection to a source: the host proven first, then ourselves, then channels.

Rule 1: the host's key is compared with the pinned ones before a user name, a key or a password is
    sent; an unknown key and a changed key are errors of their own, never questions.
Rule 2: every wait has a timeout: connection, banner, handshake, authentication, channel, read.
Rule 3: the library says nothing on standard error and writes no log: its lines hold file names.
Source: RFC 4253, RFC 4252; this module and its reader are all that knows the library.
"""

from __future__ import annotations

import contextlib
import io
import logging
import os
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import paramiko
from paramiko.packet import Packetizer
from paramiko.ssh_exception import (
    AuthenticationException,
    BadAuthenticationType,
    ChannelException,
    IncompatiblePeer,
    SSHException,
)

from vault.errors import HostKeyChanged, HostKeyUnknown, SecretError, SourceUnreachable
from vault.sources.host_keys import HostKey, host_key, read_pinned
from vault.sources.sftp_reader import Dropped, SftpError, SftpReader

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vault.secret import Secret

CONNECT_S = 15.0
HANDSHAKE_S = 20.0
AUTH_S = 30.0
CHANNEL_S = 20.0
READ_S = 60.0
_log = logging.getLogger("paramiko")
_log.addHandler(logging.NullHandler())
_log.propagate = False
# Fastest first, and nothing that is broken; a host that offers none of these is told so.
_CIPHERS = (
    "aes128-gcm@openssh.com",
    "aes256-gcm@openssh.com",
    "aes128-ctr",
    "aes192-ctr",
    "aes256-ctr",
)
_MACS = (
    "hmac-sha2-256-etm@openssh.com",
    "hmac-sha2-512-etm@openssh.com",
    "hmac-sha2-256",
    "hmac-sha2-512",
    "hmac-sha1",
)
_TOLD = {"nothing": "it does not say"}  # of what a host accepts
_KEY_KINDS = {"ssh-rsa": ("rsa-sha2-512", "rsa-sha2-256")}


class _Packetizer(Packetizer):
    """Leave new session keys to the host's judgement, as OpenSSH does below 64 GB.

    The library asks for them every 512 MB, and was seen to hang there.
    """

    REKEY_BYTES = 2**35
    REKEY_PACKETS = 2**30


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Where a source is, and who we are there."""

    host: str
    port: int
    user: str
    known_hosts: bytes
    key: Secret | None = None  # the text of a private key
    password: Secret | None = None


class NoChannel(Exception):
    """The host allows no further channel on this connection."""


def require_pinned(source: str, account: Account) -> Sequence[HostKey]:
    """Give the host keys that a person confirmed; HostKeyUnknown when there is none."""
    pinned = read_pinned(account.known_hosts, account.host, account.port)
    if not pinned:
        raise HostKeyUnknown(
            "the host key of {source} was never confirmed",
            hint="coffre source trust {source} shows it for comparison?",
            source=source,
        )
    return pinned


class SshSession:
    """One authenticated connection."""

    def __init__(self, source: str, account: Account, *, timeout_s: float = CONNECT_S) -> None:
        """Connect, prove the host, then ourselves; closed again on any failure."""
        self._source = source
        self._account = account
        pinned = require_pinned(source, account)
        self._transport = _connect(account.host, account.port, source, timeout_s)
        try:
            self._prove_host(pinned)
            self._authenticate()
        except BaseException:
            self._transport.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def server(self) -> str:
        """Give the software that the server names."""
        return self._transport.remote_version

    @property
    def cipher(self) -> str:
        """Give the cipher that protects what we read."""
        return str(getattr(self._transport, "remote_cipher", ""))

    @property
    def key(self) -> HostKey:
        """Give the key that the host showed."""
        return host_key(
            self._account.host,
            self._account.port,
            self._transport.get_remote_server_key().asbytes(),
        )

    def open_reader(self) -> SftpReader:
        """Open one more channel for reading; NoChannel, or Dropped when it is gone."""
        try:
            channel = self._transport.open_session(timeout=CHANNEL_S)
            channel.settimeout(CHANNEL_S)
            channel.invoke_subsystem("sftp")
            reader = SftpReader(channel)
        except SftpError:
            raise SourceUnreachable(
                "the host of {source} offers no SFTP",
                hint="does its SSH server have the subsystem sftp?",
                source=self._source,
            ) from None
        except ChannelException:
            raise NoChannel from None
        except (SSHException, OSError, EOFError) as error:
            raise Dropped(type(error).__name__) from None
        reader.set_timeout(READ_S)
        return reader

    def close(self) -> None:
        """End the connection and every channel on it."""
        self._transport.close()

    def _prove_host(self, pinned: Sequence[HostKey]) -> None:
        """Shake hands for a key of a pinned kind, and compare it."""
        kinds = [name for key in pinned for name in _KEY_KINDS.get(key.kind, (key.kind,))]
        try:
            _shake_hands(self._transport, kinds, self._source)
        except IncompatiblePeer:
            raise self._changed("none of the kind that was confirmed") from None
        shown = self.key
        if all(shown.blob != key.blob for key in pinned):
            raise self._changed(shown.fingerprint)

    def _changed(self, shown: str) -> HostKeyChanged:
        return HostKeyChanged(
            "the host of {source} shows another key than the one that was confirmed: {shown}",
            hint="stop here: somebody may stand between us and {source}. Only when its "
            "administrator confirms a new key by another way: take the old line out of "
            "{file}, then coffre source trust {source}?",
            file=os.fsdecode(self._account.known_hosts),
            source=self._source,
            shown=shown,
        )

    def _authenticate(self) -> None:
        account, transport = self._account, self._transport
        transport.auth_timeout = AUTH_S
        try:
            if account.key is not None:
                more = transport.auth_publickey(account.user, private_key(account.key))
            elif account.password is not None:
                secret = account.password.reveal().decode("utf-8")
                more = transport.auth_password(account.user, secret)
            else:
                more = transport.auth_none(account.user)
        except AuthenticationException as error:
            raise self._refused(error) from None
        except (SSHException, OSError, EOFError) as error:
            raise _unreachable(self._source, error) from None
        if more:
            raise self._refused(BadAuthenticationType("more is asked", more))

    def _refused(self, error: AuthenticationException) -> SourceUnreachable:
        wanted = getattr(error, "allowed_types", None)
        return SourceUnreachable(
            "the host of {source} refuses us as {user}",
            hint="is the line of coffre source key {source} in the account's authorized_keys, "
            "or the password right? (the host accepts: {wanted})",
            source=self._source,
            user=self._account.user,
            wanted=", ".join(wanted) if wanted else _TOLD["nothing"],
        )


def fetch_host_key(host: str, port: int, *, timeout_s: float = CONNECT_S) -> HostKey:
    """Ask a host for its key and hang up, for a person to compare; nothing is believed."""
    transport = _connect(host, port, host, timeout_s)
    try:
        try:
            _shake_hands(transport, (), host)
        except IncompatiblePeer as error:
            raise _unreachable(host, error) from None
        return host_key(host, port, transport.get_remote_server_key().asbytes())
    finally:
        transport.close()


def _connect(host: str, port: int, source: str, timeout_s: float) -> paramiko.Transport:
    try:
        plain = socket.create_connection((host, port), timeout=timeout_s)
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        transport = paramiko.Transport(plain, packetizer_class=_Packetizer)
    except OSError as error:
        raise _unreachable(source, error) from None
    transport.banner_timeout = transport.handshake_timeout = HANDSHAKE_S
    options = transport.get_security_options()
    options.ciphers, options.digests = _CIPHERS, _MACS
    return transport


def _shake_hands(transport: paramiko.Transport, kinds: Sequence[str], source: str) -> None:
    """Negotiate; only keys of the given kinds are asked for, so that no other can be shown."""
    options = transport.get_security_options()
    if kinds:
        known = [kind for kind in dict.fromkeys(kinds) if kind in options.key_types]
        if not known:
            raise IncompatiblePeer("no kind of key that we know")
        options.key_types = known
    try:
        transport.start_client(timeout=HANDSHAKE_S)
        transport.get_remote_server_key()
    except IncompatiblePeer:
        raise
    except (SSHException, OSError, EOFError) as error:
        raise _unreachable(source, error) from None


def _unreachable(source: str, error: BaseException) -> SourceUnreachable:
    reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return SourceUnreachable(
        "the host of {source} does not answer as it must: {reason}",
        hint="is it on, is the production door open, and are host and port in vault.yaml right?",
        source=source,
        reason=reason,
    )


def private_key(secret: Secret) -> paramiko.PKey:
    """Read a private key; SecretError when it is none, or has a passphrase."""
    text = secret.reveal().decode("utf-8", "replace") + "\n"
    for kind in (paramiko.Ed25519Key, paramiko.ECDSAKey, paramiko.RSAKey):
        with contextlib.suppress(SSHException, ValueError, IndexError, TypeError):
            return kind.from_private_key(io.StringIO(text))
    raise SecretError(
        "the key of a source is no private key that opens without a passphrase",
        hint="coffre source key makes one?",
    )
