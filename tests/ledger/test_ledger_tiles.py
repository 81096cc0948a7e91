"""Tile paths, widths and bytes; and the growing edge against tiles cut naively from all leaves."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from f2fbuild.errors import FormatError, LedgerError
from f2fbuild.ledger import tiles
from f2fbuild.ledger.edge import Edge, grow, load_edge, partial_files
from f2fbuild.model.tree import frontier_of, leaf_hash
from tests.ledger.ledger_helpers import naive_root, vectors

PATHS = vectors("tile-paths.json")

resources = st.one_of(
    st.builds(tiles.Tile, level=st.integers(0, 63), index=st.integers(0, 2**50), width=st.integers(1, 256)),
    st.builds(tiles.Bundle, index=st.integers(0, 2**50), width=st.integers(1, 256)),
)


@pytest.mark.parametrize(("index", "encoded"), PATHS["index_encoding"].items())
def test_published_index_encoding(index: str, encoded: str) -> None:
    assert tiles.format_path(tiles.Tile(level=0, index=int(index))) == f"tile/0/{encoded}"
    assert tiles.parse_path(f"tile/entries/{encoded}.p/7") == tiles.Bundle(index=int(index), width=7)


def test_published_widths() -> None:
    size, table = 70_000, PATHS["size_70000"]
    assert list(tiles.partials(size)) == [
        tiles.Bundle(index=273, width=table["partial_level0"]),
        tiles.Tile(level=0, index=table["full_level0"], width=table["partial_level0"]),
        tiles.Tile(level=1, index=table["full_level1"], width=table["partial_level1"]),
        tiles.Tile(level=2, index=0, width=table["partial_level2"]),
    ]
    assert tiles.widest(tiles.Tile(level=0, index=272), size) == 256
    assert tiles.widest(tiles.Tile(level=0, index=274), size) == 0
    assert list(tiles.partials(256)) == [
        tiles.Tile(level=1, index=0, width=PATHS["size_256"]["partial_level1"])
    ]


@given(resources)
def test_paths_round_trip(resource: tiles.Resource) -> None:
    path = tiles.format_path(resource)
    assert tiles.parse_path(path) == resource
    assert tiles.format_path(tiles.parse_path(path)) == path


@pytest.mark.parametrize(
    "path",
    [
        "",
        "checkpoint",
        "tile/0/5",
        "tile/00/005",
        "tile/0/x000/005",
        "tile/0/005/",
        "tile/0/005.p/0",
        "tile/0/005.p/256",
        "tile/0/005.p/300",
        "tile/0/005.p/007",
        "tile/-1/005",
        "tile/100/005",
        "tile/0/../005",
        "/tile/0/005",
        "tile/0/005\n",
        "tile/0/\u0660\u0660\u0665",
        "tile/0/x009/x007/x199/x254/x740/992",
        "tile/0/" + "x999/" * 40 + "999",
    ],
)
def test_second_spellings_of_paths_are_refused(path: str) -> None:
    with pytest.raises(FormatError):
        tiles.parse_path(path)


@given(st.lists(st.binary(max_size=300), max_size=20))
def test_bundles_round_trip(entries: list[bytes]) -> None:
    data = tiles.encode_bundle(entries)
    assert tiles.decode_bundle(data, len(entries)) == tuple(entries)
    with pytest.raises(FormatError):
        tiles.decode_bundle(data, len(entries) + 1)
    for cut in (data[:-1], data + b"\x00", data + b"\x00\x01"):
        if cut != data:
            with pytest.raises(FormatError):
                tiles.decode_bundle(cut, len(entries))


def test_bundles_are_bounded() -> None:
    largest = bytes(65_535)
    assert tiles.decode_bundle(tiles.encode_bundle([largest]), 1) == (largest,)
    with pytest.raises(FormatError, match="at most 65535"):
        tiles.encode_bundle([largest + b"!"])
    with pytest.raises(FormatError, match="larger"):
        tiles.decode_bundle(tiles.encode_bundle([largest] * 256) + b"\x00\x00", 257)


def naive_files(entries: list[bytes]) -> dict[tiles.Resource, bytes]:
    """Every resource of the log of `entries`, each tile hash computed by the naive oracle."""
    files: dict[tiles.Resource, bytes] = {}
    for first in range(0, len(entries), 256):
        part = entries[first : first + 256]
        files[tiles.Bundle(index=first // 256, width=len(part))] = tiles.encode_bundle(part)
    level, span = 0, 1
    while len(entries) // span:
        complete = [entries[at : at + span] for at in range(0, len(entries) // span * span, span)]
        hashes = [naive_root(part) for part in complete]
        for first in range(0, len(hashes), 256):
            part_hashes = hashes[first : first + 256]
            tile = tiles.Tile(level=level, index=first // 256, width=len(part_hashes))
            files[tile] = b"".join(part_hashes)
        level, span = level + 1, span * 256
    return files


def grown(sizes: list[int]) -> tuple[Edge, dict[tiles.Resource, bytes]]:
    edge, files, total = Edge(), dict[tiles.Resource, bytes](), 0
    for size in sizes:
        edge, filled = grow(edge, [b"%d" % n for n in range(total, total + size)])
        files.update(filled)
        total += size
    return edge, files | dict(partial_files(edge))


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 300), max_size=5))
def test_growing_makes_the_naive_files(sizes: list[int]) -> None:
    entries = [b"%d" % n for n in range(sum(sizes))]
    edge, files = grown(sizes)
    assert files == naive_files(entries)
    assert edge.frontier == frontier_of(map(leaf_hash, entries))
    loaded = load_edge(edge.size, edge.frontier.root, partial_files(edge))
    assert grow(loaded, [b"next"]) == grow(edge, [b"next"])
    assert all(tiles.is_kept(resource, edge.size) for resource in files)


def test_two_levels_of_tiles() -> None:
    """Past 65,536 entries level 2 begins; the naive tree would take minutes, tile arithmetic does not."""
    entries = [b"%d" % n for n in range(65_536 + 300)]
    edge, filled = grow(Edge(), entries)
    files = dict(filled) | dict(partial_files(edge))
    assert {r.level for r in files if isinstance(r, tiles.Tile)} == {0, 1, 2}

    def read(level: int, index: int) -> bytes:
        return tiles.read_hash(level, index, edge.size, files.__getitem__)

    leaves = [leaf_hash(entry) for entry in entries]
    assert read(16, 0) == frontier_of(leaves[:65_536]).root
    assert read(11, 3) == frontier_of(leaves[3 << 11 : 4 << 11]).root
    assert load_edge(edge.size, edge.frontier.root, partial_files(edge)).frontier == edge.frontier


def test_a_damaged_edge_is_refused() -> None:
    edge, _ = grown([300])
    files = dict(partial_files(edge))
    bundle, tile = tiles.Bundle(index=1, width=44), tiles.Tile(level=0, index=1, width=44)
    for resource in (bundle, tile):
        flipped = bytearray(files[resource])
        flipped[-1] ^= 1
        with pytest.raises(LedgerError):
            load_edge(edge.size, edge.frontier.root, files | {resource: bytes(flipped)})
    for resource in (bundle, tile):
        with pytest.raises(FormatError):
            load_edge(edge.size, edge.frontier.root, files | {resource: files[resource][:-1]})
    with pytest.raises(LedgerError):
        load_edge(edge.size, bytes(32), files)


def test_narrower_partials_are_prefixes() -> None:
    entries = [b"%d" % n for n in range(9)]
    files = naive_files(entries)
    for width in range(1, 10):
        narrow = naive_files(entries[:width])
        for resource, data in narrow.items():
            wide = next(r for r in files if type(r) is type(resource))
            assert tiles.slice_to(resource, files[wide], 9) == data
