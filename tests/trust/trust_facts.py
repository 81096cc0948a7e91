"""Made-up trust snapshots for decisions."""

from collections.abc import Mapping
from dataclasses import replace

from f2fbuild.trust.certificates import NodeCertificate
from f2fbuild.trust.policy import FriendState, Grants, Known, Right
from f2fbuild.trust.snapshot import Certification, Owner, TrustSnapshot, Validity
from tests.trust.trust_people import NOW, YEAR, certificate, fingerprint

ME, ANN, BOB, EVE = (fingerprint(number) for number in (1, 0xA, 0xB, 0xE))
ANNS = certificate(ANN)


def owner(name: str, validity: Validity = Validity.FULL, expires: int | None = NOW + YEAR) -> Owner:
    return Owner(fingerprint=name, validity=validity, expires=expires, user_ids=("Somebody",), claims=())


def certification(certifier: str, certified: str, expires: int | None = None) -> Certification:
    return Certification(
        certifier=certifier, certified=certified, made=NOW - YEAR, expires=expires, local=False
    )


def snapshot(*owners: Owner, certifications: tuple[Certification, ...] = ()) -> TrustSnapshot:
    everybody = (owner(ME, Validity.ULTIMATE, None), *(owners or (owner(ANN),)))
    return TrustSnapshot(
        me=ME,
        owners={one.fingerprint: one for one in everybody},
        certifications=certifications,
        digest="00" * 32,
        taken=NOW,
    )


def known(
    *owners: Owner,
    rights: Mapping[str, frozenset[Right]] | None = None,
    states: Mapping[str, FriendState] | None = None,
    epochs: Mapping[str, int] | None = None,
    certifications: tuple[Certification, ...] = (),
) -> Known:
    """Everything is in order for Ann, who may only submit, unless told otherwise."""
    return Known(
        snapshot=snapshot(*owners, certifications=certifications),
        grants=Grants(rights={ANN: frozenset({Right.SUBMIT})} if rights is None else rights),
        states=states or {},
        epochs=epochs or {},
    )


def anns(epoch: int = 0, *, since: int = NOW - 100, until: int = NOW + YEAR) -> NodeCertificate:
    return replace(ANNS, epoch=epoch, not_before=since, not_after=until)
