"""Restored files against the manifest taken at the source.

Rule 1: every byte is read again and hashed; a size or a time alone proves nothing.
Rule 2: what is missing, what differs and what was never in the manifest are told apart.
Rule 3: links are not followed; names are bytes.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

from vault.fiche import Metadata
from vault.results import Comparison, ManifestEntry, Refusal

_CHUNK = 4 << 20
_THREADS = 2


def compare(folder: bytes, entries: Sequence[ManifestEntry]) -> Comparison:
    """Compare the tree below ``folder`` with manifest entries, both relative to it."""
    expected = {entry.path: entry for entry in entries}
    found = set(_walk(folder))
    mismatches = [
        Refusal(name=path, reason="not in the manifest") for path in sorted(found - expected.keys())
    ]
    with ThreadPoolExecutor(_THREADS) as pool:
        reasons = pool.map(lambda entry: _reason(folder, entry), entries)
        mismatches += [
            Refusal(name=entry.path, reason=reason)
            for entry, reason in zip(entries, reasons, strict=True)
            if reason
        ]
    good = [entry for entry in entries if entry.path in found]
    return Comparison(
        files=len(good),
        bytes=sum(entry.size_bytes for entry in good),
        mismatches=tuple(mismatches),
    )


def _reason(folder: bytes, entry: ManifestEntry) -> str:
    path = os.path.join(folder, entry.path)
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return "not restored"
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    try:
        facts = os.fstat(fd)
        if not stat.S_ISREG(facts.st_mode):
            return "not a regular file"
        if facts.st_size != entry.size_bytes:
            return f"{facts.st_size} bytes, {entry.size_bytes} at the source"
        digest = hashlib.sha256()
        while chunk := os.read(fd, _CHUNK):
            digest.update(chunk)
    finally:
        os.close(fd)
    return "" if digest.hexdigest() == entry.sha256 else "content differs from the source"


def _walk(folder: bytes) -> Iterator[bytes]:
    pending = [b""]
    while pending:
        relative = pending.pop()
        with os.scandir(os.path.join(folder, relative)) as things:
            for thing in things:
                path = os.path.join(relative, thing.name)
                if thing.is_dir(follow_symlinks=False):
                    pending.append(path)
                else:
                    yield path


def read_metadata(folder: bytes, entries: Sequence[ManifestEntry]) -> Metadata:
    """Compare what else than bytes a manifest has with what restic put on the files."""
    found = Metadata()
    for entry in entries:
        try:
            facts = os.stat(os.path.join(folder, entry.path), follow_symlinks=False)
        except OSError:
            continue  # not restored: told where bytes are compared
        found.see(entry, mtime_ns=facts.st_mtime_ns, uid=facts.st_uid, mode=facts.st_mode)
    return found
