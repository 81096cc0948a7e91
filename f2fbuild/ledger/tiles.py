"""C2SP tlog-tiles v0.1.0: which tiles and entry bundles a tree has, their paths and their bytes.

A tile of level L holds up to 256 hashes of complete subtrees of 256^L leaves each; a bundle holds up to 256
entries. A full one is named by its index, a partial one also by its width. A narrower partial is a prefix of
a wider one, so only the widest is kept.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from f2fbuild.errors import FormatError
from f2fbuild.limits import BUNDLE_BYTES, ENTRY_BYTES, TILE_WIDTH, TREE_SIZE_BOUND
from f2fbuild.model.tree import HASH_BYTES, perfect_root

_PATH = re.compile(r"tile/(entries|[0-9]{1,2})/((?:x[0-9]{3}/)*[0-9]{3})(?:\.p/([1-9][0-9]{0,2}))?", re.ASCII)
_LEVEL_BITS = 8
_PATH_CHARACTERS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Tile:
    """`width` (1 to 256) hashes of level `level` (0 to 63), the `index`-th such tile."""

    level: int
    index: int
    width: int = TILE_WIDTH


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """`width` (1 to 256) entries, the `index`-th such bundle."""

    index: int
    width: int = TILE_WIDTH


Resource: TypeAlias = Tile | Bundle


def format_path(resource: Resource) -> str:
    """Return the path of a resource below the log's prefix, as `tile/0/x001/x234/067.p/8`."""
    kind = "entries" if isinstance(resource, Bundle) else str(resource.level)
    digits = str(resource.index)
    digits = digits.zfill(-(-len(digits) // 3) * 3)
    *higher, last = (digits[at : at + 3] for at in range(0, len(digits), 3))
    name = "/".join([*(f"x{part}" for part in higher), last])
    return f"tile/{kind}/{name}" + ("" if resource.width == TILE_WIDTH else f".p/{resource.width}")


def parse_path(path: str, *, where: str = "tile path") -> Resource:
    """Return the resource at `path`, which must be its one spelling.

    Raises:
        FormatError: no path of a tile or bundle, or another spelling than `format_path` gives.
    """
    match = _PATH.fullmatch(path) if len(path) <= _PATH_CHARACTERS else None
    if match is None:
        raise FormatError("not the path of a tile or an entry bundle", where=where)
    kind, name, partial = match.groups()
    index = int(name.replace("x", "").replace("/", ""))
    width = int(partial) if partial else TILE_WIDTH
    resource: Resource
    if kind == "entries":
        resource = Bundle(index=index, width=width)
    else:
        resource = Tile(level=int(kind), index=index, width=width)
    if format_path(resource) != path or index >= TREE_SIZE_BOUND or width > TILE_WIDTH:
        raise FormatError("not the one spelling of a tile path", where=where)
    return resource


def widest(resource: Resource, size: int) -> int:
    """Return how many items the tree of `size` leaves has at the place of a resource (0: nothing there)."""
    level = resource.level if isinstance(resource, Tile) else 0
    items = size >> _LEVEL_BITS * level
    return max(0, min(TILE_WIDTH, items - resource.index * TILE_WIDTH))


def is_kept(resource: Resource, size: int) -> bool:
    """Return whether a log of `size` leaves keeps this very resource: the widest of its place."""
    return resource.width == widest(resource, size)


def partials(size: int) -> Iterator[Resource]:
    """Yield the partial resources that a log of `size` leaves keeps: a bundle, and a tile of each level."""
    if size % TILE_WIDTH:
        yield Bundle(index=size // TILE_WIDTH, width=size % TILE_WIDTH)
    level = 0
    while items := size >> _LEVEL_BITS * level:
        if items % TILE_WIDTH:
            yield Tile(level=level, index=items // TILE_WIDTH, width=items % TILE_WIDTH)
        level += 1


def kept_tiles(size: int) -> Iterator[Tile]:
    """Yield every hash tile that a log of `size` leaves keeps, level by level."""
    level = 0
    while items := size >> _LEVEL_BITS * level:
        for index in range(-(-items // TILE_WIDTH)):
            yield Tile(level=level, index=index, width=min(TILE_WIDTH, items - index * TILE_WIDTH))
        level += 1


def encode_bundle(entries: Sequence[bytes]) -> bytes:
    """Return the bytes of a bundle: each entry behind its length as uint16be.

    Raises:
        FormatError: an entry of more than 65,535 bytes.
    """
    check_entries(entries)
    return b"".join(len(entry).to_bytes(2, "big") + entry for entry in entries)


def check_entries(entries: Sequence[bytes]) -> None:
    """Check that each entry fits into a bundle.

    Raises:
        FormatError: an entry of more than 65,535 bytes.
    """
    for entry in entries:
        if len(entry) > ENTRY_BYTES:
            raise FormatError(f"an entry has at most {ENTRY_BYTES} bytes, not {len(entry)}", where="entry")


def decode_bundle(data: bytes, width: int, *, where: str = "entry bundle") -> tuple[bytes, ...]:
    """Return the `width` entries that `data` consists of.

    Raises:
        FormatError: fewer or more of them, or an entry cut short.
    """
    if len(data) > BUNDLE_BYTES:
        raise FormatError("larger than any bundle", where=where)
    entries = split_bundle(data, where=where)
    if len(entries) != width:
        raise FormatError(f"holds {len(entries)} entries, not {width}", where=where)
    return entries


def split_bundle(data: bytes, *, where: str = "entry bundle") -> tuple[bytes, ...]:
    """Return the entries that `data` consists of, however many they are.

    Raises:
        FormatError: an entry cut short.
    """
    entries: list[bytes] = []
    at, size = 0, len(data)
    while at < size:
        start = at + 2
        at = start + int.from_bytes(data[at:start], "big")
        if at > size or start > size:
            raise FormatError("an entry is cut short", where=where)
        entries.append(data[start:at])
    return tuple(entries)


def split_tile(data: bytes, width: int, *, where: str = "tile") -> tuple[bytes, ...]:
    """Return the `width` hashes that `data` consists of.

    Raises:
        FormatError: `data` has another length.
    """
    if len(data) != width * HASH_BYTES:
        raise FormatError(f"has {len(data)} bytes, not {width} hashes", where=where)
    return tuple(data[at : at + HASH_BYTES] for at in range(0, len(data), HASH_BYTES))


def slice_to(resource: Resource, data: bytes, widest_there: int) -> bytes:
    """Return the bytes of `resource`, given those of the widest at its place."""
    if isinstance(resource, Tile):
        return data[: resource.width * HASH_BYTES]
    return encode_bundle(decode_bundle(data, widest_there)[: resource.width])


def tile_of(level: int, index: int, size: int) -> Tile:
    """Return the widest tile, in a tree of `size` leaves, by which subtree (level, index) is known."""
    first = index << level % _LEVEL_BITS
    tile = Tile(level=level // _LEVEL_BITS, index=first // TILE_WIDTH)
    return Tile(level=tile.level, index=tile.index, width=widest(tile, size))


def read_hash(level: int, index: int, size: int, read_tile: Callable[[Tile], bytes]) -> bytes:
    """Return the hash of subtree (level, index) of a tree of `size` leaves, read from `read_tile`'s tile."""
    tile = tile_of(level, index, size)
    span = 1 << level % _LEVEL_BITS
    first = index * span % TILE_WIDTH
    data = read_tile(tile)
    if len(data) != tile.width * HASH_BYTES:
        raise FormatError(f"has {len(data)} bytes, not {tile.width} hashes", where=format_path(tile))
    return perfect_root(split_tile(data[first * HASH_BYTES : (first + span) * HASH_BYTES], span))
