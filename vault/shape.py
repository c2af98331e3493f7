"""The shape of an export: how much of it there is, of what, and what became of what was there.

Rule 1: a shape holds counts only; no name of a file, no line, no value of the export.
Rule 2: a file is compared with the one it replaces in the last accepted export: the same path, or
    the path that vanished when a name like it appeared.
Rule 3: files are fed one by one in the order of paths; nothing is held of a file once it is fed.
Source: docs/decisions/0015.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from vault.finding import Soundness
from vault.look import Look, is_repacked, is_scrambled, is_spoilt
from vault.results import ManifestEntry

_EXTENSION = re.compile(rb"[a-z0-9_]{1,12}")
_EXTENSIONS_KEPT = 300
_DOTS = 8  # how many endings a renamed file may have been given
_KNOWN_BY = 3  # files of an extension from which on it has a habit
_SELDOM_PERCENT = 5
# Extensions of formats in which even a file that was never seen before cannot be random bytes.
_TEXT = frozenset(
    ("csv", "txt", "xml", "json", "ndjson", "ldif", "hl7", "er7", "hpr", "dsn", "sql", "tsv",
     "htm", "html", "log", "edi", "rsa", "rss")
)  # fmt: skip


def extension_of(path: bytes) -> str:
    """Give the last extension in lower case; "" when there is none or it is no plain word."""
    stem, dot, ending = path.rpartition(b"/")[2].rpartition(b".")
    ending = ending.lower()
    return ending.decode("ascii") if stem and dot and _EXTENSION.fullmatch(ending) else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Extension:
    """How the files of one extension look."""

    files: int
    random: int = 0
    unsound: int = 0  # malformed, or not what the name promises


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """One export, beside the last accepted one."""

    files: int = 0
    bytes: int = 0
    before_files: int = 0  # of the last accepted export; 0 when there was none
    before_bytes: int = 0
    repacked: int = 0  # bytes that went from files that are of another format with all records
    added: int = 0
    deleted: int = 0
    renamed: int = 0
    changed: int = 0  # the same path, another content
    scrambled: int = 0  # look encrypted, and what they replace did not
    spoilt: int = 0  # lost their format, and do not look encrypted
    emptied: int = 0  # of the spoilt: without content, and what they replace had some
    healed: int = 0  # were scrambled or spoilt, and are not any more
    noise: int = 0  # changed, and looked random before and after
    odd: int = 0  # look random under the extension of a text format, and nothing is known of it
    malformed: int = 0  # of all files now
    shrunk_months: int = 0  # PMSI: months of a record type of which a changed file lost lines
    kinds: Mapping[str, int] = field(default_factory=dict)
    records: Mapping[str, int] = field(default_factory=dict)  # unit -> how many, over all files
    extensions: Mapping[str, Extension] = field(default_factory=dict)
    tables: str = ""  # of the inspectors that looked: counts of two tables are not compared
    by_hand: bool = False  # refused, then accepted by a person

    @property
    def base(self) -> int:
        """Give the number of files that shares are of."""
        return max(self.files, self.before_files)

    @property
    def moved(self) -> int:
        """Give how many files are not as they were."""
        return self.changed + self.renamed


def unchanged(last: Shape) -> Shape:
    """Give the shape of an export that is as the last accepted one was."""
    return Shape(
        files=last.files,
        bytes=last.bytes,
        before_files=last.files,
        before_bytes=last.bytes,
        malformed=last.malformed,
        kinds=last.kinds,
        records=last.records,
        extensions=last.extensions,
        tables=last.tables,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Lineage:
    """Which file of an export replaces which of the one before."""

    before: Mapping[bytes, ManifestEntry]  # path now -> what it replaces: changed or renamed
    renamed: frozenset[bytes]  # paths now, of those
    added: frozenset[bytes]
    deleted: int


def trace(previous: Sequence[ManifestEntry], entries: Sequence[ManifestEntry]) -> Lineage:
    """Compare two manifests, both sorted by path."""
    before: dict[bytes, ManifestEntry] = {}
    added: set[bytes] = set()
    gone: dict[bytes, ManifestEntry] = {}
    for old, new in _side_by_side(previous, entries):
        if old is None and new is not None:
            added.add(new.path)
        elif new is None and old is not None:
            gone[old.path] = old
        elif old is not None and new is not None and old.sha256 != new.sha256:
            before[new.path] = old
    renamed = _renames(gone, added) if gone and added else {}
    return Lineage(
        before=before | renamed,
        renamed=frozenset(renamed),
        added=frozenset(added - renamed.keys()),
        deleted=len(gone) - len(renamed),
    )


def _side_by_side(
    previous: Sequence[ManifestEntry], entries: Sequence[ManifestEntry]
) -> Iterator[tuple[ManifestEntry | None, ManifestEntry | None]]:
    old, new = iter(previous), iter(entries)
    left, right = next(old, None), next(new, None)
    while left is not None or right is not None:
        if right is None or (left is not None and left.path < right.path):
            yield left, None
            left = next(old, None)
        elif left is None or right.path < left.path:
            yield None, right
            right = next(new, None)
        else:
            yield left, right
            left, right = next(old, None), next(new, None)


def _renames(gone: Mapping[bytes, ManifestEntry], added: set[bytes]) -> dict[bytes, ManifestEntry]:
    """Pair a new name with a vanished one: the old one with something behind it, or its stem."""
    stems = {_stem(path): path for path in gone}
    taken: set[bytes] = set()
    found: dict[bytes, ManifestEntry] = {}
    for path in sorted(added):
        old = next((name for name in _shorter(path) if name in gone), stems.get(_stem(path)))
        if old is not None and old not in taken:
            taken.add(old)
            found[path] = gone[old]
    return found


def _shorter(path: bytes) -> Iterator[bytes]:
    """Give a path less its last ending, its last two, and so on."""
    for _ in range(_DOTS):
        path, dot, ending = path.rpartition(b".")
        if not dot or b"/" in ending:
            return
        yield path


def _stem(path: bytes) -> bytes:
    return path.rpartition(b".")[0] if extension_of(path) else path


class Tally:
    """Counts a shape while its files are fed."""

    def __init__(
        self,
        previous: Sequence[ManifestEntry],
        lineage: Lineage,
        known: Mapping[str, Extension],
        *,
        shrink_percent: int,
        tables: str,
    ) -> None:
        self._lineage = lineage
        self._tables = tables
        self._known = known  # the extensions of the last accepted export
        self._shrink_percent = shrink_percent
        self._count: dict[str, Any] = dict.fromkeys(_COUNTED, 0)
        self._count["before_files"] = len(previous)
        self._count["before_bytes"] = sum(entry.size_bytes for entry in previous)
        self._kinds: dict[str, int] = {}
        self._records: dict[str, int] = {}
        self._extensions: dict[str, list[int]] = {}
        self._vanished = lineage.deleted

    def feed(self, entry: ManifestEntry, look: Look, before: Look | None) -> None:
        """Count one file; ``before`` is the look of what it replaces, None when not known."""
        self._add("files")
        self._add("bytes", entry.size_bytes)
        self._add("malformed", int(look.soundness is Soundness.MALFORMED))
        self._kinds[look.kind] = self._kinds.get(look.kind, 0) + 1
        for unit, count in look.counts.items():
            self._records[unit] = self._records.get(unit, 0) + count
        extension = extension_of(entry.path)
        row = self._extensions.setdefault(extension, [0, 0, 0])
        row[0] += 1
        row[1] += look.is_random
        row[2] += _is_unsound(look)
        old = self._lineage.before.get(entry.path)
        if old is not None:
            self._add("renamed" if entry.path in self._lineage.renamed else "changed")
            if before is not None:
                self._compare(entry, look, old, before)
        elif entry.path in self._lineage.added:
            self._add("added")
            self._meet(extension, look)

    def _compare(self, entry: ManifestEntry, look: Look, old: ManifestEntry, before: Look) -> None:
        """Say what became of a file whose earlier look is known."""
        if entry.sha256 == old.sha256:
            return  # only its name is another
        if is_scrambled(before, look):
            self._add("scrambled")
        elif old.size_bytes and not entry.size_bytes:
            self._add("spoilt")
            self._add("emptied")
        elif before.tables == look.tables and is_spoilt(before, look, entry.path == old.path):
            self._add("spoilt")
        elif before.is_random and look.is_random and not look.is_vouched:
            self._add("noise")
        elif (look.is_vouched and not before.is_vouched) or (before.is_pierced > look.is_pierced):
            self._add("healed")
        self._add("shrunk_months", self._lost_months(before, look))
        if before.tables == look.tables and is_repacked(before, look):
            self._add("repacked", max(0, old.size_bytes - entry.size_bytes))

    def _lost_months(self, before: Look, look: Look) -> int:
        kept = 100 - self._shrink_percent
        return sum(
            look.months.get(key, 0) * 100 < lines * kept for key, lines in before.months.items()
        )

    def _meet(self, extension: str, look: Look) -> None:
        """Judge a file that replaces nothing by how its extension looked so far."""
        habit = self._known.get(extension)
        has_habit = habit is not None and habit.files >= _KNOWN_BY
        if look.is_random and not look.is_vouched:
            if has_habit and habit is not None:
                is_new = _is_seldom(habit.random, habit.files) or (
                    look.is_misnamed and _is_seldom(habit.unsound, habit.files)
                )
                self._add("scrambled", int(is_new))
            elif self._known and extension not in self._known and self._vanished > 0:
                # A name that was never seen, while others vanished: renamed beyond recognition.
                self._vanished -= 1
                self._add("scrambled")
            else:
                self._add("odd", int(extension in _TEXT))
        elif look.soundness is Soundness.MALFORMED and has_habit and habit is not None:
            self._add("spoilt", int(_is_seldom(habit.unsound, habit.files)))

    def _add(self, name: str, count: int = 1) -> None:
        self._count[name] += count

    def shape(self) -> Shape:
        """Give what was counted."""
        most = sorted(self._extensions.items(), key=lambda item: (-item[1][0], item[0]))
        return Shape(
            **self._count,
            deleted=self._lineage.deleted,
            tables=self._tables,
            kinds=dict(sorted(self._kinds.items())),
            records=dict(sorted(self._records.items())),
            extensions={
                name: Extension(files=files, random=random, unsound=unsound)
                for name, (files, random, unsound) in sorted(most[:_EXTENSIONS_KEPT])
            },
        )


_COUNTED = (
    "files", "bytes", "before_files", "before_bytes", "repacked", "added", "renamed", "changed",
    "scrambled", "spoilt", "emptied", "healed", "noise", "odd", "malformed", "shrunk_months",
)  # fmt: skip


def _is_unsound(look: Look) -> bool:
    return look.soundness is Soundness.MALFORMED or look.is_misnamed


def _is_seldom(count: int, files: int) -> bool:
    return count * 100 <= _SELDOM_PERCENT * files
