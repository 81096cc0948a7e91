"""RFC 6962 inclusion proofs against a naive tree."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from f2fbuild.errors import FormatError
from f2fbuild.model.tree import EMPTY_ROOT, leaf_hash, node_hash, root_of_inclusion


def _split(size: int) -> int:
    """The largest power of two below `size` (RFC 6962 §2.1)."""
    return 1 << (size - 1).bit_length() - 1


def naive_root(leaves: list[bytes]) -> bytes:
    if len(leaves) == 1:
        return leaf_hash(leaves[0])
    k = _split(len(leaves))
    return node_hash(naive_root(leaves[:k]), naive_root(leaves[k:]))


def naive_path(index: int, leaves: list[bytes]) -> list[bytes]:
    if len(leaves) == 1:
        return []
    k = _split(len(leaves))
    if index < k:
        return [*naive_path(index, leaves[:k]), naive_root(leaves[k:])]
    return [*naive_path(index - k, leaves[k:]), naive_root(leaves[:k])]


def test_hashes_are_those_of_rfc_6962() -> None:
    # transparency-dev/merkle rfc6962/rfc6962_test.go (417fb0c3).
    assert leaf_hash(b"").hex() == "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
    assert leaf_hash(b"L123456").hex() == "395aa064aa4c29f7010acfe3f25db9485bbd4b91897b6ad7ad547639252b4d56"
    assert node_hash(b"N123", b"N456").hex() == (
        "aa217fe888e47007fa15edab33c2b492a722cb106c64667fc2b044444de66bbb"
    )
    assert hashlib.sha256().digest() == EMPTY_ROOT


@given(st.integers(min_value=1, max_value=40), st.data())
def test_every_proof_of_a_naive_tree_leads_to_its_root(size: int, data: st.DataObject) -> None:
    leaves = [bytes([number]) for number in range(size)]
    index = data.draw(st.integers(min_value=0, max_value=size - 1))
    path = naive_path(index, leaves)
    assert root_of_inclusion(index, size, leaf_hash(leaves[index]), path) == naive_root(leaves)
    assert root_of_inclusion(index, size, leaf_hash(b"other"), path) != naive_root(leaves)
    for wrong in (path[:-1], [*path, bytes(32)]):
        if len(wrong) != len(path):
            with pytest.raises(FormatError):
                root_of_inclusion(index, size, leaf_hash(leaves[index]), wrong)


@pytest.mark.parametrize(
    ("index", "size", "proof"),
    [(0, 0, []), (1, 1, []), (-1, 2, [bytes(32)]), (0, 2, []), (0, 1, [bytes(32)]), (0, 2, [bytes(31)])],
)
def test_impossible_proofs_are_refused(index: int, size: int, proof: list[bytes]) -> None:
    with pytest.raises(FormatError):
        root_of_inclusion(index, size, bytes(32), proof)
