"""When a file of an export counts as complete.

Rule 1: pure: it judges a list of what was seen, at a time it is given.
Rule 2: a done-file speaks for what is not younger than it: one left over from the last export says
    nothing about this one.
Rule 3: a file that is not complete is listed with its reason, and what the mirror held of it stays.
"""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from vault.results import Refusal

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from vault.sources.tree import Seen

_NS = 10**9


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """How an export says that it is complete.

    ``done_file`` with a ``*`` (``*.done``): a file counts once the name with the ``*`` replaced by
    its own name stands beside it. Without one (``export.done``): a file counts once a file of that
    name stands in its folder or in one above it. ``stable_for_s``: a file counts once it has
    not changed for so long. Both given, both must hold.
    """

    done_file: str | None = None
    stable_for_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What counts, and what does not yet; done-files are in neither."""

    complete: tuple[Seen, ...]
    waiting: tuple[Refusal, ...]


def judge(files: Mapping[bytes, Seen], rule: Rule, *, now: datetime) -> Judgement:
    """Judge each file of an export; the order is that of the paths."""
    complete, waiting = [], []
    now_ns = int(now.timestamp() * _NS)
    for path in sorted(files):
        if _is_marker(path, rule):
            continue
        reason = _unmarked(files[path], files, rule) or _young(files[path], rule, now_ns)
        if reason:
            waiting.append(Refusal(name=path, reason=reason))
        else:
            complete.append(files[path])
    return Judgement(complete=tuple(complete), waiting=tuple(waiting))


def _is_marker(path: bytes, rule: Rule) -> bool:
    if rule.done_file is None:
        return False
    name = path.rpartition(b"/")[2].decode("latin-1")
    return fnmatchcase(name, _pattern(rule.done_file))


def _pattern(done_file: str) -> str:
    """Give the pattern over bytes read as Latin-1, where only ``*`` is special."""
    text = done_file.encode().decode("latin-1")
    return "".join(f"[{char}]" if char in "?[" else char for char in text)


def _unmarked(seen: Seen, files: Mapping[bytes, Seen], rule: Rule) -> str | None:
    """Say why no done-file speaks for a file, or None when one does or none is needed."""
    if rule.done_file is None:
        return None
    found = [files[path] for path in _places(seen.path, rule.done_file.encode()) if path in files]
    if not found:
        return "no done-file"
    if all(marker.mtime_ns < seen.mtime_ns for marker in found):
        return "younger than its done-file"
    return None


def _places(path: bytes, done_file: bytes) -> list[bytes]:
    """List where the done-file of a path may stand."""
    folder, slash, name = path.rpartition(b"/")
    if b"*" in done_file:
        return [folder + slash + done_file.replace(b"*", name)]
    places = [folder + slash + done_file]
    while folder:
        folder, slash, _ = folder.rpartition(b"/")
        places.append(folder + slash + done_file)
    return places


def _young(seen: Seen, rule: Rule, now_ns: int) -> str | None:
    if not rule.stable_for_s:
        return None
    age_ns = now_ns - seen.mtime_ns
    if age_ns < 0:
        return "dated in the future"
    if age_ns >= rule.stable_for_s * _NS:
        return None
    seconds = f"{rule.stable_for_s:g}"
    return f"changed less than {seconds} s ago: complete once that has passed"
