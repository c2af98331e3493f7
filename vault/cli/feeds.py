"""``coffre source key | trust | test``: the ceremonies of an SFTP source."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from vault.cli.session import Session
from vault.cli.words import _
from vault.errors import UsageError

if TYPE_CHECKING:
    from vault.config.sources import Sftp
    from vault.wiring.wired import Wired


def key_command(session: Session, name: str) -> int:
    """Make the source's key when it is missing; print the line for the host's authorized_keys."""
    from vault.sources.host_keys import make_key

    wired = session.wired()
    where = _sftp(wired, name)
    if where.key is None or where.key.file is None:
        raise UsageError(
            "{name} names no key file", name=name, hint="sftp: {{key: {{file: …}}}} in vault.yaml?"
        )
    os.makedirs(os.path.dirname(where.key.file), mode=0o700, exist_ok=True)
    line = make_key(os.fsencode(where.key.file), comment=f"coffre-{name}")
    session.whisper(
        _("Add this line to ~{user}/.ssh/authorized_keys on {host}:").format(
            user=where.user, host=where.host
        )
    )
    session.say(line)
    return session.emit({"source": name, "authorized_keys": line})


def trust_command(session: Session, name: str, *, fingerprint: str | None, yes: bool) -> int:
    """Show the host's key, and pin it once a person has compared its fingerprint."""
    from vault.sources.host_keys import pin
    from vault.sources.ssh_session import fetch_host_key

    wired = session.wired()
    where = _sftp(wired, name)
    shown = fetch_host_key(where.host, where.port)
    line = _("{host} port {port} shows {kind}\n  {fingerprint}")
    session.say(
        line.format(
            host=where.host, port=where.port, kind=shown.kind, fingerprint=shown.fingerprint
        )
    )
    if fingerprint is not None and fingerprint != shown.fingerprint:
        raise UsageError(
            "the host shows another key than {fingerprint}",
            fingerprint=fingerprint,
            hint="what does ssh-keygen -lf print of the key on the host itself?",
        )
    if fingerprint is None and not yes and not _confirmed():
        raise UsageError(
            "nothing was pinned",
            hint="compare the fingerprint on the host itself, then say it with --fingerprint",
        )
    os.makedirs(os.path.dirname(where.known_hosts), mode=0o700, exist_ok=True)
    pin(os.fsencode(where.known_hosts), shown.line)
    session.say(_("Pinned."))
    return session.emit({"source": name, "kind": shown.kind, "fingerprint": shown.fingerprint})


def _confirmed() -> bool:
    if not sys.stdin.isatty():
        return False
    answer = input(_("Is it the fingerprint that the host's administrator read to you? [y/N] "))
    return answer.strip().lower() in ("y", "yes", "o", "oui")


def test_command(session: Session, name: str) -> int:
    """Connect as a night would, list the folder, and hang up."""
    from vault.wiring.sources import make_sftp

    wired = session.wired()
    source = wired.settings.sources.get(name)
    _sftp(wired, name)
    assert source is not None
    facts = make_sftp(wired, name, source).test_connection()
    line = _("{name}: connected ({cipher}), {entries} entries in its folder.")
    session.say(line.format(name=name, cipher=facts.cipher, entries=facts.entries))
    return session.emit(
        {
            "source": name,
            "server": facts.server,
            "cipher": facts.cipher,
            "fingerprint": facts.fingerprint,
            "entries": facts.entries,
        }
    )


def _sftp(wired: Wired, name: str) -> Sftp:
    source = wired.settings.sources.get(name)
    if source is None or source.sftp is None:
        raise UsageError("{name} is not an sftp source of vault.yaml", name=name)
    return source.sftp
