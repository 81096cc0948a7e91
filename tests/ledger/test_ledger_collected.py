"""Cosignatures that are held: each key's newest of each log, durable, and shown for exactly one head."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from f2fbuild.ledger.checkpoint import Checkpoint, format_checkpoint
from f2fbuild.ledger.collected import Collected, Held
from f2fbuild.ledger.cosignature import Cosignature, cosign, witness_vkey
from f2fbuild.model.signing import SigningKey
from f2fbuild.store.database import Database
from f2fbuild.store.schema import MIGRATIONS
from tests.ledger.ledger_helpers import ALICE, BOB

ONE, TWO = (SigningKey.from_seed(bytes([number]) * 32) for number in (1, 2))


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "rows" / "node.sqlite"


@pytest.fixture
def collected(store: Path) -> Iterator[Collected]:
    with Database.open(store, MIGRATIONS) as database:
        yield Collected(database)


def head(size: int, root: int = 1, origin: str = ALICE.origin) -> Checkpoint:
    return Checkpoint(origin=origin, size=size, root=bytes([root]) * 32)


def said(of: Checkpoint, key: SigningKey, time: int = 100) -> Cosignature:
    return cosign(format_checkpoint(of), witness_vkey(key.public).name, key, time)


def test_what_is_added_is_there_for_that_head_only(collected: Collected) -> None:
    collected.add(head(5), [said(head(5), ONE), said(head(5), TWO)])
    assert set(collected.of(head(5))) == {said(head(5), ONE), said(head(5), TWO)}
    assert (
        collected.of(head(4)) == collected.of(head(5, root=2)) == collected.of(head(5, 1, BOB.origin)) == []
    )


def test_it_is_there_when_the_store_is_opened_again(store: Path) -> None:
    for _ in range(2):
        with Database.open(store, MIGRATIONS) as database:
            Collected(database).add(head(5), [said(head(5), ONE)])
    with Database.open(store, MIGRATIONS) as database:
        assert Collected(database).all(ALICE.origin) == [Held(head=head(5), cosignature=said(head(5), ONE))]


@pytest.mark.parametrize(
    ("size", "time", "replaced"),
    [(6, 100, True), (6, 50, True), (5, 101, True), (5, 100, False), (5, 99, False), (4, 900, False)],
)
def test_a_keys_larger_or_later_cosignature_takes_the_place_of_the_other(
    collected: Collected, size: int, time: int, replaced: bool
) -> None:
    first, second = said(head(5), ONE, 100), said(head(size), ONE, time)
    collected.add(head(5), [first])
    collected.add(head(size), [second])
    (kept,) = collected.all(ALICE.origin)
    assert kept.cosignature == (second if replaced else first)


def test_logs_and_keys_are_held_apart(collected: Collected) -> None:
    bobs = head(9, origin=BOB.origin)
    collected.add(head(5), [said(head(5), ONE)])
    collected.add(head(7), [said(head(7), TWO)])
    collected.add(bobs, [said(bobs, ONE)])
    assert sorted(held.head.size for held in collected.all(ALICE.origin)) == [5, 7]
    assert [held.head for held in collected.all(BOB.origin)] == [bobs]
