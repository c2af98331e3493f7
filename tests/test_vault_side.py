"""The vault side as a program."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from vault.doors.folder import FolderDoor
from vault.doors.kernel import boot_s

WRAPPER = """\
#!/bin/sh
exec {python} -c 'import atexit, pathlib, runpy, sys
sys.path.insert(0, "{tree}")
atexit.register(pathlib.Path("{sign}").touch)
runpy.run_module("vault.vault_side", run_name="__main__")'
"""


def test_nothing_runs_once_the_door_is_left(tmp_path):
    """The door counts as open until the vault side is gone, so it does not tidy itself up."""
    sign, python, medium = tmp_path / "tidied", tmp_path / "python", tmp_path / "medium"
    tree = Path(__file__).parents[1]
    python.write_text(WRAPPER.format(python=sys.executable, tree=tree, sign=sign))
    python.chmod(0o755)
    medium.mkdir()
    door = FolderDoor("trial", os.fsencode(medium), python=str(python))
    with door.open(door.find(), writing=False, closes_at_s=boot_s() + 30):
        pass
    assert door.shut("test").is_shut
    assert not sign.exists()
