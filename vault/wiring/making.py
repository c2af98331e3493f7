"""Making a vault on this host: its configuration, its folders, its keys, its landing.

Rule 1: what is there is kept; run twice, the second run makes nothing.
Rule 2: folders of the state are 0700, but for the way to ``public/``.
"""

from __future__ import annotations

import base64
import os
import secrets
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field

from vault.catalogue import Catalogue
from vault.config import copy_out, find, shipped
from vault.errors import ConfigError, NotInitialised, SecretError
from vault.founding import RecoverySheet
from vault.ledger import recovery_password
from vault.ledger.notes import VaultKey
from vault.wiring.wired import Wired

_PASSWORD_BYTES = 32
_STATE_MODE = 0o711  # others may pass through to public/, and see nothing on the way
_FOLDERS = ("keys", "ledger", "landing", "receptions", "refused", "scratch", "self", "reports")


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """Where the configuration stands."""

    config: str
    is_new: bool
    paths: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """What was missing and was made."""

    made: tuple[str, ...] = field(default=())
    sheet: RecoverySheet | None = None


def place_configuration(path: str | None) -> Placed:
    """Keep the configuration that is there; else put the example, policies and hooks."""
    try:
        config = find(path)
    except NotInitialised:
        config = os.path.abspath(path or "vault.yaml")
    folder = os.path.dirname(config)
    if os.path.lexists(config):
        return Placed(config=config, is_new=False, paths=tuple(_copy_missing(folder)))
    try:
        _make_open(folder)
        shutil.copyfile(shipped("vault.example.yaml"), config)
        os.chmod(config, 0o644)
    except OSError as error:
        raise ConfigError(
            "{path} cannot be written: {reason}",
            path=config,
            reason=error.strerror or str(error),
            hint="may this account write there?",
        ) from error
    return Placed(config=config, is_new=True, paths=(config, *copy_out(folder)))


def _copy_missing(folder: str) -> list[str]:
    """Copy policies and hooks beside a configuration that has neither folder of them."""
    if any(os.path.lexists(os.path.join(folder, name)) for name in ("policies", "hooks")):
        return []
    return copy_out(folder)


def _make_open(folder: str) -> None:
    """Make a folder and what is missing above it; the umask would shut it to the state group."""
    if os.path.isdir(folder):
        return
    _make_open(os.path.dirname(folder))
    os.mkdir(folder)
    os.chmod(folder, 0o755)  # noqa: S103, what is secret below has a mode of its own


def make_vault(wired: Wired) -> Made:
    """Make folders, landing password, vault key, catalogue, ledger, landing and its two keys."""
    made = list(_make_folders(wired))
    made += _make_landing_password(wired)
    with wired.state.lock():
        made += _make_key(wired)
        if not os.path.exists(wired.path("catalogue.sqlite")):
            Catalogue.create(wired.path("catalogue.sqlite")).close()
            made.append(wired.path("catalogue.sqlite"))
        is_first = wired.pins is None
        sheet = wired.founding.found(recovery_password.make(secrets.token_bytes))
        if is_first:
            del wired.pins  # read before the pins were made
    return Made(made=tuple(made), sheet=sheet)


def _make_folders(wired: Wired) -> Iterator[str]:
    state = wired.settings.state
    if not os.path.isdir(state):
        _make_open(os.path.dirname(state))
        os.mkdir(state)
        os.chmod(state, _STATE_MODE)
        yield state
    for name in _FOLDERS:
        path = wired.path(name)
        if not os.path.isdir(path):
            os.mkdir(path, 0o700)
            yield path


def _make_landing_password(wired: Wired) -> list[str]:
    """Make the landing password's file when the configuration names one that is missing."""
    ref = wired.settings.landing.password
    if ref.file is None or os.path.lexists(ref.file):
        return []
    if os.path.exists(wired.path("landing", "config")):
        raise SecretError(
            "the landing is there and its password {path} is not",
            path=ref.file,
            hint="where was it moved? the recovery sheet opens the landing too",
        )
    os.makedirs(os.path.dirname(ref.file), mode=0o700, exist_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    fd = os.open(ref.file, flags, 0o600)
    try:
        text = base64.b64encode(secrets.token_bytes(_PASSWORD_BYTES)).rstrip(b"=")
        os.write(fd, text + b"\n")
        os.fsync(fd)
    finally:
        os.close(fd)
    return [ref.file]


def _make_key(wired: Wired) -> list[str]:
    path = wired.path("keys", "vault.key")
    if os.path.lexists(path):
        return []
    VaultKey.create(path, f"coffre-{wired.settings.site.finess}")
    return [path]
