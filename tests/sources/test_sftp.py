"""Exports over SFTP, against a real OpenSSH server."""

from __future__ import annotations

import hashlib
import os
import socket
from dataclasses import replace
from pathlib import Path

import pytest

from tests.rigs.sshd import serving
from vault.errors import (
    HostKeyChanged,
    HostKeyUnknown,
    SecretError,
    SourceError,
    SourceMissing,
    SourceUnreachable,
)
from vault.secret import Secret
from vault.sources.host_keys import make_key, pin
from vault.sources.sftp import SftpSource
from vault.sources.ssh_session import Account, SshSession, fetch_host_key

MIB = 1024**2


@pytest.fixture
def server(tmp_path):
    """Run a server that the test may harm."""
    with serving(tmp_path / "sshd") as server:
        yield server


@pytest.fixture
def account(server) -> Account:
    """Let a key in, and pin the host."""
    key = os.fsencode(server.folder / "coffre_key")
    line = make_key(key)
    server.authorize(line.replace("internal-sftp", server.telling_sftp))
    known_hosts = os.fsencode(server.folder / "known_hosts")
    pin(known_hosts, server.known_hosts_line)
    with open(key, "rb") as file:
        private = Secret(file.read())
    return Account(
        host=server.host, port=server.port, user=server.user, known_hosts=known_hosts, key=private
    )


@pytest.fixture
def pull(bench):
    """Pull the bench's exports over SFTP."""

    def go(account: Account, *, left_s: float = 60.0, **rules):
        source = SftpSource("lab", account, bench.exports.root, clock=bench.clock, **rules)
        closes_at_s = bench.clock.boot_s() + left_s
        return source.collect(bench.reception, closes_at_s=closes_at_s, progress=bench.listener)

    return go


def test_two_thousand_small_files_arrive(bench, ssh_account, pull) -> None:
    """Several channels over one connection bring each file whole."""
    for number in range(2000):
        bench.write(b"d%d/f%d" % (number % 7, number), b"%d" % number)
    found = pull(ssh_account)
    assert found.pulled == 2000
    for entry in found.entries:
        number = entry.path.rpartition(b"f")[2]
        assert entry.sha256 == hashlib.sha256(number).hexdigest()


def test_pull_goes_on_where_a_killed_server_stopped(bench, server, account, pull) -> None:
    """Killed in mid-file the pull fails; the next one asks for the rest only."""
    content = os.urandom(24 * MIB)
    bench.write(b"big.bin", content)
    bench.when_arrived(8 * MIB, server.stop)
    with pytest.raises(SourceUnreachable):
        pull(account)
    assert bench.names() == []
    arrived = bench.arrived()
    assert 0 < arrived < len(content)
    server.start()
    (entry,) = pull(account).entries
    assert entry.sha256 == hashlib.sha256(content).hexdigest()
    assert server.bytes_given("big.bin")[-1] == len(content) - arrived


def test_dropped_connection_is_made_anew_once(bench, server, account, pull) -> None:
    """One drop costs a connection, not the pull, and no byte that arrived is read twice."""
    content = os.urandom(24 * MIB)
    bench.write(b"big.bin", content)
    drops = []
    bench.when_arrived(4 * MIB, lambda: drops.append(server.drop_sessions()))
    (entry,) = pull(account).entries
    assert drops[0] > 0
    assert entry.sha256 == hashlib.sha256(content).hexdigest()
    assert server.bytes_given("big.bin")[-1] <= len(content) - 4 * MIB


def test_what_a_drop_left_can_be_closed(account) -> None:
    """Whether the connection was seen to end or not: the drop is what is told, not the closing."""
    for _ in range(5):
        with SshSession("lab", account) as session:
            reader = session.open_reader()
            session._transport.sock.shutdown(socket.SHUT_WR)  # gone for us, not noticed yet
            reader.close()


def test_connection_that_drops_again_ends_the_pull(bench, server, account, pull) -> None:
    """A network that keeps breaking is told, and the part stays."""
    bench.write(b"big.bin", os.urandom(24 * MIB))

    def drop() -> None:
        server.drop_sessions()
        bench.when_arrived(12 * MIB, server.drop_sessions)

    bench.when_arrived(4 * MIB, drop)
    with pytest.raises(SourceUnreachable, match="dropped twice"):
        pull(account)
    assert bench.arrived() >= 4 * MIB


def test_deadline_in_mid_file_ends_the_pull_and_the_next_goes_on(
    bench, server, account, pull
) -> None:
    """The window closes on time; nothing that arrived is lost."""
    content = os.urandom(24 * MIB)
    bench.write(b"big.bin", content)

    def close() -> None:
        bench.clock.ahead_s = 3600

    bench.when_arrived(8 * MIB, close)
    with pytest.raises(SourceError, match="did not end in its time"):
        pull(account)
    arrived = bench.arrived()
    (entry,) = pull(account).entries
    assert entry.sha256 == hashlib.sha256(content).hexdigest()
    assert server.bytes_given("big.bin")[-1] == len(content) - arrived


def test_unknown_host_key_is_refused_before_anything_is_said(server, account, pull) -> None:
    """Nobody confirmed it: no user name, no key, no question."""
    os.unlink(account.known_hosts)
    with pytest.raises(HostKeyUnknown) as caught:
        pull(account)
    assert "coffre source trust lab" in caught.value.hint
    assert not os.path.exists(account.known_hosts)
    assert "authenticating user" not in server.said()


def test_changed_host_key_is_refused_and_never_pinned(server, account, pull) -> None:
    """Another key than the confirmed one ends the pull before we authenticate."""
    pull(account)
    accepted = server.said().count("Accepted publickey")
    before = Path(os.fsdecode(account.known_hosts)).read_bytes()
    server.stop()
    server.make_host_key()
    server.start()
    with pytest.raises(HostKeyChanged, match="SHA256:"):
        pull(account)
    assert Path(os.fsdecode(account.known_hosts)).read_bytes() == before
    assert server.said().count("Accepted publickey") == accepted


def test_host_key_of_another_kind_counts_as_changed(server, account, pull) -> None:
    """A host cannot slip past the pin by showing a kind that was never confirmed."""
    server.stop()
    server.make_host_key("rsa")
    server.start()
    with pytest.raises(HostKeyChanged):
        pull(account)


def test_host_with_several_keys_is_asked_for_the_one_that_was_confirmed(
    server, account, pull
) -> None:
    """A key of another kind beside the pinned one is no change of the host."""
    server.stop()
    rsa = server.make_host_key("rsa", "host_key_rsa").split()
    server.start()
    known_hosts = Path(os.fsdecode(account.known_hosts))
    known_hosts.write_text(f"[{server.host}]:{server.port} {rsa[0]} {rsa[1]}\n")
    pull(account)


@pytest.mark.parametrize("kind", ["rsa", "ecdsa"])
def test_host_keys_of_older_kinds_may_be_pinned(tmp_path, bench, pull, kind) -> None:
    """RSA and ECDSA hosts are still about."""
    with serving(tmp_path / "old") as server:
        server.stop()
        server.make_host_key(kind)
        server.start()
        key = os.fsencode(tmp_path / "key")
        server.authorize(make_key(key))
        shown = fetch_host_key(server.host, server.port)
        assert shown.line == server.known_hosts_line
        pin(os.fsencode(tmp_path / "known"), shown.line)
        account = Account(
            host=server.host,
            port=server.port,
            user=server.user,
            known_hosts=os.fsencode(tmp_path / "known"),
            key=Secret((tmp_path / "key").read_bytes()),
        )
        bench.write(b"a.txt")
        assert pull(account).pulled == 1


def test_wrong_key_is_refused_by_name(account, pull, tmp_path) -> None:
    """The account is named, the key is not shown."""
    make_key(os.fsencode(tmp_path / "other"))
    stranger = replace(account, key=Secret((tmp_path / "other").read_bytes()))
    with pytest.raises(SourceUnreachable, match="refuses us as"):
        pull(stranger)


def test_key_that_is_no_key_is_told_without_showing_it(account, pull) -> None:
    """The message carries nothing of the file's content."""
    with pytest.raises(SecretError) as caught:
        pull(replace(account, key=Secret(b"hunter2 is no key")))
    assert "hunter2" not in str(caught.value) + caught.value.hint


@pytest.mark.root
def test_password_opens_an_account(tmp_path, bench, pull) -> None:
    """Where no key is to be had; a wrong one is refused."""
    with serving(tmp_path / "sshd", passwords={"labo": "s3cret"}) as server:
        known_hosts = os.fsencode(tmp_path / "known")
        pin(known_hosts, server.known_hosts_line)
        account = Account(
            host=server.host,
            port=server.port,
            user="labo",
            known_hosts=known_hosts,
            password=Secret(b"s3cret"),
        )
        source = SftpSource("lab", account, b".", clock=bench.clock)
        assert source.test_connection().entries > 0
        with pytest.raises(SourceUnreachable):
            pull(replace(account, password=Secret(b"wrong")))


def test_host_that_does_not_answer_is_unreachable(server, account, pull) -> None:
    """No server, no guess."""
    server.stop()
    with pytest.raises(SourceUnreachable):
        pull(account)


def test_host_that_offers_one_channel_only_gets_one(tmp_path, bench, pull) -> None:
    """Fewer channels cost time, not files."""
    with serving(tmp_path / "one", options={"MaxSessions": "1"}) as server:
        key = tmp_path / "key"
        server.authorize(make_key(os.fsencode(key)))
        known_hosts = os.fsencode(tmp_path / "known")
        pin(known_hosts, server.known_hosts_line)
        account = Account(
            host=server.host,
            port=server.port,
            user=server.user,
            known_hosts=known_hosts,
            key=Secret(key.read_bytes()),
        )
        for number in range(200):
            bench.write(b"f%d" % number, b"%d" % number)
        assert pull(account).pulled == 200


def test_our_key_reads_and_does_nothing_else(server, tmp_path: Path) -> None:
    """The line that we give out forbids writing, a shell and forwarding, on the host itself."""
    import paramiko

    server.authorize(make_key(os.fsencode(tmp_path / "key")))
    transport = paramiko.Transport((server.host, server.port))
    try:
        transport.connect(
            username=server.user,
            pkey=paramiko.Ed25519Key(filename=str(tmp_path / "key")),
        )
        client = paramiko.SFTPClient.from_transport(transport)
        assert client is not None
        with pytest.raises(OSError):
            client.open(str(tmp_path / "written"), "w")
        with pytest.raises(OSError):
            client.remove(str(server.folder / "log"))
        channel = transport.open_session()
        channel.exec_command(f"touch {tmp_path}/shell")
        channel.shutdown_write()  # what answers instead of a shell speaks SFTP, and ends
        assert channel.recv_exit_status() is not None
    finally:
        transport.close()
    assert not (tmp_path / "written").exists()
    assert not (tmp_path / "shell").exists()


def test_trial_of_a_connection_tells_what_it_found(bench, server, account) -> None:
    """Software, key and what stands in the root: enough to see that it is the right place."""
    bench.write(b"a.txt")
    bench.write(b"sub/b.txt")
    found = SftpSource("lab", account, bench.exports.root, clock=bench.clock).test_connection()
    assert found.entries == 2
    assert found.server.startswith("SSH-2.0-OpenSSH")
    assert found.fingerprint == fetch_host_key(server.host, server.port).fingerprint


def test_path_that_is_a_file_is_no_source(bench, account) -> None:
    """The operator named the wrong thing."""
    full = bench.write(b"a.txt")
    with pytest.raises(SourceMissing):
        SftpSource("lab", account, full, clock=bench.clock).test_connection()


def test_file_that_changes_while_it_is_read_waits(bench, account, pull) -> None:
    """What was read is two halves of two files: it gets no name."""
    full = bench.write(b"big.bin", os.urandom(8 * MIB))
    bench.when_arrived(MIB, lambda: os.utime(full))
    found = pull(account)
    assert found.entries == ()
    assert [wait.reason for wait in found.waiting] == ["changed while it was read"]
    assert bench.names() == []
