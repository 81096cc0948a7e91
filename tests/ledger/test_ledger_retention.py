"""Entries of others' logs may go; tiles, heads, proofs and the first bundle stay."""

from dataclasses import replace
from pathlib import Path

import pytest
import trio

from f2fbuild.errors import LedgerError, StorageError
from f2fbuild.ledger import mirror as mirrors
from f2fbuild.ledger.check import verify
from f2fbuild.ledger.edge import Edge, grow, grow_by_leaves
from f2fbuild.ledger.files import PRUNED, PrunedError
from f2fbuild.ledger.mirror import Mirror
from f2fbuild.ledger.proof import format_proof, parse_proof, verify_proof
from f2fbuild.ledger.reading import read_resource
from f2fbuild.ledger.retention import Keeping, Kept, prunable, to_prune
from f2fbuild.ledger.tiles import Bundle, Tile
from f2fbuild.model.tree import leaf_hash
from tests.ledger.ledger_helpers import ALICE
from tests.ledger.test_ledger_mirror import Served, entries, serve

SIZE = 1100
"""Four whole bundles and an unfinished one."""


async def pulled(place: Path, size: int = SIZE) -> Served:
    served = Served(place, size)
    await served.pull()
    return served


DAY = 86_400
COPY = Kept(origin="a", followed=False, size=2000, pruned=0, bytes=100, moved=0)
KEEPING = Keeping(seconds=90 * DAY, size=250)


def test_the_first_bundle_and_the_unfinished_one_stay() -> None:
    assert [list(prunable(size)) for size in (0, 255, 256, 511)] == [[], [], [], []]
    assert list(prunable(512)) == [1]
    assert list(prunable(SIZE)) == [1, 2, 3]


def test_what_has_not_moved_for_long_goes() -> None:
    assert to_prune([COPY], KEEPING, 90 * DAY - 1) == ()
    assert to_prune([COPY], KEEPING, 90 * DAY) == ("a",)


def test_when_there_is_too_much_the_longest_unmoved_go_first() -> None:
    copies = [replace(COPY, origin=name, moved=moved) for name, moved in (("a", 30), ("b", 10), ("c", 20))]
    assert to_prune(copies, KEEPING, 100) == ("b",)
    assert to_prune(copies, replace(KEEPING, size=300), 100) == ()
    assert to_prune(copies, replace(KEEPING, size=0), 100) == ("b", "c", "a")


def test_friends_logs_and_what_has_nothing_to_prune_are_left_alone() -> None:
    copies = [
        replace(COPY, origin="friend", followed=True),
        replace(COPY, origin="pruned", pruned=7),
        replace(COPY, origin="small", size=511),
        replace(COPY, origin="empty", bytes=0),
    ]
    assert to_prune(copies, replace(KEEPING, size=0), 10**9) == ()


def test_leaf_hashes_make_the_same_tree_as_entries() -> None:
    whole = entries(0, 256)
    by_entries, filled = grow(Edge(), whole)
    by_leaves, tiles = grow_by_leaves(Edge(), [leaf_hash(entry) for entry in whole])
    assert by_leaves == by_entries
    assert tiles == {name: data for name, data in filled.items() if isinstance(name, Tile)}


async def test_a_proof_made_before_verifies_after_and_new_ones_can_still_be_made(tmp_path: Path) -> None:
    served = await pulled(tmp_path)
    before = format_proof(served.mirror.inclusion(700))
    assert served.mirror.prune() == 3
    assert verify_proof(parse_proof(before), b"entry 700", ALICE.vkey) == served.log.head
    for index in (0, 255, 256, 700, 1023, 1024, SIZE - 1):
        proof = served.mirror.inclusion(index)
        assert verify_proof(proof, b"entry %d" % index, ALICE.vkey) == served.log.head
    with pytest.raises(IndexError):
        served.mirror.inclusion(SIZE)


async def test_what_was_pruned_is_absent_and_everything_else_is_there(tmp_path: Path) -> None:
    served = await pulled(tmp_path)
    served.mirror.prune()
    assert served.mirror.pruned == 4
    for index in (1, 2, 3):
        assert served.mirror.resource(f"tile/entries/00{index}") is None
        assert served.mirror.resource(f"tile/entries/00{index}.p/7") is None
        assert read_resource(tmp_path / "mirror", ALICE.vkey, Bundle(index=index)) is None
        assert not (tmp_path / f"mirror/tile/entries/00{index}").exists()
        assert served.mirror.resource(f"tile/0/00{index}") == served.log.resource(f"tile/0/00{index}")
    for path in ("tile/entries/000", "tile/entries/004.p/76", "tile/1/000.p/4", "checkpoint"):
        assert served.mirror.resource(path) == served.log.resource(path)
    assert served.mirror.entries(0, 256) == entries(0, 256)
    assert served.mirror.entries(1024, SIZE) == entries(1024, SIZE - 1024)
    with pytest.raises(PrunedError, match="entries 256 to 1023 are no longer kept here"):
        served.mirror.entries(255, 257)


async def test_a_pruned_log_grows_and_opens_as_before(tmp_path: Path) -> None:
    served = await pulled(tmp_path, 1024)
    served.mirror.prune()
    served.log.append(entries(1024, 300))
    await served.pull()
    served.mirror.close()
    served.mirror = Mirror.open(tmp_path / "mirror", ALICE.vkey)
    assert served.mirror.size == 1324
    assert served.mirror.pruned == 4
    assert served.mirror.prune() == 1
    assert served.mirror.prune() == 0
    assert verify_proof(served.mirror.inclusion(1100), b"entry 1100", ALICE.vkey) == served.log.head


async def test_a_round_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mirrors, "PRUNED_BUNDLES", 2)
    served = await pulled(tmp_path)
    assert served.mirror.prunable_bytes() == sum(
        (tmp_path / f"mirror/tile/entries/00{index}").stat().st_size for index in (1, 2)
    )
    assert [served.mirror.prune() for _ in range(3)] == [2, 1, 0]
    assert served.mirror.prunable_bytes() == 0


async def test_a_crash_between_the_mark_and_the_bundles_leaves_nothing_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    served = await pulled(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", _killed)
        with pytest.raises(KeyboardInterrupt):
            served.mirror.prune()
    served.mirror.close()
    served.mirror = Mirror.open(tmp_path / "mirror", ALICE.vkey)
    assert served.mirror.resource("tile/entries/002") is None
    served.log.append(entries(SIZE, 300))
    await served.pull()
    assert served.mirror.prune() == 1
    assert not any((tmp_path / f"mirror/tile/entries/00{index}").exists() for index in (1, 2, 3, 4))


def _killed(*_arguments: object, **_more: object) -> None:
    raise KeyboardInterrupt


async def test_a_missing_bundle_that_was_not_pruned_is_damage(tmp_path: Path) -> None:
    served = await pulled(tmp_path)
    (tmp_path / "mirror/tile/entries/002").unlink()
    with pytest.raises(StorageError) as caught:
        served.mirror.entries(512, 513)
    assert not isinstance(caught.value, PrunedError)


@pytest.mark.parametrize("text", ["", "four", "-1", "9" * 17])
async def test_a_damaged_mark_is_told(tmp_path: Path, text: str) -> None:
    served = await pulled(tmp_path)
    (tmp_path / "mirror" / PRUNED).write_text(text)
    with pytest.raises(StorageError, match="no index of a bundle"):
        served.mirror.entries(0, 1)


async def test_what_was_pruned_comes_back_when_it_is_followed_again(tmp_path: Path) -> None:
    served = await pulled(tmp_path)
    served.mirror.prune()
    await served.mirror.restore(serve(served.log))
    assert served.mirror.pruned == 0
    assert served.mirror.entries(0, SIZE) == entries(0, SIZE)


@pytest.mark.parametrize("spoilt", [b"", b"\x00\x01x" * 256])
async def test_other_bundles_than_the_trees_are_not_taken_back(tmp_path: Path, spoilt: bytes) -> None:
    served = await pulled(tmp_path)
    served.mirror.prune()

    async def fetch(_path: str) -> bytes:
        await trio.lowlevel.checkpoint()
        return spoilt

    with pytest.raises(LedgerError, match=r"bundle of entries|other entries"):
        await served.mirror.restore(fetch)
    assert served.mirror.pruned == 4
    assert served.mirror.resource("tile/entries/001") is None


async def test_the_check_says_what_is_pruned_and_checks_the_tree_all_the_same(tmp_path: Path) -> None:
    served = await pulled(tmp_path)
    before = verify(tmp_path / "mirror", ALICE.vkey)
    served.mirror.prune()
    after = verify(tmp_path / "mirror", ALICE.vkey)
    assert (before.pruned, after.pruned) == (0, 768)
    assert not any(one.where.startswith(("tile", "checkpoint")) for one in after.problems)
    tile = tmp_path / "mirror/tile/0/002"
    tile.write_bytes(tile.read_bytes()[:-1] + b"?")
    spoilt = verify(tmp_path / "mirror", ALICE.vkey)
    assert any(one.where.startswith(("tile", "checkpoint")) for one in spoilt.problems)
