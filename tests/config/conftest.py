"""A vault.yaml in a folder of its own, and the complaints about it."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable

import pytest

from vault import config
from vault.errors import CoffreError

CONTRACT = """\
site: {name: CH de la Lande, finess: "990000010", time_zone: Europe/Paris, language: fr}
state: state                      # catalogue, ledger, landing, receptions, scratch, reports
landing: {password: {file: secrets/landing.pw}}
production: {door: none}          # none | {link: eth1} | {nft: …}
windows: {night: {start: "01:00", for: 2h, days: all}}
sources:
  pmsi:     {policy: pmsi,     folder: exports/pmsi}
  hr:       {policy: hr,       folder: exports/hr}
  finance:  {policy: finance,  folder: exports/finance}
  clinical: {policy: clinical, folder: exports/clinical}
  lab:      {policy: laboratory, sftp: {host: 127.0.0.1, port: 2222, user: lab, path: /exports, \
key: {file: secrets/lab_ed25519}, known_hosts: secrets/known_hosts}}
targets:
  disk-a: {door: disk, store: files, window: night}
  trial:  {door: {folder: trial}, store: files}
"""

SMALL = """\
site: {name: CH, finess: "990000010"}
state: state
landing: {password: {file: landing.pw}}
"""


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COFFRE_CONFIG", raising=False)
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)


@pytest.fixture
def contract() -> str:
    return CONTRACT


@pytest.fixture
def small() -> str:
    return SMALL


@pytest.fixture
def write(tmp_path) -> Callable[..., str]:
    """Write a file with its mode, whatever the umask; give its path."""

    def _write(content: str | bytes = SMALL, name: str = "vault.yaml", mode: int = 0o644) -> str:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        path.chmod(mode)
        assert stat.S_IMODE(os.stat(path).st_mode) == mode
        return str(path)

    return _write


@pytest.fixture
def complaint(write) -> Callable[..., str]:
    """Load a vault.yaml that is wrong; give what is said about it, less its folder."""

    def _complaint(content: str | bytes) -> str:
        path = write(content)
        with pytest.raises(CoffreError) as caught:
            config.load(path)
        return str(caught.value).replace(os.path.dirname(path) + "/", "")

    return _complaint
