"""How this node gets its certificate, and the friend card to hand over.

Blocks while GnuPG works and while pinentry waits for a person: callers in trio use `to_thread.run_sync`.
"""

from collections.abc import Sequence

from f2fbuild.trust.cards import FriendCard, check_hint, format_card, parse_card
from f2fbuild.trust.certificate_file import CertificateFile, assemble
from f2fbuild.trust.certificates import NodeCertificate, format_certificate
from f2fbuild.trust.gpg import Gnupg


def issue(seed: bytes, certificate: NodeCertificate, user: Gnupg) -> CertificateFile:
    """Return the certificate's file: signed by its owner through the user's GnuPG, its keys' proofs added.

    Args:
        seed: the node's 32-byte seed.
        certificate: as `node_keys.draft` made it from the same seed.
        user: the user's GnuPG, which has the owner's secret key.

    Raises:
        SigningRefusedError: GnuPG did not sign.
        FormatError: the certificate is of another seed.
    """
    text = format_certificate(certificate)
    return assemble(seed, text, user.sign(certificate.owner, text))


def make_card(file: CertificateFile, hints: Sequence[str], user: Gnupg) -> bytes:
    """Return the friend card of a certificate, with the owner's key as the user's GnuPG has it.

    Args:
        file: the node's certificate file.
        hints: up to `CARD_HINTS` times `HOST:PORT`.
        user: the user's GnuPG.

    Raises:
        GnupgError: the owner's key is not in the user's keyring.
        FormatError: a hint is not `HOST:PORT`, or the card would be too large (too many user ids).
    """
    key = user.export(file.certificate.owner)
    checked = tuple(check_hint(hint) for hint in hints)
    data = format_card(FriendCard(hints=checked, certificate_file=file, owner_key=key))
    parse_card(data)
    return data
