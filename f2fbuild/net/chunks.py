"""A blob in chunks, each of which can be checked alone.

Chunks are `CHUNK_BYTES` long, the last one as long as is left. The chunk root is the RFC 6962 root over
them, named by whoever offers the blob; a wrong root costs a transfer and no more, for the blob's own SHA-256
decides.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from f2fbuild.errors import FormatError
from f2fbuild.limits import CHUNK_BYTES
from f2fbuild.model.tree import leaf_hash, node_hash, prove_inclusion, read_frontier, verify_inclusion


def count_chunks(size: int) -> int:
    """Return the number of chunks of a blob of `size` bytes; an empty blob has none."""
    return -(-size // CHUNK_BYTES)


def chunk_length(index: int, size: int) -> int:
    """Return the bytes of chunk `index` of a blob of `size` bytes."""
    return min(CHUNK_BYTES, size - index * CHUNK_BYTES)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkTree:
    """The tree over a blob's chunks: its complete subtrees by level and index, 64 bytes for each chunk."""

    levels: tuple[tuple[bytes, ...], ...]

    @classmethod
    def over(cls, leaves: Iterable[bytes]) -> "ChunkTree":
        """Return the tree whose leaf hashes are given."""
        levels = [tuple(leaves)]
        while len(levels[-1]) > 1:
            below = levels[-1]
            levels.append(tuple(map(node_hash, below[::2], below[1::2])))
        return cls(levels=tuple(levels))

    @property
    def root(self) -> bytes:
        """The root over all chunks."""
        return read_frontier(len(self.levels[0]), self._read).root

    def proof(self, index: int) -> list[bytes]:
        """Return the inclusion proof of chunk `index`, siblings from the leaf upwards."""
        return list(prove_inclusion(index, len(self.levels[0]), self._read))

    def _read(self, level: int, index: int) -> bytes:
        return self.levels[level][index]


def check_chunk(data: bytes, proof: Sequence[bytes], *, index: int, size: int, root: bytes) -> bytes:
    """Return the leaf hash of `data` if it is chunk `index` of a blob of `size` bytes under `root`.

    Raises:
        FormatError: wrong length, wrong proof, or other bytes than the root covers.
    """
    where = f"chunk {index}"
    if len(data) != chunk_length(index, size):
        raise FormatError(f"{len(data)} bytes instead of {chunk_length(index, size)}", where=where)
    leaf = leaf_hash(data)
    if not verify_inclusion(index, count_chunks(size), leaf, proof, root):
        raise FormatError("not under the chunk root that was named", where=where)
    return leaf
