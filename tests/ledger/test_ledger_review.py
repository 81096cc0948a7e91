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
from f2fbuild.ledger.standing import Standing
from f2fbuild.model import canonical
from f2fbuild.model.envelope import seal
from f2fbuild.model.outcome import ClosingReason, Product, Succeeded
from f2fbuild.model.statement import products_blob
from f2fbuild.model.verdict import VerdictKind
from tests.ledger.evidence_people import Node
from tests.ledger.ledger_helpers import (
    ALICE,
    BOB,
    SOME,
    acceptance,
    audit_result,
    commitment,
    failure,
    order_entry,
    outcome,
    product,
    verdict_summary,
)

HISTORY: list[entry.Payload] = [
    ALICE.certificate(),
    acceptance(),
    acceptance(),
    commitment(ALICE, acceptance(), 1, product(b"x")),
    entry.Closing(acceptance=2, reason=ClosingReason.GAVE_BACK),
    entry.Unknown(payload_type="application/vnd.example+json", payload=b"{}"),
    outcome(ALICE.origin, product(b"x"), index=1),
    acceptance(),
    acceptance(),
    entry.Commitment(acceptance=8, digest=SOME),
    order_entry(),
    verdict_summary(ALICE.origin, 10),
    audit_result(ALICE.origin),
    entry.SeenHeads(heads=SOME),
    verdict_summary(ALICE.origin, 10, kind=VerdictKind.DISPUTED),
]
STANDING = Standing(keys=entry.certificate_keys(ALICE.certificate()), certificates=(0,))
BEGUN = Reviewed(key=ALICE.vkey, statement_key=ALICE.statements.public)


def written(*payloads: entry.Payload) -> list[bytes]:
    return ALICE.write(*payloads)


@given(st.sets(st.integers(1, len(HISTORY) - 1)))
def test_a_good_log_in_parts(cuts: set[int]) -> None:
    entries, reviewed = written(*HISTORY), BEGUN
    edges = [0, *sorted(cuts), len(entries)]
    for start, end in itertools.pairwise(edges):
        after = review(reviewed, entries[start:end], entries.__getitem__)
        assert isinstance(after, Reviewed)
        reviewed = after
    owed = Promises(open=(7, 8), committed={8: SOME}, standing=STANDING)
    assert reviewed == replace(BEGUN, size=len(HISTORY), promises=owed)


def test_nothing_new() -> None:
    assert review(BEGUN, [], [].__getitem__) == BEGUN


def foreign(*payloads: entry.Payload) -> list[bytes]:
    return BOB.write(*payloads)


def strange_outcome() -> entry.Outcome:
    """Open a commitment, and name no builder."""
    predicate: dict[str, canonical.Value] = {"f2fbuild_acceptance": 1, "f2fbuild_nonce": SOME}
    kind = "https://in-toto.io/attestation/test-result/v0.1"
    return entry.Outcome(statement=canonical.encode({"predicate": predicate, "predicateType": kind}))


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
        (written(*HISTORY[:4], outcome(BOB.origin, product(b"x"), index=1)), 4, "speaks for another log"),
        (written(*HISTORY[:4], outcome(ALICE.origin, product(b"y"), index=1)), 4, "another result than was"),
        (written(*HISTORY[:4], outcome(ALICE.origin, failure(), index=1)), 4, "another result than was"),
        (written(*HISTORY[:4], strange_outcome()), 4, "speaks for another log"),
        (written(HISTORY[0], audit_result(BOB.origin)), 1, "speaks for another log"),
        (written(HISTORY[0], order_entry(), verdict_summary(BOB.origin)), 2, "speaks for another log"),
        (written(HISTORY[0], order_entry(), verdict_summary(ALICE.origin, 0)), 2, "opens no order"),
        (written(HISTORY[0], order_entry(), verdict_summary(ALICE.origin, 2)), 2, "opens no order"),
        (written(HISTORY[0], verdict_summary(ALICE.origin, 2), order_entry()), 1, "opens no order"),
        (
            written(HISTORY[0], order_entry(), verdict_summary(ALICE.origin, salt=bytes(32))),
            2,
            "opens no order",
        ),
    ],
)
def test_the_first_entry_out_of_order_is_named(entries: Sequence[bytes], index: int, why: str) -> None:
    broken = review(BEGUN, entries, entries.__getitem__)
    assert isinstance(broken, Broken)
    assert broken.index == index
    assert why in broken.why
    assert broken.why


def test_a_log_of_a_node_that_is_known_by_another_key() -> None:
    broken = review(replace(BEGUN, statement_key=BOB.statements.public), written(*HISTORY), [].__getitem__)
    assert broken == Broken(index=0, why="certifies another statement key than this node is known by")


def test_later_parts_are_held_to_what_came_before() -> None:
    entries = written(*HISTORY[:7], HISTORY[6])
    before = review(BEGUN, entries[:7], entries.__getitem__)
    assert isinstance(before, Reviewed)
    assert review(before, entries[7:], entries.__getitem__) == Broken(
        index=7, why="closes no open acceptance (1)"
    )


def listed(count: int) -> entry.Outcome:
    """So many products that their list is a blob."""
    products = tuple(
        Product(kind="file", name=f"p{n:05}", size=n, sha256=SOME, canonical=SOME) for n in range(count)
    )
    return outcome(ALICE.origin, Succeeded(products=products), index=1)


def test_a_result_whose_products_are_a_blob_is_not_opened_here() -> None:
    assert products_blob(listed(2_000).statement)
    entries = written(*HISTORY[:4], listed(2_000))
    assert isinstance(review(BEGUN, entries, entries.__getitem__), Reviewed)
    broken = review(BEGUN, written(*HISTORY[:4], listed(2)), entries.__getitem__)
    assert broken == Broken(index=4, why="shows another result than was committed to (1)")


def test_nothing_behind_an_outcome_is_looked_at_to_open_it() -> None:
    entries = written(*HISTORY[:4], outcome(ALICE.origin, product(b"x"), index=4))

    def earlier(index: int) -> bytes:
        assert index < 4, "not an earlier entry"
        return entries[index]

    assert review(BEGUN, entries, earlier) == Broken(index=4, why="closes no open acceptance (4)")


def test_a_commitment_in_an_earlier_part_is_opened_in_a_later_one() -> None:
    entries = written(*HISTORY[:4], outcome(ALICE.origin, product(b"y"), index=1))
    before = review(BEGUN, entries[:4], entries.__getitem__)
    assert isinstance(before, Reviewed)
    broken = review(before, entries[4:], entries.__getitem__)
    assert broken == Broken(index=4, why="shows another result than was committed to (1)")


NODE = Node("A", 1)
"""A node whose certificate is whole, proved by all keys."""


def first(file: bytes, owner: str) -> Reviewed | Broken:
    begun = Reviewed(key=NODE.vkey, statement_key=NODE.statements.public, owner=owner)
    return review(begun, NODE.write(entry.NodeCertificate(text=file)), [].__getitem__)


def test_entry_0_names_the_owner_whom_evidence_would_name() -> None:
    """Else a liar whom his friends know well could sign results under a certificate that convicts nobody."""
    assert isinstance(first(NODE.file(), "A" * 40), Reviewed)
    other = first(NODE.file(), "B" * 40)
    assert other == Broken(index=0, why="names another owner than this node is known by")


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        (b"\nproof log ", b"\nproof log AAAA", "the log key did not sign"),
        (b"\nnode elm\n", b"\nnode oak\n", "did not sign this certificate"),
        (b"\n\n-----BEGIN", b"\n-----BEGIN", "not four proofs"),
    ],
)
def test_entry_0_is_a_certificate_that_its_keys_prove(old: bytes, new: bytes, why: str) -> None:
    file = NODE.file()
    assert old in file
    broken = first(file.replace(old, new), "A" * 40)
    assert isinstance(broken, Broken)
    assert broken.index == 0
    assert why in broken.why
