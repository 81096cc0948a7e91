"""Who vouches for a log: its node certificates, checked with GnuPG where the owner's key is at hand.

Everything else that an auditor checks is arithmetic; here a person's key comes in, so the answer depends on
the keyrings that are asked. An owner's key that nobody has accuses nobody.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TypeAlias

from f2fbuild.errors import F2FError, FormatError
from f2fbuild.ledger import reading
from f2fbuild.ledger.certificate import NODE_CERTIFICATE
from f2fbuild.ledger.facts import Query
from f2fbuild.ledger.search import search
from f2fbuild.model.envelope import unseal
from f2fbuild.model.vkey import VerifierKey
from f2fbuild.trust.certificate_file import CertificateFile, parse_file
from f2fbuild.trust.gpg import Gnupg
from f2fbuild.trust.signature import BadSignature, GoodSignature, SignatureFault

Keyrings: TypeAlias = list[Gnupg]


class Standing(StrEnum):
    """What a certificate is worth."""

    GOOD = "good"
    """Its owner signed it."""
    UNKNOWN = "unknown"
    """No keyring that was asked has the owner's key."""
    LAPSED = "lapsed"
    """Its owner signed it, and the key has expired or was revoked since."""
    BAD = "bad"
    """Its owner did not sign it, or a key in it did not agree."""


_STANDINGS = {
    SignatureFault.UNKNOWN_KEY: Standing.UNKNOWN,
    SignatureFault.SIGNER_EXPIRED: Standing.LAPSED,
    SignatureFault.SIGNER_REVOKED: Standing.LAPSED,
    SignatureFault.EXPIRED: Standing.LAPSED,
}
_BEST_FIRST = (Standing.GOOD, Standing.LAPSED, Standing.BAD, Standing.UNKNOWN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Vouched:
    """The certificate at `index` of a log; `owner` is the fingerprint that it names, `why` for people."""

    index: int
    owner: str
    standing: Standing
    why: str


def open_keyrings(homes: Sequence[Path]) -> Keyrings:
    """Return the keyrings of those GnuPG homes that exist; nothing is written into them, no agent started."""
    return [Gnupg(home, agent=False) for home in homes if home.is_dir()]


def check_certificates(directory: Path, key: VerifierKey, keyrings: Keyrings) -> list[Vouched]:
    """Return what every node certificate in the log of `key` is worth.

    Raises:
        LedgerError: no log of this key.
        StorageError: a file is missing or damaged.
    """
    if not reading.read_head(directory, key).checkpoint.size:
        return []
    wanted = search(directory, key, Query(payload_type=NODE_CERTIFICATE))
    return [_check(index, data, key, keyrings) for index, data in wanted]


def _check(index: int, data: bytes, key: VerifierKey, keyrings: Keyrings) -> Vouched:
    where = f"entry {index}"
    try:
        file = parse_file(unseal(data, where=where).payload, where=where)
    except FormatError as error:
        return Vouched(index=index, owner="", standing=Standing.BAD, why=error.what)
    owner = file.certificate.owner
    if file.certificate.log != key:
        return Vouched(index=index, owner=owner, standing=Standing.BAD, why="is of another log")
    found = [_ask(file, keyring) for keyring in keyrings]
    found.append((Standing.UNKNOWN, SignatureFault.UNKNOWN_KEY.value))
    standing, why = min(found, key=lambda one: _BEST_FIRST.index(one[0]))
    return Vouched(index=index, owner=owner, standing=standing, why=why)


def _ask(file: CertificateFile, keyring: Gnupg) -> tuple[Standing, str]:
    try:
        answer = keyring.verify(file.signature, file.text)
    except F2FError as error:
        return Standing.BAD, error.what
    match answer:
        case GoodSignature(owner=owner) if owner == file.certificate.owner:
            return Standing.GOOD, "signed by its owner"
        case GoodSignature(owner=owner):
            return Standing.BAD, f"signed by {owner}, who is not its owner"
        case BadSignature(fault=fault):
            return _STANDINGS.get(fault, Standing.BAD), fault.value
