"""SHA-256 digests in their one spelling, and the short ids people see.

A digest is the lower-case hexadecimal text of 32 bytes throughout the project.
"""

import hashlib
import re

from f2fbuild.errors import FormatError
from f2fbuild.limits import SHORT_ID_CHARACTERS

_DIGEST = re.compile(r"[0-9a-f]{64}", re.ASCII)
_CROCKFORD = "0123456789abcdefghjkmnpqrstvwxyz"


def sha256_hex(data: bytes) -> str:
    """Return the SHA-256 of `data` as 64 lower-case hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def parse_digest(text: str, *, where: str = "digest") -> str:
    """Return `text` if it is a digest in its one spelling.

    Raises:
        FormatError: anything but 64 lower-case hexadecimal digits.
    """
    if not _DIGEST.fullmatch(text):
        raise FormatError("not 64 lower-case hexadecimal digits", where=where)
    return text


def long_id(digest: str) -> str:
    """Return the digest in lower-case Crockford base32 (52 characters), of which screens show a prefix."""
    number = int(digest, 16) << 4
    return "".join(_CROCKFORD[(number >> shift) & 31] for shift in range(255, -1, -5))


def short_id(digest: str) -> str:
    """Return the eight characters of `long_id` that people see."""
    return long_id(digest)[:SHORT_ID_CHARACTERS]
