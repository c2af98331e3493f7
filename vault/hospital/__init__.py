"""A small hospital that does not exist, and its exports of one night after another.

    layout    which files lie there on night N, how large, and what grew since
    pmsi      e-PMSI-like archives, from record layouts
    forms     the other forms: staff, money, care

Rule 1: the same seed, night and scale give the same bytes and the same modification times.
Rule 2: every line is drawn at random: no person, no stay, no amount is anybody's.
Rule 3: nothing is held whole: a benchmark makes 1.5 GB in the memory of one block.
Rule 4: what this module did not make, it neither changes nor removes.
Not promised: that a real grouper or payroll would take these files; only lengths, versions,
    counters, periods and declared counts follow the formats. Two builds of zlib may deflate the
    same records into different archives.
Source: public record layouts of the ATIH (2022 to 2024), NEODeS, HL7 v2, FHIR R4, DICOM part 10.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING

from vault.hospital.layout import Export, exports_of, is_outdated
from vault.hospital.pmsi import write_archive

if TYPE_CHECKING:
    from typing import BinaryIO

__all__ = ["FINESS", "Generated", "generate"]

FINESS = "990000010"  # department 99 does not exist

_DAY_NS = 86_400 * 10**9


@dataclass(frozen=True, slots=True, kw_only=True)
class Generated:
    """What lies in the folder now, and what this call did to it."""

    files: int
    bytes: int
    written_files: int
    written_bytes: int
    removed_files: int


def generate(folder: bytes | str, *, seed: int, night: int = 0, scale: float = 1.0) -> Generated:
    """Bring a folder to the state of one night; about 15 MB in 160 files at scale 1.

    Each night after the first brings about 3 % of new bytes: six files grow, one is new, one is
    gone; the archives of PMSI rest. A file that already is as this night has it, by its
    modification time, is left alone.
    """
    root = os.fsencode(folder)
    exports = exports_of(night, scale)
    written = written_bytes = total = 0
    for export in exports:
        path = os.path.join(root, export.path.encode("ascii"))
        mtime_ns = _mtime_ns(export, seed, scale)
        if not _is_there(path, mtime_ns):
            _write(path, export, seed, mtime_ns)
            written += 1
            written_bytes += os.stat(path).st_size
        total += os.stat(path).st_size
    return Generated(
        files=len(exports),
        bytes=total,
        written_files=written,
        written_bytes=written_bytes,
        removed_files=_remove_outdated(root, exports),
    )


def _mtime_ns(export: Export, seed: int, scale: float) -> int:
    """Give a time whose day is the export's and whose fraction marks its content."""
    mark = f"{seed}/{scale!r}/{export.path}/{export.revision}"
    fraction = int.from_bytes(hashlib.sha256(mark.encode()).digest()[:8], "big") % _DAY_NS
    return export.day * _DAY_NS + fraction


def _is_there(path: bytes, mtime_ns: int) -> bool:
    try:
        return os.stat(path).st_mtime_ns == mtime_ns
    except FileNotFoundError:
        return False


def _write(path: bytes, export: Export, seed: int, mtime_ns: int) -> None:
    """Write one file under a temporary name, give it its time, then its name."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path + b".part", "wb") as file:
        _fill(file, export, seed)
    os.utime(path + b".part", ns=(mtime_ns, mtime_ns))
    os.replace(path + b".part", path)


def _fill(file: BinaryIO, export: Export, seed: int) -> None:
    """Write the first content, then what each night added, each from its own dice."""
    if export.archive is not None:
        write_archive(file, export.archive, seed=seed, finess=FINESS)
        return
    assert export.form is not None
    file.write(export.form.head)
    for revision in range(export.revision + 1):
        size_bytes = export.growth_bytes if revision else export.size_bytes
        dice = Random(f"{seed}/{export.path}/{revision}")  # noqa: S311, reproducible on purpose
        for block in export.form.body(dice, size_bytes):
            file.write(block)


def _remove_outdated(root: bytes, exports: tuple[Export, ...]) -> int:
    """Remove what another night of ours left and this one does not have."""
    wanted = {export.path.encode("ascii") for export in exports}
    removed = 0
    for name in {os.path.dirname(path) for path in wanted}:
        for entry in os.scandir(os.path.join(root, name)):
            if os.path.join(name, entry.name) not in wanted and is_outdated(entry.name):
                os.unlink(entry.path)
                removed += 1
    return removed
