"""Headers of the two cpio forms that rpm writes: "newc", and its own stripped form for files above 4 GiB.

Source: rpm 4.18 `lib/cpio.c`. A number is eight lower-case hexadecimal digits; a stripped header holds only
the file's index in the RPM header.
"""

import re
import struct
from dataclasses import dataclass
from typing import TypeAlias

from f2fbuild.builder.digests.refusal import RefusalError, RefusalReason
from f2fbuild.builder.digests.unpack import Unpacked
from f2fbuild.limits import ARCHIVE_PATH_BYTES

_NEWC_MAGIC = b"070701"
_STRIPPED_MAGIC = b"07070X"
_NEWC_REST = 13 * 8
_TRAILER_NAME = b"TRAILER!!!"
_TRAILER_NUMBERS = (0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, len(_TRAILER_NAME) + 1, 0)
_DIGITS = re.compile(rb"[0-9a-f]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Newc:
    """A "newc" header. `rdev` is (major, minor); the device is always 0:0 and there is no checksum."""

    inode: int
    mode: int
    uid: int
    gid: int
    nlink: int
    mtime: int
    size: int
    rdev: tuple[int, int]
    name: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Stripped:
    """A stripped header: the index of the file in the RPM header."""

    index: int


Record: TypeAlias = Newc | Stripped


def read_record(archive: Unpacked) -> Record | None:
    """Read the next header, from the end of the file before; None is the trailer.

    Raises:
        RefusalError: not a header as rpm writes it.
    """
    archive.read_pad(4)
    magic = archive.read(6)
    if magic == _STRIPPED_MAGIC:
        (index,) = _numbers(archive.read(8))
        archive.read_pad(4)
        return Stripped(index=index)
    if magic != _NEWC_MAGIC:
        raise _malformed("not the magic of a cpio header")
    numbers = _numbers(archive.read(_NEWC_REST))
    name = _read_name(archive, numbers[11])
    if name == _TRAILER_NAME and numbers == _TRAILER_NUMBERS:
        return None
    inode, mode, uid, gid, nlink, mtime, size, *device, major, minor, _, checksum = numbers
    if device != [0, 0] or checksum:
        raise _malformed("a device or checksum that rpm does not write")
    return Newc(
        inode=inode,
        mode=mode,
        uid=uid,
        gid=gid,
        nlink=nlink,
        mtime=mtime,
        size=size,
        rdev=(major, minor),
        name=name,
    )


def _numbers(data: bytes) -> tuple[int, ...]:
    if not _DIGITS.fullmatch(data):
        raise _malformed("a number that is not in lower-case hexadecimal")
    return struct.unpack(f">{len(data) // 8}I", bytes.fromhex(data.decode()))


def _read_name(archive: Unpacked, size: int) -> bytes:
    if not 2 <= size <= ARCHIVE_PATH_BYTES + 2:
        raise _malformed(f"a name of {size} bytes")
    name = archive.read(size)
    archive.read_pad(4)
    if name.find(b"\0") != size - 1:
        raise _malformed("a name that does not end where it says")
    return name[:-1]


def _malformed(what: str) -> RefusalError:
    return RefusalError(RefusalReason.MALFORMED, what, where="cpio archive")
