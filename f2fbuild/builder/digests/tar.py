"""The tar archives inside a .deb, read as a stream and never extracted.

Source: deb(5) and GNU tar's manual ("Basic Tar Format", old GNU and ustar). dpkg-deb writes old GNU headers
with long names in entries of their own; pax headers, sparse files and base-256 numbers are none of it.
The standard library's reader accepts far more, and takes long names of any size into memory.
"""

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from f2fbuild.builder.digests.refusal import RefusalError, RefusalReason, text
from f2fbuild.builder.digests.unpack import Unpacked
from f2fbuild.limits import ARCHIVE_PATH_BYTES

_BLOCK = 512
_HEADER = struct.Struct("100s8s8s8s12s12s8s1s100s8s32s32s8s8s155s12s")
_OCTAL = re.compile(rb"[0-7]+")
_GNU, _USTAR = b"ustar  \0", b"ustar\x0000"
_LONG_NAME, _LONG_LINK = b"L", b"K"


class Kind(Enum):
    """What an entry is; the value is the header's type flag."""

    FILE = b"0"
    HARD_LINK = b"1"
    SYMLINK = b"2"
    DIRECTORY = b"5"


_SPECIAL = frozenset({b"3", b"4", b"6"})


@dataclass(frozen=True, slots=True, kw_only=True)
class TarEntry:
    """One entry. `mode` has the twelve permission bits, `size` is in bytes, `mtime` in unix seconds."""

    name: bytes
    kind: Kind
    mode: int
    uid: int
    gid: int
    size: int
    mtime: int
    link: bytes
    user: bytes
    group: bytes


def read_entries(archive: Unpacked) -> Iterator[TarEntry]:
    """Yield the entries up to the end of `archive`.

    Whoever iterates reads an entry's `size` bytes of content before asking for the next.

    Raises:
        RefusalError: not such an archive, a device node or fifo, or anything but zeros after its end.
    """
    while (block := archive.read(_BLOCK)).strip(b"\0"):
        name, link = b"", b""
        while block[156:157] in {_LONG_NAME, _LONG_LINK}:
            value = _read_long(archive, block)
            name, link = (value, link) if block[156:157] == _LONG_NAME else (name, value)
            block = archive.read(_BLOCK)
        yield _parse(block, name, link)
        archive.read_pad(_BLOCK)
    for piece in archive.rest():
        if bytes(piece).strip(b"\0"):
            raise RefusalError(RefusalReason.TRAILING, "bytes after the end", where="tar archive")


def _read_long(archive: Unpacked, block: bytes) -> bytes:
    """Return the name or link target that follows as an entry of its own."""
    _check_sum(block)
    size = _number(block[124:136])
    if not 2 <= size <= ARCHIVE_PATH_BYTES:
        raise RefusalError(RefusalReason.TOO_LARGE, f"a name of {size} bytes", where="tar archive")
    value = archive.read(size)
    archive.read_pad(_BLOCK)
    if value.find(b"\0") != size - 1:
        raise _malformed("a long name that does not end where it says")
    return value[:-1]


def _parse(block: bytes, long_name: bytes, long_link: bytes) -> TarEntry:
    _check_sum(block)
    fields = _HEADER.unpack(block)
    name, mode, uid, gid, size, mtime, _, flag, link, magic, user, group, *_, prefix, _ = fields
    if magic not in {_GNU, _USTAR}:
        raise _malformed("neither GNU nor ustar")
    if flag in _SPECIAL:
        raise RefusalError(RefusalReason.SPECIAL_FILE, "a device node or fifo", where=text(_string(name)))
    if flag not in {kind.value for kind in Kind}:
        raise RefusalError(RefusalReason.UNSUPPORTED, f"an entry of type {flag!r}", where="tar archive")
    kind = Kind(flag)
    parents = _string(prefix) + b"/" if magic == _USTAR and _string(prefix) else b""
    entry = TarEntry(
        name=long_name or parents + _string(name),
        kind=kind,
        mode=_number(mode),
        uid=_number(uid),
        gid=_number(gid),
        size=_number(size),
        mtime=_number(mtime),
        link=long_link or _string(link),
        user=_string(user),
        group=_string(group),
    )
    if entry.mode > 0o7777 or (entry.size and kind != Kind.FILE):
        raise _malformed("a mode or size that an entry cannot have")
    return entry


def _check_sum(block: bytes) -> None:
    if _number(block[148:156]) != sum(block[:148]) + sum(block[156:]) + 8 * ord(" "):
        raise _malformed("wrong checksum")


def _number(field: bytes) -> int:
    digits = field.rstrip(b"\0 ")
    if not _OCTAL.fullmatch(digits):
        raise _malformed("a number that is not octal")
    return int(digits, 8)


def _string(field: bytes) -> bytes:
    return field.partition(b"\0")[0]


def _malformed(what: str) -> RefusalError:
    return RefusalError(RefusalReason.MALFORMED, what, where="tar archive")
