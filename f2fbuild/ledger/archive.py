"""Archives of logs: a plain tar (POSIX ustar) of what C2SP tlog-tiles serves, for a USB stick.

    README                      what this is, for whoever finds it
    <hex>/vkey                  the log's verifier key, one line; <hex> is the last part of its origin
    <hex>/checkpoint            its newest signed head
    <hex>/certificate           entry 0's payload: the node certificate with its owner's signature
    <hex>/tile/…                all hash tiles, and the entry bundles of the range that was asked for

Any tar unpacks it, and each directory is then a log for any tlog-tiles client. Here are only the pure parts:
512-byte headers and names. What is written has one form, so that the same logs make the same bytes; what is
read may come from another tar, but only as regular files and directories with short names.
"""

import re
from dataclasses import dataclass

from f2fbuild.errors import FormatError

BLOCK = 512
"""Bytes of a tar block (POSIX.1-1988 ustar)."""
END = bytes(2 * BLOCK)
"""Two empty blocks end a tar."""
README = b"""\
Append-only logs of f2fbuild nodes, one directory each: C2SP tlog-tiles (https://c2sp.org/tlog-tiles).

vkey         the key that signs the checkpoint (C2SP signed-note); check it against the certificate
checkpoint   origin, size and root of the Merkle tree (RFC 6962), signed
certificate  entry 0: which keys the node has, signed by its owner with OpenPGP
tile/        hash tiles and entry bundles; every entry is a DSSE envelope

How to check all of it with sha256sum, openssl and gpg alone is told in docs/howto/audit.md of f2fbuild.
"""

_NAME = re.compile(r"(?:\./)?([0-9a-f]{64})/([a-z0-9./]{1,100})", re.ASCII)
_SIZE = re.compile(rb"([0-7]{11})[\0 ]", re.ASCII)
_CHECKSUM = re.compile(rb"([0-7]{6})\0 |([0-7]{7})[\0 ]| {0,6}([0-7]{1,6})\0 ", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A header: a regular file's name and size in bytes; a directory has size 0 and a name that ends in /."""

    name: str
    size: int


def format_header(member: Member) -> bytes:
    """Return the header of a file: mode 0644, owned by nobody in particular, at the beginning of time.

    Raises:
        FormatError: a name that does not fit, or 8 GiB and more.
    """
    name = member.name.encode()
    if len(name) >= 100 or member.size >= 8**11:
        raise FormatError("does not fit a tar header", where=member.name)
    start = (
        name.ljust(100, b"\0")
        + b"0000644\0"
        + b"0000000\0" * 2
        + b"%011o\0" % member.size
        + b"0" * 11
        + b"\0"
    )
    end = b"0" + bytes(100) + b"ustar\00000" + bytes(64) + b"0000000\0" * 2 + bytes(167)
    return start + b"%06o\0 " % sum(start + b" " * 8 + end) + end


def padding(size: int) -> int:
    """Return how many zero bytes follow a file of `size` bytes."""
    return -size % BLOCK


def parse_header(block: bytes, *, where: str = "tar") -> Member | None:
    """Return what a header says, None for the empty block that ends a tar.

    Raises:
        FormatError: no header of ustar or GNU tar, a wrong checksum, or neither file nor directory.
    """
    if len(block) != BLOCK:
        raise FormatError("cut short", where=where)
    if not any(block):
        return None
    size, checksum = _SIZE.fullmatch(block[124:136]), _CHECKSUM.fullmatch(block[148:156])
    if block[257:262] != b"ustar" or size is None or checksum is None:
        raise FormatError("not a tar", where=where)
    digits = next(group for group in checksum.groups() if group)
    if int(digits, 8) != sum(block[:148]) + 8 * 0x20 + sum(block[156:]):
        raise FormatError("a tar header with a wrong checksum", where=where)
    kind = block[156:157]
    if kind not in {b"0", b"\0", b"5"}:
        raise FormatError("holds something else than files and directories", where=where)
    name = _text(block[:100], where)
    prefix = _text(block[345:500], where) if block[257:263] == b"ustar\0" else ""
    whole = f"{prefix}/{name}" if prefix else name
    if kind == b"5":
        return Member(name=whole.rstrip("/") + "/", size=0)
    return Member(name=whole, size=int(size[1], 8))


def split_name(name: str) -> tuple[str, str] | None:
    """Return the digits of the log's origin and the path below it, None for a file of no log."""
    match = _NAME.fullmatch(name)
    return (match[1], match[2]) if match else None


def _text(field: bytes, where: str) -> str:
    text = field.rstrip(b"\0")
    if b"\0" in text or not text.isascii():
        raise FormatError("a tar header with a name that cannot be meant", where=where)
    return text.decode()
