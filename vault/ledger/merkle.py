"""The Merkle tree of RFC 6962: leaves, roots, and the two kinds of proof.

Rule 1: a leaf is hashed behind a zero byte and a node behind a one, so that neither can pass for
    the other.
Rule 2: a compact range holds the roots of the perfect subtrees only: appending a leaf and giving
    the root cost the logarithm of the size, whatever came before.
Rule 3: a proof is judged whole: one hash too many or too few is a wrong proof.
Source: RFC 6962, section 2.1; RFC 9162, sections 2.1.3.2 and 2.1.4.2, for the judging of proofs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

EMPTY_ROOT = hashlib.sha256().digest()
HASH_BYTES = 32


def leaf_hash(data: bytes) -> bytes:
    """Give the hash of a leaf."""
    return hashlib.sha256(b"\0" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Give the hash of an inner node."""
    return hashlib.sha256(b"\1" + left + right).digest()


@dataclass(slots=True, kw_only=True)
class CompactRange:
    """The tree of the first ``size`` leaves, as the roots of its perfect subtrees."""

    size: int = 0
    hashes: list[bytes] = field(default_factory=list)  # the largest subtree first

    def append(self, leaf: bytes) -> None:
        """Take one more leaf, given by its hash."""
        self.hashes.append(leaf)
        odd = self.size
        while odd & 1:
            right, left = self.hashes.pop(), self.hashes.pop()
            self.hashes.append(node_hash(left, right))
            odd >>= 1
        self.size += 1

    def root(self) -> bytes:
        """Give the root of the whole tree."""
        if not self.hashes:
            return EMPTY_ROOT
        root = self.hashes[-1]
        for left in reversed(self.hashes[:-1]):
            root = node_hash(left, root)
        return root


def root_of(leaves: Iterable[bytes]) -> bytes:
    """Give the root over leaves given by their hashes."""
    tree = CompactRange()
    for leaf in leaves:
        tree.append(leaf)
    return tree.root()


# -- proofs


def inclusion_proof(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """Give what leads from leaf ``index`` to the root over all the leaves."""
    if not 0 <= index < len(leaves):
        raise ValueError("no such leaf")
    if len(leaves) == 1:
        return []
    split = _split(len(leaves))
    if index < split:
        return [*inclusion_proof(leaves[:split], index), root_of(leaves[split:])]
    return [*inclusion_proof(leaves[split:], index - split), root_of(leaves[:split])]


def consistency_proof(leaves: Sequence[bytes], size: int) -> list[bytes]:
    """Give what shows that the tree of the first ``size`` leaves is the beginning of the whole."""
    if not 0 <= size <= len(leaves):
        raise ValueError("no such size")
    return _subproof(leaves, size, is_known=True) if size else []


def _subproof(leaves: Sequence[bytes], size: int, *, is_known: bool) -> list[bytes]:
    if size == len(leaves):
        return [] if is_known else [root_of(leaves)]
    split = _split(len(leaves))
    if size <= split:
        return [*_subproof(leaves[:split], size, is_known=is_known), root_of(leaves[split:])]
    return [*_subproof(leaves[split:], size - split, is_known=False), root_of(leaves[:split])]


def _split(size: int) -> int:
    """Give the largest power of two below the size."""
    return 1 << ((size - 1).bit_length() - 1)


def is_included(leaf: bytes, index: int, proof: Sequence[bytes], *, size: int, root: bytes) -> bool:
    """Judge whether a proof leads from a leaf, given by its hash, to the root of a tree."""
    if not 0 <= index < size or not _are_hashes([leaf, root, *proof]):
        return False
    place, last, found = index, size - 1, leaf
    for step in proof:
        if last == 0:
            return False
        if place & 1 or place == last:
            found = node_hash(step, found)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            found = node_hash(found, step)
        place, last = place >> 1, last >> 1
    return last == 0 and found == root


def is_consistent(
    older: tuple[int, bytes], newer: tuple[int, bytes], proof: Sequence[bytes]
) -> bool:
    """Judge whether the older tree, as (size, root), is the beginning of the newer one."""
    (size_1, root_1), (size_2, root_2) = older, newer
    if not 0 <= size_1 <= size_2 or not _are_hashes([root_1, root_2, *proof]):
        return False
    if size_1 == size_2:
        return not proof and root_1 == root_2
    if size_1 == 0:
        return not proof and root_1 == EMPTY_ROOT
    path = list(proof) if size_1 & (size_1 - 1) else [root_1, *proof]
    return bool(path) and _join(path, size_1 - 1, size_2 - 1) == (root_1, root_2)


def _join(path: Sequence[bytes], place: int, last: int) -> tuple[bytes, bytes] | None:
    """Give both roots that a path of nodes leads to; None when it has the wrong length."""
    while place & 1:
        place, last = place >> 1, last >> 1
    first = second = path[0]
    for step in path[1:]:
        if last == 0:
            return None
        if place & 1 or place == last:
            first, second = node_hash(step, first), node_hash(step, second)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            second = node_hash(second, step)
        place, last = place >> 1, last >> 1
    return (first, second) if last == 0 else None


def _are_hashes(given: Iterable[bytes]) -> bool:
    return all(len(one) == HASH_BYTES for one in given)
