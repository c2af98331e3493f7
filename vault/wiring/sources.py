"""Sources and their receptions, from the configuration."""

from __future__ import annotations

import errno
import os
import shutil
from typing import TYPE_CHECKING

from vault.config import SecretRef, SourceSettings
from vault.errors import CoffreError, ConfigError, SecretError, SourceError
from vault.intake import NightSource
from vault.policy import Policy
from vault.ports import Progress, Source
from vault.ports import Reception as ReceptionPort
from vault.results import Pull
from vault.secret import Secret
from vault.sources.command import CommandSource
from vault.sources.folder import FolderSource
from vault.sources.mounted import MountedFolderSource
from vault.sources.mounting import Mount
from vault.sources.reception import Reception

if TYPE_CHECKING:
    from vault.sources.sftp import SftpSource
    from vault.wiring.wired import Wired

SELF = "coffre"  # the vault's own records, as a source


class _Unready:
    """A source that cannot be made now: a gap of its own, while the others go on."""

    def __init__(self, name: str, error: CoffreError) -> None:
        self.name = name
        self._error = error

    def collect(self, reception: ReceptionPort, *, closes_at_s: float, progress: Progress) -> Pull:
        """Say why there is nothing to pull from."""
        del reception, closes_at_s, progress
        error = self._error
        raise SourceError(error.template, hint=error.hint_template, **error.values) from error


def make_sources(wired: Wired) -> dict[str, NightSource]:
    """Make every configured source with its reception."""
    settings = wired.settings
    return {
        name: _night_source(
            wired, name, _made(wired, name, source), settings.policy_of(name), source.canaries
        )
        for name, source in settings.sources.items()
    }


def _made(wired: Wired, name: str, source: SourceSettings) -> Source:
    try:
        return make_source(wired, name, source)
    except CoffreError as error:  # its secret is missing, say
        return _Unready(name, error)


def make_self_source(wired: Wired) -> NightSource:
    """Make the source of the vault's own records, carried before everything else."""
    source = FolderSource(SELF, os.fsencode(wired.path("self")), clock=wired.clock)
    policies = list(wired.settings.loaded_policies.values())
    if not policies:
        raise ConfigError("vault.yaml names no source", hint="what is to be kept?")
    first = min(policies, key=lambda policy: policy.priority)
    return _night_source(wired, SELF, source, first)


def _night_source(
    wired: Wired, name: str, source: Source, policy: Policy, canaries: tuple[str, ...] = ()
) -> NightSource:
    reception = Reception(os.fsencode(wired.path("receptions", name)))
    reception.prepare()
    return NightSource(
        name=name,
        source=source,
        reception=reception,
        policy=policy,
        kept=os.fsencode(wired.path("refused", name)),
        canaries=frozenset(os.fsencode(path) for path in canaries),
    )


def make_source(wired: Wired, name: str, source: SourceSettings) -> Source:
    """Make one source."""
    if source.kind == "command":
        assert source.command is not None
        assert source.output is not None
        return CommandSource(
            name,
            source.command,
            os.fsencode(source.output),
            timeout_s=source.timeout_s,
            clock=wired.clock,
        )
    if source.kind == "sftp":
        return make_sftp(wired, name, source)
    assert source.folder is not None
    if source.mount is not None:
        return MountedFolderSource(
            name,
            _mount(wired, name, source),
            os.fsencode(source.folder),
            clock=wired.clock,
            done_file=source.done_file,
            stable_for_s=source.stable_for or 0,
        )
    return FolderSource(
        name,
        os.fsencode(source.folder),
        clock=wired.clock,
        done_file=source.done_file,
        stable_for_s=source.stable_for or 0,
    )


def check_source(wired: Wired, name: str, source: SourceSettings) -> None:
    """Look for what a source needs of this host, and ask nobody; raises CoffreError."""
    if source.kind == "sftp":
        make_sftp(wired, name, source).require_ready()
        return
    make_source(wired, name, source)
    if source.command and shutil.which(source.command[0]) is None:
        raise SourceError(
            "{program} could not be started: {reason}",
            hint="is {program} installed, and may it be executed?",
            program=source.command[0],
            reason=os.strerror(errno.ENOENT),
        )


def _mount(wired: Wired, name: str, source: SourceSettings) -> Mount:
    assert source.mount is not None
    credentials = source.mount.credentials
    secret: Secret | None = None
    if credentials is not None:
        secret = wired.secret(credentials, f"sources.{name}.mount.credentials")
    mount = source.mount
    return Mount(kind=mount.type, what=mount.what, credentials=secret, options=mount.options)


def make_sftp(wired: Wired, name: str, source: SourceSettings) -> SftpSource:
    """Make an SFTP source; SSH is loaded for those who have one."""
    from vault.sources.sftp import SftpSource
    from vault.sources.ssh_session import Account

    where = source.sftp
    assert where is not None
    account = Account(
        host=where.host,
        port=where.port,
        user=where.user,
        known_hosts=os.fsencode(where.known_hosts),
        key=_ssh_key(wired, name, where.key),
        password=_optional(wired, where.password, f"sources.{name}.sftp.password"),
    )
    return SftpSource(
        name,
        account,
        os.fsencode(where.path),
        clock=wired.clock,
        done_file=source.done_file,
        stable_for_s=source.stable_for or 0,
    )


def _ssh_key(wired: Wired, name: str, ref: SecretRef | None) -> Secret | None:
    """Read a private key; of one that is not there yet the command is told that makes it."""
    try:
        return _optional(wired, ref, f"sources.{name}.sftp.key")
    except SecretError as error:
        file = ref.file if ref is not None else None
        if file is None or os.path.lexists(os.path.join(wired.settings.base, file)):
            raise
        values = {**error.values, "source": name}
        hint = "coffre source key {source} makes one"
        raise SecretError(error.template, hint=hint, **values) from None


def _optional(wired: Wired, ref: SecretRef | None, name: str) -> Secret | None:
    return wired.secret(ref, name) if ref is not None else None
