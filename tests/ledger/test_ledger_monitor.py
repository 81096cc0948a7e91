"""What heads mean to a follower, and evidence that convicts only the guilty."""

import base64
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from f2fbuild.errors import F2FError, FormatError, LedgerError
from f2fbuild.ledger import evidence
from f2fbuild.ledger import monitor as m
from f2fbuild.ledger.proof import Proof, format_proof
from f2fbuild.model.outcome import Failed, Result, Succeeded, result_digest
from f2fbuild.model.vkey import format_vkey
from tests.ledger.ledger_helpers import (
    ALICE,
    BOB,
    NodeKeys,
    acceptance,
    failure,
    naive_consistency,
    naive_path,
    naive_root,
    outcome,
    product,
)

HONEST = [b"%d" % n for n in range(12)]
FORKED = [*HONEST[:5], b"another", *HONEST[6:]]


def consistency(entries: list[bytes], old: int) -> m.Consistency:
    hashes = tuple(naive_consistency(old, entries))
    return m.Consistency(prefix_root=naive_root(entries[:old]), hashes=hashes)


def follow(followed: list[bytes] | None, served: list[bytes]) -> m.Decision:
    """Judge the head of `served`, giving the consistency when it is asked for."""
    known = b"" if followed is None else ALICE.head(followed)
    note = ALICE.head(served)
    decision = m.judge(ALICE.vkey, known, note)
    if isinstance(decision, m.NeedsConsistency):
        larger = max(followed or [], served, key=len)
        assert decision.new == len(larger)
        return m.judge(ALICE.vkey, known, note, consistency(larger, decision.old))
    return decision


@given(st.integers(0, 12), st.integers(0, 12))
def test_an_honest_log_is_followed(old: int, new: int) -> None:
    decision = follow(HONEST[:old], HONEST[:new])
    if old == new:
        assert isinstance(decision, m.Unchanged)
    else:
        assert isinstance(decision, m.Advanced if old < new else m.Older)


def test_the_first_head_is_taken() -> None:
    assert isinstance(follow(None, HONEST), m.Advanced)


@given(st.integers(1, 12), st.integers(1, 12))
def test_a_fork_is_seen_as_soon_as_both_trees_hold_it(old: int, new: int) -> None:
    decision = follow(HONEST[:old], FORKED[:new])
    if min(old, new) <= 5:
        assert not isinstance(decision, m.Equivocation | m.Violation)
        return
    assert isinstance(decision, m.Equivocation)
    finding = evidence.check(decision.evidence)
    assert isinstance(finding, evidence.EquivocationFinding)
    assert finding.origin == ALICE.origin
    assert finding.sizes == (min(old, new), max(old, new))


def test_bad_notes_and_proofs_accuse_who_served_them() -> None:
    followed = ALICE.head(HONEST[:3])
    foreign = m.judge(ALICE.vkey, followed, BOB.head(HONEST))
    assert isinstance(foreign, m.Violation)
    assert foreign.reason is m.Reason.NOT_A_HEAD
    bad = m.judge(ALICE.vkey, followed, ALICE.head(HONEST), consistency(HONEST, 4))
    assert isinstance(bad, m.Violation)
    assert bad.reason is m.Reason.BAD_PROOF


def test_cosignatures_are_left_out_of_evidence() -> None:
    line = ("— friend " + base64.b64encode(bytes(72)).decode() + "\n").encode()
    decision = m.judge(ALICE.vkey, ALICE.head(HONEST) + line, ALICE.head(FORKED) + line)
    assert isinstance(decision, m.Equivocation)
    assert b"friend" not in decision.evidence


def equivocation(old: list[bytes], new: list[bytes]) -> bytes:
    material = consistency(new, len(old))
    return evidence.format_equivocation(
        format_vkey(ALICE.vkey), ALICE.head(old), ALICE.head(new), material.prefix_root, material.hashes
    )


def test_evidence_is_small() -> None:
    assert len(equivocation(HONEST[:7], FORKED)) < 2048


def test_honest_heads_are_no_evidence() -> None:
    with pytest.raises(LedgerError, match="do not contradict"):
        evidence.check(equivocation(HONEST[:7], HONEST))
    same = evidence.format_equivocation(format_vkey(ALICE.vkey), ALICE.head(HONEST), ALICE.head(HONEST))
    with pytest.raises(LedgerError, match="do not contradict"):
        evidence.check(same)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda e: e.replace(b"equivocation", b"innocence"),
        lambda e: e.replace(b"f2fbuild evidence v1", b"some evidence v1"),
        lambda e: e + b"x",
        lambda e: e[:-1],
        lambda e: e.replace(b"\n\n", b"\n", 1),
        lambda e: e.replace(b" OLD-", b" NEW-"),
        lambda e: e.replace(b" OLD-", b" ALT-"),
        lambda e: e.replace(b"BEGIN OLD-", b"BEGIN \xff-"),
        lambda e: e.replace(b"-----BEGIN OLD-----\n", b"-----BEGIN OLD-----\n\n"),
        lambda e: e.replace(b"\n", b"\r\n"),
        lambda e: e + b"".join(b"-----BEGIN P%d-----\n-----END P%d-----\n" % (n, n) for n in range(20)),
        lambda e: e + bytes(44 * 1024 * 1024),
        lambda e: e.replace(b"-----BEGIN LOG-----\n", b"-----BEGIN LOG-----\nZm9v\n"),
        lambda e: evidence.format_equivocation(
            format_vkey(ALICE.vkey), ALICE.head(HONEST[:7]), ALICE.head(FORKED)
        ),
        lambda e: evidence.format_equivocation(
            format_vkey(ALICE.vkey), ALICE.head(HONEST[:7]), ALICE.head(FORKED), b"short"
        ),
    ],
)
def test_spoilt_evidence_is_refused(spoil: Callable[[bytes], bytes]) -> None:
    with pytest.raises(F2FError):
        evidence.check(spoil(equivocation(HONEST[:7], FORKED)))


def test_every_flipped_bit_spoils_evidence() -> None:
    """Evidence has no byte that could be changed and still convict somebody of something else."""
    good = equivocation(HONEST[:7], FORKED)
    found = evidence.check(good)
    for at in range(len(good)):
        flipped = bytearray(good)
        flipped[at] ^= 1
        try:
            assert evidence.check(bytes(flipped)) == found
        except (FormatError, LedgerError):
            continue


def log_of(node: NodeKeys, result: Result, *, speaks_for: str = "") -> list[bytes]:
    named = outcome(speaks_for or node.origin, result)
    return node.write(node.certificate(), acceptance(), named)


def side(node: NodeKeys, entries: list[bytes], index: int = 2, first: int = 0) -> evidence.Side:
    def proof(at: int) -> bytes:
        path = tuple(naive_path(at, entries))
        return format_proof(Proof(index=at, hashes=path, checkpoint=node.head(entries)))

    return evidence.Side(
        log=format_vkey(node.vkey),
        certificate=entries[first],
        certificate_proof=proof(first),
        outcome=entries[index],
        outcome_proof=proof(index),
    )


@pytest.mark.parametrize("other", [product(b"evil"), failure()])
def test_divergent_results_are_proved(other: Succeeded | Failed) -> None:
    good = product(b"good")
    sides = side(ALICE, log_of(ALICE, good)), side(BOB, log_of(BOB, other))
    finding = evidence.check(evidence.format_divergence(sides))
    assert isinstance(finding, evidence.DivergenceFinding)
    assert finding.origins == (ALICE.origin, BOB.origin)
    assert finding.results == (result_digest(good), result_digest(other))


def bob_side(**changes: object) -> evidence.Side:
    return side(BOB, log_of(BOB, product(b"evil")), **changes)  # type: ignore[arg-type]  # test spoils it


def mallory() -> evidence.Side:
    """Bob's certificate in Bob's log, but Alice's statement key signs the outcome there."""
    entries = BOB.write(BOB.certificate(), acceptance())
    return side(BOB, [*entries, *ALICE.write(outcome(BOB.origin, product(b"evil")))])


def late_certificate() -> evidence.Side:
    """A log that names its statement key only after it has used another."""
    entries = BOB.write(acceptance(), BOB.certificate(), outcome(BOB.origin, product(b"evil"), index=0))
    return side(BOB, entries, first=1)


def stolen_certificate() -> evidence.Side:
    return side(BOB, [*ALICE.write(ALICE.certificate(), acceptance(), outcome(BOB.origin, failure()))])


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda: side(BOB, log_of(BOB, product(b"good"))), "not two results"),
        (lambda: bob_side(index=1), "not an outcome"),
        (lambda: bob_side(first=1), "entry 0"),
        (late_certificate, "entry 0"),
        (lambda: side(BOB, log_of(BOB, product(b"evil"), speaks_for=ALICE.origin)), "another log"),
        (mallory, "another key"),
        (stolen_certificate, "another log or statement key"),
    ],
)
def test_what_does_not_prove_divergence(spoil: Callable[[], evidence.Side], why: str) -> None:
    mine = side(ALICE, log_of(ALICE, product(b"good")))
    with pytest.raises(F2FError, match=why):
        evidence.check(evidence.format_divergence((mine, spoil())))
    with pytest.raises(F2FError, match=why):
        evidence.check(evidence.format_divergence((spoil(), mine)))
