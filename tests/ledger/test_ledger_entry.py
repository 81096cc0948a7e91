"""Entries in their one spelling, the hashes that hide and open, and what a builder owes."""

import hashlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from f2fbuild.errors import FormatError
from f2fbuild.ledger import entry
from f2fbuild.ledger.commitment import Opening, commitment_digest, opening_of, salted
from f2fbuild.ledger.promises import Promises, fold_promises
from f2fbuild.model import canonical
from f2fbuild.model.envelope import seal
from f2fbuild.model.outcome import ClosingReason
from f2fbuild.model.tree import leaf_hash
from f2fbuild.model.vkey import format_vkey
from tests.ledger.ledger_helpers import (
    ALICE,
    BOB,
    DEFINITION,
    SOME,
    acceptance,
    audit_result,
    failure,
    outcome,
    product,
    verdict_summary,
)

MODE_CHANGE = entry.ModeChange(
    old=entry.Mode.DISTRIBUTED, new=entry.Mode.TRUSTED_ONLY, forced=True, reason=SOME
)
REVOCATION = entry.Revocation(certificate=0, reason=entry.RevocationReason.COMPROMISED)
OURS = "application/vnd.f2fbuild.{}+json"
digests = st.binary(min_size=32, max_size=32).map(bytes.hex)
indices = st.integers(0, 2**53 - 1)
times = st.integers(0, 2**40).map(lambda n: n * 600)
payloads = st.one_of(
    st.builds(entry.Order, commit=digests),
    st.builds(
        entry.Acceptance, job=digests, deadline=times, reveal_by=times, submitter=digests, build_key=digests
    ),
    st.builds(entry.Commitment, acceptance=indices, digest=digests),
    st.builds(entry.Closing, acceptance=indices, reason=st.sampled_from(ClosingReason)),
    st.builds(entry.SeenHeads, heads=digests),
    st.tuples(st.permutations(list(entry.Mode)), st.booleans(), digests).map(
        lambda drawn: entry.ModeChange(old=drawn[0][0], new=drawn[0][1], forced=drawn[1], reason=drawn[2])
    ),
    st.builds(entry.Revocation, certificate=indices, reason=st.sampled_from(entry.RevocationReason)),
    st.builds(entry.Unknown, payload_type=st.just(OURS.format("wish")), payload=st.binary()),
    st.just(verdict_summary(ALICE.origin)),
    st.just(audit_result(ALICE.origin)),
    st.just(ALICE.certificate()),
    st.just(outcome(ALICE.origin, failure())),
)


@given(payloads)
def test_entries_round_trip(payload: entry.Payload) -> None:
    written = entry.write(payload, ALICE.statements)
    read = entry.read(written, ALICE.statements.public)
    assert read.payload == payload
    assert entry.write(read.payload, ALICE.statements) == written
    with pytest.raises(FormatError, match="another key"):
        entry.read(written, BOB.statements.public)


def test_kinds() -> None:
    kinds: dict[entry.Kind, entry.Payload] = {
        entry.Kind.ORDER: entry.Order(commit=SOME),
        entry.Kind.ACCEPTANCE: acceptance(),
        entry.Kind.COMMITMENT: entry.Commitment(acceptance=1, digest=SOME),
        entry.Kind.CLOSING: entry.Closing(acceptance=1, reason=ClosingReason.INFRA),
        entry.Kind.OUTCOME: outcome(ALICE.origin, product(b"x")),
        entry.Kind.NODE_CERTIFICATE: ALICE.certificate(),
        entry.Kind.VSA: verdict_summary(ALICE.origin),
        entry.Kind.SVR: audit_result(ALICE.origin),
        entry.Kind.SEEN_HEADS: entry.SeenHeads(heads=SOME),
        entry.Kind.MODE_CHANGE: MODE_CHANGE,
        entry.Kind.REVOCATION: REVOCATION,
        entry.Kind.UNKNOWN: entry.Unknown(payload_type="text/plain", payload=b"x"),
    }
    assert set(kinds) == set(entry.Kind)
    for kind, payload in kinds.items():
        assert entry.decode(*entry.encode(payload)).kind is kind
    assert entry.encode(acceptance())[0] == "application/vnd.f2fbuild.acceptance+json"


def test_an_unknown_predicate_is_an_unknown_entry() -> None:
    data = canonical.encode({"predicateType": "https://slsa.dev/verification_summary/v2"})
    assert entry.decode("application/vnd.in-toto+json", data).kind is entry.Kind.UNKNOWN


MODES = {"from": "distributed", "to": "cautious", "forced": False, "reason": SOME}
ACCEPTANCE = {"job": SOME, "deadline": 1200, "revealBy": 600, "submitter": SOME, "buildKey": SOME}


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        ("order", {"commit": SOME.upper()}),
        ("order", {"commit": SOME, "more": 1}),
        ("order", {}),
        ("order", []),
        ("order", "text"),
        ("order", {"commit": 5}),
        ("acceptance", ACCEPTANCE | {"deadline": 1201}),
        ("acceptance", ACCEPTANCE | {"deadline": -600}),
        ("acceptance", ACCEPTANCE | {"revealBy": True}),
        ("acceptance", ACCEPTANCE | {"revealBy": "600"}),
        ("acceptance", ACCEPTANCE | {"job": SOME[1:]}),
        ("commitment", {"acceptance": -1, "commitment": SOME}),
        ("commitment", {"acceptance": True, "commitment": SOME}),
        ("commitment", {"acceptance": 1, "commitment": SOME, "nonce": SOME}),
        ("seen-heads", {"heads": SOME, "count": 3}),
        ("seen-heads", {"heads": [SOME]}),
        ("mode-change", MODES | {"to": "distributed"}),
        ("mode-change", MODES | {"to": "alone"}),
        ("mode-change", MODES | {"forced": 1}),
        ("mode-change", MODES | {"reason": "a strike"}),
        ("revocation", {"certificate": 0, "reason": "mood"}),
        ("revocation", {"certificate": SOME, "reason": "retired"}),
        ("revocation", {"certificate": 0}),
        ("closing", {"acceptance": 1, "reason": "bored"}),
        ("closing", {"acceptance": "1", "reason": "infra"}),
    ],
)
def test_malformed_payloads_are_refused(kind: str, fields: Any) -> None:
    sealed = seal(OURS.format(kind), canonical.encode(fields), ALICE.statements)
    with pytest.raises(FormatError):
        entry.read(sealed, ALICE.statements.public)


CERTIFICATE = ALICE.certificate().text


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"hello\n",
        CERTIFICATE.replace(b"statements", b"other"),
        CERTIFICATE.replace(b"statements", b"statements " + b"00" * 32 + b"\nstatements", 1),
        CERTIFICATE.replace(b"epoch", b"log " + format_vkey(BOB.vkey).encode() + b"\nepoch", 1),
        CERTIFICATE.replace(b"epoch", b"statements " + b"00" * 32 + b"\nepoch", 1),
        CERTIFICATE.replace(b"\n", b"\r\n"),
        b" " + CERTIFICATE,
    ],
)
def test_malformed_certificates_are_refused(text: bytes) -> None:
    sealed = seal(entry.NODE_CERTIFICATE, text, ALICE.statements)
    with pytest.raises(FormatError):
        entry.read(sealed, ALICE.statements.public)


@pytest.mark.parametrize(
    "text",
    [
        b"{}",
        b"[]",
        b"{ }",
        b'{"predicateType":"https://slsa.dev/verification_summary/v1"}',
        b'{"predicateType":"https://in-toto.io/attestation/svr/v0.2"}',
    ],
)
def test_malformed_statements_are_refused(text: bytes) -> None:
    sealed = seal("application/vnd.in-toto+json", text, ALICE.statements)
    with pytest.raises(FormatError):
        entry.read(sealed, ALICE.statements.public)


@pytest.mark.parametrize(
    "payload",
    [
        entry.Order(commit="short"),
        entry.Closing(acceptance=2**53, reason=ClosingReason.INFRA),
        entry.Unknown(payload_type="text/plain", payload=bytes(60_000)),
        entry.Unknown(payload_type=entry.NODE_CERTIFICATE, payload=ALICE.certificate().text),
    ],
)
def test_what_cannot_be_read_back_is_not_written(payload: entry.Payload) -> None:
    with pytest.raises(FormatError):
        entry.write(payload, ALICE.statements)


def test_a_certificate_binds_log_and_statement_key() -> None:
    keys = entry.certificate_keys(ALICE.certificate())
    assert keys == entry.CertificateKeys(log=format_vkey(ALICE.vkey), statements=ALICE.statements.public)


def test_commitment_is_spelled_as_documented() -> None:
    nonce = bytes(range(32))
    leaf = leaf_hash(b"acceptance").hex()
    text = f"f2fbuild commit/1\n{ALICE.origin}\n{DEFINITION.build_key}\n{leaf}\n{SOME}\n".encode()
    digest = commitment_digest(ALICE.origin, DEFINITION.build_key, leaf, SOME, nonce)
    assert digest == hashlib.sha256(text + nonce).hexdigest()
    assert salted(nonce, b"data") == hashlib.sha256(nonce + b"data").hexdigest()
    with pytest.raises(FormatError, match="32 bytes"):
        salted(nonce[1:], b"data")
    with pytest.raises(FormatError, match="hexadecimal"):
        commitment_digest(ALICE.origin, DEFINITION.build_key, leaf.upper(), SOME, nonce)


@pytest.mark.parametrize("result", [product(b"x"), failure()])
def test_outcomes_open_their_commitment(result: Any) -> None:
    opened = opening_of(outcome(ALICE.origin, result, index=7))
    assert opened == Opening(acceptance=7, nonce=bytes.fromhex("ab" * 32))


@pytest.mark.parametrize(
    "predicate",
    [
        {},
        [],
        {"f2fbuild_acceptance": 1},
        {"f2fbuild_acceptance": True, "f2fbuild_nonce": SOME},
        {"f2fbuild_acceptance": -1, "f2fbuild_nonce": SOME},
        {"f2fbuild_acceptance": 1, "f2fbuild_nonce": "00"},
        {"f2fbuild_acceptance": 1, "f2fbuild_nonce": 5},
    ],
)
def test_outcomes_that_open_nothing_are_refused(predicate: Any) -> None:
    kind = "https://in-toto.io/attestation/test-result/v0.1"
    data = canonical.encode({"predicateType": kind, "predicate": predicate})
    with pytest.raises(FormatError):
        opening_of(entry.Outcome(statement=data))


def owed(*payloads: entry.Payload) -> Promises:
    return fold_promises((n, entry.decode(*entry.encode(payload))) for n, payload in enumerate(payloads))


def test_promises_kept() -> None:
    promises = owed(
        ALICE.certificate(),
        acceptance(),
        acceptance(),
        entry.Commitment(acceptance=1, digest=SOME),
        entry.Closing(acceptance=2, reason=ClosingReason.GAVE_BACK),
        outcome(ALICE.origin, product(b"x"), index=1),
        acceptance(),
    )
    assert (promises.open, promises.committed, promises.problems) == ((6,), {}, ())


def test_promises_broken() -> None:
    nameless = canonical.encode({"predicateType": "https://slsa.dev/provenance/v1", "predicate": {}})
    promises = owed(
        entry.Commitment(acceptance=1, digest=SOME),
        acceptance(),
        outcome(ALICE.origin, failure(), index=1),
        outcome(ALICE.origin, failure(), index=1),
        entry.Closing(acceptance=1, reason=ClosingReason.INFRA),
        acceptance(),
        entry.Commitment(acceptance=5, digest=SOME),
        entry.Commitment(acceptance=5, digest=SOME),
        entry.Outcome(statement=nameless),
    )
    assert promises.open == (5,)
    assert [index for index, _ in promises.problems] == [0, 2, 3, 4, 7, 8]
    assert "not committed" in promises.problems[1][1]
