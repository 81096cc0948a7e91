"""What stands before an RPM's main header: the lead and the signature header.

Neither is covered by a digest, so both must hold exactly what follows from the rest of the file.
Source: rpm 4.18 `lib/rpmlead.c`, `lib/signature.c` (`rpmGenerateSignature`) and `rpmrc` (`arch_canon`).
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass

from f2fbuild.builder.digests.refusal import RefusalError, RefusalReason
from f2fbuild.builder.digests.rpm_header import Header, TagType

LEAD_BYTES = 96
_LEAD = struct.Struct(">4sBBHH66sHH16s")
_LEAD_MAGIC = b"\xed\xab\xee\xdb"
_LEAD_NAME_BYTES = 65
_LINUX = 1
_HEADER_SIGNATURE = 5
_UNKNOWN_MACHINE = 255
_MACHINES: Mapping[str, int] = {
    **dict.fromkeys(("x86_64", "amd64", "ia32e", "em64t", "i386", "i486", "i586", "i686", "athlon"), 1),
    **dict.fromkeys(("mips", "mipsel"), 4),
    "ppc": 5,
    **dict.fromkeys(("mips64", "mips64el"), 11),
    **dict.fromkeys(
        ("armv5tel", "armv6l", "armv6hl", "armv7l", "armv7hl", "armv7hnl", "armv8l", "armv8hl"), 12
    ),
    "s390": 14,
    "s390x": 15,
    **dict.fromkeys(("ppc64", "ppc64le"), 16),
    "aarch64": 19,
    **dict.fromkeys(("riscv", "riscv64"), 22),
    "loongarch64": 23,
}

_SHA1, _SHA256, _MD5, _RESERVED = 269, 273, 1004, 1008
_SIZE, _LONG_SIZE, _ARCHIVE_SIZE, _LONG_ARCHIVE_SIZE = 1000, 270, 1007, 271
_OPENPGP_TAGS = frozenset({267, 268, 1002, 1005})
_PLAIN_TAGS = frozenset(
    {_SHA1, _SHA256, _MD5, _RESERVED, _SIZE, _LONG_SIZE, _ARCHIVE_SIZE, _LONG_ARCHIVE_SIZE}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What the signature header must say.

    `size` is the bytes of header and payload together, `archive_size` those of the unpacked archive; `sha1`
    and `sha256` are of the main header, in hexadecimal; `md5` is of header and payload, 16 bytes.
    """

    size: int
    archive_size: int
    sha1: str
    sha256: str
    md5: bytes


def check_lead(lead: bytes, name: bytes, machine: str, *, source: bool) -> None:
    """Require the lead that rpm writes for the package `name` (name-[epoch:]version-release).

    Raises:
        RefusalError: any other byte.
    """
    number = _MACHINES.get(machine, _UNKNOWN_MACHINE)
    kept = name[:_LEAD_NAME_BYTES]
    expected = _LEAD.pack(_LEAD_MAGIC, 3, 0, source, number, kept, _LINUX, _HEADER_SIGNATURE, b"")
    if lead != expected:
        raise RefusalError(RefusalReason.LEAD, "not the lead that rpm writes for this package")


def check_signature_tags(header: Header, *, allow_signature: bool) -> None:
    """Require that the signature header has only digests, sizes and zeros (and signatures where allowed).

    Raises:
        RefusalError: another tag, or reserved space that is not zero.
    """
    allowed = _PLAIN_TAGS | _OPENPGP_TAGS if allow_signature else _PLAIN_TAGS
    for tag in header.entries.keys() - allowed:
        raise _refuse(f"tag {tag} does not belong here")
    if (header.binary(_RESERVED) or b"").strip(b"\0"):
        raise _refuse("reserved space that is not zero")


def check_measured(header: Header, measured: Measured) -> None:
    """Require that the signature header says what was measured.

    Raises:
        RefusalError: another number or digest, or one that is missing.
    """
    _check_size(header, _SIZE, _LONG_SIZE, measured.size)
    _check_size(header, _ARCHIVE_SIZE, _LONG_ARCHIVE_SIZE, measured.archive_size)
    if header.string(_SHA1) != measured.sha1.encode() or header.string(_SHA256) != measured.sha256.encode():
        raise _refuse("not the digest of the main header")
    if header.binary(_MD5) != measured.md5:
        raise _refuse("not the MD5 of header and payload")


def _check_size(header: Header, tag: int, long_tag: int, size: int) -> None:
    found = header.integers(tag, TagType.INT32) + header.integers(long_tag, TagType.INT64)
    if found != (size,):
        raise _refuse(f"tag {tag} or {long_tag} says {found} instead of {size}")


def _refuse(what: str) -> RefusalError:
    return RefusalError(RefusalReason.SIGNATURE, what, where="RPM signature header")
