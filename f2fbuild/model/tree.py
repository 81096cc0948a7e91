"""The Merkle tree of RFC 6962: hashes, the frontier of a growing tree, proofs and their verification.

A log is such a tree over its entries, a blob one over its chunks. Hashes are 32 raw bytes. A *subtree*
(level, index) is the complete tree over the 2^level leaves from leaf index * 2^level on; whoever can read
hashes of subtrees can prove everything. Verification answers yes or no and never raises: a bad proof is an
expected thing to be sent.
"""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

HASH_BYTES = 32
EMPTY_ROOT = hashlib.sha256(b"").digest()
"""The root over nothing."""

ReadHash: TypeAlias = Callable[[int, int], bytes]
"""(level, index) to the hash of that complete subtree."""


def leaf_hash(data: bytes | memoryview) -> bytes:
    """Return the hash of the leaf `data` (RFC 6962 §2.1), without copying it."""
    digest = hashlib.sha256(b"\x00")
    digest.update(data)
    return digest.digest()


def leaf_hashes(leaves: Iterable[bytes]) -> tuple[bytes, ...]:
    """Return `leaf_hash` of each of many short leaves, quicker."""
    sha256 = hashlib.sha256
    return tuple([sha256(b"\x00" + leaf).digest() for leaf in leaves])


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of an interior node (RFC 6962 §2.1)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Frontier:
    """All that a tree must remember to grow: its size and the complete subtrees on its right edge.

    `hashes` has one hash for every bit set in `size`, the largest subtree first.
    """

    size: int = 0
    hashes: tuple[bytes, ...] = ()

    def push(self, leaf: bytes) -> tuple["Frontier", tuple[bytes, ...]]:
        """Return the frontier with the hash `leaf` appended, and the subtrees it completes, level 0 first."""
        hashes, completed, size = list(self.hashes), [leaf], self.size
        while size & 1:
            completed.append(node_hash(hashes.pop(), completed[-1]))
            size >>= 1
        grown = Frontier(size=self.size + 1, hashes=(*hashes, completed[-1]))
        return grown, tuple(completed)

    @property
    def root(self) -> bytes:
        """The tree's root hash."""
        if not self.hashes:
            return EMPTY_ROOT
        *rest, root = self.hashes
        for left in reversed(rest):
            root = node_hash(left, root)
        return root


EMPTY = Frontier()


def frontier_of(leaves: Iterable[bytes]) -> Frontier:
    """Return the frontier of the tree over these leaf hashes."""
    frontier = EMPTY
    for leaf in leaves:
        frontier, _ = frontier.push(leaf)
    return frontier


def perfect_root(leaves: Sequence[bytes]) -> bytes:
    """Return the root over 2^n leaf hashes: what `frontier_of` has in the end, in a fraction of the time."""
    row = leaves
    while len(row) > 1:
        row = list(map(node_hash, row[::2], row[1::2]))
    return row[0]


def read_frontier(size: int, read: ReadHash) -> Frontier:
    """Return the frontier of the tree with `size` leaves, whose complete subtrees `read` gives."""
    levels = [level for level in reversed(range(size.bit_length())) if size >> level & 1]
    return Frontier(size=size, hashes=tuple(read(level, (size >> level) - 1) for level in levels))


def range_root(start: int, end: int, read: ReadHash) -> bytes:
    """Return the root over leaves [start, end), a range that a recursive split of a tree can meet."""
    count = end - start
    if count & (count - 1) == 0:
        level = count.bit_length() - 1
        return read(level, start >> level)
    middle = start + _split(count)
    return node_hash(range_root(start, middle, read), range_root(middle, end, read))


def prove_inclusion(index: int, size: int, read: ReadHash) -> tuple[bytes, ...]:
    """Return the audit path of leaf `index` in the tree of `size` leaves (RFC 6962 §2.1.1).

    Raises:
        ValueError: not 0 <= index < size.
    """
    if not 0 <= index < size:
        raise ValueError(f"no leaf {index} in a tree of {size}")
    start, end = 0, size
    path: list[bytes] = []
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            path.append(range_root(middle, end, read))
            end = middle
        else:
            path.append(range_root(start, middle, read))
            start = middle
    return tuple(reversed(path))


def prove_consistency(old: int, new: int, read: ReadHash) -> tuple[bytes, ...]:
    """Return the proof that the tree of `old` leaves is a prefix of that of `new` (RFC 6962 §2.1.2).

    Raises:
        ValueError: not 0 < old <= new; nothing needs proof of the empty tree.
    """
    if not 0 < old <= new:
        raise ValueError(f"no consistency proof from {old} to {new}")
    start, end = 0, new
    path: list[bytes] = []
    while end != old:
        middle = start + _split(end - start)
        if old <= middle:
            path.append(range_root(middle, end, read))
            end = middle
        else:
            path.append(range_root(start, middle, read))
            start = middle
    # The old tree's root is known to the verifier; any other subtree that ends at `old` starts the proof.
    if start:
        path.append(range_root(start, end, read))
    return tuple(reversed(path))


def verify_inclusion(index: int, size: int, leaf: bytes, proof: Sequence[bytes], root: bytes) -> bool:
    """Return whether `proof` shows the leaf hash `leaf` at `index` of the tree with `size` and `root`."""
    if not 0 <= index < size or not _are_hashes(leaf, root, *proof):
        return False
    sides = _sides(index, size - 1)
    return len(sides) == len(proof) and _climb(leaf, zip(sides, proof, strict=True)) == root


def verify_consistency(old: int, new: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]) -> bool:
    """Return whether `proof` shows that tree (old, old_root) is a prefix of tree (new, new_root).

    From the empty tree nothing can be proved: the answer is no unless both are empty (RFC 9162 §2.1.4.2).
    """
    if old == new:
        return not proof and old_root == new_root and (old > 0 or old_root == EMPTY_ROOT)
    if not 0 < old < new or not _are_hashes(old_root, new_root, *proof):
        return False
    index, last, path = old - 1, new - 1, list(proof)
    while index & 1:
        index, last = index >> 1, last >> 1
    if index == 0:
        path.insert(0, old_root)
    sides = _sides(index, last)
    if len(path) != len(sides) + 1:
        return False
    seed, steps = path[0], list(zip(sides, path[1:], strict=True))
    # Siblings on the left belong to both trees, those on the right to the new one only.
    return _climb(seed, (s for s in steps if s[0])) == old_root and _climb(seed, steps) == new_root


def _split(count: int) -> int:
    """Return the largest power of two below `count`."""
    return 1 << (count - 1).bit_length() - 1


def _sides(index: int, last: int) -> list[bool]:
    """Return, from node `index` of a level that ends with node `last` up, whether each sibling is left."""
    sides: list[bool] = []
    while last:
        if index == last:
            # A node without right neighbour rises until it is itself the right one.
            while not index & 1:
                index, last = index >> 1, last >> 1
        sides.append(bool(index & 1))
        index, last = index >> 1, last >> 1
    return sides


def _climb(seed: bytes, steps: Iterable[tuple[bool, bytes]]) -> bytes:
    for is_left, sibling in steps:
        seed = node_hash(sibling, seed) if is_left else node_hash(seed, sibling)
    return seed


def _are_hashes(*values: bytes) -> bool:
    return all(len(value) == HASH_BYTES for value in values)
