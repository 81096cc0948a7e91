"""What a builder's entries must say before they count, with logs, proofs and keys made here."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from f2fbuild.errors import F2FError, FormatError, LedgerError
from f2fbuild.jobs.receipts import (
    Promise,
    check_acceptance,
    check_closing,
    check_commitment,
    check_entry,
    check_outcome,
    opens,
    outcome_statement,
)
from f2fbuild.ledger import entry as entries
from f2fbuild.ledger.commitment import commitment_digest
from f2fbuild.model import statement as statements
from f2fbuild.model.outcome import ClosingReason, ExitClass, Failed, Stage, Succeeded, result_digest
from f2fbuild.model.tree import leaf_hash
from tests.jobs.jobs_builder import JOB, Builder
from tests.model.model_facts import DEFINITION, plain
from tests.model.model_facts import statement as built_statement

NONCE = bytes.fromhex("f2" * 32)


@pytest.fixture
def bob() -> Builder:
    return Builder(b"b")


def test_a_receipt_becomes_a_promise(bob: Builder) -> None:
    promise = bob.promise()
    assert promise == Promise(job=JOB, build_key=DEFINITION.build_key, acceptance=bob.entries[2], index=2)


def test_a_receipt_for_another_job_is_none(bob: Builder) -> None:
    entry = bob.accept("0e" * 32)
    with pytest.raises(LedgerError, match="bob@elm: the receipt is not one for this job"):
        check_acceptance(bob.friend, entry, bob.prove(entry), job=JOB, build_key="bb" * 32)


def test_another_kind_of_entry_is_no_receipt(bob: Builder) -> None:
    entry = bob.write(entries.Closing(acceptance=2, reason=ClosingReason.INFRA))
    with pytest.raises(LedgerError, match="not one for this job"):
        check_acceptance(bob.friend, entry, bob.prove(entry), job=JOB, build_key="bb" * 32)


Spoil = Callable[[Builder, bytes], tuple[bytes, bytes]]


def _other_index(bob: Builder, entry: bytes) -> tuple[bytes, bytes]:
    return entry, bob.prove(entry, index=1)


def _other_log(bob: Builder, entry: bytes) -> tuple[bytes, bytes]:
    return entry, bob.prove(entry, key=Builder(b"m").log)


def _other_statement_key(bob: Builder, entry: bytes) -> tuple[bytes, bytes]:
    forged = entries.write(entries.read(entry, bob.statements.public).payload, Builder(b"m").statements)
    bob.entries[2] = forged
    return forged, bob.prove(forged)


def _no_proof(bob: Builder, entry: bytes) -> tuple[bytes, bytes]:
    return entry, b"c2sp.org/tlog-proof@v1\n"


def _flipped(bob: Builder, entry: bytes) -> tuple[bytes, bytes]:
    return entry[:-3] + b'"}]'[::-1], bob.prove(entry)


@pytest.mark.parametrize("spoil", [_other_index, _other_log, _other_statement_key, _no_proof, _flipped])
def test_what_a_log_does_not_prove_is_refused(bob: Builder, spoil: Spoil) -> None:
    entry, proof = spoil(bob, bob.accept())
    with pytest.raises((FormatError, LedgerError)):
        check_entry(bob.friend, entry, proof)


def test_an_entry_of_the_log_is_taken_for_what_it_says(bob: Builder) -> None:
    entry = bob.accept()
    shown = check_entry(bob.friend, entry, bob.prove(entry))
    assert shown.index == 2
    assert isinstance(shown.payload, entries.Acceptance)


def test_a_commitment_belongs_to_its_acceptance(bob: Builder) -> None:
    promise = bob.promise()
    entry = bob.write(entries.Commitment(acceptance=2, digest="cc" * 32))
    assert check_commitment(bob.friend, entry, bob.prove(entry), promise).digest == "cc" * 32
    for wrong in (
        entries.Commitment(acceptance=1, digest="cd" * 32),
        entries.Closing(acceptance=2, reason=ClosingReason.INFRA),
    ):
        other = bob.write(wrong)
        with pytest.raises(LedgerError, match="does not belong to the acceptance"):
            check_commitment(bob.friend, other, bob.prove(other), promise)


@pytest.mark.parametrize("reason", ClosingReason)
def test_a_closing_says_why(bob: Builder, reason: ClosingReason) -> None:
    promise = bob.promise()
    entry = bob.write(entries.Closing(acceptance=2, reason=reason))
    assert check_closing(bob.friend, entry, bob.prove(entry), promise) is reason


def test_a_closing_of_another_acceptance_closes_nothing(bob: Builder) -> None:
    promise = bob.promise()
    for wrong in (
        entries.Closing(acceptance=0, reason=ClosingReason.INFRA),
        entries.Commitment(acceptance=2, digest="cc" * 32),
    ):
        entry = bob.write(wrong)
        with pytest.raises(LedgerError, match="the closing does not belong"):
            check_closing(bob.friend, entry, bob.prove(entry), promise)


def _outcome(bob: Builder, **changes: object) -> statements.BuildStatement:
    result = Succeeded(products=(plain("a.deb"),))
    honest = replace(built_statement(result), origin=bob.origin, acceptance=2, job_id=JOB)
    return replace(honest, **changes)  # type: ignore[arg-type]  # fields by name


def test_an_outcome_keeps_the_promise_and_opens_the_commitment(bob: Builder) -> None:
    promise = bob.promise()
    honest = _outcome(bob)
    payload = statements.encode(honest).payload
    entry = bob.write(entries.Outcome(statement=payload))
    assert outcome_statement(bob.friend, entry, bob.prove(entry)) == payload
    built = check_outcome(bob.friend, payload, b"", promise)
    assert built == honest
    digest = commitment_digest(
        bob.origin,
        DEFINITION.build_key,
        leaf_hash(promise.acceptance).hex(),
        result_digest(honest.result),
        NONCE,
    )
    assert opens(entries.Commitment(acceptance=2, digest=digest), built, promise)
    failed = replace(built, result=Failed(stage=Stage.BUILD, exit_class=ExitClass.NONZERO))
    assert not opens(entries.Commitment(acceptance=2, digest=digest), failed, promise)


FIELDS: dict[str, str | bytes] = {
    "origin": Builder(b"c").origin,
    "build key": "0e" * 32,
    "acceptance leaf": leaf_hash(b"another acceptance").hex(),
    "result digest": result_digest(Failed(stage=Stage.BUILD, exit_class=ExitClass.NONZERO)),
    "nonce": b"?" * 32,
}


@pytest.mark.parametrize("field", FIELDS)
def test_a_commitment_binds_every_field(bob: Builder, field: str) -> None:
    promise, honest = bob.promise(), _outcome(bob)
    sealed: dict[str, str | bytes] = {
        "origin": bob.origin,
        "build key": DEFINITION.build_key,
        "acceptance leaf": leaf_hash(promise.acceptance).hex(),
        "result digest": result_digest(honest.result),
        "nonce": NONCE,
    }

    def commit(of: dict[str, str | bytes]) -> entries.Commitment:
        return entries.Commitment(acceptance=2, digest=commitment_digest(*of.values()))  # type: ignore[arg-type]

    assert opens(commit(sealed), honest, promise)
    assert not opens(commit({**sealed, field: FIELDS[field]}), honest, promise)


@pytest.mark.parametrize(
    "changes",
    [
        {"job_id": "0e" * 32},
        {"origin": "f2fbuild.invalid/log/" + "0e" * 32},
        {"acceptance": 1},
        {"definition": replace(DEFINITION, lock="0e" * 32)},
    ],
    ids=["job", "origin", "acceptance", "build key"],
)
def test_an_outcome_of_something_else_is_refused(bob: Builder, changes: dict[str, object]) -> None:
    promise = bob.promise()
    payload = statements.encode(_outcome(bob, **changes)).payload
    with pytest.raises(LedgerError, match="does not keep the promise"):
        check_outcome(bob.friend, payload, b"", promise)


def test_what_is_no_outcome_has_no_statement(bob: Builder) -> None:
    entry = bob.accept()
    with pytest.raises(LedgerError, match="not an outcome"):
        outcome_statement(bob.friend, entry, bob.prove(entry))


def test_an_outcome_that_is_no_statement_is_refused(bob: Builder) -> None:
    with pytest.raises(F2FError):
        check_outcome(bob.friend, b"{}", b"", bob.promise())


RECEIVED = Builder(b"b")
RECEIPT = RECEIVED.accept()
RECEIPT_PROOF = RECEIVED.prove(RECEIPT)


def _with_another_byte(data: bytes, at: int, value: int) -> bytes:
    at %= len(data)
    return data[:at] + bytes([data[at] ^ value]) + data[at + 1 :]


@given(at=st.integers(0, 10_000), value=st.integers(1, 255), in_proof=st.booleans())
def test_no_other_spelling_of_a_receipt_is_one(at: int, value: int, in_proof: bool) -> None:
    entry, proof = RECEIPT, RECEIPT_PROOF
    if in_proof:
        proof = _with_another_byte(proof, at, value)
    else:
        entry = _with_another_byte(entry, at, value)
    with pytest.raises(F2FError):
        check_entry(RECEIVED.friend, entry, proof)
