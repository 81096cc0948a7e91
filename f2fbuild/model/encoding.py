"""Base64 in one spelling: the standard alphabet, padded, no bits left over, no white space.

What is signed or hashed must have one byte form, and Python's decoder alone takes many.
"""

import base64
import binascii

from f2fbuild.errors import FormatError


def encode_base64(data: bytes) -> str:
    """Return standard base64 with padding."""
    return base64.b64encode(data).decode()


def decode_base64(text: str, *, where: str = "base64") -> bytes:
    """Return the bytes of standard base64 in its one spelling.

    Raises:
        FormatError: another alphabet, missing padding, or bits set that the spelling leaves over.
    """
    try:
        data = base64.b64decode(text.encode(), validate=True)
    except (binascii.Error, ValueError) as error:
        raise FormatError("not base64", where=where) from error
    if encode_base64(data) != text:
        raise FormatError("not the one spelling of base64", where=where)
    return data
