"""Scenario 4. Goal: the exports of a fictional hospital go through a whole cycle, byte-equal."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.rigs.judge import files_of
from tests.rigs.vaults import ScratchVault

SAMPLES = Path(__file__).resolve().parents[3] / "shared" / "samples" / "hospital"
CONFIG = """\
site: {{name: CH de la Lande, finess: "990000010", time_zone: Europe/Paris, language: fr}}
state: state
landing: {{password: {{file: secrets/landing.pw}}}}
production: {{door: none}}
windows: {{night: {{start: "01:00", for: 2h, days: all}}}}
sources:
  pmsi:     {{policy: pmsi,     folder: {exports}/pmsi, stable_for: 0}}
  hr:       {{policy: hr,       folder: {exports}/hr, stable_for: 0}}
  finance:  {{policy: finance,  folder: {exports}/finance, stable_for: 0}}
  clinical: {{policy: clinical, folder: {exports}/clinical, stable_for: 0}}
targets:
  trial:  {{door: {{folder: trial}}, store: files}}
"""


@pytest.mark.skipif(not SAMPLES.is_dir(), reason=f"NOT SHOWN: no samples at {SAMPLES.name}")
def test_samples_come_back_byte_equal(tmp_path: Path) -> None:
    """All domains: PMSI, HR, finance, clinical."""
    exports = tmp_path / "exports"
    shutil.copytree(SAMPLES, exports)
    for path in exports.rglob("*"):
        if path.is_dir():
            path.chmod(0o755)
        os.utime(path, (1_700_000_000, 1_700_000_000))
    vault = ScratchVault(folder=tmp_path / "vault")
    vault.folder.mkdir()
    vault.config.write_text(CONFIG.format(exports=exports))
    vault.init()
    vault.enrol("trial")
    night = vault.run().ok().document
    assert night["verdict"] == "sound"
    for source in ("pmsi", "hr", "finance", "clinical"):
        to = tmp_path / f"back-{source}"
        vault.coffre("restore", source, "--from", "trial", "--to", str(to)).ok()
        assert files_of(to) == files_of(exports / source)
