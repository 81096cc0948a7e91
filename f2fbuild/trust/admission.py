"""How a friend card becomes known: read, imported, verified. It grants nothing and certifies nothing.

Blocks for as long as GnuPG takes: callers in trio use `to_thread.run_sync`.
"""

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeAlias

from f2fbuild.errors import FormatError
from f2fbuild.trust.binding import Unbound, VerifiedCertificate, admit
from f2fbuild.trust.cards import FriendCard, parse_card
from f2fbuild.trust.certificate_file import CertificateFile
from f2fbuild.trust.gpg import Gnupg, GnupgError
from f2fbuild.trust.keyring import Keyring, KeyringFullError
from f2fbuild.trust.signature import SignatureFault

_OVER = (SignatureFault.SIGNER_REVOKED, SignatureFault.SIGNER_EXPIRED)
"""Faults of a key that is the owner's own all the same: that its time is over is worth knowing."""


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
    """Return what the card in `data` is worth. Somebody else's card cannot change what is known of an owner.

    1. The card is read: sizes, layout, key proofs, and that its key is the one that its certificate names.
    2. The owner's signature is verified in a scratch keyring, where a flooded key does no lasting harm.
    3. The key's minimal form is imported, or a known key updated: a revoked key's too, so that it counts.
    4. The signature is verified again by all that the node's keyring knows of the key.
    """
    try:
        card = parse_card(data)
        verified, key = _examine(card)
        if isinstance(verified, Unbound) and verified.fault not in _OVER:
            return RefusedCard(why=verified)
        keyring.add(key)
    except (FormatError, GnupgError, KeyringFullError) as error:
        return RefusedCard(why=error)
    verified = admit_file(card.certificate_file, keyring)
    if isinstance(verified, Unbound):
        return RefusedCard(why=verified)
    return AdmittedCard(card=card, verified=verified)


def _examine(card: FriendCard) -> tuple[VerifiedCertificate | Unbound, bytes]:
    """Return what the card's own key says of its certificate, and that key in minimal form."""
    file = card.certificate_file
    with TemporaryDirectory(prefix="f2f") as scratch:
        gnupg = Gnupg(Path(scratch), agent=False)
        owner = gnupg.add(card.owner_key)
        return admit(file, gnupg.verify(file.signature, file.text)), gnupg.export(owner)


def admit_file(file: CertificateFile, keyring: Keyring) -> VerifiedCertificate | Unbound:
    """Return the certificate as verified if its owner, whose key is in the keyring, signed it.

    For certificates that come without a card: renewed ones in a session, and entry 0 of a log.
    """
    return admit(file, keyring.verify(file.signature, file.text))
