"""Heads of receipts wait until the copy of their log is as long as they are, and no longer."""

from collections.abc import Sequence

import pytest

from f2fbuild.audit.shown_heads import ShownHeads
from f2fbuild.errors import FormatError
from f2fbuild.limits import SHOWN_HEADS
from tests.audit.audit_ledgers import friend_with
from tests.ledger.evidence_people import Node
from tests.ledger.ledger_helpers import acceptance, naive_root

ANN, BEN = Node("A", 1), Node("B", 2)
ANNA, BENNO = friend_with(ANN), friend_with(BEN)


def entries(node: Node, size: int) -> Sequence[bytes]:
    return node.write(node.certificate(), *[acceptance()] * (size - 1))


def proof(node: Node, size: int) -> bytes:
    return node.proof(0, entries(node, size))


def head(node: Node, size: int) -> bytes:
    assert naive_root(entries(node, size))
    return node.head(entries(node, size))


def test_nothing_was_shown() -> None:
    shown = ShownHeads()
    assert shown.next() is None
    shown.grew(ANNA, 7)
    shown.compared(ANNA, head(ANN, 2), 7)
    assert shown.next() is None


def test_a_head_is_compared_at_once_and_once() -> None:
    shown = ShownHeads()
    shown.add(ANNA, proof(ANN, 2))
    shown.add(ANNA, proof(ANN, 2))
    assert shown.next() == (ANNA, head(ANN, 2))
    shown.compared(ANNA, head(ANN, 2), 2)
    assert shown.next() is None
    shown.grew(ANNA, 9)
    assert shown.next() is None


def test_a_head_behind_the_copy_waits_for_it() -> None:
    shown = ShownHeads()
    shown.add(ANNA, proof(ANN, 5))
    shown.add(ANNA, proof(ANN, 3))
    assert [shown.next(), shown.next()] == [(ANNA, head(ANN, 5)), (ANNA, head(ANN, 3))]
    for size in (5, 3):
        shown.compared(ANNA, head(ANN, size), 1)
    shown.grew(ANNA, 2)
    assert shown.next() is None
    shown.grew(ANNA, 4)
    shown.grew(ANNA, 4)
    assert shown.next() == (ANNA, head(ANN, 3))
    assert shown.next() is None
    shown.compared(ANNA, head(ANN, 3), 4)
    # Somebody else's log is another one.
    shown.grew(BENNO, 9)
    assert shown.next() is None
    shown.grew(ANNA, 5)
    assert shown.next() == (ANNA, head(ANN, 5))


def test_what_was_compared_meanwhile_is_not_compared_again() -> None:
    shown = ShownHeads()
    shown.add(ANNA, proof(ANN, 2))
    note = shown.next()
    # The copy grew while it was put to it.
    shown.grew(ANNA, 2)
    shown.compared(ANNA, head(ANN, 2), 2)
    assert note == (ANNA, head(ANN, 2))
    assert shown.next() is None


def test_of_one_friend_the_newest_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("f2fbuild.audit.shown_heads.SHOWN_HEADS", 2)
    assert SHOWN_HEADS > 2
    shown = ShownHeads()
    shown.add(BENNO, proof(BEN, 2))
    for size in (2, 3, 4):
        shown.add(ANNA, proof(ANN, size))
    found = []
    while (one := shown.next()) is not None:
        found.append(one)
    assert found == [(BENNO, head(BEN, 2)), (ANNA, head(ANN, 3)), (ANNA, head(ANN, 4))]


def test_a_proof_of_another_log_is_refused() -> None:
    with pytest.raises(FormatError):
        ShownHeads().add(ANNA, proof(BEN, 2))
