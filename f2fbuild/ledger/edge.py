"""The right edge of a log in tiles: what it must hold in memory to grow, and which files growth makes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from f2fbuild.errors import LedgerError
from f2fbuild.ledger.tiles import (
    Bundle,
    Resource,
    Tile,
    check_entries,
    decode_bundle,
    encode_bundle,
    format_path,
    partials,
    read_hash,
    split_tile,
)
from f2fbuild.limits import TILE_WIDTH
from f2fbuild.model.tree import EMPTY, Frontier, leaf_hash, read_frontier


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """A log's frontier with its unfinished tiles and bundle.

    `tiles[level]` has the hashes of the level's partial tile, `bundle` the entries of the partial bundle.
    """

    frontier: Frontier = EMPTY
    tiles: tuple[tuple[bytes, ...], ...] = ()
    bundle: tuple[bytes, ...] = ()

    @property
    def size(self) -> int:
        """Leaves of the tree."""
        return self.frontier.size


def grow(edge: Edge, entries: Sequence[bytes]) -> tuple[Edge, Mapping[Resource, bytes]]:
    """Return the edge after `entries`, and the bytes of every tile and bundle that they filled.

    Raises:
        FormatError: an entry that does not fit into a bundle.
    """
    return _grow(edge, entries, [leaf_hash(entry) for entry in entries])


def grow_by_leaves(edge: Edge, leaves: Sequence[bytes]) -> tuple[Edge, Mapping[Resource, bytes]]:
    """Return the edge after a whole bundle of which only the leaf hashes are here, and its full tiles."""
    grown, filled = _grow(edge, [b""] * len(leaves), leaves)
    return grown, {resource: data for resource, data in filled.items() if isinstance(resource, Tile)}


def _grow(
    edge: Edge, entries: Sequence[bytes], leaves: Sequence[bytes]
) -> tuple[Edge, Mapping[Resource, bytes]]:
    check_entries(entries)
    frontier, bundle = edge.frontier, list(edge.bundle)
    tiles = [list(hashes) for hashes in edge.tiles]
    filled: dict[Resource, bytes] = {}
    for entry, leaf in zip(entries, leaves, strict=True):
        index = frontier.size
        frontier, completed = frontier.push(leaf)
        bundle.append(entry)
        if len(bundle) == TILE_WIDTH:
            filled[Bundle(index=index // TILE_WIDTH)] = encode_bundle(bundle)
            bundle = []
        for level, value in enumerate(completed[::8]):
            if level == len(tiles):
                tiles.append([])
            tiles[level].append(value)
            if len(tiles[level]) == TILE_WIDTH:
                filled[Tile(level=level, index=index >> 8 * (level + 1))] = b"".join(tiles[level])
                tiles[level] = []
    grown = Edge(frontier=frontier, tiles=tuple(tuple(hashes) for hashes in tiles), bundle=tuple(bundle))
    return grown, filled


def partial_files(edge: Edge) -> Mapping[Resource, bytes]:
    """Return the bytes of the partial tiles and of the partial bundle that the edge has."""
    return {resource: partial_file(edge, resource) for resource in partials(edge.size)}


def partial_file(edge: Edge, resource: Resource) -> bytes:
    """Return the bytes of one of the resources that `tiles.partials` names for the edge."""
    if isinstance(resource, Bundle):
        return encode_bundle(edge.bundle)
    return b"".join(edge.tiles[resource.level])


def load_edge(size: int, root: bytes, files: Mapping[Resource, bytes]) -> Edge:
    """Return the edge of the tree (size, root) whose right edge is `files`.

    Args:
        size: leaves of the tree.
        root: its root hash.
        files: the bytes of every resource that `tiles.partials` names.

    Raises:
        FormatError: a file of the wrong length.
        LedgerError: the files are not those of this tree.
    """
    frontier = read_frontier(size, lambda level, index: read_hash(level, index, size, files.__getitem__))
    hashes: dict[int, tuple[bytes, ...]] = {}
    bundle: tuple[bytes, ...] = ()
    for resource in partials(size):
        data = files[resource]
        if isinstance(resource, Bundle):
            bundle = decode_bundle(data, resource.width, where=format_path(resource))
        else:
            hashes[resource.level] = split_tile(data, resource.width, where=format_path(resource))
    if frontier.root != root or tuple(map(leaf_hash, bundle)) != hashes.get(0, ()):
        raise LedgerError("the files are not those of the signed checkpoint", where="tile")
    levels = (size.bit_length() + 7) // 8
    tiles = tuple(hashes.get(level, ()) for level in range(levels))
    return Edge(frontier=frontier, tiles=tiles, bundle=bundle)
