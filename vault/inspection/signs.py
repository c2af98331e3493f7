"""The signs of a file: what its sampled bytes look like, whatever its format.

Rule 1: a sixteenth of the bytes is sampled: the first 64 KiB and 64 KiB of each MiB, where in it
    being drawn from a seed; of a file under 1 MiB its first sixteenth, never less than 8 KiB.
Rule 2: the sample is counted exactly and block by block; no byte of it is kept.
Rule 3: the seed is not to be guessed from the file: who encrypts in places must not know which.
Source: decision 0011; chi-square tells encrypted from compressed where entropy does not.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from random import Random

from vault.finding import Signs
from vault.inspection.magic import magic_of

MIB = 1024**2
SAMPLE_BYTES = 64 * 1024
LEAST_BYTES = 8 * 1024


class Sampler:
    """Takes the blocks of one file in order, and gives its signs at the end."""

    def __init__(self, size_bytes: int, seed: bytes) -> None:
        self._random = Random(hashlib.sha256(seed).digest())  # noqa: S311, which bytes, no secret
        self._at = 0  # offset of the next block
        self._counts: Counter[int] = Counter()
        self._first = b""
        head = min(SAMPLE_BYTES, max(LEAST_BYTES, size_bytes // 16))
        self._from, self._to = 0, head  # the stretch sampled now
        self._mib = 0

    def take(self, block: memoryview) -> None:
        """Take the next bytes of the file."""
        if self._at == 0:
            self._first = bytes(block[:512])
        begins, ends = self._at, self._at + len(block)
        self._at = ends
        while self._from < ends:
            piece = block[max(0, self._from - begins) : self._to - begins]
            self._counts.update(bytes(piece))  # a view is counted at half the speed of bytes
            if self._to > ends:
                return
            self._next_stretch()

    def _next_stretch(self) -> None:
        """Choose where the next MiB is sampled; the first has its head."""
        self._mib += 1
        self._from = self._mib * MIB + self._random.randrange(MIB - SAMPLE_BYTES + 1)
        self._to = self._from + SAMPLE_BYTES

    def signs(self) -> Signs:
        """Give the signs of what was taken."""
        total = self._counts.total()
        return Signs(
            size_bytes=self._at,
            sampled_bytes=total,
            entropy_bits=_entropy_bits(self._counts, total),
            chi_square=_chi_square(self._counts, total),
            magic=magic_of(self._first),
        )


def _entropy_bits(counts: Counter[int], total: int) -> float:
    """Give Shannon's entropy in bits a byte, 0 for an empty sample."""
    if not total:
        return 0.0
    told = sum([n * math.log2(n) for n in counts.values()])
    return max(0.0, math.log2(total) - told / total)


def _chi_square(counts: Counter[int], total: int) -> float:
    """Give the chi-square against even bytes: near 255 for random ones, 0 for an empty sample."""
    if not total:
        return 0.0
    return sum([n * n for n in counts.values()]) * 256 / total - total
