from collections.abc import Iterator
from dataclasses import replace

import pytest

from f2fbuild.model.digest import sha256_hex
from f2fbuild.trust.binding import (
    BindingFault,
    CertificateTable,
    PeerId,
    Unbound,
    VerifiedCertificate,
    admit,
    may_connect,
)
from f2fbuild.trust.certificates import NodeCertificate, format_certificate
from f2fbuild.trust.policy import Allowed, FriendState, Refusal
from f2fbuild.trust.refusals import RefusalReason
from f2fbuild.trust.signature import BadSignature, GoodSignature, SignatureFault
from tests.trust.trust_facts import ANN, ANNS, EVE, known
from tests.trust.trust_people import NOW, Person, certificate, person


@pytest.fixture(scope="module")
def ann() -> Iterator[Person]:
    with person("Ann") as somebody:
        yield somebody


def verified(one: NodeCertificate) -> VerifiedCertificate:
    return VerifiedCertificate(certificate=one, digest=sha256_hex(format_certificate(one)))


def test_a_certificate_is_admitted_only_if_its_owner_signed(ann: Person) -> None:
    file = ann.signed(certificate(ann.fingerprint))
    good = admit(file, GoodSignature(owner=ann.fingerprint, made=NOW))
    assert good == VerifiedCertificate(certificate=file.certificate, digest=file.digest)
    other = admit(file, GoodSignature(owner=EVE, made=NOW))
    assert isinstance(other, Unbound)
    assert other.fault is BindingFault.SIGNED_BY_ANOTHER
    bad = admit(file, BadSignature(fault=SignatureFault.SIGNER_REVOKED))
    assert isinstance(bad, Unbound)
    assert bad.fault is SignatureFault.SIGNER_REVOKED


def test_a_session_key_names_its_peer() -> None:
    table = CertificateTable([verified(ANNS), verified(certificate(EVE, seed=b"e" * 32))])
    peer = table.bind(ANNS.noise)
    assert peer == PeerId(
        owner=ANN,
        node="elm",
        node_id=ANNS.node_id,
        epoch=0,
        origin=ANNS.origin,
        certificate=verified(ANNS),
    )
    assert table.bind(ANNS.noise, verified(ANNS).digest) == peer
    assert table.bind(ANNS.noise, "00" * 32) == peer
    stranger = table.bind(b"s" * 32)
    assert isinstance(stranger, Unbound)
    assert stranger.fault is BindingFault.UNKNOWN_NOISE_KEY


def test_the_highest_epoch_and_in_it_the_latest_certificate_counts() -> None:
    renewed = certificate(ANN, since=NOW - 50)
    epoch = certificate(ANN, epoch=1, since=NOW - 90)
    for order in ([ANNS, renewed, epoch], [epoch, renewed, ANNS]):
        table = CertificateTable(verified(one) for one in order)
        peer = table.bind(ANNS.noise, verified(ANNS).digest)
        assert isinstance(peer, PeerId)
        assert peer.certificate == verified(epoch) == table.newest(ANNS.node_id)
        assert table.epochs() == {ANNS.node_id: 1}
    assert CertificateTable([verified(ANNS), verified(renewed)]).newest(ANNS.node_id) == verified(renewed)
    assert CertificateTable([]).newest(ANNS.node_id) is None


def test_a_log_belongs_to_the_node_whose_newest_certificate_names_it() -> None:
    epoch = certificate(ANN, epoch=1, since=NOW - 90)
    other = certificate(EVE, seed=b"e" * 32)
    table = CertificateTable(verified(one) for one in (epoch, other, ANNS))
    assert table.author(epoch.origin) == ANNS.node_id
    assert table.author(other.origin) == other.node_id
    assert ANNS.origin != epoch.origin
    assert table.author(ANNS.origin) is None


def test_a_replaced_session_key_is_nobodys() -> None:
    renewed = replace(ANNS, not_before=NOW, noise=b"n" * 32)
    table = CertificateTable([verified(ANNS), verified(renewed)])
    old = table.bind(ANNS.noise)
    assert isinstance(old, Unbound)
    assert old.fault is BindingFault.UNKNOWN_NOISE_KEY
    assert isinstance(table.bind(b"n" * 32), PeerId)


def test_another_owner_who_claims_a_session_key_does_not_get_it() -> None:
    claim = replace(certificate(EVE, seed=b"e" * 32), noise=ANNS.noise)
    table = CertificateTable([verified(ANNS), verified(claim)])
    peer = table.bind(ANNS.noise, verified(ANNS).digest)
    assert isinstance(peer, PeerId)
    assert peer.owner == ANN
    for digest in (None, "00" * 32):
        unclear = table.bind(ANNS.noise, digest)
        assert isinstance(unclear, Unbound)
        assert unclear.fault is BindingFault.CLAIMED_TWICE


def test_two_logs_under_one_epoch_number_bind_nobody() -> None:
    """A stolen or restored node that begins its epoch a second time."""
    rival = replace(ANNS, log=certificate(ANN, epoch=7).log)
    table = CertificateTable([verified(ANNS), verified(rival)])
    repeated = table.bind(ANNS.noise, verified(ANNS).digest)
    assert isinstance(repeated, Unbound)
    assert repeated.fault is BindingFault.EPOCH_REPEATED
    later = CertificateTable([verified(ANNS), verified(rival), verified(certificate(ANN, epoch=1))])
    assert isinstance(later.bind(ANNS.noise), PeerId)


def test_a_bound_peer_may_still_be_refused() -> None:
    peer = CertificateTable([verified(ANNS)]).bind(ANNS.noise)
    assert isinstance(peer, PeerId)
    assert isinstance(may_connect(peer, known(), NOW), Allowed)
    removed = may_connect(peer, known(states={ANN: FriendState.REMOVED}), NOW)
    assert isinstance(removed, Refusal)
    assert removed.reason is RefusalReason.PEER_REMOVED
    assert isinstance(may_connect(peer, known(), ANNS.not_after), Refusal)
