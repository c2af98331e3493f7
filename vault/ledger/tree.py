"""The ledger as a Merkle tree: each line a leaf; its compact range is kept beside the file.

Rule 1: the file is the truth. What is kept beside it is believed only when it is whole and ends
    where a line of the file ends that has the hash it names; else the file is read anew.
Rule 2: so a head costs the lines since the last one, and never the whole file at every entry.
Rule 3: a tree that does not begin with the tree that was signed last is refused, never signed.
Rule 4: only whole lines that chain are leaves; a leaf is the line's bytes without its newline.
Source: RFC 6962, section 2.1; ``docs/ledger.md``.
"""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from vault.errors import LedgerError
from vault.ledger.audit import find_problems, read_lines
from vault.ledger.canonical import from_json, to_json
from vault.ledger.lines import LINE_MAX, NO_HEAD, hash_of, read_line
from vault.ledger.merkle import HASH_BYTES, CompactRange, leaf_hash
from vault.records import LedgerHead

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(slots=True, kw_only=True)
class Tree:
    """The tree over the first entries of a ledger, and where the last of them ends."""

    leaves: CompactRange = field(default_factory=CompactRange)
    last: LedgerHead = NO_HEAD
    end: int = 0  # bytes of the file that are in the tree

    @property
    def size(self) -> int:
        """How many entries are in it."""
        return self.leaves.size

    def root(self) -> bytes:
        """Give the root."""
        return self.leaves.root()

    def take(self, line: bytes) -> None:
        """Take the next line, with its newline; ValueError when it does not chain."""
        if not line.endswith(b"\n"):
            raise ValueError("it is torn")
        bare = line[:-1]
        entry = read_line(bare)
        if (entry.n, entry.prev) != (self.last.n + 1, self.last.sha256):
            raise ValueError("it does not chain to the entry before")
        self.leaves.append(leaf_hash(bare))
        self.last = LedgerHead(n=entry.n, sha256=entry.sha256)
        self.end += len(line)


def read_tree(path: bytes, end: int, *, signed: tuple[int, bytes] | None = None) -> Tree:
    """Give the tree over the first ``end`` bytes of a ledger; LedgerError.

    ``signed`` is size and root of the tree that was signed last: this one must begin with it.
    """
    tree = _load(path, end)
    if signed is not None and (tree.size, tree.root()) != signed:
        tree = Tree()  # what is kept is not what was signed: only the whole file can answer
    for line in read_lines(path, end, start=tree.end):
        try:
            tree.take(line)
        except ValueError as error:
            bad = next(iter(find_problems(path, size=end)), None)
            raise LedgerError(
                "the ledger is broken at entry {n}: {reason}",
                hint="nothing was appended; compare it with the copy in the landing repository?",
                n=tree.size if bad is None else bad.n,
                reason=error if bad is None else bad.reason,
            ) from None
        if signed is not None and tree.size == signed[0] and tree.root() != signed[1]:
            raise _forked(signed[0])
    if signed is not None and tree.size < signed[0]:
        raise _forked(signed[0])
    _save(path, tree)
    return tree


def _forked(size: int) -> LedgerError:
    return LedgerError(
        "the ledger does not begin with the {size} entries whose head was signed",
        hint="was it cut, changed or replaced? compare it with the copies on the targets",
        size=size,
    )


# -- what is kept beside the file


def _beside(path: bytes) -> bytes:
    return os.path.splitext(path)[0] + b".tree"


def _load(path: bytes, end: int) -> Tree:
    """Give the tree that is kept, an empty one when it does not agree with the file."""
    try:
        with open(_beside(path), "rb") as file:
            text, _, digest = file.read(1 << 16).partition(b"\n")
        if digest != hashlib.sha256(text).hexdigest().encode():
            return Tree()
        members = from_json(text)
        assert isinstance(members, dict)
        tree = _tree_of(members)
        if tree.end > end or not _ends_there(path, tree):
            return Tree()
    except (OSError, ValueError, KeyError, TypeError, AssertionError):
        return Tree()
    return tree


def _tree_of(members: Mapping[str, object]) -> Tree:
    size, end, last, hashes = (members[name] for name in ("size", "end", "last", "hashes"))
    assert type(size) is int
    assert type(end) is int
    assert isinstance(last, str)
    assert isinstance(hashes, list)
    roots = [bytes.fromhex(one) for one in hashes]
    if len(roots) != size.bit_count() or any(len(one) != HASH_BYTES for one in roots):
        raise ValueError("these hashes are no compact range")
    leaves = CompactRange(size=size, hashes=roots)
    return Tree(leaves=leaves, last=LedgerHead(n=size - 1, sha256=last), end=end)


def _ends_there(path: bytes, tree: Tree) -> bool:
    """Whether the line of the file that ends where the tree ends is the one it names."""
    if tree.size == 0:
        return tree.end == 0
    with open(path, "rb") as file:
        start = max(0, tree.end - LINE_MAX - 1)
        file.seek(start)
        before = file.read(tree.end - start)
    if not before.endswith(b"\n"):
        return False
    line = before[:-1].rpartition(b"\n")[2]
    return hash_of(line) == tree.last.sha256 and read_line(line).n == tree.last.n


def _save(path: bytes, tree: Tree) -> None:
    """Keep the tree beside the file; a failure costs the next reading, nothing else."""
    members = {
        "size": tree.size,
        "end": tree.end,
        "last": tree.last.sha256,
        "hashes": [one.hex() for one in tree.leaves.hashes],
    }
    text = to_json(members)
    part = _beside(path) + b".part-%d" % os.getpid()
    try:
        with open(part, "wb") as file:
            file.write(text + b"\n" + hashlib.sha256(text).hexdigest().encode())
        os.replace(part, _beside(path))
    except OSError:
        with suppress(OSError):
            os.unlink(part)
