"""A blob in chunks, each of which can be checked alone.

Chunks are `CHUNK_BYTES` long, the last one as long as is left. The chunk root is the RFC 6962 root over
them, named by whoever offers the blob; a wrong root costs a transfer and no more, for the blob's own SHA-256
decides.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from f2fbuild.errors import FormatError
from f2fbuild.limits import CHUNK_BYTES
from f2fbuild.model.tree import EMPTY_ROOT, leaf_hash, node_hash, root_of_inclusion


def count_chunks(size: int) -> int:
    """Return the number of chunks of a blob of `size` bytes; an empty blob has none."""
    return -(-size // CHUNK_BYTES)


def chunk_length(index: int, size: int) -> int:
    """Return the bytes of chunk `index` of a blob of `size` bytes."""
    return min(CHUNK_BYTES, size - index * CHUNK_BYTES)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkTree:
    """All hashes of the tree over a blob's chunks, leaves first; 64 bytes for each chunk."""

    levels: tuple[tuple[bytes, ...], ...]

    @classmethod
    def over(cls, leaves: Iterable[bytes]) -> "ChunkTree":
        """Return the tree whose leaf hashes are given."""
        levels = [tuple(leaves)]
        while len(levels[-1]) > 1:
            below = levels[-1]
            paired = [node_hash(below[i], below[i + 1]) for i in range(0, len(below) - 1, 2)]
            # An odd last hash moves up unchanged: this gives RFC 6962's split at a power of two.
            levels.append((*paired, *below[len(paired) * 2 :]))
        return cls(levels=tuple(levels))

    @property
    def root(self) -> bytes:
        """The root over all chunks."""
        return self.levels[-1][0] if self.levels[0] else EMPTY_ROOT

    def proof(self, index: int) -> list[bytes]:
        """Return the inclusion proof of chunk `index`, siblings from the leaf upwards."""
        siblings = []
        for level in self.levels[:-1]:
            if index ^ 1 < len(level):
                siblings.append(level[index ^ 1])
            index >>= 1
        return siblings


def check_chunk(data: bytes, proof: Sequence[bytes], *, index: int, size: int, root: bytes) -> bytes:
    """Return the leaf hash of `data` if it is chunk `index` of a blob of `size` bytes under `root`.

    Raises:
        FormatError: wrong length, wrong proof, or other bytes than the root covers.
    """
    where = f"chunk {index}"
    if len(data) != chunk_length(index, size):
        raise FormatError(f"{len(data)} bytes instead of {chunk_length(index, size)}", where=where)
    leaf = leaf_hash(data)
    if root_of_inclusion(index, count_chunks(size), leaf, proof) != root:
        raise FormatError("not under the chunk root that was named", where=where)
    return leaf
