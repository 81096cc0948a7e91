"""ASCII armor in one spelling (RFC 4880 §6): no headers, lines of 64 characters, CRC-24, LF.

GnuPG takes many spellings; what is hashed and signed onward must have one. So OpenPGP data is taken from
GnuPG in binary, armored here, and armor from peers is decoded, encoded again and compared.
"""

from enum import StrEnum

from f2fbuild.errors import FormatError
from f2fbuild.model.encoding import decode_base64, encode_base64

_LINE = 64
_CRC_START = 0xB704CE
_CRC_POLYNOMIAL = 0x1864CFB


class Block(StrEnum):
    """What an armored block holds, in the words of its first line."""

    SIGNATURE = "PGP SIGNATURE"
    PUBLIC_KEY = "PGP PUBLIC KEY BLOCK"


def first_line(block: Block) -> str:
    """Return the line that opens an armored block, without its LF."""
    return f"-----BEGIN {block}-----"


def armor(block: Block, data: bytes) -> str:
    """Return `data` (binary OpenPGP packets) as armored text that ends in LF."""
    text = encode_base64(data)
    lines = [text[start : start + _LINE] for start in range(0, len(text), _LINE)]
    crc = encode_base64(_crc24(data).to_bytes(3, "big"))
    return "\n".join([first_line(block), "", *lines, f"={crc}", f"-----END {block}-----", ""])


def dearmor(block: Block, text: str, *, where: str = "armor") -> bytes:
    """Return the binary OpenPGP packets in `text`, which must be as `armor` writes it.

    Raises:
        FormatError: no such block, or a second spelling of one.
    """
    lines = text.split("\n")
    data = decode_base64("".join(lines[2:-3]), where=where)
    if armor(block, data) != text:
        raise FormatError(f"not the one spelling of a {block}", where=where)
    return data


def _crc24(data: bytes) -> int:
    """Return the checksum of RFC 4880 §6.1, one table step per byte."""
    crc = _CRC_START
    for byte in data:
        crc = ((crc << 8) & 0xFFFFFF) ^ _TABLE[(crc >> 16) ^ byte]
    return crc


def _table_entry(byte: int) -> int:
    crc = byte << 16
    for _ in range(8):
        crc <<= 1
        if crc & 0x1000000:
            crc ^= _CRC_POLYNOMIAL
    return crc


_TABLE = tuple(_table_entry(byte) for byte in range(256))
