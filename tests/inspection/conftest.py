"""A reception with one file, and an examiner over it."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from vault.finding import Finding
from vault.inspection import FileExaminer, Limits, Registry, load_registry
from vault.results import ManifestEntry

Examine = Callable[..., Finding]


@pytest.fixture(scope="session")
def registry() -> Registry:
    """Every inspector of this installation."""
    return load_registry()


def lay(reception: Path, path: bytes, content: bytes) -> ManifestEntry:
    """Lay a file into a reception; give its entry."""
    file = reception / "data" / path.decode()
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
    return ManifestEntry(
        path=path,
        size_bytes=len(content),
        mtime_ns=file.stat().st_mtime_ns,
        sha256=hashlib.sha256(content).hexdigest(),
    )


@pytest.fixture
def examine(tmp_path: Path, registry: Registry) -> Examine:
    """Examine bytes as a file of a reception."""

    def act(
        content: bytes,
        name: str = "export",
        *,
        limits: Limits | None = None,
        inspectors: Registry | None = None,
    ) -> Finding:
        examiner = FileExaminer(
            inspectors or registry, seed=b"test", limits=limits, clock_s=time.monotonic
        )
        entry = lay(tmp_path, name.encode(), content)
        return examiner.examine(bytes(tmp_path), entry)

    return act
