"""What is backed up, night by night.

Rule 1: every night is made before anything is measured; bringing a night on is a rename.
Rule 2: a night shares, by hard links, what it has in common with the night before; no file is
    ever written in place.
"""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from vault.hospital import generate

HOSPITAL = {  # source: policy
    "pmsi": "pmsi",
    "hr": "hr",
    "finance": "finance",
    "clinical": "clinical",
    "laboratory": "laboratory",
}
_SEED = 2021
_IMAGES = 12
_IMAGES_SHARE = 0.03  # of the bytes of the night before
_FILES = 100
_CHANGED = 3
_SMALL_BYTES = 16_000
_FINISHED_AT = 1_736_000_000  # an export that has not moved for long


@dataclass(slots=True, kw_only=True)
class Exports:
    """Sources of several nights; one night stands in ``now``."""

    folder: Path
    policies: dict[str, str]
    night: int | None = None

    @property
    def now(self) -> Path:
        """Where the exports of the night that was brought on stand."""
        return self.folder / "now"

    def path(self, source: str) -> Path:
        """Where one source is."""
        return self.now / source

    def bring(self, night: int) -> None:
        """Bring a night on."""
        if self.night is not None:
            self.now.rename(self.folder / str(self.night))
        (self.folder / str(night)).rename(self.now)
        self.night = night
        os.sync()

    def size_bytes(self) -> int:
        """Give the bytes of the night that was brought on."""
        return sum(path.stat().st_size for path in self.now.rglob("*") if path.is_file())


def make_hospital(folder: Path, *, nights: int, scale: float) -> Exports:
    """Make the generated hospital: a first night, then ``nights`` times two that bring 3 %.

    Of the two the first brings text, which restic packs to a fifth of it; the second brings what
    cannot be packed, as images and archives are, so that 3 % of new bytes is what crosses.
    """

    def fill(path: Path, night: int) -> None:
        if kind_of(night) == "night":
            _replace_images(path, night)
        else:
            generate(str(path), seed=_SEED, night=(night + 1) // 2, scale=scale)

    _make_nights(folder, 2 * nights + 1, fill)
    return Exports(folder=folder, policies=dict(HOSPITAL))


def kind_of(night: int) -> str:
    """Tell what a night of the hospital brings, by its number."""
    return "first" if night == 0 else "text_night" if night % 2 else "night"


def _replace_images(path: Path, night: int) -> None:
    there = sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    dice = random.Random(_SEED + night)
    for number in range(_IMAGES):
        content = dice.randbytes(round(there * _IMAGES_SHARE / _IMAGES))
        _replace(path / "clinical" / "imaging" / f"study_{number:03}.dcm", content)


def make_many(folder: Path, *, nights: int, sources: int) -> Exports:
    """Make many small sources of 100 files each, of which each night changes three."""
    names = [f"s{number:03}" for number in range(sources)]

    def fill(path: Path, night: int) -> None:
        for name in names:
            dice = random.Random(f"{name}/{night}")
            numbers = range(_FILES) if night == 0 else dice.sample(range(_FILES), _CHANGED)
            for number in numbers:
                _replace(path / name / f"export_{number:03}.dat", dice.randbytes(_SMALL_BYTES))

    _make_nights(folder, nights, fill)
    return Exports(folder=folder, policies=dict.fromkeys(names, "hr"))


def _make_nights(folder: Path, nights: int, fill: Callable[[Path, int], object]) -> None:
    for night in range(nights):
        path = folder / str(night)
        if night:
            shutil.copytree(folder / str(night - 1), path, copy_function=os.link)
        fill(path, night)


def _replace(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    part.write_bytes(content)
    when = _FINISHED_AT + content[0]
    os.utime(part, (when, when))
    part.rename(path)
