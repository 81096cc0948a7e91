"""What a builder believes of the commitments that it is shown, with logs, proofs and keys made here."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from f2fbuild.jobs.shown import ShownFault, fault_in
from f2fbuild.ledger import entry as entries
from f2fbuild.net.messages import ShownCommitment
from tests.jobs.jobs_builder import JOB, Builder


def commit(builder: Builder, job: str = JOB, *, acceptance: int | None = None) -> ShownCommitment:
    """Accept a job and commit to its result, as an honest builder does."""
    accepted = builder.accept(job)
    index = builder.entries.index(accepted) if acceptance is None else acceptance
    entry = builder.write(entries.Commitment(acceptance=index, digest="cc" * 32))
    return ShownCommitment(
        log=builder.friend.vkey,
        acceptance=accepted,
        receipt=builder.prove(accepted),
        entry=entry,
        proof=builder.prove(entry),
    )


BOB, CAROL = Builder(b"b"), Builder(b"c")
OWN, OTHER = commit(BOB), commit(CAROL)
KNOWN = {CAROL.origin: CAROL.statements.public}


def fault(*shown: ShownCommitment, known: dict[str, bytes] | None = None) -> ShownFault | None:
    return fault_in(shown, job=JOB, own=OWN.entry, known=KNOWN if known is None else known)


def test_ones_own_among_others_of_the_same_job_is_enough() -> None:
    assert fault(OWN) is None
    assert fault(OTHER, OWN) is None
    assert fault(OTHER, OWN, known={}) is None


def test_ones_own_must_be_there() -> None:
    assert fault() is ShownFault.OWN_MISSING
    assert fault(OTHER) is ShownFault.OWN_MISSING


def test_a_commitment_to_another_job_is_none_to_this() -> None:
    assert fault(OWN, commit(Builder(b"d"), "0e" * 32)) is ShownFault.OTHER_JOB


def test_a_commitment_that_belongs_to_another_acceptance_is_none_to_this() -> None:
    assert fault(OWN, commit(Builder(b"d"), acceptance=1)) is ShownFault.OTHER_JOB


def test_a_commitment_before_its_acceptance_commits_to_nothing() -> None:
    dave = Builder(b"d")
    entry = dave.write(entries.Commitment(acceptance=3, digest="cc" * 32))
    accepted = dave.accept()
    shown = ShownCommitment(
        log=dave.friend.vkey,
        acceptance=accepted,
        receipt=dave.prove(accepted),
        entry=entry,
        proof=dave.prove(entry),
    )
    assert fault(OWN, shown) is ShownFault.OTHER_JOB


def test_a_log_is_shown_once() -> None:
    assert fault(OWN, OTHER, OTHER) is ShownFault.TWICE
    assert fault(OWN, commit(BOB)) is ShownFault.TWICE


def test_a_statement_key_speaks_in_one_log() -> None:
    double = Builder(b"d")
    double.statements = CAROL.statements
    assert fault(OWN, OTHER, commit(double)) is ShownFault.TWICE


def test_a_friends_log_speaks_with_the_friends_key() -> None:
    assert fault(OWN, OTHER, known={CAROL.origin: BOB.statements.public}) is ShownFault.OTHER_KEY


Spoil = Callable[[Builder, ShownCommitment], ShownCommitment]
SPOILT: dict[str, Spoil] = {
    "another log": lambda _, one: replace(one, log=BOB.friend.vkey),
    "no log": lambda _, one: replace(one, log="dave"),
    "a log whose name is not its key's": lambda _, one: replace(one, log=one.log.replace("f2fbuild", "f2f")),
    "a head that another key signed": lambda dave, one: replace(
        one, proof=dave.prove(one.entry, key=BOB.log)
    ),
    "a receipt that another key signed": lambda dave, one: replace(
        one, receipt=dave.prove(one.acceptance, key=BOB.log)
    ),
    "another place": lambda dave, one: replace(one, proof=dave.prove(one.entry, index=0)),
    "the proof of another entry": lambda _, one: replace(one, proof=one.receipt),
    "an acceptance for a commitment": lambda _, one: replace(one, entry=one.acceptance, proof=one.receipt),
    "a commitment for an acceptance": lambda _, one: replace(one, acceptance=one.entry, receipt=one.proof),
    "no proof": lambda _, one: replace(one, proof=b""),
    "no entry": lambda _, one: replace(one, entry=b"{}"),
    "no acceptance": lambda _, one: replace(one, acceptance=b"{}"),
}


@pytest.mark.parametrize("spoil", SPOILT.values(), ids=SPOILT)
def test_what_no_log_holds_is_not_believed(spoil: Spoil) -> None:
    dave = Builder(b"d")
    shown = commit(dave)
    assert fault(OWN, shown) is None
    assert fault(OWN, spoil(dave, shown)) is ShownFault.NOT_LOGGED


def test_the_commitment_is_signed_by_who_accepted() -> None:
    """Two keys that write into one log are two nodes, whatever the log says."""
    dave = Builder(b"d")
    accepted = dave.accept()
    dave.statements = BOB.statements
    entry = dave.write(entries.Commitment(acceptance=2, digest="cc" * 32))
    shown = ShownCommitment(
        log=dave.friend.vkey,
        acceptance=accepted,
        receipt=dave.prove(accepted),
        entry=entry,
        proof=dave.prove(entry),
    )
    assert fault(OWN, shown) is ShownFault.NOT_LOGGED


@given(
    field=st.sampled_from(["acceptance", "receipt", "entry", "proof"]),
    at=st.integers(0, 10_000),
    value=st.integers(1, 255),
)
def test_one_flipped_byte_is_one_too_many(field: str, at: int, value: int) -> None:
    data = getattr(OTHER, field)
    at %= len(data)
    spoilt = data[:at] + bytes([data[at] ^ value]) + data[at + 1 :]
    assert fault(OWN, replace(OTHER, **{field: spoilt})) is ShownFault.NOT_LOGGED


_BYTES = st.binary(max_size=200)


@given(log=st.text(max_size=80), acceptance=_BYTES, receipt=_BYTES, entry=_BYTES, proof=_BYTES)
def test_what_is_shown_may_be_anything(
    log: str, acceptance: bytes, receipt: bytes, entry: bytes, proof: bytes
) -> None:
    shown = ShownCommitment(log=log, acceptance=acceptance, receipt=receipt, entry=entry, proof=proof)
    assert fault(OWN, shown) is ShownFault.NOT_LOGGED
