"""Chunks and their tree, against a deliberately naive second implementation and RFC 6962's own shape."""

import hashlib
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from f2fbuild.errors import FormatError
from f2fbuild.limits import CHUNK_BYTES
from f2fbuild.model.tree import EMPTY_ROOT, leaf_hash, node_hash, verify_inclusion
from f2fbuild.net.chunks import ChunkTree, check_chunk, chunk_length, count_chunks

sizes = st.integers(1, 70)


def leaves(count: int) -> list[bytes]:
    return [leaf_hash(b"%d" % number) for number in range(count)]


def split(count: int) -> int:
    half = 1
    while half * 2 < count:
        half *= 2
    return half


def naive_root(hashes: Sequence[bytes]) -> bytes:
    """RFC 6962 §2.1, word for word."""
    if not hashes:
        return hashlib.sha256().digest()
    if len(hashes) == 1:
        return hashes[0]
    half = split(len(hashes))
    return hashlib.sha256(b"\x01" + naive_root(hashes[:half]) + naive_root(hashes[half:])).digest()


def naive_proof(index: int, hashes: Sequence[bytes]) -> list[bytes]:
    """RFC 6962 §2.1.1, word for word."""
    if len(hashes) == 1:
        return []
    half = split(len(hashes))
    if index < half:
        return [*naive_proof(index, hashes[:half]), naive_root(hashes[half:])]
    return [*naive_proof(index - half, hashes[half:]), naive_root(hashes[:half])]


def test_the_reference_roots() -> None:
    # Source: transparency-dev/merkle, testonly/constants.go (commit 417fb0c).
    inputs = [
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    ]
    roots = {
        0: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        1: "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        2: "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        3: "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        8: "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    }
    hashes = [leaf_hash(bytes.fromhex(text)) for text in inputs]
    assert {size: ChunkTree.over(hashes[:size]).root.hex() for size in roots} == roots


@given(size=st.integers(0, 70))
def test_the_root_is_the_naive_one(size: int) -> None:
    assert ChunkTree.over(leaves(size)).root == naive_root(leaves(size))


@given(size=sizes, data=st.data())
def test_proofs_are_the_naive_ones_and_prove(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    tree = ChunkTree.over(leaves(size))
    proof = tree.proof(index)
    assert proof == naive_proof(index, leaves(size))
    assert verify_inclusion(index, size, leaves(size)[index], proof, tree.root)


@given(size=sizes, data=st.data())
def test_a_proof_is_for_one_place_in_one_tree(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    tree = ChunkTree.over(leaves(size))
    proof = tree.proof(index)
    leaf = leaves(size)[index]
    other = data.draw(st.integers(0, size - 1).filter(lambda number: number != index)) if size > 1 else None
    wrong = [(index, size, leaf_hash(b"other"), proof), (index, size, leaf, [*proof, leaf])]
    if other is not None:
        wrong += [(other, size, leaf, proof), (index, size, leaf, proof[:-1])]
        place = data.draw(st.integers(0, len(proof) - 1))
        wrong.append((index, size, leaf, [*proof[:place], leaf_hash(b"bent"), *proof[place + 1 :]]))
        wrong.append((index, size, leaf, [*proof[:place], proof[place][:31], *proof[place + 1 :]]))
    for case in wrong:
        assert not verify_inclusion(*case, tree.root)


@pytest.mark.parametrize(("index", "size"), [(-1, 1), (0, 0), (1, 1), (5, 4)])
def test_a_place_outside_the_tree_proves_nothing(index: int, size: int) -> None:
    assert not verify_inclusion(index, size, bytes(32), [], bytes(32))


@given(size=st.integers(0, 5 * CHUNK_BYTES))
def test_chunks_cover_the_blob(size: int) -> None:
    lengths = [chunk_length(index, size) for index in range(count_chunks(size))]
    assert sum(lengths) == size
    assert all(length == CHUNK_BYTES for length in lengths[:-1])
    assert all(0 < length <= CHUNK_BYTES for length in lengths)


def test_each_chunk_is_checked_alone() -> None:
    chunks = [b"a" * CHUNK_BYTES, b"b" * CHUNK_BYTES, b"c"]
    size = 2 * CHUNK_BYTES + 1
    tree = ChunkTree.over(leaf_hash(chunk) for chunk in chunks)
    for index, chunk in enumerate(chunks):
        proof = tree.proof(index)
        assert check_chunk(chunk, proof, index=index, size=size, root=tree.root) == leaf_hash(chunk)
        bent = bytes([chunk[0] ^ 1]) + chunk[1:]
        for data, root in ((bent, tree.root), (chunk, EMPTY_ROOT), (chunk[:-1], tree.root)):
            with pytest.raises(FormatError, match=f"chunk {index}"):
                check_chunk(data, proof, index=index, size=size, root=root)


def test_a_node_is_no_leaf() -> None:
    left, right = leaves(2)
    assert node_hash(left, right) != leaf_hash(left + right)
