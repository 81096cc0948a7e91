"""Which cosigners a reader knows, said so that only a cosigner whom both know is recognised.

Lines of cosignatures show who knows whom, so whoever hands on a head leaves only the lines of keys that the
receiver has named. It names them by tags under a fresh salt: who has the key's line anyhow can tell that it
is meant, and nobody learns from a tag whom else the reader knows.
"""

import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256

from f2fbuild.model.vkey import VerifierKey, key_id

SALT_BYTES = 16
TAG_BYTES = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """The keys that a reader knows: a salt, and a tag of each key under it."""

    salt: bytes
    tags: frozenset[bytes]

    def __contains__(self, key: object) -> bool:
        """Return whether `key` is one of them."""
        return isinstance(key, VerifierKey) and _tag(self.salt, key) in self.tags


NOBODY = Known(salt=bytes(SALT_BYTES), tags=frozenset())
"""What a reader knows who has not said it."""


def name_known(keys: Iterable[VerifierKey], salt: bytes) -> Known:
    """Return what to say of `keys` under `salt`, which has 16 fresh random bytes."""
    return Known(salt=salt, tags=frozenset(_tag(salt, key) for key in keys))


def _tag(salt: bytes, key: VerifierKey) -> bytes:
    text = f"f2fbuild known/1\n{key.name}\n".encode()
    return hmac.digest(salt, text + key_id(key), sha256)[:TAG_BYTES]
