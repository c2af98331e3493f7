"""Ordinary nights of a generated hospital, with all that is lawful and looks odd.

Rule 1: the exports are ``vault.hospital``'s, night after night; what happens besides is persistent.
Rule 2: every odd night has a name, so that a false alarm is counted under it.
Not promised: that a real hospital is as regular. Each odd thing is one that a DIM or a sysadmin
    described; their frequency here is high on purpose, and is no hospital's.
"""

from __future__ import annotations

import gzip
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

from benchmarks.encryption import Tree
from vault.hospital import generate

SCALE = 0.05  # 0.8 MB in 160 files; most files are 1 to 35 kB


class Hospital:
    """One hospital: its exports as they are tonight."""

    def __init__(self, folder: Path, seed: int) -> None:
        self._folder = folder
        self._seed = seed
        self._night = 0
        self._stamps: dict[bytes, int] = {}
        self.packed_paths: set[bytes] = set()
        self.tree: Tree = {}
        self.dice = Random(f"hospital {seed}")
        self._renew()

    def _renew(self) -> None:
        """Take over what the generator wrote since the last night."""
        generate(os.fsencode(self._folder), seed=self._seed, night=self._night, scale=SCALE)
        root = os.fsencode(self._folder)
        seen = {}
        for where, _, names in os.walk(root):
            for name in names:
                path = os.path.relpath(os.path.join(where, name), root)
                seen[path] = os.stat(os.path.join(where, name)).st_mtime_ns
        for path in self._stamps.keys() - seen.keys():
            self.tree.pop(path, None)
        for path, stamp in seen.items():
            if self._stamps.get(path) != stamp and path not in self.packed_paths:
                with open(os.path.join(root, path), "rb") as file:
                    self.tree[path] = file.read()
        self._stamps = seen

    def pass_night(self, event: Callable[[Hospital], None] | None = None) -> None:
        """Let a night pass, with something odd in it or without."""
        self._night += 1
        self._renew()
        if event is not None:
            event(self)

    def texts(self) -> list[bytes]:
        """Give the files that are lines of text."""
        ends = (b".csv", b".txt", b".er7", b".hpr", b".ndjson", b".ldif")
        return sorted(path for path in self.tree if path.endswith(ends))


# -- what may happen


def month_end(hospital: Hospital) -> None:
    """Export every text anew and longer, and put one more file into each folder."""
    for path in hospital.texts():
        content = hospital.tree[path]
        tail = content[content.find(b"\n", len(content) // 2) + 1 :]
        hospital.tree[path] = content + tail
    stamp = b"%03d" % hospital.dice.randrange(1000)
    for path in hospital.texts()[::5]:
        stem, _, ending = path.rpartition(b".")
        hospital.tree[stem + b"-end-" + stamp + b"." + ending] = hospital.tree[path]


def shrinks(hospital: Hospital) -> None:
    """Take most lines out of one text: an inventory was closed."""
    path = hospital.dice.choice(hospital.texts())
    lines = hospital.tree[path].splitlines(keepends=True)
    hospital.tree[path] = b"".join(lines[: max(2, len(lines) // 5)])


def new_names(hospital: Hospital) -> None:
    """Call the files of laboratory and rosters otherwise from now on."""
    for path in [path for path in hospital.texts() if path.startswith((b"lab", b"hr/rosters"))]:
        stem, _, ending = path.rpartition(b".")
        hospital.tree[stem + b"_v2." + ending] = hospital.tree.pop(path)


def january(hospital: Hospital) -> None:
    """Remove last year's rosters, and all archives of PMSI but the last months'."""
    for path in sorted(hospital.tree):
        if path.startswith(b"hr/rosters/planning_2024"):
            del hospital.tree[path]
        if path.startswith(b"pmsi/") and not any(
            f".2024.{month}." in path.decode() for month in (11, 12)
        ):
            del hospital.tree[path]


def growth(hospital: Hospital) -> None:
    """Let a second site join: a folder of its own with as much again."""
    for path in sorted(hospital.tree):
        source, _, rest = path.partition(b"/")
        if not rest.startswith(b"site-b/"):
            hospital.tree[source + b"/site-b/" + rest] = hospital.tree[path]


def redone(hospital: Hospital) -> None:
    """Make all archives of PMSI anew, of the same records: other bytes, sound."""
    import io
    import zipfile

    for path in sorted(hospital.tree):
        packed = io.BytesIO(hospital.tree[path])
        if not path.startswith(b"pmsi/") or not zipfile.is_zipfile(packed):
            continue  # or it broke off in an earlier night
        out = io.BytesIO()
        with (
            zipfile.ZipFile(packed) as old,
            zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as new,
        ):
            for name in old.namelist():
                new.writestr(zipfile.ZipInfo(name, (2025, 3, 1, 0, 0, 0)), old.read(name))
        hospital.tree[path] = out.getvalue()


def packed(hospital: Hospital) -> None:
    """Pack the exports of finance from now on, each under its name and ``.gz``."""
    for path in [path for path in hospital.texts() if path.startswith(b"finance/")]:
        hospital.packed_paths.add(path)
        hospital.tree[path + b".gz"] = gzip.compress(hospital.tree.pop(path), mtime=0)


def broken_off(hospital: Hospital) -> None:
    """Cut one export in half: the disk was full."""
    path = hospital.dice.choice(sorted(hospital.tree))
    hospital.tree[path] = hospital.tree[path][: len(hospital.tree[path]) // 2]


def encrypted_dump(hospital: Hospital) -> None:
    """Put an export that its own software encrypts beside the others."""
    name = b"finance/dump-%06d.gpg" % hospital.dice.randrange(10**6)
    hospital.tree[name] = hospital.dice.randbytes(20_000)


EVENTS: dict[str, Callable[[Hospital], None]] = {
    "month end": month_end,
    "a file shrinks": shrinks,
    "new file names": new_names,
    "January": january,
    "large growth": growth,
    "archives redone": redone,
    "packed from now on": packed,
    "an export broke off": broken_off,
    "encrypted dump": encrypted_dump,
}


def year(nights: int, dice: Random) -> Iterator[str | None]:
    """Give what happens in each night: nothing in most, every odd thing at least once."""
    odd = [*EVENTS, "month end", "month end", "a file shrinks"]
    places = dict(zip(dice.sample(range(1, nights), len(odd)), odd, strict=True))
    for night in range(nights):
        yield places.get(night)
