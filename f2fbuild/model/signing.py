"""The keys of a node: derived from one seed, one for each role, and how their signatures are checked.

Using one key in two roles is advised against by C2SP, so every role has its own. Derivation equals
libsodium's `crypto_kdf_derive_from_key` with context `f2fbuild` (its manual, "Key derivation").
"""

import hashlib
import struct
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache

from nacl import bindings
from nacl.exceptions import BadSignatureError
from nacl.signing import SigningKey as _NaclKey

from f2fbuild.errors import FormatError, LocalProtocolError

SEED_BYTES = 32
SIGNATURE_BYTES = 64
_KEYS = 1024
"""Keys of which is remembered whether they are sound: those of all friends, and some that were shown."""


class Role(IntEnum):
    """What a derived key is for. Statements and noise survive epochs; the others belong to one log."""

    STATEMENTS = 0
    NOISE = 1
    LOG = 2
    WITNESS = 3
    MIRROR = 4


def derive_seed(seed: bytes, role: Role, epoch: int) -> bytes:
    """Return the 32-byte seed of a role's key in an epoch (always 0 for statements and noise)."""
    if len(seed) != SEED_BYTES:
        raise LocalProtocolError(f"a node seed has {SEED_BYTES} bytes, not {len(seed)}")
    number = role if role in (Role.STATEMENTS, Role.NOISE) else 16 * epoch + role
    salt = struct.pack("<Q", number)
    return hashlib.blake2b(b"", digest_size=32, key=seed, person=b"f2fbuild", salt=salt).digest()


@dataclass(frozen=True, slots=True)
class SigningKey:
    """An Ed25519 key that signs; `public` is its 32-byte public key."""

    _key: _NaclKey

    @classmethod
    def from_seed(cls, seed: bytes) -> "SigningKey":
        """Return the key whose 32-byte secret seed is given."""
        return cls(_NaclKey(seed))

    @property
    def public(self) -> bytes:
        """The 32-byte public key."""
        return bytes(self._key.verify_key)

    def sign(self, message: bytes) -> bytes:
        """Return the 64-byte Ed25519 signature (RFC 8032) over `message`."""
        return self._key.sign(message).signature


def check_public_key(public: bytes, *, where: str = "Ed25519 key") -> bytes:
    """Return `public` if it is a canonical point of the prime-order group.

    Raises:
        FormatError: wrong length, non-canonical, or of small order.
    """
    if not _is_sound(public):
        raise FormatError("not a canonical Ed25519 public key of full order", where=where)
    return public


@lru_cache(maxsize=_KEYS)
def _is_sound(public: bytes) -> bool:
    """Return whether `public` is a key that may have signed; finding out costs as much as a verification."""
    return len(public) == 32 and bindings.crypto_core_ed25519_is_valid_point(public)


def verify(public: bytes, message: bytes, signature: bytes) -> bool:
    """Return whether `signature` (64 bytes) by `public` (32 bytes) covers `message`."""
    if len(signature) != SIGNATURE_BYTES or not _is_sound(public):
        return False
    try:
        bindings.crypto_sign_open(signature + message, public)
    except BadSignatureError:
        return False
    return True
