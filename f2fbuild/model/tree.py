"""RFC 6962 Merkle trees: the hashes, and what an inclusion proof proves.

Source: RFC 6962 §2.1; the verification follows RFC 9162 §2.1.3.2. Hashes are 32 bytes of SHA-256.
"""

import hashlib
from collections.abc import Sequence

from f2fbuild.errors import FormatError

HASH_BYTES = 32
EMPTY_ROOT = hashlib.sha256(b"").digest()
"""The root over nothing."""


def leaf_hash(data: bytes | memoryview) -> bytes:
    """Return SHA-256(0x00 ‖ data), without copying `data`."""
    digest = hashlib.sha256(b"\x00")
    digest.update(data)
    return digest.digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return SHA-256(0x01 ‖ left ‖ right) of two child hashes."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def root_of_inclusion(index: int, size: int, leaf: bytes, proof: Sequence[bytes]) -> bytes:
    """Return the root of the tree of `size` leaves in which `proof` puts the hash `leaf` at `index`.

    Raises:
        FormatError: no such index, or a proof of another length than this place in the tree has.
    """
    if not 0 <= index < size:
        raise FormatError(f"leaf {index} of a tree of {size}", where="inclusion proof")
    node, last, root = index, size - 1, leaf
    for sibling in proof:
        if len(sibling) != HASH_BYTES:
            raise FormatError(f"a hash of {len(sibling)} bytes", where="inclusion proof")
        if last == 0:
            raise FormatError("longer than the tree is high", where="inclusion proof")
        if node & 1 or node == last:
            root = node_hash(sibling, root)
            # The right edge is promoted unhashed through levels where it has no left sibling.
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            root = node_hash(root, sibling)
        node, last = node >> 1, last >> 1
    if last:
        raise FormatError("shorter than the tree is high", where="inclusion proof")
    return root
