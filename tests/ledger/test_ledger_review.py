"""What a follower reads of a log: the certificate, every signature, every promise, in parts of any size."""

import itertools
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from f2fbuild.ledger import entry
from f2fbuild.ledger.promises import Promises
from f2fbuild.ledger.review import Broken, Reviewed, review
from f2fbuild.model.envelope import seal
from f2fbuild.model.outcome import ClosingReason
from tests.ledger.ledger_helpers import ALICE, BOB, SOME, acceptance, failure, outcome, product

HISTORY: list[entry.Payload] = [
    ALICE.certificate(),
    acceptance(),
    acceptance(),
    entry.Commitment(acceptance=1, digest=SOME),
    entry.Closing(acceptance=2, reason=ClosingReason.GAVE_BACK),
    entry.Unknown(payload_type="application/vnd.example+json", payload=b"{}"),
    outcome(ALICE.origin, product(b"x"), index=1),
    acceptance(),
    acceptance(),
    entry.Commitment(acceptance=8, digest=SOME),
]
BEGUN = Reviewed(key=ALICE.vkey, statement_key=ALICE.statements.public)


def written(*payloads: entry.Payload) -> list[bytes]:
    return ALICE.write(*payloads)


@given(st.sets(st.integers(1, len(HISTORY) - 1)))
def test_a_good_log_in_parts(cuts: set[int]) -> None:
    entries, reviewed = written(*HISTORY), BEGUN
    edges = [0, *sorted(cuts), len(entries)]
    for start, end in itertools.pairwise(edges):
        after = review(reviewed, entries[start:end])
        assert isinstance(after, Reviewed)
        reviewed = after
    owed = Promises(open=(7, 8), committed=frozenset({8}))
    assert reviewed == replace(BEGUN, size=len(HISTORY), promises=owed)


def test_nothing_new() -> None:
    assert review(BEGUN, []) == BEGUN


def foreign(*payloads: entry.Payload) -> list[bytes]:
    return BOB.write(*payloads)


def malformed() -> bytes:
    return seal("application/vnd.f2fbuild.order+json", b"{}", ALICE.statements)


@pytest.mark.parametrize(
    ("entries", "index", "why"),
    [
        (written(acceptance()), 0, "no node certificate"),
        (written(BOB.certificate()), 0, "of another log or statement key"),
        (foreign(ALICE.certificate()), 0, "of another log or statement key"),
        ([b"no envelope"], 0, ""),
        (written(HISTORY[0]) + foreign(acceptance()), 1, ""),
        ([*written(HISTORY[0]), malformed()], 1, "payload of type"),
        ([*written(HISTORY[0]), b""], 1, ""),
        (written(*HISTORY[:3], HISTORY[6]), 3, "not committed to before"),
        (written(*HISTORY[:5], HISTORY[4]), 5, "closes no open acceptance"),
        (written(*HISTORY[:4], HISTORY[3]), 4, "a second time"),
        (written(*HISTORY[:4], outcome(ALICE.origin, failure(), index=7)), 4, "closes no open acceptance"),
    ],
)
def test_the_first_entry_out_of_order_is_named(entries: Sequence[bytes], index: int, why: str) -> None:
    broken = review(BEGUN, entries)
    assert isinstance(broken, Broken)
    assert broken.index == index
    assert why in broken.why
    assert broken.why


def test_a_log_of_a_node_that_is_known_by_another_key() -> None:
    broken = review(replace(BEGUN, statement_key=BOB.statements.public), written(*HISTORY))
    assert broken == Broken(index=0, why="certifies another statement key than this node is known by")


def test_later_parts_are_held_to_what_came_before() -> None:
    entries = written(*HISTORY[:7], HISTORY[6])
    before = review(BEGUN, entries[:7])
    assert isinstance(before, Reviewed)
    assert review(before, entries[7:]) == Broken(index=7, why="closes no open acceptance (1)")
