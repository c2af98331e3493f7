"""The generated hospital of the demonstration: every export of it is sound."""

from __future__ import annotations

import os
import time
from pathlib import Path

from vault.finding import Soundness
from vault.hospital import generate
from vault.inspection import FileExaminer, Registry


def test_every_generated_export_is_recognised_and_sound(tmp_path: Path, registry: Registry) -> None:
    """None is opaque, none is doubtful: a first night refuses nothing and warns of nothing."""
    generate(str(tmp_path), seed=1, scale=0.01)
    examiner = FileExaminer(registry, seed=b"test", clock_s=time.monotonic)
    for path in sorted(tmp_path.rglob("*")):
        if not path.is_file():
            continue
        fd = os.open(path, os.O_RDONLY)
        try:
            finding, _ = examiner.examine_open(fd, os.fsencode(path.name))
        finally:
            os.close(fd)
        assert finding.soundness is Soundness.SOUND, (path.name, finding.remarks)
