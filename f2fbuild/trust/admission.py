"""How a friend card becomes known: read, imported, verified. It grants nothing and certifies nothing.

Blocks for as long as GnuPG takes: callers in trio use `to_thread.run_sync`.
"""

from dataclasses import dataclass
from typing import TypeAlias

from f2fbuild.errors import FormatError
from f2fbuild.trust.binding import Unbound, VerifiedCertificate, admit
from f2fbuild.trust.cards import FriendCard, parse_card
from f2fbuild.trust.certificate_file import CertificateFile
from f2fbuild.trust.gpg import GnupgError
from f2fbuild.trust.keyring import Keyring, KeyringFullError


@dataclass(frozen=True, slots=True, kw_only=True)
class AdmittedCard:
    """A card whose certificate its owner signed. Whether the key is its owner's is another question."""

    card: FriendCard
    verified: VerifiedCertificate


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedCard:
    """A card that is not usable: `why` is an error (unreadable, keyring) or a fault of the signature."""

    why: FormatError | GnupgError | KeyringFullError | Unbound


CardResult: TypeAlias = AdmittedCard | RefusedCard


def admit_card(data: bytes, keyring: Keyring) -> CardResult:
    """Return what the card in `data` is worth. A card that can be read leaves its owner's key in the ring.

    1. The card is read: sizes, layout, key proofs, and that its key is the one that its certificate names.
    2. The key is imported, or a known one updated: so a revocation takes effect even by a card refused next.
    3. The owner's signature over the certificate is verified, strictly.
    """
    try:
        card = parse_card(data)
        keyring.add(card.owner_key)
    except (FormatError, GnupgError, KeyringFullError) as error:
        return RefusedCard(why=error)
    verified = admit_file(card.certificate_file, keyring)
    if isinstance(verified, Unbound):
        return RefusedCard(why=verified)
    return AdmittedCard(card=card, verified=verified)


def admit_file(file: CertificateFile, keyring: Keyring) -> VerifiedCertificate | Unbound:
    """Return the certificate as verified if its owner, whose key is in the keyring, signed it.

    For certificates that come without a card: renewed ones in a session, and entry 0 of a log.
    """
    return admit(file, keyring.verify(file.signature, file.text))
