"""Keyrings and signature reports as values: what gpgv is given, and what its status lines mean."""

import base64
import binascii
import re
from typing import Final

from f2fbuild.errors import ConfigurationError

_ARMOR: Final = re.compile(
    rb"-----BEGIN PGP PUBLIC KEY BLOCK-----\r?\n(?:[!-~]+: .*\r?\n)*\r?\n([A-Za-z0-9+/=\s]+?)\s*"
    rb"(?:\r?\n=[A-Za-z0-9+/]{4}\s*)?-----END PGP PUBLIC KEY BLOCK-----"
)


def keyring_bytes(data: bytes, *, where: str = "keyring") -> bytes:
    """Return a keyring as gpgv reads it: binary certificates one after another, armored ones decoded.

    Raises:
        ConfigurationError: an armored file without a readable key.
    """
    if not data.lstrip().startswith(b"-----BEGIN"):
        return data
    try:
        keys = [base64.b64decode(b"".join(body.split()), validate=True) for body in _ARMOR.findall(data)]
    except binascii.Error as error:
        raise ConfigurationError(f"damaged armor: {error}", where=where) from error
    if not keys:
        raise ConfigurationError("has no public key", where=where)
    return b"".join(keys)


def good_signers(status: bytes) -> tuple[str, ...]:
    """Return the fingerprints of good signatures in gpgv's status lines; none at all when one is bad.

    GOODSIG and VALIDSIG stand together for a signature that counts: an expired or revoked key gives VALIDSIG
    alone.
    """
    signers, good = [], False
    for line in status.decode("utf-8", "replace").splitlines():
        match line.split():
            case ["[GNUPG:]", "BADSIG", *_]:
                return ()
            case ["[GNUPG:]", "NEWSIG", *_]:
                good = False
            case ["[GNUPG:]", "GOODSIG", *_]:
                good = True
            case ["[GNUPG:]", "VALIDSIG", fingerprint, *_] if good:
                signers.append(fingerprint)
    return tuple(signers)
