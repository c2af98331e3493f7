"""Simulated encryption of an export: what ransomware leaves, without being any.

Rule 1: an attack changes a share of the files, in the order its dice give, and is reproducible.
Rule 2: encrypted bytes are random bytes: no cipher can be told from them, nor they from a cipher.
Source: the notes on intermittent encryption (LockBit 2.0: the first 4 KB; BlackCat: every other
    block), and on slow encryption under the rate at which alarms go off.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from random import Random

Tree = dict[bytes, bytes]  # path -> content
Attack = Callable[[bytes, bytes, Random], tuple[bytes, bytes]]

BLOCK = 4096


def in_place(path: bytes, content: bytes, dice: Random) -> tuple[bytes, bytes]:
    """Encrypt the whole file under its name."""
    return path, dice.randbytes(len(content))


def renamed(path: bytes, content: bytes, dice: Random) -> tuple[bytes, bytes]:
    """Encrypt the whole file, and put an ending behind its name that no list of marks has."""
    return path + b".q7x3k", dice.randbytes(len(content))


def first_block(path: bytes, content: bytes, dice: Random) -> tuple[bytes, bytes]:
    """Encrypt the first 4 KB."""
    return path, dice.randbytes(min(BLOCK, len(content))) + content[BLOCK:]


def every_other(path: bytes, content: bytes, dice: Random) -> tuple[bytes, bytes]:
    """Encrypt every other block of 4 KB, the first one too."""
    blocks = [content[at : at + BLOCK] for at in range(0, len(content), BLOCK)]
    return path, b"".join(
        block if number % 2 else dice.randbytes(len(block)) for number, block in enumerate(blocks)
    )


MODES: dict[str, Attack] = {
    "in place": in_place,
    "renamed": renamed,
    "first 4 KB": first_block,
    "every other block": every_other,
}


def encrypt(tree: Tree, paths: Iterable[bytes], attack: Attack, dice: Random) -> Tree:
    """Give the tree with some of its files encrypted."""
    found = dict(tree)
    for path in paths:
        new, content = attack(path, found.pop(path), dice)
        found[new] = content
    return found


def victims(tree: Tree, share: float, dice: Random) -> list[bytes]:
    """Choose a share of the files, at least one; empty files are nobody's victims."""
    able = sorted(path for path, content in tree.items() if content)
    return dice.sample(able, max(1, math.ceil(share * len(able))))
