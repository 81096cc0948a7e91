"""An owner that contradicts himself: two results of one build, two logs in one epoch."""

from collections.abc import Callable

import pytest

from f2fbuild.errors import F2FError, FormatError, LedgerError
from f2fbuild.ledger import evidence
from f2fbuild.ledger.evidence.owners import read_node
from f2fbuild.model.encoding import encode_base64
from f2fbuild.model.outcome import result_digest
from f2fbuild.model.vkey import format_vkey
from f2fbuild.trust.certificate_file import proof_message
from f2fbuild.trust.node_keys import ROLES, role_key
from tests.ledger.evidence_people import Node
from tests.ledger.ledger_helpers import failure, product

GOOD, EVIL = product(b"good"), product(b"evil")
ELM, OAK, ASH = Node("A", 1), Node("A", 2), Node("B", 3)
YEW = Node("A", 1, epoch=1)


def contradiction(a: evidence.Side, b: evidence.Side) -> bytes:
    return evidence.format_contradiction((a, b))


def nobody(_node: evidence.OwnedNode) -> bool:
    return False


@pytest.mark.parametrize("other", [OAK, YEW], ids=["another node", "another epoch"])
@pytest.mark.parametrize("result", [EVIL, failure()])
def test_two_results_of_one_owner_contradict(other: Node, result: object) -> None:
    file = contradiction(ELM.side(ELM.built(GOOD)), other.side(other.built(result)))  # type: ignore[arg-type]
    found = evidence.check(file)
    assert isinstance(found, evidence.ContradictionFinding)
    assert (found.owner, found.origins) == ("A" * 40, (ELM.origin, other.origin))
    assert found.results == (result_digest(GOOD), result_digest(result))  # type: ignore[arg-type]
    told = evidence.tell(found)
    assert told.against == "A" * 40
    assert [one.node for one in told.certificates] == ["elm", "elm"]
    assert len(file) < 20_000
    assert max(len(line) for line in file.decode("ascii").splitlines()) <= 64


def test_two_results_in_one_log_contradict() -> None:
    entries = ELM.built(GOOD, EVIL)
    found = evidence.check(contradiction(ELM.side(entries), ELM.side(entries, 6)))
    assert isinstance(found, evidence.ContradictionFinding)
    assert found.origins == (ELM.origin, ELM.origin)
    with pytest.raises(LedgerError, match="of one log"):
        evidence.check(evidence.format_divergence((ELM.side(entries), ELM.side(entries, 6))))


@pytest.mark.parametrize(
    ("a", "b", "why"),
    [
        (lambda: ELM.side(ELM.built(GOOD)), lambda: ASH.side(ASH.built(EVIL)), "of two owners"),
        (lambda: ELM.side(ELM.built(GOOD)), lambda: OAK.side(OAK.built(GOOD)), "not two results"),
        (lambda: ELM.side(ELM.built(GOOD)), lambda: OAK.side(OAK.built(EVIL), 2), "not an outcome"),
        (lambda: ELM.side(ELM.built(GOOD)), lambda: OAK.side(OAK.built(EVIL)[1:], 2), "entry 0"),
    ],
)
def test_what_does_not_contradict(
    a: Callable[[], evidence.Side], b: Callable[[], evidence.Side], why: str
) -> None:
    with pytest.raises(F2FError, match=why):
        evidence.check(contradiction(a(), b()))
    with pytest.raises(F2FError, match=why):
        evidence.check(contradiction(b(), a()))


def test_nobody_is_accused_by_a_certificate_that_the_reader_cannot_vouch_for() -> None:
    """A stranger may write anybody's fingerprint into a certificate of his own."""
    forger = Node("A", 9, signature=b"not by its owner")
    file = contradiction(ELM.side(ELM.built(GOOD)), forger.side(forger.built(EVIL)))
    assert isinstance(evidence.check(file), evidence.ContradictionFinding)
    with pytest.raises(LedgerError, match="nobody here vouches"):
        evidence.check(file, vouch=lambda node: node.signature == ELM.signature)
    both = evidence.format_repeated_epoch((ELM.file(), other_log(ELM.file())))
    with pytest.raises(LedgerError, match="nobody here vouches"):
        evidence.check(both, vouch=nobody)


def other_log(file: bytes) -> bytes:
    """The same certificate with the log of another epoch, proved anew by all its keys."""
    other = Node("A", 1, epoch=1).file()
    text = other.partition(b"\n\n")[0] + b"\n"
    return reproved(text.replace(b"\nepoch 1\n", b"\nepoch 0\n"), epoch=1)


def reproved(text: bytes, *, epoch: int, seed: bytes = b"\x01" * 32) -> bytes:
    message = proof_message(text)
    proofs = "".join(
        f"proof {role} {encode_base64(role_key(seed, ROLES[role], epoch).sign(message))}\n" for role in ROLES
    )
    return b"\n".join([text, proofs.encode(), ELM.signature])


def test_two_logs_in_one_epoch() -> None:
    file = evidence.format_repeated_epoch((ELM.file(), other_log(ELM.file())))
    found = evidence.check(file)
    assert isinstance(found, evidence.EpochFinding)
    assert (found.owner, found.epoch, found.origins) == ("A" * 40, 0, (ELM.origin, YEW.origin))
    assert "two logs in its epoch 0" in evidence.tell(found).claim
    assert len(file) < 8_000


@pytest.mark.parametrize(
    "other",
    [ELM.file(), YEW.file(), OAK.file(), reproved(ELM.file().partition(b"\n\n")[0] + b"\n", epoch=0)],
    ids=["the same", "another epoch", "another node", "the same log, renewed"],
)
def test_what_repeats_no_epoch(other: bytes) -> None:
    with pytest.raises(LedgerError, match="not two logs of one node"):
        evidence.check(evidence.format_repeated_epoch((ELM.file(), other)))


def _swap(old: bytes, new: bytes) -> Callable[[bytes], bytes]:
    def spoil(file: bytes) -> bytes:
        assert old in file
        return file.replace(old, new)

    return spoil


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (_swap(b"\n\nproof", b"\nproof"), "not the text"),
        (_swap(b"node elm", "node bäume".encode()), "not certificate, proofs"),
        (_swap(b"node elm", b"node elm\nnode oak"), "not the text"),
        (_swap(b"owner A", b"owner B"), "did not sign"),
        (_swap(b"proof log ", b"proof dog "), "proof of the log key"),
        (_swap(b"proof mirror ", b"proof mirror AAAA"), "mirror key did not sign"),
        (_swap(b"\n\n-----BEGIN", b"\nproof noise AAAA\n\n-----BEGIN"), "not four proofs"),
        (_swap(b"\nmirror f2fbuild.invalid/mirror", b"\nmirror f2fbuild.invalid/witness"), "wrong key id"),
        (_swap(b"\nwitness f2fbuild.invalid/witness", b"\nwitness f2fbuild.invalid/mirror"), "wrong key id"),
        (lambda file: file + bytes(16_384), "not certificate, proofs"),
    ],
)
def test_certificates_are_read_strictly(spoil: Callable[[bytes], bytes], why: str) -> None:
    with pytest.raises(FormatError, match=why):
        read_node(spoil(ELM.file()))


def test_a_witness_key_that_is_none() -> None:
    text = ELM.file().partition(b"\n\n")[0].decode() + "\n"
    named = next(line for line in text.split("\n") if line.startswith("witness "))
    spoilt = text.replace(named, f"witness {format_vkey(ELM.vkey)}")
    with pytest.raises(FormatError, match="of another kind"):
        read_node(reproved(spoilt.encode(), epoch=0))
