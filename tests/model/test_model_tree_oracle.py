"""Every tree of up to 17 leaves against the recursive definitions of RFC 6962 §2.1, and every lie refused."""

from collections.abc import Iterator

import pytest

from f2fbuild.model import tree
from tests.ledger.ledger_helpers import naive_consistency, naive_path, naive_root

SIZES = range(1, 18)
LEAVES = [b"leaf %d" % number for number in range(max(SIZES))]


def reader(size: int) -> tree.ReadHash:
    return lambda level, index: naive_root(LEAVES[:size][index << level : (index + 1) << level])


def flipped(value: bytes, bit: int) -> bytes:
    data = bytearray(value)
    data[bit // 8] ^= 1 << bit % 8
    return bytes(data)


def lies(proof: list[bytes], *others: bytes) -> Iterator[list[bytes]]:
    """Yield every proof that is one step away: a bit, a length, a hash left out, doubled, moved or put in."""
    for at, value in enumerate(proof):
        rest = proof[:at], proof[at + 1 :]
        yield [*rest[0], *rest[1]]
        yield [*rest[0], value, value, *rest[1]]
        yield [*rest[0], value[:-1], *rest[1]]
        yield [*rest[0], value + b"\0", *rest[1]]
        yield [*rest[0], b"", *rest[1]]
        for bit in (0, 7, 128, 255):
            yield [*rest[0], flipped(value, bit), *rest[1]]
        for other in others:
            yield [*rest[0], other, *rest[1]]
        if at and proof[at - 1] != value:
            yield [*proof[: at - 1], value, proof[at - 1], *rest[1]]
    for other in (*others, bytes(32), b""):
        yield [other, *proof]
        yield [*proof, other]


@pytest.mark.parametrize("size", [0, *SIZES])
def test_roots(size: int) -> None:
    frontier = tree.frontier_of(tree.leaf_hash(leaf) for leaf in LEAVES[:size])
    assert (frontier.size, frontier.root) == (size, naive_root(LEAVES[:size]))
    assert tree.read_frontier(size, reader(size)) == frontier


@pytest.mark.parametrize("size", SIZES)
def test_inclusion(size: int) -> None:
    root = naive_root(LEAVES[:size])
    for index in range(size):
        leaf, proof = tree.leaf_hash(LEAVES[index]), naive_path(index, LEAVES[:size])
        assert list(tree.prove_inclusion(index, size, reader(size))) == proof
        assert tree.verify_inclusion(index, size, leaf, proof, root)
        for lie in lies(proof, leaf, root):
            if lie != proof:
                assert not tree.verify_inclusion(index, size, leaf, lie, root)
        for other in (*range(index), *range(index + 1, size + 2), -1):
            assert not tree.verify_inclusion(other, size, leaf, proof, root)
        for bit in (0, 255):
            assert not tree.verify_inclusion(index, size, flipped(leaf, bit), proof, root)
            assert not tree.verify_inclusion(index, size, leaf, proof, flipped(root, bit))
        # A node is no leaf: without the prefix of RFC 6962 its two children would pass for an entry.
        assert not tree.verify_inclusion(index, size, LEAVES[index], proof, root)


@pytest.mark.parametrize("new", SIZES)
def test_consistency(new: int) -> None:
    new_root = naive_root(LEAVES[:new])
    for old in range(1, new + 1):
        old_root, proof = naive_root(LEAVES[:old]), naive_consistency(old, LEAVES[:new])
        assert list(tree.prove_consistency(old, new, reader(new))) == proof
        assert tree.verify_consistency(old, new, old_root, new_root, proof)
        for lie in lies(proof, old_root, new_root):
            if lie != proof:
                assert not tree.verify_consistency(old, new, old_root, new_root, lie)
        for bit in (0, 255):
            assert not tree.verify_consistency(old, new, flipped(old_root, bit), new_root, proof)
            assert not tree.verify_consistency(old, new, old_root, flipped(new_root, bit), proof)
        assert not tree.verify_consistency(old, new, b"", new_root, proof)
        if old < new:
            assert not tree.verify_consistency(old, new, new_root, old_root, proof)
            assert not tree.verify_consistency(new, old, new_root, old_root, proof)


@pytest.mark.parametrize("size", SIZES)
def test_another_history_is_not_consistent(size: int) -> None:
    """Whoever changes one leaf finds no proof among those of either history."""
    forged = [*LEAVES[: size - 1], b"another"]
    for new in range(size, max(SIZES) + 1):
        grown = naive_root(LEAVES[:new])
        for entries in (LEAVES[:new], [*forged, *LEAVES[size:new]]):
            proof = naive_consistency(size, entries)
            assert not tree.verify_consistency(size, new, naive_root(forged), grown, proof)
