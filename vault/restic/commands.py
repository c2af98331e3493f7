"""The argument vectors we give to restic, each from one pure function.

Rule 1: no path of the repository and no password is ever among the words: both stand in the
    environment.
Rule 2: reading takes no lock, so that a read-only medium can be read and a stale lock cannot
    stop a verification.
Rule 3: no cache: a local repository is read faster than it is cached, and a cache is one more
    place to keep sound.
Rule 4: a file name is a pattern with every special character escaped, so it means itself only.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from vault.restic.binary import Restic

HOST = "coffre"
SOURCE_TAG = "source="
FOLDERS = ("data", "coffre")
INCLUDES_LIMIT_BYTES = 512 * 1024  # a quarter of what Linux takes as arguments at least

_ID = re.compile(r"[0-9a-f]{64}")
_SPECIAL = re.compile(rb"[*?\[\\]")

Argv = tuple[str, ...]


def init_argv(restic: Restic) -> Argv:
    """Make a repository: format 2, restic's default chunker parameters."""
    return (restic.path, "--no-cache", "init", "--repository-version", "2")


def add_key_argv(restic: Restic, *, new_password_fd: int, user: str) -> Argv:
    """Add a key; the new password is read from a descriptor."""
    place = f"/proc/self/fd/{new_password_fd}"
    words = ("key", "add", "--new-password-file", place, "--host", HOST, "--user", user)
    return (restic.path, "--no-cache", *words)


def backup_argv(restic: Restic, *, source: str, parent: str | None) -> Argv:
    """Snapshot ``data`` and ``coffre`` of the working folder, grouped by source.

    Without a parent everything is read anew: restic would otherwise choose one by host and path.
    """
    assert "," not in source, "restic would read two tags"
    base = ("--force",) if parent is None else ("--parent", _full_id(parent))
    scan = ("--no-scan",) if restic.capabilities.no_scan else ()
    words = ("backup", "--json", *scan, "--host", HOST, "--tag", SOURCE_TAG + source, *base)
    return (restic.path, "--no-cache", *words, "--", *FOLDERS)


def check_argv(restic: Restic, *, read_data: bool = False) -> Argv:
    """Check the structure of a repository, and on request every byte of its packs."""
    depth = ("--read-data",) if read_data else ()
    return (restic.path, "--no-cache", "--no-lock", "check", *depth)


def cat_config_argv(restic: Restic) -> Argv:
    """Print the repository's config: the cheapest way to learn that a password opens it."""
    return (restic.path, "--no-cache", "--no-lock", "cat", "config")


def snapshots_argv(restic: Restic) -> Argv:
    """List all snapshots as JSON."""
    return (restic.path, "--no-cache", "--no-lock", "snapshots", "--json")


def forget_argv(restic: Restic, *snapshot_ids: str) -> Argv:
    """Forget snapshots, by their full ids and by no policy of restic's; no pack is touched."""
    assert snapshot_ids, "restic would be asked to forget by nothing"
    return (restic.path, "--no-cache", "forget", *map(_full_id, snapshot_ids))


def prune_argv(restic: Restic) -> Argv:
    """Remove the packs that nothing needs, and write the index anew; no pack is repacked.

    A pack of which a part is needed stays as it is: a repacked one would have another name, and
    every target would be sent again what it holds.
    """
    bounds = ("--max-unused", "unlimited", "--max-repack-size", "0")
    return (restic.path, "--no-cache", "prune", *bounds)


def unlock_argv(restic: Restic) -> Argv:
    """Remove the locks whose process is dead, and no other."""
    return (restic.path, "--no-cache", "unlock")


def restore_argv(
    restic: Restic, snapshot_id: str, *, target: bytes, includes: Sequence[bytes] = ()
) -> Argv:
    """Restore a snapshot, or the named paths of it, below ``target``.

    ``includes`` are paths inside the snapshot, as ``data/2026/M09.txt``; a folder means all that
    is in it. See ``split_includes`` for how many one run takes.
    """
    wanted = [word for path in includes for word in ("--include", os.fsdecode(pattern(path)))]
    words = ("restore", _full_id(snapshot_id), "--target", os.fsdecode(target), *wanted)
    return (restic.path, "--no-cache", "--no-lock", *words)


def dump_argv(restic: Restic, snapshot_id: str) -> Argv:
    """Write a whole snapshot to standard output, as a tar."""
    words = ("dump", "--archive", "tar", _full_id(snapshot_id), "/")
    return (restic.path, "--no-cache", "--no-lock", *words)


def pattern(path: bytes) -> bytes:
    """Give the pattern that matches one path of a snapshot and what is below it, literally."""
    return b"/" + _SPECIAL.sub(rb"\\\g<0>", path.strip(b"/"))


def split_includes(
    includes: Iterable[bytes], *, limit_bytes: int = INCLUDES_LIMIT_BYTES
) -> Iterator[list[bytes]]:
    """Split many paths into as many restores as the length of an argument vector asks for."""
    group: list[bytes] = []
    size_bytes = 0
    for path in includes:
        cost_bytes = 2 * len(path) + 32  # worst case: every byte escaped, plus its option
        if group and size_bytes + cost_bytes > limit_bytes:
            yield group
            group, size_bytes = [], 0
        group.append(path)
        size_bytes += cost_bytes
    if group:
        yield group


def _full_id(snapshot_id: str) -> str:
    assert _ID.fullmatch(snapshot_id), "a snapshot is named by its full id"
    return snapshot_id
