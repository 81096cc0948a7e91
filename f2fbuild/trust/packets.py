"""What a run of OpenPGP packets holds, counted before GnuPG sees it (RFC 4880 §4).

GnuPG imports whatever it is fed: secret keys, a hundred keys at once, a key with a million signatures on it.
So a peer's block is walked first. Only packet framing and the fingerprint are read here; whether signatures
hold is GnuPG's to say.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

from f2fbuild.errors import FormatError
from f2fbuild.limits import OWNER_KEY_BYTES, OWNER_KEY_PACKETS

_FRAMES = {0: 1, 1: 2, 2: 4}


class Tag(IntEnum):
    """The packets that an owner's certificate or signature may have (RFC 4880 §4.3)."""

    SIGNATURE = 2
    PUBLIC_KEY = 6
    USER_ID = 13
    PUBLIC_SUBKEY = 14


@dataclass(frozen=True, slots=True, kw_only=True)
class Packet:
    """One packet: its tag and its body without the header."""

    tag: Tag
    body: bytes


def read_key(data: bytes, *, where: str = "owner key") -> str:
    """Return the fingerprint of the one public key in `data` (binary), upper-case hexadecimal.

    Raises:
        FormatError: not exactly one public key, too large, or with packets other than user ids, subkeys
            and signatures (secret keys, photos and compressed data are refused).
    """
    if len(data) > OWNER_KEY_BYTES:
        raise FormatError(
            f"the key has {len(data)} bytes, more than {OWNER_KEY_BYTES}",
            where=where,
            hint="ask for a minimal export: gpg --export-options export-minimal --export",
        )
    packets = _read(data, where)
    if not packets or packets[0].tag is not Tag.PUBLIC_KEY:
        raise FormatError("does not begin with a public key", where=where)
    if sum(packet.tag is Tag.PUBLIC_KEY for packet in packets) != 1:
        raise FormatError("more than one key", where=where)
    return _fingerprint(packets[0].body, where)


def check_signature(data: bytes, *, where: str = "signature") -> bytes:
    """Return `data` (binary) if it is exactly one signature packet.

    Raises:
        FormatError: anything else, two signatures too.
    """
    packets = _read(data, where)
    if [packet.tag for packet in packets] != [Tag.SIGNATURE]:
        raise FormatError("not exactly one signature", where=where)
    return data


def _fingerprint(body: bytes, where: str) -> str:
    """RFC 4880 §12.2; newer key versions are refused until GnuPG and RFC 9580 agree on one."""
    if body[:1] != b"\x04":
        raise FormatError("only OpenPGP keys of version 4 are known", where=where)
    framed = b"\x99" + len(body).to_bytes(2, "big") + body
    return hashlib.sha1(framed, usedforsecurity=False).hexdigest().upper()


def _read(data: bytes, where: str) -> list[Packet]:
    packets = []
    try:
        for packet in _walk(data):
            packets.append(packet)
            if len(packets) > OWNER_KEY_PACKETS:
                raise FormatError(f"more than {OWNER_KEY_PACKETS} packets (signatures)", where=where)
    except (IndexError, ValueError) as error:
        raise FormatError(f"not plain OpenPGP packets: {error}", where=where) from error
    return packets


def _walk(data: bytes) -> Iterator[Packet]:
    at = 0
    while at < len(data):
        tag, start, length = _header(data, at)
        at = start + length
        if at > len(data):
            raise ValueError("cut short")
        yield Packet(tag=Tag(tag), body=data[start:at])


def _header(data: bytes, at: int) -> tuple[int, int, int]:
    """Return tag, offset and length of the body of the packet whose header is at `at` (RFC 4880 §4.2)."""
    first = data[at]
    if not first & 0x80:
        raise ValueError("no packet header")
    if not first & 0x40:
        width = _FRAMES.get(first & 3)
        if width is None:
            raise ValueError("a packet of indeterminate length")
        return (first >> 2) & 15, at + 1 + width, int.from_bytes(data[at + 1 : at + 1 + width], "big")
    second = data[at + 1]
    if second < 192:
        return first & 63, at + 2, second
    if second < 224:
        return first & 63, at + 3, ((second - 192) << 8) + data[at + 2] + 192
    if second == 255:
        return first & 63, at + 6, int.from_bytes(data[at + 2 : at + 6], "big")
    raise ValueError("a packet in parts")
