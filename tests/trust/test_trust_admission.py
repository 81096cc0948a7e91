from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from f2fbuild.errors import FormatError
from f2fbuild.trust import keyring as keyring_module
from f2fbuild.trust.admission import AdmittedCard, CardResult, RefusedCard, admit_card, admit_file
from f2fbuild.trust.binding import BindingFault, CertificateTable, PeerId, Unbound, VerifiedCertificate
from f2fbuild.trust.keyring import Keyring, KeyringFullError
from f2fbuild.trust.policy import Allowed, Gate, Grants, Known, Refusal, Right, decide
from f2fbuild.trust.refusals import RefusalReason
from f2fbuild.trust.signature import SignatureFault
from tests.trust.trust_people import NOW, Person, certificate, person, short_home


@pytest.fixture(scope="module")
def me() -> Iterator[Person]:
    with person("Me") as somebody:
        yield somebody


@pytest.fixture(scope="module")
def ann() -> Iterator[Person]:
    with person("Ann") as somebody:
        yield somebody


@pytest.fixture(scope="module")
def eve() -> Iterator[Person]:
    with person("Eve") as somebody:
        yield somebody


@pytest.fixture
def ring(me: Person) -> Iterator[Keyring]:
    with short_home() as home:
        yield Keyring.open(home / "ring", me.key)


def why(result: CardResult) -> object:
    assert isinstance(result, RefusedCard)
    return result.why.fault if isinstance(result.why, Unbound) else type(result.why)


def test_from_a_card_to_a_friend(ring: Keyring, me: Person, ann: Person) -> None:
    """The whole way: the card alone gives nothing; certifying and granting are the owner's acts."""
    result = admit_card(ann.card(), ring)
    assert isinstance(result, AdmittedCard)
    assert result.card.hints == ("elm.example.org:8594",)
    table = CertificateTable([result.verified])
    peer = table.bind(result.verified.certificate.noise)
    assert isinstance(peer, PeerId)

    def ask(question: Gate | Right, rights: dict[str, frozenset[Right]]) -> object:
        known = Known(
            snapshot=ring.snapshot(NOW), grants=Grants(rights=rights), states={}, epochs=table.epochs()
        )
        decision = decide(question, peer.owner, result.verified.certificate, known, NOW)
        return decision.reason if isinstance(decision, Refusal) else type(decision)

    assert ask(Gate.KEY, {}) is RefusalReason.OWNER_NOT_VALID
    ring.certify(ann.fingerprint, me.gnupg)
    assert ask(Gate.KEY, {}) is Allowed
    assert ask(Gate.CONNECT, {}) is RefusalReason.NOT_A_FRIEND
    assert ask(Right.SUBMIT, {ann.fingerprint: frozenset()}) is RefusalReason.RIGHT_MISSING
    assert ask(Right.SUBMIT, {ann.fingerprint: frozenset({Right.SUBMIT})}) is Allowed


@pytest.mark.parametrize("known", [True, False])
def test_a_certificate_signed_by_somebody_else(ring: Keyring, ann: Person, eve: Person, known: bool) -> None:
    if known:
        ring.add(eve.key)
    before = ring.snapshot(NOW)
    forged = eve.card(certificate(ann.fingerprint), key=ann.key)
    assert why(admit_card(forged, ring)) is SignatureFault.UNKNOWN_KEY
    assert ring.snapshot(NOW) is before


def test_a_card_brings_no_certifications_of_others(ring: Keyring, eve: Person) -> None:
    with person("Ann") as ann:
        eve.certify(ann)
        ring.add(eve.key)
        assert len(eve.knows(ann)) > len(ann.key)
        assert isinstance(admit_card(ann.card(key=eve.knows(ann)), ring), AdmittedCard)
    assert ann.fingerprint in ring.snapshot(NOW).owners
    assert ring.snapshot(NOW).certifications == ()


def test_a_signature_over_another_text(ring: Keyring, ann: Person) -> None:
    one = certificate(ann.fingerprint)
    other = ann.signed(replace(one, not_after=one.not_after + 1))
    whole = ann.card(one)
    signature = whole[whole.index(b"-----BEGIN PGP SIG") : whole.index(b"-----BEGIN PGP PUB")]
    swapped = whole.replace(signature, other.data[other.data.index(b"-----BEGIN PGP SIG") :])
    assert why(admit_card(swapped, ring)) is SignatureFault.BAD


def test_a_revoked_owner_and_the_revocation_stays(ring: Keyring, ann: Person) -> None:
    assert isinstance(admit_card(ann.card(), ring), AdmittedCard)
    revoked = ann.card(key=ann.revocation())
    assert why(admit_card(revoked, ring)) is SignatureFault.SIGNER_REVOKED
    assert why(admit_card(ann.card(), ring)) is SignatureFault.SIGNER_REVOKED
    assert ring.snapshot(NOW).owners[ann.fingerprint].revoked


def test_a_card_that_cannot_be_read_changes_nothing(ring: Keyring, ann: Person, eve: Person) -> None:
    before = ring.snapshot(NOW)
    whole = ann.card()
    for data in (b"", whole[:-1], whole.replace(b"\n", b"\r\n"), ann.card(key=eve.key)):
        assert why(admit_card(data, ring)) is FormatError
    assert ring.snapshot(NOW) is before


def test_a_full_keyring(ring: Keyring, ann: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keyring_module, "RING_OWNERS", 1)
    assert why(admit_card(ann.card(), ring)) is KeyringFullError


def test_a_card_from_a_file(ring: Keyring, ann: Person, tmp_path: Path) -> None:
    file = tmp_path / "ann.f2fcard"
    file.write_bytes(ann.card())
    assert isinstance(admit_card(file.read_bytes(), ring), AdmittedCard)


def test_a_renewed_certificate_comes_without_a_card(ring: Keyring, ann: Person, eve: Person) -> None:
    ring.add(ann.key)
    ring.add(eve.key)
    renewed = ann.signed(certificate(ann.fingerprint, since=NOW))
    verified = admit_file(renewed, ring)
    assert isinstance(verified, VerifiedCertificate)
    assert verified.digest == renewed.digest
    forged = admit_file(eve.signed(certificate(ann.fingerprint, since=NOW)), ring)
    assert isinstance(forged, Unbound)
    assert forged.fault is BindingFault.SIGNED_BY_ANOTHER
