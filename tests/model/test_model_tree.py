"""The tree against the published reference, the published probes, and a naive reading of RFC 6962."""

import base64
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from f2fbuild.model import tree
from tests.ledger.ledger_helpers import naive_consistency, naive_path, naive_root, vectors

REFERENCE = vectors("rfc6962-reference-tree.json")
PROBES = vectors("transparency-dev-merkle.json")
LEAVES = [bytes.fromhex(leaf) for leaf in REFERENCE["leaf_inputs_hex"]]
ROOTS = [bytes.fromhex(root) for root in REFERENCE["root_hashes_by_size_hex"]]


def reader(entries: list[bytes]) -> tree.ReadHash:
    def read(level: int, index: int) -> bytes:
        part = entries[index << level : (index + 1) << level]
        assert len(part) == 1 << level, "only complete subtrees are read"
        return naive_root(part)

    return read


def b64(texts: list[str] | None) -> list[bytes]:
    return [base64.b64decode(text) for text in texts or []]


def test_hasher() -> None:
    values = REFERENCE["hasher"]
    assert tree.EMPTY_ROOT.hex() == values["empty_root"]
    assert tree.leaf_hash(b"").hex() == values["leaf_of_empty"]
    assert tree.leaf_hash(b"L123456").hex() == values["leaf_of_ascii_L123456"]
    assert tree.node_hash(b"N123", b"N456").hex() == values["node_of_ascii_N123_N456"]


@pytest.mark.parametrize("size", range(9))
def test_reference_roots(size: int) -> None:
    assert tree.frontier_of(map(tree.leaf_hash, LEAVES[:size])).root == ROOTS[size]


@pytest.mark.parametrize(("number", "size", "path"), REFERENCE["inclusion_1based_hex"])
def test_reference_inclusion(number: int, size: int, path: list[str]) -> None:
    proof = tree.prove_inclusion(number - 1, size, reader(LEAVES))
    assert [value.hex() for value in proof] == path
    leaf = tree.leaf_hash(LEAVES[number - 1])
    assert tree.verify_inclusion(number - 1, size, leaf, proof, ROOTS[size])


@pytest.mark.parametrize(("old", "new", "path"), REFERENCE["consistency_hex"])
def test_reference_consistency(old: int, new: int, path: list[str]) -> None:
    proof = tree.prove_consistency(old, new, reader(LEAVES))
    assert [value.hex() for value in proof] == path
    assert tree.verify_consistency(old, new, ROOTS[old], ROOTS[new], proof)


@pytest.mark.parametrize("probe", PROBES["inclusion"], ids=lambda p: p["file"])
def test_inclusion_probes(probe: dict[str, Any]) -> None:
    leaf, root = b64([probe["leafHash"] or "", probe["root"] or ""])
    verified = tree.verify_inclusion(probe["leafIdx"], probe["treeSize"], leaf, b64(probe["proof"]), root)
    assert verified is not probe["wantErr"]


@pytest.mark.parametrize("probe", PROBES["consistency"], ids=lambda p: p["file"])
def test_consistency_probes(probe: dict[str, Any]) -> None:
    old_root, new_root = b64([probe["root1"] or "", probe["root2"] or ""])
    verified = tree.verify_consistency(
        probe["size1"], probe["size2"], old_root, new_root, b64(probe["proof"])
    )
    assert verified is not probe["wantErr"]


@given(st.lists(st.binary(max_size=3), max_size=70))
def test_frontier_is_the_naive_tree(entries: list[bytes]) -> None:
    frontier = tree.frontier_of(map(tree.leaf_hash, entries))
    assert frontier.size == len(entries)
    assert frontier.root == naive_root(entries)
    assert tree.read_frontier(len(entries), reader(entries)) == frontier


@given(st.data(), st.lists(st.binary(max_size=3), min_size=1, max_size=70))
def test_inclusion_is_the_naive_path(data: st.DataObject, entries: list[bytes]) -> None:
    index = data.draw(st.integers(0, len(entries) - 1))
    proof = tree.prove_inclusion(index, len(entries), reader(entries))
    leaf, root = tree.leaf_hash(entries[index]), naive_root(entries)
    assert list(proof) == naive_path(index, entries)
    assert tree.verify_inclusion(index, len(entries), leaf, proof, root)
    assert not tree.verify_inclusion(index, len(entries), tree.leaf_hash(leaf), proof, root)
    assert not tree.verify_inclusion(index, len(entries), leaf, [*proof, root], root)
    assert not tree.verify_inclusion(index, len(entries), leaf, [*proof[:-1], b"short"], root)


@given(st.data(), st.lists(st.binary(max_size=3), min_size=1, max_size=70))
def test_consistency_is_the_naive_proof(data: st.DataObject, entries: list[bytes]) -> None:
    old, new = data.draw(st.integers(1, len(entries))), len(entries)
    proof = tree.prove_consistency(old, new, reader(entries))
    old_root, new_root = naive_root(entries[:old]), naive_root(entries)
    assert list(proof) == naive_consistency(old, entries)
    assert tree.verify_consistency(old, new, old_root, new_root, proof)
    other = tree.leaf_hash(new_root)
    assert not tree.verify_consistency(old, new, other, new_root, proof)
    assert not tree.verify_consistency(old, new, old_root, other, proof)
    assert not tree.verify_consistency(old, new, old_root, new_root, [*proof, other])


@pytest.mark.parametrize(("old", "new"), [(0, 3), (4, 3), (-1, 3)])
def test_no_proof_of_what_is_no_prefix(old: int, new: int) -> None:
    with pytest.raises(ValueError, match="no consistency proof"):
        tree.prove_consistency(old, new, reader(LEAVES))
    assert not tree.verify_consistency(old, new, ROOTS[0], ROOTS[3], [])


@pytest.mark.parametrize("index", [-1, 3])
def test_no_proof_of_a_leaf_that_is_not(index: int) -> None:
    with pytest.raises(ValueError, match="no leaf"):
        tree.prove_inclusion(index, 3, reader(LEAVES))


@pytest.mark.parametrize("level", range(9))
def test_the_root_of_a_perfect_tree(level: int) -> None:
    entries = [b"%d" % n for n in range(1 << level)]
    assert tree.perfect_root([tree.leaf_hash(entry) for entry in entries]) == naive_root(entries)


@given(st.lists(st.binary(max_size=40), max_size=5))
def test_many_leaves_have_the_hashes_that_each_has(leaves: list[bytes]) -> None:
    assert tree.leaf_hashes(leaves) == tuple(map(tree.leaf_hash, leaves))
