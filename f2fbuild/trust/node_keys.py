"""The keys of this node, all derived from its one seed, and the certificate that names them."""

from nacl.public import PrivateKey

from f2fbuild.model.signing import Role, SigningKey, derive_seed
from f2fbuild.model.vkey import VerifierKey, own_name
from f2fbuild.trust.certificates import (
    KINDS,
    NodeCertificate,
    Previous,
    format_certificate,
    parse_certificate,
)

ROLES = {
    "statements": Role.STATEMENTS,
    "log": Role.LOG,
    "witness": Role.WITNESS,
    "mirror": Role.MIRROR,
}
"""The Ed25519 roles by the words that certificates use, in the order of a certificate's proofs."""


def draft(
    seed: bytes,
    *,
    owner: str,
    node: str,
    not_before: int,
    not_after: int,
    epoch: int = 0,
    previous: Previous | None = None,
) -> NodeCertificate:
    """Return the certificate, still unsigned, of the node whose 32-byte `seed` is given.

    Raises:
        FormatError: a field could not stand in a certificate.
    """
    certificate = NodeCertificate(
        owner=owner,
        node=node,
        statements=role_key(seed, Role.STATEMENTS, epoch).public,
        log=_named(seed, "log", epoch),
        witness=_named(seed, "witness", epoch),
        mirror=_named(seed, "mirror", epoch),
        noise=bytes(noise_key(seed).public_key),
        not_before=not_before,
        not_after=not_after,
        epoch=epoch,
        previous=previous,
    )
    return parse_certificate(format_certificate(certificate))


def role_key(seed: bytes, role: Role, epoch: int) -> SigningKey:
    """Return the Ed25519 key of a role, derived from the node's seed."""
    return SigningKey.from_seed(derive_seed(seed, role, epoch))


def noise_key(seed: bytes) -> PrivateKey:
    """Return the X25519 key of the node's sessions, derived from its seed."""
    return PrivateKey(derive_seed(seed, Role.NOISE, 0))


def _named(seed: bytes, field: str, epoch: int) -> VerifierKey:
    public = role_key(seed, ROLES[field], epoch).public
    return VerifierKey(name=own_name(field, public), kind=KINDS[field], public=public)
