"""The tree is that of RFC 6962, to the vectors that Certificate Transparency is tested with."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vault.ledger.merkle import (
    EMPTY_ROOT,
    CompactRange,
    consistency_proof,
    inclusion_proof,
    is_consistent,
    is_included,
    leaf_hash,
    root_of,
)

# Leaves, roots and proofs as published with Certificate Transparency's and Trillian's code.
LEAVES = [
    leaf_hash(bytes.fromhex(data))
    for data in (
        "", "00", "10", "2021", "3031", "40414243", "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]  # fmt: skip
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
INCLUDED = [  # leaf, size, proof
    (0, 1, []),
    (0, 8, [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ]),
    (5, 8, [
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ]),
    (2, 3, ["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"]),
    (1, 5, [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ]),
]  # fmt: skip
CONSISTENT = [  # older size, newer size, proof
    (1, 1, []),
    (1, 8, [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ]),
    (6, 8, [
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ]),
    (2, 5, [
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ]),
    (6, 7, [
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "b08693ec2e721597130641e8211e7eedccb4c26413963eee6c1e2ed16ffb1a5f",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ]),
]  # fmt: skip
OTHER = bytes.fromhex("abacaba000000000000000000000000000000000000000000060061e00123456")


def hashes(proof: list[str]) -> list[bytes]:
    return [bytes.fromhex(one) for one in proof]


def root(size: int) -> bytes:
    return bytes.fromhex(ROOTS[size - 1])


def test_the_published_roots():
    """The empty tree and every size up to eight."""
    assert EMPTY_ROOT.hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert root_of([]) == EMPTY_ROOT
    assert [root_of(LEAVES[:size]).hex() for size in range(1, 9)] == ROOTS


@pytest.mark.parametrize(("index", "size", "proof"), INCLUDED)
def test_the_published_inclusion_proofs_and_nothing_near_them(index, size, proof):
    """Made as published, judged as lawful, and refused with anything about them changed."""
    assert inclusion_proof(LEAVES[:size], index) == hashes(proof)
    leaf, steps = LEAVES[index], hashes(proof)
    assert is_included(leaf, index, steps, size=size, root=root(size))
    wrong = [
        (leaf, index + 1, steps, size, root(size)),
        (leaf, index - 1, steps, size, root(size)),
        (leaf, index, steps, size * 2, root(size)),
        (leaf, index, steps, size // 2, root(size)),
        (OTHER, index, steps, size, root(size)),
        (leaf, index, steps, size, OTHER),
        (leaf, index, [*steps, root(size)], size, root(size)),
        (leaf, index, [root(size), *steps], size, root(size)),
        (leaf, index, [*steps, b""], size, root(size)),
        *((leaf, index, steps[:k] + steps[k + 1 :], size, root(size)) for k in range(len(steps))),
    ]
    for one, place, path, wide, top in wrong:
        assert not is_included(one, place, path, size=wide, root=top)


@pytest.mark.parametrize(("older", "newer", "proof"), CONSISTENT)
def test_the_published_consistency_proofs_and_nothing_near_them(older, newer, proof):
    """Made as published, judged as lawful, and refused with anything about them changed."""
    assert consistency_proof(LEAVES[:newer], older) == hashes(proof)
    steps, one, two = hashes(proof), (older, root(older)), (newer, root(newer))
    assert is_consistent(one, two, steps)
    if older == newer:
        assert not is_consistent(one, (newer, OTHER), steps)
        return
    assert not is_consistent(two, one, steps)
    assert not is_consistent((older, root(newer)), (newer, root(older)), steps)
    assert not is_consistent(one, two, [])
    assert not is_consistent((older, OTHER), two, steps)
    assert not is_consistent(one, (newer, OTHER), steps)
    for extra in (b"", one[1], two[1], steps[0]):
        assert not is_consistent(one, two, [extra, *steps])
        assert not is_consistent(one, two, [*steps, extra])
    for k in range(len(steps)):
        assert not is_consistent(one, two, steps[:k] + steps[k + 1 :])
        bent = bytes([steps[k][0] ^ 16]) + steps[k][1:]
        assert not is_consistent(one, two, [*steps[:k], bent, *steps[k + 1 :]])


def test_nothing_is_consistent_with_the_empty_tree_but_by_its_root():
    """An empty proof proves the empty beginning, and only that one."""
    assert is_consistent((0, EMPTY_ROOT), (8, root(8)), [])
    assert not is_consistent((0, OTHER), (8, root(8)), [])
    assert not is_consistent((0, EMPTY_ROOT), (8, root(8)), [OTHER])


@given(st.integers(1, 70), st.randoms(use_true_random=False))
def test_every_proof_that_is_made_is_lawful_and_no_bent_one(size, chance):
    """Sizes around the powers of two, each leaf or older size drawn at random."""
    leaves = [leaf_hash(bytes([k])) for k in range(size)]
    top = root_of(leaves)
    index, older = chance.randrange(size), chance.randint(1, size)
    proof = inclusion_proof(leaves, index)
    assert is_included(leaves[index], index, proof, size=size, root=top)
    assert size == 1 or not is_included(OTHER, index, proof, size=size, root=top)
    one = (older, root_of(leaves[:older]))
    steps = consistency_proof(leaves, older)
    assert is_consistent(one, (size, top), steps)
    bent = [leaf_hash(b"bent"), *leaves[1:older]]
    assert not is_consistent((older, root_of(bent)), (size, top), steps)


def test_a_compact_range_holds_as_many_hashes_as_its_size_has_ones():
    """So a head costs the logarithm of the ledger, not its length."""
    tree = CompactRange()
    chance = random.Random(3)
    for size in range(1, 300):
        tree.append(leaf_hash(chance.randbytes(4)))
        assert len(tree.hashes) == size.bit_count()
